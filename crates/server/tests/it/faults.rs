//! What goes wrong in the world, one test each. The names carry the fault's number.

use std::time::Duration;

use pizzapi_protocol::{HydratedVia, PeerCapabilities, RawJson, relay, viewer};
use reqwest::StatusCode;
use serde_json::json;

use crate::sockets::{Agent, Chaos, Peer, said};
use crate::support::TestServer;

fn viewer_through(chaos: &Chaos, cookie: &str) -> Peer<viewer::FromServer> {
    let config = pizzapi_socket_client::Config::new(&chaos.url).header("cookie", cookie);
    Peer::connect(
        config,
        json!({"protocolVersion": 1, "capabilities": PeerCapabilities::ALL, "sessionId": "s1", "generation": 1}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_slow_viewer_falls_back_to_a_snapshot_and_slows_nobody() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let chaos = Chaos::before(&server).await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&[]).await;
    let mut slow = viewer_through(&chaos, &ana.browser.cookie);
    slow.find("hydrated", |event| matches!(event, viewer::FromServer::Hydrated(_)).then_some(())).await;
    let mut fast = ana.tab().await;
    fast.open(&agent.session, None).await;

    chaos.stall(true);
    // More than all buffers on the way hold, and more than the memory of the session keeps.
    let pad = "x".repeat(32 * 1024);
    for round in 0..4 {
        for n in 0..300 {
            agent.send_paced(RawJson::from(json!({"type": "said", "n": round * 300 + n, "pad": pad}))).await;
        }
        let seq = agent.send(crate::sockets::active(&["so far"]));
        agent.acked(seq).await;
    }
    let mut last = 1;
    while last < 1 + 4 * 301 {
        let (seq, _) = fast.durable().await;
        assert_eq!(seq, last + 1, "the fast viewer gets everything, in order");
        last = seq;
    }
    chaos.stall(false);
    let mut cursor = 1;
    let mut skipped = false;
    slow.find("the end", |event| match event {
        viewer::FromServer::Event(frame) => {
            let Some(seq) = frame.seq else { return None };
            if seq.0 != cursor + 1 {
                let kind = frame.event.to::<serde_json::Value>().unwrap()["type"].clone();
                assert_eq!(kind, "session_active", "only a whole state may skip numbers");
                skipped = true;
            }
            cursor = seq.0;
            (cursor == last).then_some(())
        }
        _ => None,
    })
    .await;
    assert!(skipped, "it was brought up to date by a snapshot");
}

#[tokio::test]
async fn f2_two_seconds_without_the_agent_change_nothing_for_viewers() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let chaos = Chaos::before(&server).await;
    let mut agent = Agent::register(&chaos.url, &ana.key, "s1", crate::sockets::modern).await;
    agent.snapshot(&["hello"]).await;
    agent.send(json!({"type": "todo_updated", "todoList": [{"id": 1, "text": "x", "status": "pending"}]}));
    agent.say("one").await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    let epoch = agent.registered.epoch.unwrap().0;
    chaos.cut();
    agent.peer.disconnected().await;
    agent.peer.connected().await;
    agent.register_again(crate::sockets::resuming(epoch, 3)).await;
    agent.say("two").await;
    let (seq, event) = tab
        .peer
        .find("the next event", |event| match event {
            viewer::FromServer::Disconnected(event) => panic!("{event:?}"),
            viewer::FromServer::Event(frame) => Some((frame.seq?.0, frame.event)),
            _ => None,
        })
        .await;
    assert_eq!((seq, event), (3, RawJson::from(said("two"))));
    let record = server.app().live.stores.sessions.get(&agent.session).await.unwrap().unwrap();
    assert_eq!(record.meta.todo_list.len(), 1, "the side state is kept");
}

#[tokio::test]
async fn f13_a_damaged_record_is_never_a_silent_jump() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&["whole"]).await;
    for text in ["alpha", "bravo", "charlie"] {
        agent.say(text).await;
    }
    let (key, cookie, user_id) = (ana.key.clone(), ana.browser.cookie.clone(), ana.browser.user_id.clone());
    drop((agent, ana));
    let dir = server.stop().await;
    let folder = dir.path().join("log/s1");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .map(|item| item.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|window| window == b"bravo").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();

    let server = TestServer::within(dir, |_| {}).await;
    let ana = crate::sockets::Person { browser: crate::support::Browser { server: &server, cookie, user_id }, key };
    let mut tab = ana.tab().await;
    let generation = tab.switch(&"s1".into(), None);
    let failed = tab
        .peer
        .find("an honest answer", |event| match event {
            viewer::FromServer::HydrationFailed(failed) if failed.generation == generation => Some(true),
            viewer::FromServer::Hydrated(hydrated) if hydrated.generation == generation => Some(hydrated.complete),
            _ => None,
        })
        .await;
    assert!(failed, "`hydrated` with a hole must not say `complete`");
    // When the agent returns, a whole state heals it.
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&["whole again"]).await;
    let (frames, hydrated) = tab.open(&"s1".into(), None).await;
    assert!(hydrated.complete && hydrated.via == HydratedVia::Snapshot);
    assert_eq!(frames.len(), 1);
}

#[tokio::test]
async fn s5_a_key_taken_back_cuts_its_sockets() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let (id, key) = ana.browser.key().await;
    let mut agent = Agent::register(&server.running.url(), &key, "s1", |_| {}).await;
    let answer = ana.browser.post("/api/auth/api-key/delete", json!({"keyId": id})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    tokio::time::timeout(Duration::from_secs(5), agent.peer.disconnected()).await.expect("cut within five seconds");
    assert_eq!(agent.peer.rejected().await, "unauthorized");
}

#[tokio::test]
async fn s21_malformed_packets_hurt_only_their_sender() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    let mut other = ana.agent("s2").await;
    // A known event with a payload of the wrong shape is answered.
    agent.peer.emit::<relay::from_client::SessionTrigger>(&relay::SendTrigger {
        token: agent.token.clone(),
        trigger: serde_json::from_value(json!({"deliverAs": "steer"})).unwrap(),
    });
    agent
        .peer
        .find("a refusal", |event| match event {
            relay::FromServer::Error(error) => Some(error.message),
            _ => None,
        })
        .await;
    for event in [
        json!([]),
        json!(7),
        json!({"type": 7}),
        json!({"type": "session_messages_chunk", "chunkIndex": -1}),
        json!({"__proto__": {}}),
    ] {
        agent.send(event);
    }
    agent.say("still here").await;
    other.say("untouched").await;
}
