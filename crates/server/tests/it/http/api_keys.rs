use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, TestServer};

#[tokio::test]
async fn a_key_is_shown_once_and_works_in_both_headers() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (id, key) = ana.key().await;
    let list = ana.get("/api/auth/api-key/list").await;
    assert_eq!((list.body[0]["id"].as_str(), list.text.contains(&key)), (Some(id.as_str()), false));
    assert_eq!(list.body[0]["start"].as_str(), Some(&key[..8]));
    for request in [
        server.request(Method::GET, "/api/me").header("x-api-key", &key),
        server.request(Method::GET, "/api/me").bearer_auth(&key),
    ] {
        assert_eq!(Answer::of(request).await.body["userId"].as_str(), Some(ana.user_id.as_str()));
    }
}

#[tokio::test]
async fn keys_of_any_known_form_are_accepted_and_short_ones_refused() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let made =
        ana.post("/api/auth/api-key/create", json!({ "name": "runner", "prefix": "ppru", "expiresIn": 86_400 })).await;
    let key = made.body["key"].as_str().unwrap();
    assert!(key.starts_with("ppru") && key.len() == 68 && made.body["expiresAt"].is_string());
    assert_eq!(
        Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await.status,
        StatusCode::OK
    );
    for wrong in ["short", &"0".repeat(64), &"0".repeat(500)] {
        let answer = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", wrong)).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::UNAUTHORIZED, "Invalid or expired API key"));
    }
}

#[tokio::test]
async fn fields_a_client_must_not_set_are_refused() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    for body in [
        json!({ "remaining": 5 }),
        json!({ "userId": "someone" }),
        json!({ "permissions": {} }),
        json!({ "expiresIn": 60 }),
        json!({ "expiresIn": 400 * 86_400 }),
        json!({ "name": "x".repeat(33) }),
        json!({ "name": "" }),
        json!({ "prefix": "a b" }),
    ] {
        let answer = ana.post("/api/auth/api-key/create", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn a_revoked_or_disabled_key_stops_working_at_once() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let mut revocations = server.app().auth.revocations();
    let ((first, first_key), (second, second_key)) = (ana.key().await, ana.key().await);
    ana.post("/api/auth/api-key/delete", json!({ "keyId": first })).await;
    ana.post("/api/auth/api-key/update", json!({ "keyId": second, "enabled": false })).await;
    for key in [first_key, second_key] {
        let answer = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    for id in [&first, &second] {
        assert_eq!(revocations.recv().await.unwrap(), pizzapi_server::auth::Revoked::ApiKey(id.clone()));
    }
    let again = ana.post("/api/auth/api-key/delete", json!({ "keyId": first })).await;
    assert_eq!((again.status, again.code()), (StatusCode::NOT_FOUND, "KEY_NOT_FOUND"));
}

#[tokio::test]
async fn a_key_cannot_manage_credentials() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (id, key) = ana.key().await;
    let attempts = [
        (Method::POST, "/api/auth/api-key/create", json!({ "name": "forever" })),
        (Method::GET, "/api/auth/api-key/list", json!({})),
        (Method::GET, "/api/auth/api-key/get?id=x", json!({})),
        (Method::POST, "/api/auth/api-key/update", json!({ "keyId": id, "name": "x" })),
        (Method::POST, "/api/auth/api-key/delete", json!({ "keyId": id })),
        (Method::POST, "/api/auth/change-password", json!({})),
        (Method::GET, "/api/auth/list-sessions", json!({})),
        (Method::POST, "/api/auth/revoke-sessions", json!({})),
        (Method::POST, "/api/auth/update-user", json!({ "name": "x" })),
        (Method::POST, "/api/auth/verify-password", json!({})),
        (Method::GET, "/api/account/audit", json!({})),
        (Method::DELETE, "/api/account", json!({})),
    ];
    for (method, path, body) in attempts {
        let answer = Answer::of(server.request(method, path).header("x-api-key", &key).json(&body)).await;
        assert_eq!(
            (answer.status, answer.body["code"].as_str().map(str::to_lowercase).as_deref()),
            (StatusCode::FORBIDDEN, Some("session_required")),
            "{path}"
        );
    }
    let own = Answer::of(server.request(Method::POST, "/api/auth/api-key/revoke-self").header("x-api-key", &key)).await;
    assert_eq!(own.status, StatusCode::OK);
    assert_eq!(
        Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", &key)).await.status,
        StatusCode::UNAUTHORIZED
    );
}
