use reqwest::StatusCode;

use crate::support::TestServer;

#[tokio::test]
async fn health_says_what_clients_of_any_age_read() {
    let server = TestServer::start().await;
    for path in ["/health", "/status", "/api/status"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.body["status"].as_str()), (StatusCode::OK, Some("ok")), "{answer:?}");
        assert_eq!(answer.body["version"]["socketProtocol"], 1);
        assert!(answer.body["uptime"].is_u64() && answer.body["redis"] == true && answer.body["socketio"] == true);
    }
    assert_eq!(server.get("/livez").await.status, StatusCode::OK);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn readiness_turns_negative_before_the_port_closes() {
    let server = TestServer::start().await;
    let app = server.app().clone();
    // Kept open, so that it is still served after new connections are refused.
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    app.shutdown.begin();
    assert!(app.shutdown.is_draining());
    server.stop().await;
}

#[tokio::test]
async fn accounts_outlive_a_restart() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (cookie, (_, key)) = (ana.cookie.clone(), ana.key().await);
    let dir = server.stop().await;
    let server = TestServer::within(dir, |_| {}).await;
    let by_cookie = server.request(reqwest::Method::GET, "/api/me").header("cookie", cookie);
    let by_key = server.request(reqwest::Method::GET, "/api/me").header("x-api-key", key);
    for request in [by_cookie, by_key] {
        assert_eq!(crate::support::Answer::of(request).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn without_a_built_ui_the_page_says_how_to_build_it() {
    let server = TestServer::with(|config| config.web.ui_dir = Some("/nonexistent".into())).await;
    let answer = server.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("npm --prefix ui run build"), "{}", answer.text);
}

#[tokio::test]
async fn the_ui_is_served_with_sensible_caching() {
    let ui = tempfile::tempdir().unwrap();
    std::fs::create_dir(ui.path().join("assets")).unwrap();
    std::fs::write(ui.path().join("index.html"), "<script>boot()</script><main>pizza</main>").unwrap();
    std::fs::write(ui.path().join("assets/index-BwkR3x9a.js"), "x").unwrap();
    std::fs::write(ui.path().join("sw.js"), "y").unwrap();
    let server = TestServer::with(|config| config.web.ui_dir = Some(ui.path().to_owned())).await;

    let page = server.get("/session/abc").await;
    assert_eq!((page.status, page.text.contains("pizza")), (StatusCode::OK, true));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert!(page.header("content-security-policy").unwrap().contains("'sha256-"), "{page:?}");
    let script = server.get("/assets/index-BwkR3x9a.js").await;
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(server.get("/sw.js").await.header("cache-control"), Some("no-cache"));
    assert_eq!(server.get("/assets/index-gone.js").await.status, StatusCode::NOT_FOUND);

    let etag = page.header("etag").unwrap().to_owned();
    let again = server.request(reqwest::Method::GET, "/").header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn with_a_certificate_everything_is_https_and_cookies_are_secure() {
    use pizzapi_server::config::TlsFiles;
    let fixture = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures").join(name);
    let server = TestServer::with(|config| {
        config.listen.tls = Some(TlsFiles { certificate: fixture("tls-cert.pem"), key: fixture("tls-key.pem") });
    })
    .await;
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(fixture("tls-cert.pem")).unwrap()).unwrap();
    let browser = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let url = format!("https://localhost:{}/api/auth/sign-up/email", server.running.local_addr().port());
    let body = serde_json::json!({ "name": "Ana", "email": "ana@example.org", "password": crate::support::PASSWORD });
    let answer = crate::support::Answer::of(browser.post(url).json(&body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.cookie().starts_with("__Secure-"));
    assert!(answer.header("strict-transport-security").is_some());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_named() {
    use pizzapi_server::config::{ServerConfig, TlsFiles};
    let dir = tempfile::tempdir().unwrap();
    let mut config = ServerConfig::for_tests(dir.path());
    config.listen.tls = Some(TlsFiles { certificate: "/no/cert.pem".into(), key: "/no/key.pem".into() });
    let error = pizzapi_server::build(config).await.unwrap_err().to_string();
    assert!(error.contains("TLS certificate `/no/cert.pem`") && error.contains("hint:"), "{error}");
}
