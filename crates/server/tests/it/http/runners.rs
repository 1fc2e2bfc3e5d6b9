use pizzapi_protocol::runner::{self, FileResult, from_client};
use pizzapi_protocol::{Open, RequestId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sockets::{Peer, Person};
use crate::support::{Answer, TestServer, wait_until};

const SECRET: &str = "a-long-enough-secret";

type Machine = Peer<runner::FromServer>;

async fn machine(person: &Person<'_>, id: &str) -> Machine {
    let mut peer = person.runner(id, SECRET).await;
    peer.find("runner_registered", |event| match event {
        runner::FromServer::RunnerRegistered(_) => Some(()),
        _ => None,
    })
    .await;
    peer
}

/// Answer the next request that `pick` takes with these members.
async fn reply(machine: &mut Machine, pick: impl FnMut(runner::FromServer) -> Option<RequestId>, body: Value) {
    let request_id = machine.find("a request", pick).await;
    let mut result: Open<FileResult> = serde_json::from_value(body).unwrap();
    result.request_id = Some(request_id);
    machine.emit::<from_client::FileResult>(&result);
}

#[tokio::test]
async fn runners_are_listed_also_when_they_are_away() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let connected = machine(&ana, "r1").await;
    let list = ana.browser.get("/api/runners").await.body;
    assert_eq!((&list["runners"][0]["runnerId"], &list["runners"][0]["status"]), (&json!("r1"), &json!("online")));
    assert_eq!(bob.browser.get("/api/runners").await.body, json!({ "runners": [] }));
    assert_eq!(bob.browser.get("/api/runners/r1").await.status, StatusCode::FORBIDDEN);
    assert_eq!(ana.browser.get("/api/runners/r2").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ana.browser.delete("/api/runners/r1").await.code(), "connected");
    drop(connected);

    let cookie = ana.browser.cookie.clone();
    drop((ana, bob));
    let dir = server.stop().await;
    let server = TestServer::within(dir, |_| {}).await;
    let list = Answer::of(server.request(Method::GET, "/api/runners").header("cookie", &cookie)).await.body;
    let info = &list["runners"][0];
    assert_eq!(
        (&info["runnerId"], &info["status"], &info["name"]),
        (&json!("r1"), &json!("offline"), &json!("box")),
        "{list}"
    );
    let ask = server
        .request(Method::POST, "/api/runners/r1/files")
        .header("cookie", &cookie)
        .json(&json!({ "path": "/work" }));
    let answer = Answer::of(ask).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_GATEWAY, "runner_offline"));
    let gone = Answer::of(server.request(Method::DELETE, "/api/runners/r1").header("cookie", &cookie)).await;
    assert_eq!(gone.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_is_started_and_its_folder_remembered() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut box1 = machine(&ana, "r1").await;
    let body = json!({ "runnerId": "r1", "cwd": "/work/pizza", "prompt": "go", "model": { "provider": " acme ", "id": "big" } });
    let request = ana.browser.post("/api/runners/spawn", body);
    let runner = async {
        let new = box1
            .find("new_session", |event| match event {
                runner::FromServer::NewSession(new) => Some(new),
                _ => None,
            })
            .await;
        assert_eq!((new.cwd.as_deref(), new.prompt.as_deref()), (Some("/work/pizza"), Some("go")));
        assert_eq!(new.model.as_ref().map(|model| model.provider.as_str()), Some("acme"));
        let ready = pizzapi_protocol::relay::SessionRef { session_id: new.session_id.clone() };
        box1.emit::<from_client::SessionReady>(&ready);
        new.session_id
    };
    let (answer, session) = tokio::join!(request, runner);
    assert_eq!(answer.body, json!({ "ok": true, "runnerId": "r1", "sessionId": session, "pending": false }));
    let status = ana.browser.get(&format!("/api/spawns/{session}")).await.body;
    assert_eq!(status["state"], "accepted");
    assert_eq!(bob.browser.get(&format!("/api/spawns/{session}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ana.browser.get("/api/runners/r1/recent-folders").await.body, json!({ "folders": ["/work/pizza"] }));
    let forget =
        ana.browser.request(Method::DELETE, "/api/runners/r1/recent-folders").json(&json!({ "path": "/work/pizza" }));
    assert_eq!(Answer::of(forget).await.body, json!({ "ok": true, "deleted": true }));

    let _agent = ana.modern_agent(session.as_str()).await;
    wait_until("the spawn is complete", || async {
        ana.browser.get(&format!("/api/spawns/{session}")).await.body["state"] == "registered"
    })
    .await;
}

#[tokio::test]
async fn the_same_key_twice_starts_one_session() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    let start = || {
        let request = ana.browser.request(Method::POST, "/api/runners/spawn").header("idempotency-key", "click-1");
        Answer::of(request.json(&json!({ "runnerId": "r1" })))
    };
    let first = start();
    let runner = async {
        let new = box1
            .find("new_session", |event| match event {
                runner::FromServer::NewSession(new) => Some(new),
                _ => None,
            })
            .await;
        box1.emit::<from_client::SessionReady>(&pizzapi_protocol::relay::SessionRef { session_id: new.session_id });
    };
    let (first, ()) = tokio::join!(first, runner);
    let second = start().await;
    assert_eq!(first.body["sessionId"], second.body["sessionId"]);
}

#[tokio::test]
async fn a_spawn_that_cannot_be_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut box1 = machine(&ana, "r1").await;
    ana.browser.put("/api/settings/hidden-models", json!({ "hiddenModels": ["acme/secret"] })).await;
    for (body, status, error) in [
        (json!({}), 400, "Missing runnerId"),
        (json!({ "runnerId": "none" }), 404, "Runner not found"),
        (json!({ "runnerId": "r1", "cwd": "/etc" }), 400, "Runner cannot access cwd: /etc"),
        (json!({ "runnerId": "r1", "cwd": "/work/../etc" }), 400, "Runner cannot access cwd: /work/../etc"),
        (json!({ "runnerId": "r1", "agent": { "name": "../x" } }), 400, "Invalid agent name"),
        (
            json!({ "runnerId": "r1", "model": { "provider": "acme", "id": "secret" } }),
            400,
            "Requested model is not available",
        ),
        (json!({ "runnerId": "r1", "parentSessionId": "none" }), 404, "Parent session not found"),
    ] {
        let answer = ana.browser.post("/api/runners/spawn", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.error()), (status, error), "{body}");
    }
    assert_eq!(bob.browser.post("/api/runners/spawn", json!({ "runnerId": "r1" })).await.status, StatusCode::FORBIDDEN);
    let request = ana.browser.post("/api/runners/spawn", json!({ "runnerId": "r1" }));
    let runner = async {
        let new = box1
            .find("new_session", |event| match event {
                runner::FromServer::NewSession(new) => Some(new),
                _ => None,
            })
            .await;
        let error = runner::SessionError { session_id: new.session_id, message: "no such folder".to_owned() };
        box1.emit::<from_client::SessionError>(&error);
    };
    let (answer, ()) = tokio::join!(request, runner);
    assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "no such folder"));
}

