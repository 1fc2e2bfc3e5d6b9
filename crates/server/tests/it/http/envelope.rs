use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, TestServer};

#[tokio::test]
async fn every_failure_is_json_with_a_request_id() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let answers = [
        (server.get("/api/nowhere").await, 404, "Not found"),
        (server.get("/api/register").await, 405, "Method not allowed"),
        (server.get("/api/me").await, 401, "Unauthorized"),
        (
            Answer::of(ana.request(Method::POST, "/api/auth/api-key/delete").body("{nonsense")).await,
            400,
            "Invalid JSON body",
        ),
        (
            Answer::of(ana.request(Method::PUT, "/api/settings/hidden-models").body("[1]")).await,
            400,
            "Invalid JSON body",
        ),
        (
            Answer::of(ana.request(Method::POST, "/api/push/subscribe").body(vec![b' '; 1024 * 1024 + 1])).await,
            413,
            "Payload Too Large: body exceeds 1048576 bytes",
        ),
    ];
    for (answer, status, error) in answers {
        assert_eq!((answer.status.as_u16(), answer.error()), (status, error), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 32));
    }
    assert_eq!(server.get("/api/register").await.header("allow"), Some("POST"));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_browsers_careful() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    for answer in
        [server.get("/health").await, server.get("/").await, ana.get("/api/me").await, server.get("/api/x").await]
    {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "0"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(answer.header("permissions-policy").unwrap().contains("camera=()"));
    }
    assert_eq!(ana.get("/api/me").await.header("cache-control"), Some("private, no-store"));
}

#[tokio::test]
async fn an_announced_length_is_refused_before_the_body_is_read() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = TestServer::start().await;
    for (length, status) in [("99999999999", "413"), ("many", "400")] {
        let mut stream = tokio::net::TcpStream::connect(server.running.local_addr()).await.unwrap();
        let request = format!(
            "POST /api/register HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{{"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn metrics_are_for_the_operator() {
    let server = TestServer::start().await;
    server.get("/health").await;
    let text = server.get("/metrics").await.text;
    assert!(text.contains("pizzapi_http_requests_total{route=\"/health\",method=\"GET\",status=\"200\"}"), "{text}");
    let through_proxy = server.request(Method::GET, "/metrics").header("x-forwarded-for", "203.0.113.7");
    assert_eq!(Answer::of(through_proxy).await.status, StatusCode::NOT_FOUND);

    use pizzapi_server::config::{MetricsAccess, Secret};
    let guarded =
        TestServer::with(|config| config.metrics = MetricsAccess::Token(Secret::new("0123456789abcdef"))).await;
    assert_eq!(guarded.get("/metrics").await.status, StatusCode::NOT_FOUND);
    let with_token = guarded.request(Method::GET, "/metrics").bearer_auth("0123456789abcdef");
    assert_eq!(Answer::of(with_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn capabilities_say_what_a_page_may_offer() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let body = ana.get("/api/capabilities").await.body;
    assert_eq!((&body["retentionDays"], &body["tunnelHost"]), (&json!(30), &json!(false)));
    assert_eq!(server.get("/api/capabilities").await.status, StatusCode::UNAUTHORIZED);
}
