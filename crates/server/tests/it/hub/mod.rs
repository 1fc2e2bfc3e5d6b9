//! Feeds of pages.

use pizzapi_protocol::hub;
use pizzapi_protocol::relay::SessionRef;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn side_state_is_folded_with_versions_and_stale_clears_are_ignored() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    let mut page = ana.hub().await;
    page.emit::<hub::from_client::SubscribeSessionMeta>(&SessionRef { session_id: agent.session.clone() });
    let state = page
        .find("the state", |event| match event {
            hub::FromServer::StateSnapshot(snapshot) => Some(snapshot.state),
            _ => None,
        })
        .await;
    assert_eq!(state.version, 0);
    let question = json!({"toolCallId": "q2", "questions": [{"question": "?", "options": []}]});
    agent.send(json!({"type": "question_pending", "question": question}));
    agent.send(json!({"type": "question_cleared", "toolCallId": "q1"}));
    agent.send(json!({"type": "todo_updated", "todoList": [{"id": 1, "text": "x", "status": "pending"}]}));
    let mut versions = Vec::new();
    while versions.len() < 2 {
        versions.push(
            page.find("a change", |event| match event {
                hub::FromServer::MetaEvent(event) => Some((event.version, event.event.tag().into_owned())),
                _ => None,
            })
            .await,
        );
    }
    assert_eq!(versions, [(1, "question_pending".to_owned()), (2, "todo_updated".to_owned())]);
}

#[tokio::test]
async fn a_page_that_asks_again_gets_the_list_with_its_number() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut page = ana.hub().await;
    let sessions = |event| match event {
        hub::FromServer::Sessions(list) => Some((list.sessions.len(), list.revision.unwrap().0)),
        _ => None,
    };
    let (count, before) = page.find("the list", sessions).await;
    assert_eq!(count, 0);
    let _agent = ana.agent("s1").await;
    let added = page
        .find("the session", |event| match event {
            hub::FromServer::SessionAdded(added) => added.revision,
            _ => None,
        })
        .await;
    assert!(added.0 > before);
    page.emit::<hub::from_client::Refresh>(&Default::default());
    let (count, now) = page.find("the list again", sessions).await;
    assert!(count == 1 && now >= added.0);
}
