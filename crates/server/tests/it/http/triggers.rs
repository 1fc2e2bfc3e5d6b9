use base64::Engine;
use pizzapi_protocol::runner::{self, from_client};
use pizzapi_protocol::{CommandKind, ServiceAnnounce};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::sockets::{Peer, Person};
use crate::support::{Answer, TestServer, wait_until};

const SECRET: &str = "a-long-enough-secret";

/// A runner whose services announced something to subscribe to.
async fn machine(server: &TestServer, person: &Person<'_>) -> Peer<runner::FromServer> {
    let mut peer = person.runner("r1", SECRET).await;
    peer.find("runner_registered", |event| matches!(event, runner::FromServer::RunnerRegistered(_)).then_some(()))
        .await;
    let announce: ServiceAnnounce = serde_json::from_value(json!({
        "serviceIds": ["github", "time"],
        "triggerDefs": [
            { "type": "github:push", "label": "Push", "schema": { "properties": { "repo": {}, "branch": {} } },
              "params": [{ "name": "repo", "label": "Repository", "type": "string", "required": true }] },
            { "type": "time:cron", "label": "Cron", "params": [{ "name": "cron", "label": "Cron", "type": "string", "required": true }] },
            { "type": "work:only", "label": "Work", "modes": ["work"] },
        ],
        "sessionModes": [{ "id": "work", "label": "Work", "workspace": "/work/office" }],
    }))
    .unwrap();
    peer.emit::<from_client::ServiceAnnounce>(&announce);
    wait_until("the services are known", || async {
        let record = server.app().live.stores.runners.get(&"r1".into()).await.unwrap();
        record.is_some_and(|record| record.services.is_some())
    })
    .await;
    peer
}

/// A session that lives on the runner.
async fn linked(server: &TestServer, person: &Person<'_>, id: &str) -> crate::sockets::Agent {
    let agent = person.modern_agent(id).await;
    server.app().live.stores.sessions.link_runner(&id.into(), &"r1".into(), Some("box")).await.unwrap();
    agent
}

