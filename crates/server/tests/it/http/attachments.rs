use pizzapi_server::db::sessions::Registered;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Answer, Browser, TestServer};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

/// A live session of `owner`, as a registration would leave it.
async fn session(server: &TestServer, owner: &Browser<'_>, id: &str) {
    let app = server.app();
    let row = Registered {
        id: id.to_owned(),
        user_id: owner.user_id.clone(),
        user_name: None,
        cwd: "/".to_owned(),
        share_url: String::new(),
        name: None,
        is_ephemeral: true,
        runner: None,
        parent_session_id: None,
        life: "life".to_owned(),
        epoch: 1,
        started_at: app.clock.now_ms(),
        now: app.clock.now_ms(),
        expires_at: None,
    };
    app.db.sessions().register(&row).await.unwrap().expect("the id is free");
}

async fn upload(person: &Browser<'_>, session: &str, name: &str, kind: &str, bytes: &[u8]) -> Answer {
    let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned()).mime_str(kind).unwrap();
    let form = Form::new().part("files", part);
    Answer::of(person.request(Method::POST, &format!("/api/sessions/{session}/attachments")).multipart(form)).await
}

fn id_of(answer: &Answer) -> String {
    answer.body["attachments"][0]["attachmentId"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_sent() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    session(&server, &ana, "s1").await;
    let sent = upload(&ana, "s1", "grüße.png", "application/octet-stream", PNG).await;
    let file = &sent.body["attachments"][0];
    assert_eq!(
        (file["mimeType"].as_str(), file["size"].as_u64()),
        (Some("image/png"), Some(PNG.len() as u64)),
        "{sent:?}"
    );
    let path = format!("/api/attachments/{}", id_of(&sent));
    let (_, key) = ana.key().await;
    let response = server.request(Method::GET, &path).header("x-api-key", &key).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-attachment-filename"), "gr%C3%BC%C3%9Fe.png");
    assert_eq!(header("cache-control"), "private, no-store");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-disposition").starts_with("inline; filename=\"gr__e.png\"; filename*=UTF-8''gr%C3"));
    assert_eq!(response.bytes().await.unwrap(), PNG);

    let part = ana.request(Method::GET, &path).header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!(
        (part.status(), part.headers()["content-range"].to_str().unwrap()),
        (StatusCode::PARTIAL_CONTENT, "bytes 1-3/18")
    );
    assert_eq!(part.bytes().await.unwrap(), "PNG");
}

#[tokio::test]
async fn s39_markup_is_never_served_as_markup() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    session(&server, &ana, "s1").await;
    for (name, kind) in [
        ("x.html", "text/html"),
        ("x.svg", "image/svg+xml"),
        ("x.png", "image/png"),
        ("x.xhtml", "application/xhtml+xml"),
    ] {
        let sent = upload(&ana, "s1", name, kind, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").await;
        let got = ana.request(Method::GET, &format!("/api/attachments/{}", id_of(&sent))).send().await.unwrap();
        let kind = got.headers()["content-type"].to_str().unwrap();
        assert!(kind == "application/octet-stream" || kind == "text/plain; charset=utf-8", "{name}: {kind}");
        assert!(got.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    }
}

#[tokio::test]
async fn only_the_owner_and_links_the_owner_made_reach_a_file() {
    let server = TestServer::start().await;
    let (ana, bo) = (server.person("ana").await, server.person("bo").await);
    session(&server, &ana, "s1").await;
    assert_eq!(upload(&bo, "s1", "a.txt", "text/plain", b"x").await.status, StatusCode::NOT_FOUND);
    let (one, two) = (
        id_of(&upload(&ana, "s1", "a.txt", "text/plain", b"secret").await),
        id_of(&upload(&ana, "s1", "b.txt", "text/plain", b"other").await),
    );
    let path = format!("/api/attachments/{one}");
    assert_eq!(bo.get(&path).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.get(&path).await.status, StatusCode::UNAUTHORIZED);
    let (_, key) = ana.key().await;
    assert_eq!(server.get(&format!("{path}?apiKey={key}")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.post(&format!("{path}/token"), Value::Null).await.status, StatusCode::FORBIDDEN);
    let token = ana.post(&format!("{path}/token"), Value::Null).await.body["token"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("{path}?token={token}")).await.text, "secret");
    assert_eq!(server.get(&format!("/api/attachments/{two}?token={token}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.get(&format!("{path}?token={token}x")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bounds_are_kept_and_leave_nothing_behind() {
    let server = TestServer::with(|config| {
        config.attachments.max_file_bytes = 100;
        config.attachments.quota_bytes = 150;
    })
    .await;
    let ana = server.person("ana").await;
    session(&server, &ana, "s1").await;
    let large = upload(&ana, "s1", "a", "text/plain", &[b'x'; 101]).await;
    assert_eq!((large.status, large.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    assert_eq!(upload(&ana, "s1", "a", "text/plain", &[b'x'; 100]).await.status, StatusCode::OK);
    let over = upload(&ana, "s1", "b", "text/plain", &[b'x'; 60]).await;
    assert_eq!((over.status, over.code()), (StatusCode::PAYLOAD_TOO_LARGE, "over_quota"));
    let none = Form::new().text("note", "no file");
    let none = Answer::of(ana.request(Method::POST, "/api/sessions/s1/attachments").multipart(none)).await;
    assert_eq!((none.status, none.error()), (StatusCode::BAD_REQUEST, "No files uploaded"));
    let files = std::fs::read_dir(server.app().config.attachment_dir()).unwrap().count();
    assert_eq!(files, 1);
}

#[tokio::test]
async fn the_same_image_of_a_session_is_kept_once() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    session(&server, &ana, "s1").await;
    let store =
        || pizzapi_server::attachments::store_extracted(server.app(), &ana.user_id, "s1", "image/png", PNG.into());
    let (one, two) = (store().await.unwrap(), store().await.unwrap());
    assert_eq!(one, two);
    assert_eq!(ana.get(&format!("/api/attachments/{one}")).await.header("content-type"), Some("image/png"));
}