#[tokio::test]
async fn files_are_listed_within_the_roots_only() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut box1 = machine(&ana, "r1").await;
    let path = "/api/runners/r1/files";
    for outside in ["/etc", "/work/../etc", "/worker", "relative", "/work/..\\..\\etc"] {
        let answer = ana.browser.post(path, json!({ "path": outside })).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "outside_roots"), "{outside}");
    }
    assert_eq!(bob.browser.post(path, json!({ "path": "/work" })).await.status, StatusCode::FORBIDDEN);
    let list = |event| match event {
        runner::FromServer::ListFiles(request) => Some(request.request_id),
        _ => None,
    };
    let files = json!([{ "name": "a", "path": "/work/a", "isDirectory": false, "isSymlink": false, "size": 1 }]);
    let (answer, ()) = tokio::join!(
        ana.browser.post(path, json!({ "path": "/work" })),
        reply(&mut box1, list, json!({ "ok": true, "files": files }))
    );
    assert_eq!(answer.body, json!({ "ok": true, "files": files }));
    let (answer, ()) = tokio::join!(
        ana.browser.post(path, json!({ "path": "/work/gone" })),
        reply(&mut box1, list, json!({ "ok": false, "message": "ENOENT: no such file" }))
    );
    assert_eq!((answer.status, answer.error()), (StatusCode::NOT_FOUND, "ENOENT: no such file"));
    let empty = ana.browser.post("/api/runners/r1/search-files", json!({ "cwd": "/work", "query": "" })).await;
    assert_eq!(empty.body, json!({ "ok": true, "files": [] }));
}

