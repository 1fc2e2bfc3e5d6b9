use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, TestServer};

#[tokio::test]
async fn a_machine_is_linked_once() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let created = server.post("/api/setup-claim", json!({ "relayUrl": "http://relay", "label": "ana's <mac>" })).await;
    let token = created.body["token"].as_str().unwrap();
    let poll = format!("/api/setup-claim/{token}");
    assert_eq!(
        server.get(&poll).await.body,
        json!({ "status": "pending", "relayUrl": "http://relay", "label": "anas mac" })
    );
    assert_eq!(server.get(&format!("/api/setup-claim-info/{token}")).await.body["status"], "pending");

    assert_eq!(server.post(&format!("{poll}/approve"), json!({})).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.post(&format!("{poll}/approve"), json!({})).await.body, json!({ "ok": true }));
    assert_eq!(server.get(&format!("/api/setup-claim-info/{token}")).await.body["status"], "approved");
    let approved = server.get(&poll).await.body;
    assert_eq!(approved["status"], "approved");
    let key = approved["apiKey"].as_str().unwrap();
    let me = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await;
    assert_eq!(me.body["userId"].as_str(), Some(ana.user_id.as_str()));

    let again = server.get(&poll).await.body;
    assert_eq!((again["status"].as_str(), again.get("apiKey")), (Some("redeemed"), None));
    assert_eq!(ana.post(&format!("{poll}/approve"), json!({})).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn of_racing_approvals_and_polls_one_of_each_wins() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let created = server.post("/api/setup-claim", json!({ "relayUrl": "http://relay" })).await;
    let poll = format!("/api/setup-claim/{}", created.body["token"].as_str().unwrap());
    let approve = format!("{poll}/approve");
    let (one, two) = tokio::join!(ana.post(&approve, json!({})), bo.post(&approve, json!({})));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    let polls = futures_util::future::join_all((0..6).map(|_| server.get(&poll))).await;
    assert_eq!(polls.iter().filter(|answer| answer.body.get("apiKey").is_some()).count(), 1, "{polls:?}");
    // The loser's key is gone again.
    let keys = async |person: &crate::support::Browser<'_>| {
        person.get("/api/auth/api-key/list").await.body.as_array().unwrap().len()
    };
    assert_eq!(keys(&ana).await + keys(&bo).await, 1);
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_a_wrong_token() {
    let server = TestServer::start().await;
    for path in ["/api/setup-claim/0000", "/api/setup-claim-info/0000"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "Unknown or expired claim"));
    }
    assert_eq!(server.post("/api/setup-claim", json!({})).await.error(), "Missing required field: relayUrl");
}

#[tokio::test]
async fn asking_for_links_is_limited() {
    let server = TestServer::with(|config| config.auth.unlimited = false).await;
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = server.post("/api/setup-claim", json!({ "relayUrl": "http://relay" })).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn the_minted_key_is_nowhere_in_the_database() {
    let server = TestServer::with(|config| config.database_url = None).await;
    let ana = server.person("ana").await;
    let created = server.post("/api/setup-claim", json!({ "relayUrl": "http://relay" })).await;
    let token = created.body["token"].as_str().unwrap().to_owned();
    let poll = format!("/api/setup-claim/{token}");
    ana.post(&format!("{poll}/approve"), json!({})).await;
    let path = server.app().config.database_path();
    let read = || {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(std::fs::read(format!("{}-wal", path.display())).unwrap_or_default());
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let before = read();
    let key = server.get(&poll).await.body["apiKey"].as_str().unwrap().to_owned();
    let secret = ana.cookie.split(['=', '.']).nth(2).unwrap();
    for (what, text) in [("key", key.as_str()), ("claim token", &token), ("login token", secret)] {
        assert!(!before.contains(text), "{what} is stored in clear");
    }
}
