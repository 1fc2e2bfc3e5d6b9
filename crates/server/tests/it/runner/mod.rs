//! Machines and what is asked of them.

use std::time::Duration;

use pizzapi_protocol::relay::SessionRef;
use pizzapi_protocol::runner::{self, NewSession, SessionError};
use pizzapi_protocol::{ServiceEnvelope, SpawnState, hub, runners, viewer};
use pizzapi_server::socket::api;
use pizzapi_server::socket::spawn::Started;
use serde_json::json;

use crate::sockets::{Agent, Peer};
use crate::support::TestServer;

const SECRET: &str = "a-long-enough-secret";

async fn registered(peer: &mut Peer<runner::FromServer>) -> runner::RunnerRegistered {
    peer.find("runner_registered", |event| match event {
        runner::FromServer::RunnerRegistered(registered) => Some(registered),
        runner::FromServer::Error(error) => panic!("{}", error.message),
        _ => None,
    })
    .await
}

async fn asked_to_start(peer: &mut Peer<runner::FromServer>) -> NewSession {
    peer.find("new_session", |event| match event {
        runner::FromServer::NewSession(new) => Some(new),
        _ => None,
    })
    .await
}

fn request(cwd: &str) -> NewSession {
    serde_json::from_value(json!({"sessionId": "", "cwd": cwd})).unwrap()
}

#[tokio::test]
async fn an_identity_belongs_to_one_user_and_one_secret() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut first = ana.runner("r1", SECRET).await;
    assert_eq!(registered(&mut first).await.runner_id.as_str(), "r1");
    drop(first);
    for (who, secret, why) in [
        (&bob, SECRET, "Runner authentication failed: runner r1 is owned by a different user"),
        (&ana, "another", "Runner authentication failed: secret mismatch for runner r1"),
    ] {
        let mut peer = who.runner("r1", secret).await;
        let message = peer
            .find("the refusal", |event| match event {
                runner::FromServer::Error(error) => Some(error.message),
                _ => None,
            })
            .await;
        assert_eq!(message, why);
    }
    registered(&mut ana.runner("r1", SECRET).await).await;
}

#[tokio::test]
async fn pages_see_runners_come_and_keep_them_while_they_are_away() {
    let server = TestServer::with(|config| config.sessions.runner_grace = Duration::from_millis(900)).await;
    let ana = server.user("ana").await;
    let mut page = ana.runners().await;
    let mut machine = ana.runner("r1", SECRET).await;
    registered(&mut machine).await;
    let info = page
        .find("the runner", |event| match event {
            runners::FromServer::RunnerAdded(added) => Some(added.item),
            _ => None,
        })
        .await;
    assert_eq!((info.runner_id.as_str(), info.roots.as_slice()), ("r1", &["/work".to_owned()][..]));
    machine.emit::<runner::from_client::RunnerWarning>(&runner::RunnerWarning { message: "tunnel down".to_owned() });
    let warned = page
        .find("the warning", |event| match event {
            runners::FromServer::RunnerUpdated(updated) => updated.item.warnings,
            _ => None,
        })
        .await;
    assert_eq!(warned, ["tunnel down"]);
    drop(machine);
    let status = async |page: &mut Peer<runners::FromServer>, wanted| {
        page.find("its status", |event| match event {
            runners::FromServer::RunnerUpdated(updated) if updated.item.status == Some(wanted) => Some(()),
            runners::FromServer::RunnerRemoved(_) => panic!("it was removed"),
            _ => None,
        })
        .await;
    };
    status(&mut page, pizzapi_protocol::RunnerStatus::Reconnecting).await;
    status(&mut page, pizzapi_protocol::RunnerStatus::Offline).await;
}