#[tokio::test]
async fn a_runner_that_goes_away_fails_its_requests_at_once() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    let request = ana.browser.post("/api/runners/r1/read-file", json!({ "path": "/work/a" }));
    let leave = async {
        box1.find("read_file", |event| match event {
            runner::FromServer::ReadFile(_) => Some(()),
            _ => None,
        })
        .await;
        drop(box1);
    };
    let (answer, ()) = tokio::join!(request, leave);
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_GATEWAY, "runner_disconnected"), "{answer:?}");
}

#[tokio::test]
async fn an_abandoned_read_is_cancelled_on_the_runner() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    let request =
        ana.browser.request(Method::POST, "/api/runners/r1/read-file").json(&json!({ "path": "/work/a" })).send();
    let asked = async {
        box1.find("read_file", |event| match event {
            runner::FromServer::ReadFile(request) => Some(request.request_id),
            _ => None,
        })
        .await
    };
    let id = tokio::select! {
        _ = request => panic!("nobody answered"),
        id = asked => id,
    };
    // The request is dropped here, as if the page was closed.
    let cancelled = box1
        .find("cancel_file_request", |event| match event {
            runner::FromServer::CancelFileRequest(request) => Some(request.request_id),
            _ => None,
        })
        .await;
    assert_eq!(cancelled, id);
}

#[tokio::test]
async fn models_come_without_hidden_ones() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    ana.browser.put("/api/settings/hidden-models", json!({ "hiddenModels": ["acme/secret"] })).await;
    let runner = async {
        let request_id = box1
            .find("list_models", |event| match event {
                runner::FromServer::ListModels(request) => Some(request.request_id),
                _ => None,
            })
            .await;
        let models = json!({ "requestId": request_id, "models": [{ "provider": "acme", "id": "secret" }, { "provider": "acme", "id": "big" }] });
        box1.emit::<from_client::ModelsList>(&serde_json::from_value(models).unwrap());
    };
    let (answer, ()) = tokio::join!(ana.browser.get("/api/runners/r1/models"), runner);
    assert_eq!(answer.body["models"].as_array().unwrap().len(), 1);
    assert_eq!(answer.body["models"][0]["id"], "big");
}

#[tokio::test]
async fn skills_are_read_written_and_named_safely() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    assert_eq!(ana.browser.get("/api/runners/r1/skills").await.body, json!({ "skills": [] }));
    for name in ["../x", "", "a/b", "refresh", "reload", "a..b", &"x".repeat(65)] {
        let answer = ana.browser.post("/api/runners/r1/skills", json!({ "name": name, "content": "x" })).await;
        assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "Invalid skill name"), "{name}");
    }
    let runner = async {
        let (request_id, name) = box1
            .find("create_skill", |event| match event {
                runner::FromServer::CreateSkill(request) => Some((request.request_id, request.name)),
                _ => None,
            })
            .await;
        let result = json!({ "requestId": request_id, "ok": true, "skills": [{ "name": name, "description": "d", "filePath": "/x" }] });
        box1.emit::<from_client::SkillResult>(&serde_json::from_value(result).unwrap());
    };
    let (answer, ()) =
        tokio::join!(ana.browser.post("/api/runners/r1/skills", json!({ "name": "bake", "content": "how" })), runner);
    assert_eq!((&answer.body["ok"], &answer.body["skills"][0]["name"]), (&json!(true), &json!("bake")), "{answer:?}");
}

