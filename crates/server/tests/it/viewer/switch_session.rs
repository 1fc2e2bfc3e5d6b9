use std::time::Duration;

use pizzapi_protocol::viewer::{self, LoadMessages};
use pizzapi_protocol::{HydratedVia, HydrationFailure, Position, relay};
use serde_json::json;

use crate::sockets::{Chaos, Peer, active, said};
use crate::support::TestServer;

#[tokio::test]
async fn switching_back_replays_only_what_was_missed() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let (mut a, mut b) = (ana.agent("a").await, ana.agent("b").await);
    a.snapshot(&["a"]).await;
    b.snapshot(&["b"]).await;
    let mut tab = ana.tab().await;
    tab.open(&a.session, None).await;
    a.say("one").await;
    assert_eq!(tab.durable().await, (2, said("one")));
    tab.open(&b.session, None).await;
    a.say("two").await;
    let (frames, hydrated) = tab.open(&a.session, Some(Position::new(1, 2))).await;
    assert_eq!((hydrated.via, hydrated.complete), (HydratedVia::Delta, true));
    assert_eq!(frames.iter().map(|frame| frame.seq.unwrap().0).collect::<Vec<_>>(), [3]);
    assert_eq!((frames[0].delta_replay, frames[0].replay), (Some(true), Some(true)));
    let (frames, hydrated) = tab.open(&a.session, Some(Position::new(1, 3))).await;
    assert_eq!((frames.len(), hydrated.via), (0, HydratedVia::Current));
}

#[tokio::test]
async fn fifty_switches_show_nothing_of_another_session() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let (mut a, mut b) = (ana.agent("a").await, ana.agent("b").await);
    a.snapshot(&["a"]).await;
    b.snapshot(&["b"]).await;
    let mut tab = ana.tab().await;
    let sessions = [a.session.clone(), b.session.clone()];
    let mut last = None;
    for n in 0..50 {
        let session = &sessions[n % 2];
        last = Some((tab.switch(session, None), session.clone()));
        a.send(said("from a"));
        b.send(said("from b"));
        if n % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await; // lets some switches get half-way
        }
    }
    let (generation, session) = last.unwrap();
    let mut newest = 0;
    tab.peer
        .find("the end of the last switch", |event| match event {
            viewer::FromServer::Event(frame) => {
                let of = frame.generation.unwrap().0;
                assert!(of >= newest, "a frame of switch {of} after one of switch {newest}");
                newest = of;
                assert_eq!(
                    frame.session_id.as_ref(),
                    Some(&sessions[(of as usize + 1) % 2]),
                    "frame of the wrong session"
                );
                None
            }
            viewer::FromServer::Hydrated(hydrated) if hydrated.generation == generation => {
                assert_eq!(hydrated.session_id, session);
                Some(())
            }
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn missing_and_foreign_sessions_look_alike() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let agent = ana.agent("hers").await;
    let mut tab = bob.tab().await;
    for session in [agent.session.clone(), "nobodys".into()] {
        let generation = tab.switch(&session, None);
        let error = tab
            .peer
            .find("an error", |event| match event {
                viewer::FromServer::Error(error) => Some(error),
                _ => None,
            })
            .await;
        assert_eq!((error.message.as_str(), error.generation), ("Session not found", Some(generation)));
        let failed = tab
            .peer
            .find("the end", |event| match event {
                viewer::FromServer::HydrationFailed(failed) => Some(failed),
                _ => None,
            })
            .await;
        assert_eq!((failed.reason, failed.retryable), (HydrationFailure::NotFound, false));
    }
}

#[tokio::test]
async fn a_long_transcript_comes_in_pages() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    let texts: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    agent.snapshot(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut tab = ana.old_tab().await;
    let (frames, _) = tab.open(&agent.session, None).await;
    let state: serde_json::Value = frames[0].event.to().unwrap();
    assert_eq!(state["state"]["messages"].as_array().unwrap().len(), 50);
    assert_eq!(
        (state["state"]["totalMessages"].as_u64(), state["state"]["oldestLoadedIndex"].as_u64()),
        (Some(120), Some(70))
    );
    tab.peer.emit::<viewer::from_client::LoadMessages>(&LoadMessages {
        session_id: agent.session.clone(),
        before: Some(70.0),
        limit: Some(50.0),
    });
    let page = tab
        .peer
        .find("the page", |event| match event {
            viewer::FromServer::SessionMessagesPage(page) => Some(page),
            _ => None,
        })
        .await;
    assert_eq!((page.messages.len(), page.oldest_index, page.has_more), (50, 20, true));
}

#[tokio::test]
async fn an_ended_session_can_still_be_read() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&["kept"]).await;
    agent.peer.emit::<relay::from_client::SessionEnd>(&relay::SessionEnd {
        session_id: None,
        token: agent.token.clone(),
        reason: None,
    });
    let mut hub = ana.hub().await;
    hub.find("an empty list", |event| match event {
        pizzapi_protocol::hub::FromServer::Sessions(list) if list.sessions.is_empty() => Some(()),
        pizzapi_protocol::hub::FromServer::SessionRemoved(_) => Some(()),
        _ => None,
    })
    .await;
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&agent.session, None).await;
    assert_eq!((hydrated.via, hydrated.complete), (HydratedVia::Persisted, true));
    assert_eq!(frames[0].event.to::<serde_json::Value>().unwrap(), active(&["kept"]));
    // An old client names it in the handshake, and is shown the door afterwards.
    let mut old: Peer<viewer::FromServer> = {
        let config = pizzapi_socket_client::Config::new(server.running.url()).header("cookie", &ana.browser.cookie);
        Peer::connect(config, json!({"protocolVersion": 1, "sessionId": "s1"}))
    };
    let code = old
        .find("the goodbye", |event| match event {
            viewer::FromServer::Disconnected(event) => event.code,
            _ => None,
        })
        .await;
    assert_eq!(code, viewer::DisconnectCode::SnapshotReplay);
}

#[tokio::test]
async fn a_viewer_behind_a_cut_connection_catches_up() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let chaos = Chaos::before(&server).await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let config = pizzapi_socket_client::Config::new(&chaos.url).header("cookie", &ana.browser.cookie);
    let mut peer: Peer<viewer::FromServer> = Peer::connect(
        config,
        json!({"protocolVersion": 1, "capabilities": pizzapi_protocol::PeerCapabilities::ALL, "sessionId": "s1", "generation": 1}),
    );
    peer.connected().await;
    peer.find("hydrated", |event| matches!(event, viewer::FromServer::Hydrated(_)).then_some(())).await;
    chaos.cut();
    for n in 0..10 {
        agent.say(&n.to_string()).await;
    }
    peer.disconnected().await;
    peer.connected().await;
    // The auth of this test names no position, so it is hydrated from scratch; a page would say `have`.
    let mut texts = Vec::new();
    peer.find("hydrated again", |event| match event {
        viewer::FromServer::Event(frame) => {
            texts.extend(frame.event.to::<serde_json::Value>().unwrap()["text"].as_str().map(str::to_owned));
            None
        }
        viewer::FromServer::Hydrated(hydrated) => {
            assert!(hydrated.complete);
            Some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(texts, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}
