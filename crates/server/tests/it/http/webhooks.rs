use hmac::{Hmac, Mac};
use pizzapi_protocol::runner::{self, from_client};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, TestServer, wait_until};

fn sign(secret: &str, parts: &[&str]) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    hex::encode(mac.finalize().into_bytes())
}

/// A webhook of `owner`: id and secret.
async fn webhook(owner: &crate::support::Browser<'_>, body: Value) -> (String, String) {
    let made = owner.post("/api/webhooks", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let text = |name: &str| made.body["webhook"][name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn fire(server: &TestServer, id: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = server.request(Method::POST, &format!("/api/webhooks/{id}/fire")).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request).await
}

#[tokio::test]
async fn a_webhook_is_its_owners_and_tells_its_secret_once() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let (id, secret) = webhook(&ana, json!({ "name": "CI", "source": "ci", "eventFilter": ["done"] })).await;
    let path = format!("/api/webhooks/{id}");
    let list = ana.get("/api/webhooks").await;
    assert!(!list.text.contains(&secret) && list.body["webhooks"][0]["secret"] == format!("…{}", &secret[60..]));
    for answer in [bo.get(&path).await, bo.put(&path, json!({ "enabled": false })).await, bo.delete(&path).await] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let changed = ana.put(&path, json!({ "name": "CI 2", "eventFilter": null, "prompt": "go" })).await.body;
    assert_eq!((&changed["webhook"]["name"], &changed["webhook"]["eventFilter"]), (&json!("CI 2"), &Value::Null));
    let rotated = ana.post(&format!("{path}/rotate-secret"), Value::Null).await.body;
    let fresh = rotated["webhook"]["secret"].as_str().unwrap();
    assert_eq!(
        fire(&server, &id, "{}", &[("x-webhook-signature", &sign(&secret, &["{}"]))]).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(fire(&server, &id, "{}", &[("x-webhook-signature", &sign(fresh, &["{}"]))]).await.code(), "no_runner");
    let path_of_db = server.app().config.database_path();
    if server.app().config.database_url.is_none() {
        let mut bytes = std::fs::read(&path_of_db).unwrap();
        bytes.extend(std::fs::read(format!("{}-wal", path_of_db.display())).unwrap_or_default());
        assert!(!String::from_utf8_lossy(&bytes).contains(&secret));
    }
    assert_eq!(ana.delete(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s38_unsigned_changed_old_and_repeated_calls_are_refused() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (id, secret) = webhook(&ana, json!({ "name": "CI", "source": "ci", "eventFilter": ["done"] })).await;
    let body = r#"{"type":"other"}"#;
    let now = server.app().clock.now_ms();
    let signed = |at: i64, nonce: &str| {
        let at = pizzapi_server::clock::iso(at);
        let signature = sign(&secret, &[&at, ".", nonce, ".", body]);
        (at, nonce.to_owned(), signature)
    };
    let send = async |(at, nonce, signature): (String, String, String), body: &str| {
        let headers =
            [("x-webhook-signature", signature.as_str()), ("x-webhook-timestamp", &at), ("x-webhook-nonce", &nonce)];
        fire(&server, &id, body, &headers).await
    };
    assert_eq!(fire(&server, &id, body, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(signed(now, "n0"), r#"{"type":"done"}"#).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(signed(now - 6 * 60 * 1000, "n1"), body).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(signed(now + 60 * 1000, "n2"), body).await.status, StatusCode::UNAUTHORIZED);
    let mut renamed = signed(now, "n3");
    renamed.1 = "n4".to_owned();
    assert_eq!(send(renamed, body).await.status, StatusCode::UNAUTHORIZED);
    let accepted = send(signed(now, "n5"), body).await;
    assert_eq!(accepted.body, json!({ "ok": true, "filtered": true }));
    assert_eq!(send(signed(now, "n5"), body).await.status, StatusCode::CONFLICT);

    let legacy = sign(&secret, &[body]);
    assert_eq!(fire(&server, &id, body, &[("x-webhook-signature", &legacy)]).await.status, StatusCode::OK);
    assert_eq!(fire(&server, &id, body, &[("x-webhook-signature", &legacy)]).await.status, StatusCode::CONFLICT);
    let unknown = fire(&server, "none", body, &[("x-webhook-signature", &legacy)]).await;
    ana.put(&format!("/api/webhooks/{id}"), json!({ "enabled": false })).await;
    let disabled = fire(&server, &id, body, &[("x-webhook-signature", &legacy)]).await;
    assert_eq!((unknown.status, unknown.body), (disabled.status, disabled.body));
}

#[tokio::test]
async fn an_accepted_call_becomes_one_session_with_the_prompt_given_once() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = ana.runner("r1", "a-long-enough-secret").await;
    box1.find("runner_registered", |event| matches!(event, runner::FromServer::RunnerRegistered(_)).then_some(()))
        .await;
    let made = json!({ "name": "CI", "source": "ci", "runnerId": "r1", "cwd": "/work/pizza", "prompt": "Fix it" });
    let (id, secret) = webhook(&ana.browser, made).await;
    let body = r#"{"type":"done","prompt":"build 7"}"#;
    let fired = fire(&server, &id, body, &[("x-webhook-signature", &sign(&secret, &[body]))]).await;
    assert_eq!((fired.status, &fired.body["state"]), (StatusCode::ACCEPTED, &json!("queued")), "{fired:?}");
    let new = box1
        .find("new_session", |event| match event {
            runner::FromServer::NewSession(new) => Some(new),
            _ => None,
        })
        .await;
    assert_eq!((new.session_id.as_str(), new.prompt), (fired.body["sessionId"].as_str().unwrap(), None));
    box1.emit::<from_client::SessionReady>(&pizzapi_protocol::relay::SessionRef { session_id: new.session_id.clone() });
    let mut agent = ana.modern_agent(new.session_id.as_str()).await;
    let command = json!(agent.command().await);
    assert!(command.to_string().contains("Fix it\\n\\nbuild 7"), "{command}");
    let path = format!("/api/webhooks/{id}/deliveries");
    wait_until("the delivery is done", || async {
        ana.browser.get(&path).await.body["deliveries"][0]["state"] == "delivered"
    })
    .await;
}

#[tokio::test]
async fn a_call_for_a_runner_that_is_away_waits_for_it() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = ana.runner("r1", "a-long-enough-secret").await;
    box1.find("runner_registered", |event| matches!(event, runner::FromServer::RunnerRegistered(_)).then_some(()))
        .await;
    let (id, secret) = webhook(&ana.browser, json!({ "name": "CI", "source": "ci", "runnerId": "r1" })).await;
    drop(box1);
    let fired = fire(&server, &id, "{}", &[("x-webhook-signature", &sign(&secret, &["{}"]))]).await;
    assert_eq!(fired.status, StatusCode::ACCEPTED);
    let path = format!("/api/webhooks/{id}/deliveries");
    wait_until("it was tried and put off", || async {
        let body = ana.browser.get(&path).await.body;
        body["deliveries"][0]["state"] == "pending" && body["deliveries"][0]["attempts"] == 1
    })
    .await;
}
