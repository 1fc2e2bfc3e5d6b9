use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, TestServer};

#[tokio::test]
async fn a_phone_is_linked_after_its_code_was_compared() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let made = ana.post("/api/mobile-link", json!({ "relayUrl": "https://relay" })).await;
    let link = format!("/api/mobile-link/{}", made.body["id"].as_str().unwrap_or_else(|| panic!("{made:?}")));
    assert_eq!(made.body["status"], "pending");
    let code = json!({ "verificationToken": "AB12CD", "deviceName": "Ana's phone", "scannedUrl": "https://relay" });
    assert_eq!(
        server.post(&format!("{link}/scan"), json!({ "verificationToken": "ab12cd" })).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(server.post(&format!("{link}/scan"), code).await.body["status"], "scanned");

    // A second phone changes nothing and learns nothing.
    let late =
        server.post(&format!("{link}/scan"), json!({ "verificationToken": "ZZ99ZZ", "deviceName": "Eve" })).await.body;
    assert_eq!((&late["deviceName"], late.get("verificationToken")), (&json!("Ana's phone"), None));
    assert_eq!(server.get(&link).await.body.get("verificationToken"), None);
    assert_eq!(bo.get(&link).await.body.get("verificationToken"), None);
    assert_eq!(ana.get(&link).await.body["verificationToken"], "AB12CD");

    let approve = format!("{link}/approve");
    assert_eq!(bo.post(&approve, json!({ "verificationToken": "AB12CD" })).await.status, StatusCode::GONE);
    assert_eq!(ana.post(&approve, json!({ "verificationToken": "ZZ99ZZ" })).await.status, StatusCode::GONE);
    assert_eq!(server.post(&format!("{link}/redeem"), json!({})).await.status, StatusCode::GONE);
    let (one, two) = tokio::join!(
        ana.post(&approve, json!({ "verificationToken": "AB12CD" })),
        ana.post(&approve, json!({ "verificationToken": "AB12CD" }))
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);

    let redeem = format!("{link}/redeem");
    let polls = futures_util::future::join_all((0..4).map(|_| server.post(&redeem, json!({})))).await;
    let keys: Vec<&str> = polls.iter().filter_map(|answer| answer.body["apiKey"].as_str()).collect();
    assert_eq!(keys.len(), 1, "{polls:?}");
    let me = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", keys[0])).await;
    assert_eq!(me.body["userId"].as_str(), Some(ana.user_id.as_str()));
    assert_eq!(ana.get("/api/auth/api-key/list").await.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_apps_routes_answer_the_apps_origin() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let id = ana.post("/api/mobile-link", json!({ "relayUrl": "x" })).await.body["id"].as_str().unwrap().to_owned();
    let preflight =
        server.request(Method::OPTIONS, &format!("/api/mobile-link/{id}/scan")).header("origin", "ionic://localhost");
    let answer = Answer::of(preflight).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (StatusCode::NO_CONTENT, Some("ionic://localhost"))
    );
    let foreign =
        server.request(Method::GET, &format!("/api/mobile-link/{id}")).header("origin", "https://evil.example");
    assert_ne!(Answer::of(foreign).await.header("access-control-allow-origin"), Some("https://evil.example"));
    let approve =
        ana.request(Method::POST, &format!("/api/mobile-link/{id}/approve")).header("origin", "ionic://localhost");
    let answer = Answer::of(approve.json(&json!({ "verificationToken": "AB12CD" }))).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (StatusCode::FORBIDDEN, None));
}