#[tokio::test]
async fn a_terminal_is_created_listed_and_removed() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    assert_eq!(
        ana.browser.post("/api/runners/terminal", json!({ "runnerId": "r1" })).await.status,
        StatusCode::NOT_FOUND
    );
    let _box1 = machine(&ana, "r1").await;
    let made =
        ana.browser.post("/api/runners/terminal", json!({ "runnerId": "r1", "cwd": "/work", "cols": 100 })).await;
    let id = made.body["terminalId"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    assert_eq!(
        ana.browser.post("/api/runners/terminal", json!({ "runnerId": "r1", "cwd": "/etc" })).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        bob.browser.post("/api/runners/terminal", json!({ "runnerId": "r1" })).await.status,
        StatusCode::FORBIDDEN
    );
    let list = ana.browser.get("/api/runners/r1/terminals").await.body;
    assert_eq!((&list["terminals"][0]["terminalId"], &list["terminals"][0]["cols"]), (&json!(id), &json!(100)));
    assert_eq!(ana.browser.delete(&format!("/api/runners/r1/terminals/{id}")).await.status, StatusCode::OK);
    assert_eq!(ana.browser.get("/api/runners/r1/terminals").await.body, json!({ "terminals": [] }));
}

#[tokio::test]
async fn restart_and_stop_reach_the_machine() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut box1 = machine(&ana, "r1").await;
    assert_eq!(ana.browser.post("/api/runners/restart", json!({ "runnerId": "r1" })).await.status, StatusCode::OK);
    assert_eq!(ana.browser.post("/api/runners/stop", json!({ "runnerId": "r1" })).await.status, StatusCode::OK);
    box1.find("restart", |event| matches!(event, runner::FromServer::Restart(_)).then_some(())).await;
    box1.find("shutdown", |event| matches!(event, runner::FromServer::Shutdown(_)).then_some(())).await;
    assert_eq!(ana.browser.post("/api/runners/stop", json!({})).await.error(), "Missing runnerId");
}

#[tokio::test]
async fn s14_every_runner_route_refuses_another_users_runner() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _box1 = machine(&ana, "r1").await;
    let routes = [
        (Method::GET, "models"),
        (Method::GET, "recent-folders"),
        (Method::GET, "browse"),
        (Method::GET, "services"),
        (Method::GET, "triggers"),
        (Method::GET, "schedules"),
        (Method::GET, "trigger-listeners"),
        (Method::POST, "trigger-listeners"),
        (Method::GET, "skills"),
        (Method::GET, "skills/x"),
        (Method::POST, "skills/refresh"),
        (Method::POST, "skills/reload"),
        (Method::DELETE, "skills/x"),
        (Method::GET, "agents"),
        (Method::POST, "agents/refresh"),
        (Method::GET, "plugins"),
        (Method::GET, "packages"),
        (Method::POST, "packages/install"),
        (Method::POST, "files"),
        (Method::POST, "search-files"),
        (Method::POST, "read-file"),
        (Method::GET, "settings"),
        (Method::GET, "sandbox-status"),
        (Method::GET, "usage"),
        (Method::GET, "analysis/s1"),
        (Method::GET, "providers"),
        (Method::POST, "providers/login"),
        (Method::POST, "mcp/reload"),
        (Method::GET, "terminals"),
    ];
    for (method, route) in routes {
        let request = bob.browser.request(method, &format!("/api/runners/r1/{route}"));
        let answer = Answer::of(request.json(&json!({ "path": "/work" }))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route}: {answer:?}");
    }
}