#[tokio::test]
async fn a_session_is_started_and_watched_until_it_registers() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut hub = ana.hub().await;
    let mut machine = ana.runner("r1", SECRET).await;
    registered(&mut machine).await;
    let starting = api::spawn(server.app(), &ana.browser.user_id, "r1", request("/work"), Duration::from_secs(5));
    let machine_work = async {
        let new = asked_to_start(&mut machine).await;
        machine.emit::<runner::from_client::SessionReady>(&SessionRef { session_id: new.session_id.clone() });
        new.session_id
    };
    let (started, id) = tokio::join!(starting, machine_work);
    assert_eq!(started.unwrap(), (id.clone(), Started::Accepted));
    // A page may look at it before it is there.
    let mut tab = ana.tab().await;
    let generation = tab.switch(&id, None);
    let mut agent = Agent::register(&server.running.url(), &ana.key, id.as_str(), |_| {}).await;
    agent.say("here").await;
    tab.hydrated(generation).await;
    let states = async |hub: &mut Peer<hub::FromServer>| {
        hub.find("progress", |event| match event {
            hub::FromServer::SessionSpawn(spawn) => Some(spawn.state),
            _ => None,
        })
        .await
    };
    for wanted in [SpawnState::Requested, SpawnState::Accepted, SpawnState::Registered] {
        assert_eq!(states(&mut hub).await, wanted);
    }
    let live = api::session(server.app(), id.as_str()).await.unwrap().unwrap();
    assert_eq!(live.runner_id.as_deref(), Some("r1"));
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut machine = ana.runner("r1", SECRET).await;
    registered(&mut machine).await;
    let starting = api::spawn(server.app(), &ana.browser.user_id, "r1", request("/nowhere"), Duration::from_secs(5));
    let refusing = async {
        let new = asked_to_start(&mut machine).await;
        let error = SessionError { session_id: new.session_id, message: "no such folder".to_owned() };
        machine.emit::<runner::from_client::SessionError>(&error);
    };
    let (started, ()) = tokio::join!(starting, refusing);
    assert_eq!(started.unwrap().1, Started::Failed("no such folder".to_owned()));
}

#[tokio::test]
async fn requests_are_answered_by_the_runner_and_fail_at_once_when_it_goes() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut machine = ana.runner("r1", SECRET).await;
    registered(&mut machine).await;
    let ask = |user: String| {
        let app = server.app().clone();
        async move {
            api::runner_request::<runner::from_server::ListFiles>(
                &app,
                &user,
                "r1",
                |request_id| runner::ListFiles { request_id, path: "/work".to_owned(), cwd: None },
                Duration::from_secs(10),
            )
            .await
        }
    };
    assert!(matches!(ask(bob.browser.user_id.clone()).await, Err(api::RunnerError::NotFound)));
    let answering = async {
        let id = machine
            .find("the request", |event| match event {
                runner::FromServer::ListFiles(request) => Some(request.request_id),
                _ => None,
            })
            .await;
        let mut result = runner::FileResult::success(&json!({"files": []})).unwrap();
        result.known.request_id = Some(id);
        machine.emit::<runner::from_client::FileResult>(&result);
    };
    let (answer, ()) = tokio::join!(ask(ana.browser.user_id.clone()), answering);
    assert!(api::members(answer.unwrap()).unwrap().contains_key("files"));
    let leaving = async {
        machine.find("the request", |event| matches!(event, runner::FromServer::ListFiles(_)).then_some(())).await;
        machine.handle.disconnect().await;
    };
    let (answer, ()) = tokio::join!(ask(ana.browser.user_id.clone()), leaving);
    assert!(matches!(answer, Err(api::RunnerError::Disconnected)), "{answer:?}");
    assert!(matches!(ask(ana.browser.user_id.clone()).await, Err(api::RunnerError::Reconnecting)));
}

#[tokio::test]
async fn service_messages_carry_the_session_they_really_come_from() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut machine = ana.runner("r1", SECRET).await;
    registered(&mut machine).await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    machine.emit::<runner::from_client::SessionReady>(&SessionRef { session_id: agent.session.clone() });
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    crate::support::wait_until("the session has its runner", || async {
        api::session(server.app(), "s1").await.unwrap().unwrap().runner_id.is_some()
    })
    .await;
    let envelope: ServiceEnvelope = serde_json::from_value(
        json!({"serviceId": "git", "type": "git_status", "requestId": "q", "sessionId": "forged", "payload": {}}),
    )
    .unwrap();
    tab.peer.emit::<viewer::from_client::ServiceMessage>(&envelope);
    let got = machine
        .find("the message", |event| match event {
            runner::FromServer::ServiceMessage(envelope) => Some(envelope),
            _ => None,
        })
        .await;
    assert_eq!(got.session_id.as_ref().map(|id| id.as_str()), Some("s1"));
    machine.emit::<runner::from_client::ServiceMessage>(&got);
    let back = tab
        .peer
        .find("the answer", |event| match event {
            viewer::FromServer::ServiceMessage(envelope) => Some(envelope),
            _ => None,
        })
        .await;
    assert_eq!(back.request_id.as_ref().map(|id| id.as_str()), Some("q"));
}
