use reqwest::StatusCode;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn hidden_models_are_replaced_as_a_whole() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let path = "/api/settings/hidden-models";
    assert_eq!(ana.get(path).await.body, json!({ "hiddenModels": [] }));
    let put = ana.put(path, json!({ "hiddenModels": ["b/x/y", "a/1", "a/1"] })).await;
    assert_eq!(put.body, json!({ "ok": true, "hiddenModels": ["a/1", "b/x/y"] }));
    assert_eq!(bo.get(path).await.body, json!({ "hiddenModels": [] }));
    for wrong in [json!({}), json!({ "hiddenModels": ["nameless"] }), json!({ "hiddenModels": "a/1" })] {
        assert_eq!(ana.put(path, wrong).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(ana.get(path).await.body, json!({ "hiddenModels": ["a/1", "b/x/y"] }));
}

#[tokio::test]
async fn the_model_of_sub_agents_is_set_and_cleared() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let path = "/api/settings/subagent-model";
    assert_eq!(ana.get(path).await.body, json!({ "model": null }));
    assert_eq!(ana.put(path, json!({ "model": "acme/big" })).await.body, json!({ "ok": true, "model": "acme/big" }));
    assert_eq!(ana.get(path).await.body, json!({ "model": "acme/big" }));
    assert_eq!(ana.put(path, json!({ "model": 7 })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ana.put(path, json!({ "model": "" })).await.body, json!({ "ok": true, "model": null }));
}

#[tokio::test]
async fn a_browser_subscribes_chooses_and_unsubscribes() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let endpoint = "https://push.example.org/abc";
    let body = json!({ "endpoint": endpoint, "keys": { "p256dh": "k", "auth": "a" } });
    assert_eq!(ana.post("/api/push/subscribe", body).await.body["ok"], true);
    assert_eq!(
        ana.put("/api/push/events", json!({ "endpoint": endpoint, "enabledEvents": "question, done" })).await.status,
        StatusCode::OK
    );
    assert_eq!(
        bo.put("/api/push/events", json!({ "endpoint": endpoint, "enabledEvents": "*" })).await.status,
        StatusCode::NOT_FOUND
    );
    let list = ana.get("/api/push/subscriptions").await.body;
    assert_eq!(list["subscriptions"][0]["enabledEvents"], "question,done");
    ana.post("/api/push/unsubscribe", json!({ "endpoint": endpoint })).await;
    assert_eq!(ana.get("/api/push/subscriptions").await.body, json!({ "subscriptions": [] }));
    let inner = json!({ "endpoint": "https://192.168.1.1/x", "keys": { "p256dh": "k", "auth": "a" } });
    assert_eq!(ana.post("/api/push/subscribe", inner).await.status, StatusCode::BAD_REQUEST);
}
