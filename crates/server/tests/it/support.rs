//! What tests of the server share: a server of their own, people, browsers and keys.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::future::Future;
use std::time::{Duration, Instant};

use pizzapi_server::config::{Secret, ServerConfig};
use pizzapi_server::{App, Running, build};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub const PASSWORD: &str = "Correct7Horse";

/// A server with a folder and port of its own; both go with it.
pub struct TestServer {
    pub running: Running,
    pub http: reqwest::Client,
    pub dir: tempfile::TempDir,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose settings `change` adjusts.
    pub async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::within(dir, change).await
    }

    /// A server over an existing folder: a restart.
    pub async fn within(dir: tempfile::TempDir, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::for_tests(dir.path());
        config.database_url = shared_database(&dir).await;
        change(&mut config);
        let server = build(config).await.expect("the server is built");
        let listener = server.bind().await.expect("a free port");
        let running = server.start(listener).await.expect("the server starts");
        let http = client();
        Self { running, http, dir }
    }

    pub fn app(&self) -> &App {
        self.running.app()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    /// A person with an account and a signed-in browser.
    pub async fn person(&self, name: &str) -> Browser<'_> {
        let body = json!({ "name": name, "email": format!("{name}@example.org"), "password": PASSWORD });
        let answer = self.post("/api/auth/sign-up/email", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        Browser {
            server: self,
            cookie: answer.cookie(),
            user_id: answer.body["user"]["id"].as_str().unwrap().to_owned(),
        }
    }

    /// Stop, and give the folder back for a restart.
    pub async fn stop(self) -> tempfile::TempDir {
        let Self { running, dir, http } = self;
        drop(http);
        assert!(running.shutdown().await, "everything closed in time");
        dir
    }
}

/// With `PIZZAPI_TEST_SERVER_DATABASE_URL` every server keeps its rows in PostgreSQL, in a schema named after its folder.
async fn shared_database(dir: &tempfile::TempDir) -> Option<Secret> {
    let url = std::env::var("PIZZAPI_TEST_SERVER_DATABASE_URL").ok()?;
    let name: String = dir.path().to_string_lossy().bytes().map(|byte| format!("{byte:02x}")).collect();
    let schema = format!("t_{}", &name[name.len() - 24..]);
    sqlx::any::install_default_drivers();
    let pool = sqlx::any::AnyPoolOptions::new().max_connections(1).connect(&url).await.expect("the database answers");
    let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("a schema of its own");
    pool.close().await;
    Some(Secret::new(format!("{url}?options[search_path]={schema}")))
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// A browser that is signed in.
pub struct Browser<'s> {
    pub server: &'s TestServer,
    pub cookie: String,
    pub user_id: String,
}

impl Browser<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path).header("cookie", &self.cookie)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// A new API key: id and clear text.
    pub async fn key(&self) -> (String, String) {
        let answer = self.post("/api/auth/api-key/create", json!({ "name": "test" })).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        (answer.body["id"].as_str().unwrap().to_owned(), answer.body["key"].as_str().unwrap().to_owned())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// `null` when the text is not JSON.
    pub body: Value,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Name and value of the cookie this answer sets.
    pub fn cookie(&self) -> String {
        let set = self.header("set-cookie").expect("a cookie is set");
        set.split(';').next().unwrap_or_default().to_owned()
    }

    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Wait until `check` says yes; fails after five seconds with what was awaited.
pub async fn wait_until<F, Fut>(what: &str, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let started = Instant::now();
    while !check().await {
        assert!(started.elapsed() < Duration::from_secs(5), "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
