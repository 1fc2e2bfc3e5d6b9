//! What somebody hostile would try over plain HTTP.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestServer};

/// Origins that look like ours and are not.
fn foreign_origins(server: &TestServer) -> Vec<String> {
    let port = server.running.local_addr().port();
    vec![
        "https://evil.example".into(),
        "null".into(),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        format!("https://127.0.0.1:{port}"),
        "http://localhost".into(),
        "file://".into(),
        String::new(),
    ]
}

#[tokio::test]
async fn s3_other_sites_cannot_act_with_a_visitors_cookie() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let routes = [
        (Method::POST, "/api/auth/change-password"),
        (Method::POST, "/api/auth/api-key/create"),
        (Method::POST, "/api/auth/sign-out"),
        (Method::PUT, "/api/settings/hidden-models"),
        (Method::POST, "/api/push/subscribe"),
        (Method::POST, "/api/setup-claim/x/approve"),
        (Method::DELETE, "/api/account"),
    ];
    for (method, path) in routes {
        for origin in foreign_origins(&server) {
            for bogus_key in [false, true] {
                let mut request = ana.request(method.clone(), path).header("origin", &origin).json(&json!({}));
                if bogus_key {
                    request = request.header("x-api-key", "0".repeat(64));
                }
                let answer = Answer::of(request).await;
                assert_eq!(
                    (answer.status, answer.error()),
                    (StatusCode::FORBIDDEN, "Cross-origin request rejected"),
                    "{path} {origin}"
                );
            }
        }
        let without_origin = ana.request(method.clone(), path).header("sec-fetch-site", "cross-site").json(&json!({}));
        assert_eq!(Answer::of(without_origin).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let own = ana.request(Method::PUT, "/api/settings/hidden-models").header("origin", server.running.url());
    assert_eq!(Answer::of(own.json(&json!({ "hiddenModels": [] }))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn s36_a_web_page_cannot_open_the_first_account_of_a_local_server() {
    let server = TestServer::start().await;
    let body = json!({ "name": "Eve", "email": "eve@example.org", "password": PASSWORD });
    for path in ["/api/register", "/api/auth/sign-up/email", "/api/setup-claim"] {
        let simple = server.request(Method::POST, path).header("origin", "https://evil.example");
        assert_eq!(Answer::of(simple.json(&body)).await.status, StatusCode::FORBIDDEN, "{path}");
        let old_browser = server.request(Method::POST, path).header("sec-fetch-site", "cross-site");
        assert_eq!(Answer::of(old_browser.json(&body)).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(server.get("/api/signup-status").await.body["signupEnabled"], true);
}

#[tokio::test]
async fn s36_a_name_pointed_at_this_machine_gets_no_answer() {
    let server = TestServer::start().await;
    let port = server.running.local_addr().port();
    for path in ["/api/signup-status", "/health", "/", "/socket.io/?EIO=4&transport=polling"] {
        let rebound = server.request(Method::GET, path).header("host", format!("rebound.evil.example:{port}"));
        let answer = Answer::of(rebound).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::MISDIRECTED_REQUEST, "unknown_host"), "{path}");
    }
    let forged = server
        .request(Method::POST, "/api/register")
        .header("host", format!("rebound.evil.example:{port}"))
        .header("x-forwarded-host", "localhost")
        .json(&json!({}));
    assert_eq!(Answer::of(forged).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn s4_a_cookie_planted_before_sign_in_is_worthless_after_it() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let again = ana.post("/api/auth/sign-in/email", json!({ "email": "ana@example.org", "password": PASSWORD })).await;
    assert_ne!(again.cookie(), ana.cookie);
    assert_eq!(ana.get("/api/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_cookie_with_a_changed_token_or_signature_is_refused() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (name, value) = ana.cookie.split_once('=').unwrap();
    let (token, signature) = value.split_once('.').unwrap();
    for forged in [
        token.to_owned(),
        format!("{token}."),
        format!("{token}.AAAA"),
        format!("0{token}.{signature}"),
        format!(".{signature}"),
    ] {
        let answer =
            Answer::of(server.request(Method::GET, "/api/me").header("cookie", format!("{name}={forged}"))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{forged}");
    }
}

#[tokio::test]
async fn s11_a_wrong_password_and_an_unknown_address_look_alike() {
    let server = TestServer::start().await;
    server.person("ana").await;
    let ask = async |email: &str| {
        let answer = server.post("/api/auth/sign-in/email", json!({ "email": email, "password": "Wrong1234" })).await;
        (answer.status, answer.body)
    };
    assert_eq!(ask("ana@example.org").await, ask("nobody@example.org").await);
}

#[tokio::test]
async fn s6_keys_in_the_query_are_not_credentials() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (_, key) = ana.key().await;
    assert_eq!(server.get(&format!("/api/me?apiKey={key}")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn paths_cannot_leave_the_folder_of_the_ui() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ui = tempfile::tempdir().unwrap();
    let inner = ui.path().join("dist");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("index.html"), "page").unwrap();
    std::fs::write(ui.path().join("secret.txt"), "treasure").unwrap();
    let server = TestServer::with(|config| config.web.ui_dir = Some(inner.clone())).await;
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%00",
        "/..%5csecret.txt",
    ] {
        // By hand: a client library would tidy the path up first.
        let mut stream = tokio::net::TcpStream::connect(server.running.local_addr()).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(!answer.contains("treasure") && answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn s14_one_persons_key_opens_nothing_of_anothers() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    let (id, _) = ana.key().await;
    assert_eq!(bo.get(&format!("/api/auth/api-key/get?id={id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bo.post("/api/auth/api-key/delete", json!({ "keyId": id })).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bo.post("/api/auth/api-key/update", json!({ "keyId": id, "enabled": false })).await.status,
        StatusCode::NOT_FOUND
    );
    let handle = ana.get("/api/auth/list-sessions").await.body[0]["token"].clone();
    bo.post("/api/auth/revoke-session", json!({ "token": handle })).await;
    assert_eq!(ana.get("/api/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s22_a_request_head_that_never_ends_is_cut() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = TestServer::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.running.local_addr()).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n", "x".repeat(600_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    // Refused or cut; what matters is that it ends without the rest of the head.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut answer))
        .await
        .expect("the connection ends");
    assert_eq!(server.get("/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn s44_with_the_database_gone_credentials_fail_closed() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (_, key) = ana.key().await;
    server.app().db.close().await;
    let by_key = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await;
    for answer in [ana.get("/api/me").await, by_key] {
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "server_not_ready"), "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/health").await.body["status"], "degraded");
}
