use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestServer};

fn sign_up(name: &str) -> Value {
    json!({ "name": name, "email": format!("{name}@example.org"), "password": PASSWORD })
}

#[tokio::test]
async fn a_person_signs_up_in_and_out() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let session = ana.get("/api/auth/get-session").await.body;
    assert_eq!(session["user"]["email"], "ana@example.org");
    assert_eq!(ana.get("/api/me").await.body, json!({ "userId": ana.user_id, "userName": "ana" }));

    let out = ana.post("/api/auth/sign-out", json!({})).await;
    assert_eq!(out.body, json!({ "success": true }));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(ana.get("/api/auth/get-session").await.text, "null");
    assert_eq!(ana.get("/api/me").await.status, StatusCode::UNAUTHORIZED);

    let back =
        server.post("/api/auth/sign-in/email", json!({ "email": "ANA@example.org", "password": PASSWORD })).await;
    assert_eq!((back.status, &back.body["redirect"]), (StatusCode::OK, &json!(false)));
    assert!(back.cookie().starts_with("better-auth.session_token="));
}

#[tokio::test]
async fn the_cookie_is_hidden_from_scripts_and_other_sites() {
    let server = TestServer::start().await;
    let answer = server.post("/api/auth/sign-up/email", sign_up("ana")).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    assert!(!set.contains("Secure"), "{set}");

    let secure = TestServer::with(|config| config.web.base_url = Some("https://pizza.example.org".into())).await;
    let answer = secure.post("/api/auth/sign-up/email", sign_up("ana")).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Secure-better-auth.session_token=") && set.contains("Secure;"), "{set}");
    let forgetful = json!({ "email": "ana@example.org", "password": PASSWORD, "rememberMe": false });
    let answer = secure.post("/api/auth/sign-in/email", forgetful).await;
    assert!(!answer.header("set-cookie").unwrap().contains("Max-Age"));
}

#[tokio::test]
async fn by_default_only_the_first_person_gets_an_account() {
    let server = TestServer::with(|config| config.auth.first_user_only = true).await;
    assert_eq!(server.get("/api/signup-status").await.body, json!({ "signupEnabled": true, "firstAccount": true }));
    server.person("ana").await;
    assert_eq!(server.get("/api/signup-status").await.body, json!({ "signupEnabled": false, "firstAccount": false }));
    let second = server.post("/api/auth/sign-up/email", sign_up("bo")).await;
    assert_eq!(
        (second.status, second.error()),
        (StatusCode::FORBIDDEN, "Signups are disabled. Contact the administrator.")
    );
}

#[tokio::test]
async fn of_many_racing_first_sign_ups_one_succeeds() {
    let server = TestServer::with(|config| config.auth.first_user_only = true).await;
    let names: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    let answers =
        futures_util::future::join_all(names.iter().map(|name| server.post("/api/auth/sign-up/email", sign_up(name))))
            .await;
    let accepted = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(accepted, 1, "{answers:?}");
}

