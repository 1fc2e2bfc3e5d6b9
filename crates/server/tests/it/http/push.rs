use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Browser, TestServer, wait_until};

/// A push service on this machine: remembers what it was sent and answers with a status.
struct Service {
    url: String,
    got: Arc<Mutex<Vec<(HeaderMap, usize)>>>,
}

async fn service(status: u16) -> Service {
    type Got = Arc<Mutex<Vec<(HeaderMap, usize)>>>;
    let got = Got::default();
    let take = move |State(got): State<Got>, headers: HeaderMap, body: axum::body::Bytes| async move {
        got.lock().push((headers, body.len()));
        axum::http::StatusCode::from_u16(status).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/send", listener.local_addr().unwrap().port());
    let app = axum::Router::new().route("/send", post(take)).with_state(got.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Service { url, got }
}

async fn subscribe(person: &Browser<'_>, endpoint: &str) {
    let random = ring::rand::SystemRandom::new();
    let pair = ring::agreement::EphemeralPrivateKey::generate(&ring::agreement::ECDH_P256, &random).unwrap();
    let p256dh = URL_SAFE_NO_PAD.encode(pair.compute_public_key().unwrap());
    let keys = json!({ "p256dh": p256dh, "auth": URL_SAFE_NO_PAD.encode([7; 16]) });
    let answer = person.post("/api/push/subscribe", json!({ "endpoint": endpoint, "keys": keys })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn the_key_of_this_server_outlives_a_restart() {
    let server = TestServer::start().await;
    let key = server.get("/api/push/vapid-public-key").await.body;
    assert_eq!(URL_SAFE_NO_PAD.decode(key["publicKey"].as_str().unwrap()).unwrap().len(), 65);
    let server = TestServer::within(server.stop().await, |_| {}).await;
    assert_eq!(server.get("/api/push/vapid-public-key").await.body, key);
}

#[tokio::test]
async fn what_an_agent_asks_reaches_a_browser_that_is_not_looking() {
    let server = TestServer::with(|config| config.push.allow_private = true).await;
    let ana = server.user("ana").await;
    let service = service(201).await;
    subscribe(&ana.browser, &service.url).await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&["hello"]).await;
    let seq = agent.send(json!({ "type": "agent_end", "messages": [] }));
    agent.acked(seq).await;
    wait_until("the notification arrives", || async { !service.got.lock().is_empty() }).await;
    let got = service.got.lock();
    let (headers, length) = &got[0];
    assert!(headers["authorization"].to_str().unwrap().starts_with("vapid t="));
    assert_eq!(headers["content-encoding"], "aes128gcm");
    assert!(*length > 86);
}

#[tokio::test]
async fn a_subscription_that_is_over_is_forgotten() {
    let server = TestServer::with(|config| config.push.allow_private = true).await;
    let ana = server.user("ana").await;
    let (gone, fine) = (service(410).await, service(201).await);
    subscribe(&ana.browser, &gone.url).await;
    subscribe(&ana.browser, &fine.url).await;
    let tested = ana.browser.post("/api/push/test", json!({})).await.body;
    let results: Vec<&str> =
        tested["results"].as_array().unwrap().iter().filter_map(|row| row["result"].as_str()).collect();
    assert_eq!(results, ["gone", "accepted"], "{tested}");
    let left = ana.browser.get("/api/push/subscriptions").await.body;
    assert_eq!(left["subscriptions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn s32_a_push_service_inside_the_network_is_never_called() {
    // A public-looking name that leads to this machine.
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let service = service(201).await;
    let row = pizzapi_server::db::push::PushSubscription {
        id: "x".into(),
        user_id: ana.browser.user_id.clone(),
        endpoint: service.url.clone(),
        p256dh: URL_SAFE_NO_PAD.encode({
            let random = ring::rand::SystemRandom::new();
            let pair = ring::agreement::EphemeralPrivateKey::generate(&ring::agreement::ECDH_P256, &random).unwrap();
            pair.compute_public_key().unwrap()
        }),
        auth: URL_SAFE_NO_PAD.encode([7; 16]),
        events: "*".into(),
        suppress_children: false,
        created_at: 0,
    };
    server.app().db.push().subscribe(&row).await.unwrap();
    let tested = ana.browser.post("/api/push/test", json!({})).await.body;
    assert_eq!(tested["results"][0]["result"], "failed", "{tested}");
    assert!(service.got.lock().is_empty());
}
