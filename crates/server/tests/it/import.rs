//! Taking over from the earlier product.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pizzapi_server::config::Secret;
use pizzapi_server::import::{self, ImportError};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Answer, PASSWORD, TestServer};

const SECRET: &str = "the-signing-secret-of-the-earlier-server";
const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const TOKEN: &str = "a-login-token-of-a-browser";

/// A database as the earlier server left it.
async fn earlier(path: &std::path::Path) {
    let salt = "0123456789abcdef0123456789abcdef";
    let mut hash = [0; 64];
    scrypt::scrypt(PASSWORD.as_bytes(), salt.as_bytes(), &scrypt::Params::new(14, 16, 1).unwrap(), &mut hash).unwrap();
    let key_hash = URL_SAFE_NO_PAD.encode(Sha256::digest(KEY));
    let (old, later) = ("2024-01-02T03:04:05.000Z", "2099-01-01T00:00:00.000Z");
    let sql = format!(
        r#"
        CREATE TABLE user (id TEXT, name TEXT, email TEXT, emailVerified INTEGER, image TEXT, createdAt TEXT, updatedAt TEXT);
        INSERT INTO user VALUES ('u1', 'Ana', 'Ana@Example.org', 1, NULL, '{old}', '{old}');
        CREATE TABLE account (id TEXT, accountId TEXT, providerId TEXT, userId TEXT, password TEXT);
        INSERT INTO account VALUES ('a1', 'u1', 'credential', 'u1', '{salt}:{hash}');
        CREATE TABLE session (id TEXT, expiresAt TEXT, token TEXT, createdAt TEXT, updatedAt TEXT, ipAddress TEXT, userAgent TEXT, userId TEXT);
        INSERT INTO session VALUES ('l1', '{later}', '{TOKEN}', '{old}', '{old}', '', '', 'u1');
        CREATE TABLE apikey (id TEXT, name TEXT, start TEXT, prefix TEXT, key TEXT, userId TEXT, enabled INTEGER, remaining INTEGER, requestCount INTEGER, expiresAt TEXT, createdAt TEXT, updatedAt TEXT);
        INSERT INTO apikey VALUES ('k1', 'cli', '01234567', NULL, '{key_hash}', 'u1', 1, NULL, 7, NULL, '{old}', '{old}');
        INSERT INTO apikey VALUES ('k2', 'lost', '01234567', NULL, 'x', 'nobody', 1, NULL, 7, NULL, '{old}', '{old}');
        CREATE TABLE relay_session (id TEXT, userId TEXT, userName TEXT, cwd TEXT, shareUrl TEXT, startedAt TEXT, lastActiveAt TEXT, endedAt TEXT, isEphemeral INTEGER, expiresAt TEXT, isPinned INTEGER, runnerId TEXT, runnerName TEXT, sessionName TEXT, generation TEXT);
        INSERT INTO relay_session VALUES ('s1', 'u1', 'Ana', '/work', 'http://x/session/s1', '{old}', '{old}', NULL, 1, NULL, 1, 'r1', 'box', 'Dough', 'g');
        CREATE TABLE relay_session_state (sessionId TEXT, state TEXT, snapshotOverlay TEXT, updatedAt TEXT);
        INSERT INTO relay_session_state VALUES ('s1', '{{"messages":[]}}', NULL, '{old}');
        CREATE TABLE user_hidden_model (id TEXT, userId TEXT, modelKey TEXT, createdAt TEXT);
        INSERT INTO user_hidden_model VALUES ('h1', 'u1', 'acme/big', '{old}');
        CREATE TABLE webhook (id TEXT, userId TEXT, name TEXT, secret TEXT, eventFilter TEXT, source TEXT, runnerId TEXT, cwd TEXT, prompt TEXT, modelProvider TEXT, modelId TEXT, enabled INTEGER, createdAt TEXT, updatedAt TEXT);
        INSERT INTO webhook VALUES ('w1', 'u1', 'CI', 'hush-hush', '["done"]', 'ci', NULL, NULL, NULL, NULL, NULL, 1, '{old}', '{old}');
        CREATE TABLE runner_trigger_listener (id TEXT, runnerId TEXT, triggerType TEXT, listenerJson TEXT, updatedAt TEXT);
        INSERT INTO runner_trigger_listener VALUES ('listener:r1:x', 'r1', 'github:push', '{{"prompt":"go"}}', '{old}');
        INSERT INTO runner_trigger_listener VALUES ('listener:r9:x', 'r9', 'github:push', '{{}}', '{old}');
        "#,
        hash = hex::encode(hash),
    );
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn people_keep_passwords_keys_logins_history_and_settings() {
    let old = tempfile::tempdir().unwrap();
    let path = old.path().join("auth.db");
    earlier(&path).await;
    let with_secret = |config: &mut pizzapi_server::ServerConfig| config.auth.secret = Some(Secret::new(SECRET));
    let server = TestServer::with(with_secret).await;
    let config = server.app().config.clone();
    let dir = server.stop().await;
    let report = import::run(&config, &path).await.unwrap();
    assert_eq!(
        (report.accounts, report.logins, report.api_keys, report.sessions, report.snapshots),
        (1, 1, 1, 1, 1),
        "{report}"
    );
    assert_eq!((report.webhooks, report.settings, report.listeners, report.skipped.len()), (1, 1, 1, 2), "{report}");
    let again = import::run(&config, &path).await.unwrap();
    assert_eq!((again.accounts, again.api_keys, again.sessions), (0, 0, 0));

    let server = TestServer::within(dir, with_secret).await;
    let signed_in =
        server.post("/api/auth/sign-in/email", json!({ "email": "ana@example.org", "password": PASSWORD })).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{signed_in:?}");
    let upgraded = server.app().db.users().password_of("u1").await.unwrap().unwrap();
    assert!(upgraded.starts_with("$argon2id$"), "{upgraded}");

    let by_key = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", KEY)).await;
    assert_eq!(by_key.body["userId"], "u1");
    let signature = {
        use hmac::Mac;
        let mut mac = <hmac::Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(TOKEN.as_bytes());
        base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
    };
    let value: String = url::form_urlencoded::byte_serialize(format!("{TOKEN}.{signature}").as_bytes()).collect();
    let cookie = format!("better-auth.session_token={value}");
    let sessions = Answer::of(server.request(Method::GET, "/api/sessions").header("cookie", cookie)).await;
    let row = &sessions.body["persistedSessions"][0];
    assert_eq!(
        (&row["sessionName"], &row["isPinned"], &row["cwd"]),
        (&json!("Dough"), &json!(true), &json!("/work")),
        "{sessions:?}"
    );
    assert_eq!(server.app().db.sessions().snapshot("s1").await.unwrap().unwrap().state, br#"{"messages":[]}"#);
    let webhook = server.app().db.webhooks().get("w1").await.unwrap().unwrap();
    assert_eq!(
        pizzapi_server::webhooks::open_secret(server.app(), &webhook.sealed_secret).as_deref(),
        Some("hush-hush")
    );
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = pizzapi_server::ServerConfig::for_tests(dir.path().join("data"));
    let missing = import::run(&config, &dir.path().join("none.db")).await.unwrap_err();
    assert!(matches!(missing, ImportError::Source { .. }), "{missing}");
    let path = dir.path().join("other.db");
    sqlx::any::install_default_drivers();
    sqlx::AnyPool::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap().close().await;
    let foreign = import::run(&config, &path).await.unwrap_err();
    assert!(matches!(foreign, ImportError::NotOurs { .. }), "{foreign}");
}