#[tokio::test]
async fn a_trigger_reaches_a_session_once_and_is_remembered() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut agent = ana.modern_agent("s1").await;
    let path = "/api/sessions/s1/trigger";
    let body =
        json!({ "type": "ci:done", "payload": { "ok": true }, "source": "ci", "summary": "Build", "eventId": "e1" });
    let first = ana.browser.post(path, body.clone()).await;
    assert_eq!((first.status, &first.body["triggerId"]), (StatusCode::OK, &json!("ext_e1")), "{first:?}");
    let command = agent.command().await;
    assert_eq!((command.kind, command.command_id.as_str()), (CommandKind::Trigger, "ext_e1"));
    assert_eq!(ana.browser.post(path, body).await.body["triggerId"], "ext_e1");
    assert_eq!(server.app().db.commands().open("s1").await.unwrap().len(), 1);

    let history = ana.browser.get("/api/sessions/s1/triggers").await.body;
    let entries = history["triggers"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["source"]), (1, &json!("external:ci")), "{history}");
    assert_eq!(ana.browser.delete("/api/sessions/s1/triggers").await.status, StatusCode::OK);
    assert_eq!(ana.browser.get("/api/sessions/s1/triggers").await.body, json!({ "triggers": [] }));

    for (body, status) in [
        (json!({ "payload": {} }), 400),
        (json!({ "type": "x" }), 400),
        (json!({ "type": "x", "payload": [] }), 400),
        (json!({ "type": "x", "payload": {}, "deliverAs": "later" }), 400),
    ] {
        assert_eq!(ana.browser.post(path, body.clone()).await.status.as_u16(), status, "{body}");
    }
    let foreign = bob.browser.post(path, json!({ "type": "x", "payload": {} })).await;
    assert_eq!((foreign.status, foreign.error()), (StatusCode::NOT_FOUND, "Session not found"));
    let none = ana
        .browser
        .post("/api/sessions/none/trigger", json!({ "type": "x", "payload": {}, "wakeSession": true }))
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_ended_session_is_woken_by_its_runner() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&server, &ana).await;
    let agent = linked(&server, &ana, "s1").await;
    server.app().db.sessions().link_runner("s1", "r1", Some("box")).await.unwrap();
    ana.browser.post("/api/sessions/s1/end", json!({ "force": true })).await;
    drop(agent);
    let body = json!({ "type": "x", "payload": {}, "wakeSession": true });
    assert_eq!(
        ana.browser.post("/api/sessions/s1/trigger", json!({ "type": "x", "payload": {} })).await.status,
        StatusCode::NOT_FOUND
    );
    let request = ana.browser.post("/api/sessions/s1/trigger", body);
    let runner = async {
        let new = box1
            .find("new_session", |event| match event {
                runner::FromServer::NewSession(new) => Some(new),
                _ => None,
            })
            .await;
        assert_eq!((new.session_id.as_str(), new.resume_id.as_ref().map(|id| id.as_str())), ("s1", Some("s1")));
        box1.emit::<from_client::SessionReady>(&pizzapi_protocol::relay::SessionRef { session_id: new.session_id });
    };
    let (answer, ()) = tokio::join!(request, runner);
    assert_eq!((answer.status, &answer.body["waking"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(true)), "{answer:?}");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_session_subscribes_to_what_its_runner_offers() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut box1 = machine(&server, &ana).await;
    let _agent = linked(&server, &ana, "s1").await;
    let offered = ana.browser.get("/api/sessions/s1/available-triggers").await.body;
    let types: Vec<&str> =
        offered["triggerDefs"].as_array().unwrap().iter().filter_map(|def| def["type"].as_str()).collect();
    assert_eq!(types, ["github:push", "time:cron"]);

    let path = "/api/sessions/s1/trigger-subscriptions";
    for (body, status) in [
        (json!({}), 400),
        (json!({ "triggerType": "none:such" }), 422),
        (json!({ "triggerType": "work:only" }), 422),
        (json!({ "triggerType": "github:push" }), 400),
        (
            json!({ "triggerType": "github:push", "params": { "repo": "a" }, "filters": [{ "field": "nope", "value": 1 }] }),
            400,
        ),
        (json!({ "triggerType": "time:cron", "params": { "cron": "61 * * * *" } }), 400),
    ] {
        let answer = ana.browser.post(path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {answer:?}");
    }
    assert_eq!(bob.browser.post(path, json!({ "triggerType": "github:push" })).await.status, StatusCode::NOT_FOUND);

    let body = json!({ "triggerType": "github:push", "params": { "repo": "pizza" }, "filters": [{ "field": "branch", "value": "main" }] });
    let made = ana.browser.post(path, body).await.body;
    let id = made["subscriptionId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let delta = box1
        .find("the subscription", |event| match event {
            runner::FromServer::TriggerSubscriptionDelta(delta) => Some(delta),
            _ => None,
        })
        .await;
    assert_eq!((delta.subscription.subscription_id.as_str(), delta.action.as_str()), (id.as_str(), "subscribe"));
    assert_eq!(ana.browser.get(path).await.body["subscriptions"][0]["params"], json!({ "repo": "pizza" }));
    let changed = ana.browser.put(&format!("{path}/{id}"), json!({ "params": { "repo": "dough" } })).await.body;
    assert_eq!((&changed["params"]["repo"], &changed["filters"][0]["field"]), (&json!("dough"), &json!("branch")));
    let removed = ana.browser.delete(&format!("{path}/github:push")).await.body;
    assert_eq!((&removed["removed"], &removed["subscriptionId"]), (&json!(1), &json!(id)));
    assert_eq!(ana.browser.delete(&format!("{path}/{id}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_broadcast_reaches_matching_subscribers_of_its_owner() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _box1 = machine(&server, &ana).await;
    let mut main = linked(&server, &ana, "s-main").await;
    let _other = linked(&server, &ana, "s-other").await;
    for (session, branch) in [("s-main", "main"), ("s-other", "dev")] {
        let body = json!({ "triggerType": "github:push", "params": { "repo": "x" }, "filters": [{ "field": "branch", "value": branch }] });
        let made = ana.browser.post(&format!("/api/sessions/{session}/trigger-subscriptions"), body).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
    }
    let path = "/api/runners/r1/trigger-broadcast";
    let body = json!({ "type": "github:push", "payload": { "branch": "main" } });
    let send = |key: &str| Answer::of(server.request(Method::POST, path).header("x-api-key", key).json(&body));
    let sent = send(&ana.key).await;
    assert_eq!((&sent.body["delivered"], &sent.body["spawned"]), (&json!(1), &json!(0)), "{sent:?}");
    assert_eq!(main.command().await.kind, CommandKind::Trigger);
    assert_eq!(send(&bob.key).await.status, StatusCode::FORBIDDEN);
    let by_cookie = ana.browser.post(path, body.clone()).await;
    assert_eq!((by_cookie.status, by_cookie.error()), (StatusCode::UNAUTHORIZED, "Missing API key (x-api-key header)"));
}

#[tokio::test]
async fn a_listener_starts_a_session_and_hands_it_the_trigger() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut box1 = machine(&server, &ana).await;
    let path = "/api/runners/r1/trigger-listeners";
    let body =
        json!({ "triggerType": "github:push", "params": { "repo": "x" }, "prompt": "Review it", "cwd": "/work/pizza" });
    let made = ana.browser.post(path, body).await.body;
    let id = made["listenerId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(ana.browser.get(path).await.body["listeners"][0]["prompt"], "Review it");
    assert_eq!(bob.browser.put(&format!("{path}/{id}"), json!({ "prompt": "x" })).await.status, StatusCode::FORBIDDEN);

    let fire = format!("/api/sessions/runner-listener:{id}/trigger");
    assert_eq!(
        bob.browser.post(&fire, json!({ "type": "github:push", "payload": {} })).await.status,
        StatusCode::NOT_FOUND
    );
    let request = ana.browser.post(&fire, json!({ "type": "github:push", "payload": { "prompt": "of Ana" } }));
    let work = async {
        let new = box1
            .find("new_session", |event| match event {
                runner::FromServer::NewSession(new) => Some(new),
                _ => None,
            })
            .await;
        assert_eq!((new.cwd.as_deref(), new.prompt), (Some("/work/pizza"), None));
        box1.emit::<from_client::SessionReady>(&pizzapi_protocol::relay::SessionRef {
            session_id: new.session_id.clone(),
        });
        let mut agent = ana.modern_agent(new.session_id.as_str()).await;
        let command = agent.command().await;
        (new.session_id, agent, json!(command))
    };
    let (answer, (session, _agent, command)) = tokio::join!(request, work);
    assert_eq!((answer.status, &answer.body["spawnedSessionId"]), (StatusCode::OK, &json!(session)), "{answer:?}");
    assert!(command.to_string().contains("Review it\\n\\nof Ana"), "{command}");
    assert_eq!(ana.browser.delete(&format!("{path}/{id}")).await.body["removed"], 1);
    assert_eq!(ana.browser.delete(&format!("{path}/{id}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sign_in_comes_back_to_the_session_that_asked_once() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    let state = |session: &str| {
        let json = json!({ "sessionId": session, "nonce": "n1", "oauthState": "o" }).to_string();
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
    };
    let path = |session: &str| format!("/api/mcp-oauth-callback?code=c0de&state={}", state(session));
    assert_eq!(server.get(&path("gone")).await.status, StatusCode::GONE);
    let page = server.get(&path("s1")).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, Some("text/html; charset=utf-8")));
    assert!(!page.text.contains("c0de"));
    let callback = agent
        .peer
        .find("the code", |event| match event {
            pizzapi_protocol::relay::FromServer::McpOauthCallback(callback) => Some(callback),
            _ => None,
        })
        .await;
    assert_eq!((callback.code.as_str(), callback.oauth_state.as_deref()), ("c0de", Some("o")));
    assert_eq!(server.get(&path("s1")).await.status, StatusCode::CONFLICT);
    let hostile =
        server.get("/api/mcp-oauth-callback?error=x&error_description=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(hostile.status, StatusCode::BAD_REQUEST);
    assert!(
        !hostile.text.contains("<script>")
            && hostile.header("content-security-policy").unwrap().starts_with("default-src 'none'")
    );
    assert_eq!(server.get("/api/mcp-oauth-callback?code=x&state=zzz").await.status, StatusCode::BAD_REQUEST);
}
