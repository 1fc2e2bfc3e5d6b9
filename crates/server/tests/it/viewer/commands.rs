use pizzapi_protocol::viewer::{self, ViewerInput};
use pizzapi_protocol::{
    CancelCommand, CommandKind, CommandReceipt, CommandState, ErrorCode, Exec, ExecResult, Maybe, Open, RawJson, relay,
};

use crate::sockets::{Agent, Tab, modern, resuming};
use crate::support::TestServer;

fn input(text: &str, id: &str) -> ViewerInput {
    ViewerInput {
        text: text.to_owned(),
        attachments: None,
        client: Some("web".to_owned()),
        deliver_as: None,
        request_id: Some(id.into()),
        session_id: None,
        composed_at: None,
        deadline: None,
    }
}

fn receipt(agent: &Agent, id: &str, state: CommandState) {
    agent.peer.emit::<relay::from_client::CommandReceipt>(&CommandReceipt {
        command_id: id.into(),
        state,
        code: None,
        message: None,
        result: None,
    });
}

async fn states(tab: &mut Tab, count: usize) -> Vec<CommandState> {
    let mut states = Vec::new();
    for _ in 0..count {
        states.push(tab.status().await.state);
    }
    states
}

#[tokio::test]
async fn words_reach_a_published_session_and_are_acknowledged() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let mut tab = ana.old_tab().await;
    tab.open(&agent.session, None).await;
    for (text, taken) in [("hello", true), ("no", false)] {
        let answering = async {
            let (got, ack) = agent.input().await;
            assert_eq!((got.text.as_str(), got.request_id.as_ref().unwrap().as_str()), (text, text));
            ack.send(&taken);
        };
        let words = input(text, text);
        let (acked, ()) = tokio::join!(tab.peer.call::<viewer::from_client::Input>(&words), answering);
        assert_eq!(acked, taken);
    }
}

#[tokio::test]
async fn a_command_passes_through_its_states_and_ends_once() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&[]).await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    assert!(tab.peer.call::<viewer::from_client::Input>(&input("hello", "c1")).await);
    let command = agent.command().await;
    assert_eq!((command.command_id.as_str(), command.kind), ("c1", CommandKind::Input));
    receipt(&agent, "c1", CommandState::Delivered);
    receipt(&agent, "c1", CommandState::Consumed);
    receipt(&agent, "c1", CommandState::Rejected);
    assert_eq!(states(&mut tab, 3).await, [CommandState::Accepted, CommandState::Delivered, CommandState::Consumed]);
    // The same words again are not delivered again.
    assert!(tab.peer.call::<viewer::from_client::Input>(&input("hello", "c1")).await);
    assert!(tab.peer.call::<viewer::from_client::Input>(&input("other", "c2")).await);
    assert_eq!(agent.command().await.command_id.as_str(), "c2");
}

#[tokio::test]
async fn words_wait_for_a_session_that_is_away_and_arrive_in_order() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&[]).await;
    let session = agent.session.clone();
    let mut tab = ana.tab().await;
    tab.open(&session, None).await;
    drop(agent);
    crate::support::wait_until("the session is away", || async { server.app().live.routes.relay(&session).is_none() })
        .await;
    for id in ["a", "b", "c"] {
        assert!(tab.peer.call::<viewer::from_client::Input>(&input(id, id)).await);
    }
    tab.peer.emit::<viewer::from_client::CancelCommand>(&CancelCommand { command_id: "b".into(), session_id: None });
    loop {
        let status = tab.status().await;
        if status.state == CommandState::Cancelled {
            assert_eq!(status.command_id.as_str(), "b");
            break;
        }
    }
    // Another tab sees what waits.
    let mut other = ana.tab().await;
    other.switch(&session, None);
    let open = other
        .peer
        .find("open commands", |event| match event {
            viewer::FromServer::Commands(commands) => Some(commands.open),
            _ => None,
        })
        .await;
    assert_eq!(open.iter().map(|open| open.command.command_id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let mut agent = ana.modern_agent("s1").await;
    assert_eq!(agent.command().await.command_id.as_str(), "a");
    assert_eq!(agent.command().await.command_id.as_str(), "c", "what was withdrawn is never delivered");
}

#[tokio::test]
async fn a_delivered_command_of_a_dead_process_is_unknown_and_a_living_one_is_asked_again() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let url = server.running.url();
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&[]).await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    tab.peer.call::<viewer::from_client::Input>(&input("x", "c1")).await;
    agent.command().await;
    receipt(&agent, "c1", CommandState::Delivered);
    assert_eq!(states(&mut tab, 2).await, [CommandState::Accepted, CommandState::Delivered]);
    let epoch = agent.registered.epoch.unwrap().0;
    drop(agent);
    let mut same = Agent::register(&url, &ana.key, "s1", resuming(epoch, 1)).await;
    assert_eq!(same.command().await.command_id.as_str(), "c1");
    drop(same);
    let _other = Agent::register(&url, &ana.key, "s1", modern).await;
    let status = tab.status().await;
    assert_eq!((status.state, status.code), (CommandState::Unknown, Some(ErrorCode::Died)));
}

#[tokio::test]
async fn a_remote_command_is_answered_to_whoever_asked() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let (mut asker, mut other) = (ana.tab().await, ana.tab().await);
    asker.open(&agent.session, None).await;
    other.open(&agent.session, None).await;
    let exec = |id: &str| {
        Open::new(Exec { id: id.into(), command: "get_commands".to_owned(), session_id: None, composed_at: None })
    };
    asker.peer.emit::<viewer::from_client::Exec>(&exec("e1"));
    let asked = agent
        .peer
        .find("exec", |event| match event {
            relay::FromServer::Exec(exec) => Some(exec),
            _ => None,
        })
        .await;
    let answer = |id: &str| ExecResult {
        id: id.into(),
        ok: true,
        command: "get_commands".to_owned(),
        result: Maybe::Value(RawJson::from(serde_json::json!({"commands": []}))),
        error: None,
    };
    agent.peer.emit::<relay::from_client::ExecResult>(&answer(asked.id.as_str()));
    agent.peer.emit::<relay::from_client::ExecResult>(&answer("unknown"));
    let result = |event| match event {
        viewer::FromServer::ExecResult(result) => Some(result.id),
        _ => None,
    };
    assert_eq!(asker.peer.find("the answer", result).await.as_str(), "e1");
    assert_eq!(
        other.peer.find("an answer", result).await.as_str(),
        "unknown",
        "only what nobody asked for goes to everybody"
    );

    // Without a session there is an answer too.
    drop(agent);
    crate::support::wait_until("the session is away", || async {
        server.app().live.routes.relay(&"s1".into()).is_none()
    })
    .await;
    asker.peer.emit::<viewer::from_client::Exec>(&exec("e2"));
    let refused = asker
        .peer
        .find("a refusal", |event| match event {
            viewer::FromServer::ExecResult(result) if result.id.as_str() == "e2" => Some(result),
            _ => None,
        })
        .await;
    assert!(!refused.ok && refused.error.is_some());
}

#[tokio::test]
async fn words_for_another_session_are_refused() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    let words = ViewerInput { session_id: Some("s2".into()), ..input("x", "c1") };
    assert!(!tab.peer.call::<viewer::from_client::Input>(&words).await);
}
