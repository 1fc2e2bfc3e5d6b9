use pizzapi_protocol::{
    AnswerDecision, CommandKind, Decision, DecisionDetail, DecisionKind, DecisionOption, DecisionOutcome, ErrorCode,
    RaiseDecision, hub, relay, viewer,
};
use serde_json::json;

use crate::support::TestServer;

fn decision(id: &str) -> Decision {
    let option = |id: &str| DecisionOption { id: id.to_owned(), label: id.to_owned(), description: None, style: None };
    Decision {
        decision_id: id.into(),
        session_id: "forged".into(),
        epoch: Default::default(),
        kind: DecisionKind::Approval,
        title: "Run this?".to_owned(),
        detail: DecisionDetail { command: Some("rm -r target".to_owned()), ..DecisionDetail::default() },
        options: vec![option("allow"), option("deny")],
        default: Some("deny".to_owned()),
        deadline: None,
        created_at: 0,
    }
}

fn answer(id: &str, option: &str) -> AnswerDecision {
    AnswerDecision {
        decision_id: id.into(),
        session_id: Some("s1".into()),
        option: option.to_owned(),
        text: None,
        edits: None,
        composed_at: None,
        command_id: None,
    }
}

#[tokio::test]
async fn the_first_answer_wins_and_everybody_learns_whose_it_was() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&[]).await;
    let mut hub = ana.hub().await;
    hub.find("the list", |event| matches!(event, hub::FromServer::Decisions(_)).then_some(())).await;
    let raise = RaiseDecision { token: agent.token.clone(), decision: decision("d1") };
    assert!(agent.peer.call::<relay::from_client::RaiseDecision>(&raise).await.ok);
    assert!(agent.peer.call::<relay::from_client::RaiseDecision>(&raise).await.ok, "raising it again changes nothing");
    let added = hub
        .find("the decision", |event| match event {
            hub::FromServer::DecisionAdded(added) => Some(added.item),
            _ => None,
        })
        .await;
    assert_eq!((added.session_id.as_str(), added.detail.command.as_deref()), ("s1", Some("rm -r target")));

    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    let (allow, deny) = (answer("d1", "allow"), answer("d1", "deny"));
    let (first, second) = tokio::join!(
        tab.peer.call::<viewer::from_client::AnswerDecision>(&allow),
        hub.call::<hub::from_client::AnswerDecision>(&deny),
    );
    assert_eq!([first.ok, second.ok].into_iter().filter(|won| *won).count(), 1);
    let loser = if first.ok { &second } else { &first };
    assert_eq!(loser.code, Some(ErrorCode::AlreadyAnswered));
    let Some(DecisionOutcome::Answered(known)) = &loser.outcome else { panic!("{loser:?}") };
    let winner = if first.ok { "allow" } else { "deny" };
    assert_eq!((known.option.as_str(), known.by.as_str()), (winner, ana.browser.user_id.as_str()));
    let command = agent.command().await;
    assert_eq!(command.kind, CommandKind::Answer);
    assert_eq!(command.body.to::<serde_json::Value>().unwrap()["option"], winner);
    hub.find("its end", |event| match event {
        hub::FromServer::DecisionEnded(ended) if ended.decision_id.as_str() == "d1" => Some(()),
        _ => None,
    })
    .await;
    let late = tab.peer.call::<viewer::from_client::AnswerDecision>(&answer("d9", "allow")).await;
    assert_eq!(late.code, Some(ErrorCode::NoSuchDecision));
}

#[tokio::test]
async fn prompts_of_a_published_session_are_decisions_too() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    agent.send(json!({"type": "question_pending", "question": {"toolCallId": "q1", "questions": [{"question": "Which?", "options": ["Red", "Blue"]}]}}));
    let mut hub = ana.hub().await;
    hub.find("the question", |event| match event {
        hub::FromServer::DecisionAdded(added) if added.item.decision_id.as_str() == "q1" => Some(()),
        hub::FromServer::Decisions(list) if !list.decisions.is_empty() => Some(()),
        _ => None,
    })
    .await;
    let answering = async {
        let (input, ack) = agent.input().await;
        assert_eq!(input.text, "Blue");
        ack.send(&true);
    };
    let blue = answer("q1", "Blue");
    let (reply, ()) = tokio::join!(hub.call::<hub::from_client::AnswerDecision>(&blue), answering);
    assert!(reply.ok, "{reply:?}");
}

#[tokio::test]
async fn an_expired_decision_takes_its_default() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let agent = ana.modern_agent("s1").await;
    let mut hub = ana.hub().await;
    let mut soon = decision("d1");
    soon.deadline = Some(server.app().clock.now_ms() + 50);
    let raise = RaiseDecision { token: agent.token.clone(), decision: soon };
    agent.peer.call::<relay::from_client::RaiseDecision>(&raise).await;
    let outcome = hub
        .find("its end", |event| match event {
            hub::FromServer::DecisionEnded(ended) => Some(ended.outcome),
            _ => None,
        })
        .await;
    let DecisionOutcome::Expired(expired) = outcome else { panic!("{outcome:?}") };
    assert_eq!(expired.option.as_deref(), Some("deny"));
}
