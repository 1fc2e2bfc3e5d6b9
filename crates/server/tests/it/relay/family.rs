use pizzapi_protocol::relay::{self, SendSessionMessage, SendTrigger};
use pizzapi_protocol::{DeliverAs, Maybe, RawJson, Trigger};
use serde_json::json;

use crate::sockets::{Agent, Person};
use crate::support::TestServer;

async fn child_of(person: &Person<'_>, id: &str, parent: &str) -> Agent {
    let url = person.browser.server.running.url();
    Agent::register(&url, &person.key, id, |register| register.parent_session_id = Maybe::Value(parent.into())).await
}

fn trigger(target: &str, id: &str) -> Trigger {
    Trigger {
        kind: "session_complete".to_owned(),
        source_session_id: "forged".into(),
        source_session_name: None,
        target_session_id: target.into(),
        payload: RawJson::from(json!({"summary": "done"})),
        deliver_as: DeliverAs::FollowUp,
        expects_response: false,
        trigger_id: id.into(),
        timeout_ms: None,
        ts: String::new(),
    }
}

#[tokio::test]
async fn a_child_tells_its_parent_and_cannot_pretend_to_be_another() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut parent = ana.agent("parent").await;
    let child = child_of(&ana, "child", "parent").await;
    assert_eq!(child.registered.parent_session_id.as_ref().map(|id| id.as_str()), Some("parent"));
    let send = SendTrigger { token: child.token.clone(), trigger: trigger("parent", "t1") };
    let reply = child.peer.call::<relay::from_client::SessionTrigger>(&send).await;
    assert!(reply.ok, "{reply:?}");
    let got = parent
        .peer
        .find("the trigger", |event| match event {
            relay::FromServer::SessionTrigger(event) => Some(event.trigger),
            _ => None,
        })
        .await;
    assert_eq!((got.source_session_id.as_str(), got.trigger_id.as_str()), ("child", "t1"));

    let stranger = ana.agent("stranger").await;
    let send = SendTrigger { token: stranger.token.clone(), trigger: trigger("parent", "t2") };
    let reply = stranger.peer.call::<relay::from_client::SessionTrigger>(&send).await;
    assert_eq!(
        reply.error.as_deref(),
        Some("Sender is no longer a child of the target session (linked relationship is broken or stale)")
    );
}

#[tokio::test]
async fn a_parent_that_lets_go_is_told_when_all_children_know() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let parent = ana.agent("parent").await;
    let mut child = child_of(&ana, "child", "parent").await;
    let owned = relay::Owned { token: parent.token.clone() };
    assert_eq!(parent.peer.call::<relay::from_client::GetLinkedChildCount>(&owned).await.count, Some(1));
    let delink = relay::DelinkChildren { token: parent.token.clone(), epoch: None };
    let told = async {
        let ack = child
            .peer
            .find("the news", |event| match event {
                relay::FromServer::ParentDelinked(_, ack) => Some(ack),
                _ => None,
            })
            .await;
        ack.send(&pizzapi_protocol::OkReply::OK);
    };
    let (reply, ()) = tokio::join!(parent.peer.call::<relay::from_client::DelinkChildren>(&delink), told);
    assert!(reply.ok, "{reply:?}");
    assert_eq!(parent.peer.call::<relay::from_client::GetLinkedChildCount>(&owned).await.count, Some(0));
    drop(child);
    let again = child_of(&ana, "child", "parent").await;
    assert_eq!(again.registered.was_delinked, Some(true));
    assert!(again.registered.parent_session_id.is_none());
}

#[tokio::test]
async fn sessions_of_different_users_cannot_talk() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let _target = ana.agent("target").await;
    let mut sender = bob.agent("sender").await;
    let message = SendSessionMessage {
        token: sender.token.clone(),
        target_session_id: "target".into(),
        message: "hi".to_owned(),
        deliver_as: None,
    };
    sender.peer.emit::<relay::from_client::SessionMessage>(&message);
    let error = sender
        .peer
        .find("the refusal", |event| match event {
            relay::FromServer::SessionMessageError(error) => Some(error.error),
            _ => None,
        })
        .await;
    assert_eq!(error, "Target session belongs to a different user");
}

#[tokio::test]
async fn a_child_that_is_done_is_cleaned_up() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let parent = ana.agent("parent").await;
    let mut child = child_of(&ana, "child", "parent").await;
    let cleanup = relay::CleanupChildSession { token: parent.token.clone(), child_session_id: "child".into() };
    let ending = async {
        child
            .peer
            .find("the order to end", |event| match event {
                relay::FromServer::Exec(exec) if exec.command == "end_session" => Some(()),
                _ => None,
            })
            .await;
        child.peer.emit::<relay::from_client::SessionEnd>(&relay::SessionEnd {
            session_id: None,
            token: child.token.clone(),
            reason: None,
        });
    };
    let (reply, ()) = tokio::join!(parent.peer.call::<relay::from_client::CleanupChildSession>(&cleanup), ending);
    assert_eq!((reply.ok, reply.pending), (true, None), "{reply:?}");
}