#[tokio::test]
async fn the_password_rule_holds_on_every_path_that_sets_one() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    for password in ["short1A", "nouppercase1", "NOLOWERCASE1", "NoDigitsHere", "Password123"] {
        let body = json!({ "name": "Bo", "email": "bo@example.org", "password": password });
        assert_eq!(
            server.post("/api/auth/sign-up/email", body.clone()).await.status,
            StatusCode::BAD_REQUEST,
            "{password}"
        );
        assert_eq!(server.post("/api/register", body).await.status, StatusCode::BAD_REQUEST, "{password}");
        let change = json!({ "currentPassword": PASSWORD, "newPassword": password });
        assert_eq!(ana.post("/api/auth/change-password", change).await.status, StatusCode::BAD_REQUEST, "{password}");
    }
    let long = format!("Aa1{}", "ö".repeat(125));
    let body = json!({ "name": "Cy", "email": "cy@example.org", "password": long });
    assert_eq!(server.post("/api/auth/sign-up/email", body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn changing_the_password_needs_the_old_one_and_can_end_other_logins() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let sign_in = json!({ "email": "ana@example.org", "password": PASSWORD });
    let other = server.post("/api/auth/sign-in/email", sign_in.clone()).await.cookie();
    let wrong = json!({ "currentPassword": "Wrong1234", "newPassword": "Another7Horse" });
    assert_eq!(ana.post("/api/auth/change-password", wrong).await.status, StatusCode::BAD_REQUEST);

    let right = json!({ "currentPassword": PASSWORD, "newPassword": "Another7Horse", "revokeOtherSessions": true });
    let changed = ana.post("/api/auth/change-password", right).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    for (cookie, expected) in [(other, 401), (ana.cookie.clone(), 401), (changed.cookie(), 200)] {
        let me = Answer::of(server.request(Method::GET, "/api/me").header("cookie", cookie)).await;
        assert_eq!(me.status, expected);
    }
    assert_eq!(server.post("/api/auth/sign-in/email", sign_in).await.code(), "INVALID_EMAIL_OR_PASSWORD");
}

#[tokio::test]
async fn logins_are_listed_without_secrets_and_ended_one_by_one() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let other =
        server.post("/api/auth/sign-in/email", json!({ "email": "ana@example.org", "password": PASSWORD })).await;
    let list = ana.get("/api/auth/list-sessions").await;
    let sessions = list.body.as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{list:?}");
    let secret = other.cookie().split(['=', '.']).nth(2).unwrap().to_owned();
    assert!(secret.len() == 64 && !list.text.contains(&secret));

    let mut revocations = server.app().auth.revocations();
    let handle = sessions.iter().find(|login| login["current"] == false).unwrap()["token"].clone();
    assert_eq!(ana.post("/api/auth/revoke-session", json!({ "token": handle })).await.body, json!({ "status": true }));
    let gone = Answer::of(server.request(Method::GET, "/api/me").header("cookie", other.cookie())).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/api/me").await.status, StatusCode::OK);
    let told = revocations.recv().await.unwrap();
    assert_eq!(told, pizzapi_server::auth::Revoked::Login(handle.as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn a_command_line_registers_and_keeps_its_key_when_another_does() {
    let server = TestServer::start().await;
    let first = server.post("/api/register", sign_up("ana")).await;
    assert_eq!((first.status, &first.body["ok"]), (StatusCode::OK, &json!(true)), "{first:?}");
    let key = first.body["key"].as_str().unwrap();
    assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()));
    let second = server.post("/api/register", sign_up("ana")).await;
    for key in [key, second.body["key"].as_str().unwrap()] {
        let me = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await;
        assert_eq!(me.status, StatusCode::OK);
    }
    let wrong = json!({ "email": "ana@example.org", "password": "Wrong1234" });
    assert_eq!(server.post("/api/register", wrong).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.post("/api/register", json!({})).await.error(), "Missing required fields: email, password");
    let nameless = json!({ "email": "bo@example.org", "password": PASSWORD });
    assert_eq!(
        server.post("/api/register", nameless).await.error(),
        "Missing required field: name (required for new accounts)"
    );
}

#[tokio::test]
async fn one_label_has_one_key() {
    let server = TestServer::start().await;
    let mut body = sign_up("ana");
    body["label"] = json!("laptop");
    let old = server.post("/api/register", body.clone()).await.body["key"].as_str().unwrap().to_owned();
    let new = server.post("/api/register", body).await.body["key"].as_str().unwrap().to_owned();
    for (key, expected) in [(old, 401), (new, 200)] {
        assert_eq!(Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await.status, expected);
    }
}

#[tokio::test]
async fn with_sign_up_closed_known_and_unknown_addresses_get_the_same_answer() {
    let server = TestServer::with(|config| config.auth.first_user_only = true).await;
    server.person("ana").await;
    let ask = async |email: &str| {
        let answer =
            server.post("/api/register", json!({ "name": "x", "email": email, "password": "Wrong1234" })).await;
        (answer.status, answer.body)
    };
    let known = ask("ana@example.org").await;
    assert_eq!(known, ask("nobody@example.org").await);
    assert_eq!(known.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn password_guessing_is_slowed_down_per_client_and_per_account() {
    let server = TestServer::with(|config| config.auth.unlimited = false).await;
    let guess = json!({ "email": "ana@example.org", "password": "Wrong1234" });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = server.post("/api/auth/sign-in/email", guess.clone()).await;
        statuses.push(answer.status.as_u16());
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.header("retry-after").is_some() && answer.header("x-retry-after").is_some());
            assert!(answer.body["message"].is_string());
        }
    }
    assert_eq!(statuses, [401, 401, 401, 429]);
    // A header cannot buy a fresh budget from a peer nobody vouches for; loopback is vouched for by default.
    let strict = TestServer::with(|config| {
        config.auth.unlimited = false;
        config.web.proxy = pizzapi_server::auth::proxy::ProxyTrust::nobody();
    })
    .await;
    let mut last = StatusCode::OK;
    for n in 0..4 {
        let request = strict.request(Method::POST, "/api/auth/sign-in/email").json(&guess);
        last = Answer::of(request.header("x-forwarded-for", format!("203.0.113.{n}"))).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_account_can_be_deleted_with_its_password() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (_, key) = ana.key().await;
    let refused =
        Answer::of(ana.request(Method::DELETE, "/api/account").json(&json!({ "password": "Wrong1234" }))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let gone = Answer::of(ana.request(Method::DELETE, "/api/account").json(&json!({ "password": PASSWORD }))).await;
    assert_eq!(gone.status, StatusCode::OK, "{gone:?}");
    assert_eq!(ana.get("/api/me").await.status, StatusCode::UNAUTHORIZED);
    let by_key = Answer::of(server.request(Method::GET, "/api/me").header("x-api-key", key)).await;
    assert_eq!(by_key.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_happened_to_credentials_is_in_the_audit_trail() {
    let server = TestServer::start().await;
    let ana = server.person("ana").await;
    let (id, key) = ana.key().await;
    ana.post("/api/auth/api-key/delete", json!({ "keyId": id })).await;
    let trail = ana.get("/api/account/audit").await;
    let actions: Vec<&str> =
        trail.body["entries"].as_array().unwrap().iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(actions, ["api_key.revoked", "api_key.created", "account.created"]);
    assert!(!trail.text.contains(&key));
}
