use pizzapi_protocol::{CommandKind, SessionId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sockets::{Person, modern};
use crate::support::{Answer, TestServer, wait_until};

async fn ids(person: &Person<'_>, path: &str) -> Vec<String> {
    let body = person.browser.get(path).await.body;
    body["persistedSessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["sessionId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn live_and_past_sessions_are_listed_to_their_owner_only() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _agent = ana.modern_agent("s1").await;
    let body = ana.browser.get("/api/sessions").await.body;
    assert_eq!(body["sessions"][0]["sessionId"], "s1", "{body}");
    assert_eq!(body["sessions"][0]["presence"], "online");
    assert_eq!(body["persistedSessions"][0]["sessionId"], "s1");
    assert_eq!(bob.browser.get("/api/sessions").await.body["sessions"], json!([]));
    assert_eq!(bob.browser.get("/api/sessions/s1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ana.browser.get("/api/sessions/s1").await.body["live"]["cwd"], "/work");
    let bare = ana.browser.get("/api/sessions?includePersisted=0").await.body;
    assert_eq!((&bare["persistedSessions"], bare["sessions"].as_array().unwrap().len()), (&json!([]), 1));
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agents = Vec::new();
    for n in 0..5 {
        agents.push(ana.modern_agent(&format!("s{n}")).await);
    }
    let mut seen = Vec::new();
    let mut path = "/api/sessions?limit=2".to_owned();
    loop {
        seen.extend(ids(&ana, &path).await);
        match ana.browser.get(&path).await.body["nextCursor"].as_str() {
            Some(cursor) => path = format!("/api/sessions?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4"]);
    assert_eq!(ana.browser.get("/api/sessions?cursor=nonsense").await.status, StatusCode::BAD_REQUEST);

    assert_eq!(
        ana.browser.put("/api/sessions/s0/pin", Value::Null).await.body,
        json!({ "ok": true, "isPinned": true })
    );
    assert_eq!(ids(&ana, "/api/sessions?limit=2").await[0], "s0");
    assert_eq!(ana.browser.get("/api/sessions/pinned").await.body["pinnedSessions"][0]["sessionId"], "s0");
    assert_eq!(ana.browser.delete("/api/sessions/s0/pin").await.body["isPinned"], false);
    assert_eq!(ana.browser.put("/api/sessions/none/pin", Value::Null).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_session_is_renamed_and_found_by_its_name() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _agent = ana.modern_agent("s1").await;
    let rename = |person: &'_ Person<'_>, name: Value| {
        Answer::of(person.browser.request(Method::PATCH, "/api/sessions/s1").json(&json!({ "name": name })))
    };
    assert_eq!(rename(&bob, json!("mine")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(rename(&ana, json!(7)).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rename(&ana, json!("  Pizza dough ")).await.body["sessionName"], "Pizza dough");
    assert_eq!(ana.browser.get("/api/sessions").await.body["sessions"][0]["sessionName"], "Pizza dough");
    assert_eq!(ids(&ana, "/api/sessions?q=DOUGH").await, ["s1"]);
    assert_eq!(ids(&ana, "/api/sessions?q=sauce").await, Vec::<String>::new());
}

#[tokio::test]
async fn commands_reach_the_session_and_its_answer_comes_back() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    let request = ana.browser.post("/api/sessions/s1/abort", Value::Null);
    let session = async {
        let command = agent.command().await;
        assert_eq!(command.kind, CommandKind::Exec);
        let receipt = json!({ "commandId": command.command_id, "state": "consumed" });
        agent
            .peer
            .emit::<pizzapi_protocol::relay::from_client::CommandReceipt>(&serde_json::from_value(receipt).unwrap());
    };
    let (answer, ()) = tokio::join!(request, session);
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("consumed")), "{answer:?}");

    let input = ana.browser.post("/api/sessions/s1/input", json!({ "text": "hello", "commandId": "c-1" })).await;
    assert_eq!((input.status, &input.body["commandId"]), (StatusCode::ACCEPTED, &json!("c-1")), "{input:?}");
    assert_eq!(agent.command().await.command_id.as_str(), "c-1");
    let again = ana.browser.post("/api/sessions/s1/input", json!({ "text": "hello", "commandId": "c-1" })).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(server.app().db.commands().open("s1").await.unwrap().len(), 1);
}

#[tokio::test]
async fn refusals_say_why() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _closed = crate::sockets::Agent::register(&server.running.url(), &ana.key, "closed", |register| {
        modern(register);
        register.collab_mode = Some(false);
    })
    .await;
    let _open = ana.modern_agent("open").await;
    ana.browser.put("/api/settings/hidden-models", json!({ "hiddenModels": ["acme/secret"] })).await;
    let model = |id: &str| json!({ "provider": "acme", "modelId": id });
    for (person, path, body, status, code) in [
        (&ana, "/api/sessions/open/model", json!({}), 400, ""),
        (&ana, "/api/sessions/open/model", model("secret"), 403, "model_hidden"),
        (&ana, "/api/sessions/closed/model", model("big"), 409, "not_collab"),
        (&ana, "/api/sessions/none/model", model("big"), 404, "not_found"),
        (&bob, "/api/sessions/open/model", model("big"), 404, "not_found"),
        (&bob, "/api/sessions/open/abort", json!({}), 404, "not_found"),
        (&ana, "/api/sessions/open/thinking", json!({ "level": "hard" }), 400, ""),
        (&ana, "/api/sessions/open/input", json!({ "text": " " }), 400, ""),
    ] {
        let answer = person.browser.post(path, body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_session_is_ended_and_then_deleted() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let agent = ana.modern_agent("s1").await;
    assert_eq!(ana.browser.delete("/api/sessions/s1").await.code(), "live");
    assert_eq!(bob.browser.post("/api/sessions/s1/end", json!({ "force": true })).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ana.browser.post("/api/sessions/s1/end", json!({ "force": true })).await.status, StatusCode::ACCEPTED);
    drop(agent);
    wait_until("the session is over", || async {
        server.app().live.stores.sessions.get(&SessionId::from("s1")).await.unwrap().is_none()
    })
    .await;
    wait_until("its row says so", || async {
        server.app().db.sessions().get("s1").await.unwrap().is_some_and(|row| row.ended_at.is_some())
    })
    .await;
    assert_eq!(bob.browser.delete("/api/sessions/s1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ana.browser.delete("/api/sessions/s1").await.status, StatusCode::OK);
    assert_eq!(ids(&ana, "/api/sessions").await, Vec::<String>::new());
}

#[tokio::test]
async fn running_sessions_learn_of_changed_preferences() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    ana.browser.put("/api/settings/hidden-models", json!({ "hiddenModels": ["a/1"] })).await;
    let hidden = agent
        .peer
        .find("hidden_models_update", |event| match event {
            pizzapi_protocol::relay::FromServer::HiddenModelsUpdate(update)
                if !update.hidden_models.as_slice().is_empty() =>
            {
                Some(update.hidden_models)
            }
            _ => None,
        })
        .await;
    assert_eq!(json!(hidden), json!(["a/1"]));
}

#[tokio::test]
async fn s5_a_revoked_key_and_a_signed_out_browser_lose_their_sockets() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    let mut hub = ana.hub().await;
    let id = ana.browser.get("/api/auth/api-key/list").await.body[0]["id"].clone();
    ana.browser.post("/api/auth/api-key/delete", json!({ "keyId": id })).await;
    agent.peer.disconnected().await;
    ana.browser.post("/api/auth/sign-out", json!({})).await;
    hub.disconnected().await;
}
