use std::time::Duration;

use pizzapi_protocol::{HydratedVia, RawJson, relay};
use serde_json::json;

use crate::sockets::{active, said, user_message};
use crate::support::TestServer;

#[tokio::test]
async fn an_event_is_acknowledged_stored_and_shown() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&["hello"]).await;
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&agent.session, None).await;
    assert_eq!(hydrated.via, HydratedVia::Snapshot);
    assert!(hydrated.complete);
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].replay, frames[0].session_id.as_ref()), (Some(true), Some(&agent.session)));
    assert_eq!(frames[0].event, RawJson::from(active(&["hello"])));
    agent.say("live").await;
    let frame = tab.frame().await;
    assert_eq!(frame.event, RawJson::from(said("live")));
    assert_eq!((frame.seq.unwrap().0, frame.generation, frame.replay), (2, Some(tab.generation()), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_events_arrive_in_order() {
    const COUNT: u64 = 20_000;
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    let mut tab = ana.tab().await;
    agent.snapshot(&[]).await;
    tab.open(&agent.session, None).await;
    let began = std::time::Instant::now();
    let sending = async {
        let mut window = 0;
        for n in 0..COUNT {
            let seq = agent.send_paced(RawJson::from(json!({"type": "said", "n": n, "pad": "x".repeat(200)}))).await;
            window += 1;
            if window == 1000 {
                agent.acked(seq - 500).await;
                window = 0;
            }
        }
        agent.acked(COUNT + 1).await;
    };
    let reading = async {
        for n in 0..COUNT {
            let (seq, event) = tab.durable().await;
            assert_eq!((seq, event["n"].as_u64()), (n + 2, Some(n)));
        }
    };
    tokio::join!(sending, reading);
    eprintln!("{COUNT} events in {:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_sent_right_after_connecting_is_lost() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    for n in 0..20 {
        let mut agent = ana.agent(&format!("s{n}")).await;
        // All of it leaves before the first answer can come back.
        for text in ["a", "b", "c"] {
            agent.send(said(text));
        }
        agent.acked(3).await;
        let mut tab =
            ana.tab_with(json!({"protocolVersion": 1, "capabilities": pizzapi_protocol::PeerCapabilities::ALL})).await;
        let (frames, _) = tab.open(&agent.session, None).await;
        assert_eq!(frames.iter().map(|frame| frame.seq.unwrap().0).collect::<Vec<_>>(), [1, 2, 3]);
    }
}

#[tokio::test]
async fn only_the_newest_of_a_flood_waits_and_the_whole_message_comes_last() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    let message =
        |text: &str| json!({"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": 5});
    agent.send(json!({"type": "message_start", "message": message("")}));
    for n in 0..500 {
        agent.send(json!({"type": "message_update", "message": message(&"y".repeat(n)), "assistantMessageEvent": {"type": "text_delta", "contentIndex": 0, "delta": "y"}}));
    }
    let seq = agent.send(json!({"type": "message_end", "message": message(&"y".repeat(500))}));
    agent.acked(seq).await;
    let mut updates = 0;
    loop {
        let frame = tab.frame().await;
        let event: serde_json::Value = frame.event.to().unwrap();
        match event["type"].as_str().unwrap() {
            "message_update" => {
                assert!(frame.seq.is_none(), "streamed frames have no number");
                updates += 1;
            }
            "message_end" => break,
            _ => {}
        }
    }
    assert!(updates < 100, "{updates} of 500 partial messages were sent");
    agent.say("after").await;
    assert_eq!(tab.durable().await.1, said("after"), "and no partial message behind the whole one");
}

#[tokio::test]
async fn a_viewer_that_joins_in_the_middle_of_an_answer_sees_it() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&["question"]).await;
    let partial = json!({"type": "message_update", "message": {"role": "assistant", "content": [], "timestamp": 5}, "assistantMessageEvent": {"type": "start"}});
    let seq = agent.send(partial.clone());
    agent.acked(seq).await;
    let mut tab = ana.tab().await;
    let (frames, _) = tab.open(&agent.session, None).await;
    assert_eq!(frames.last().unwrap().event, RawJson::from(partial));
}

#[tokio::test]
async fn a_state_in_pieces_is_stored_as_one() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.send(json!({"type": "session_active", "state": {"messages": [], "cwd": "/work", "chunked": true, "snapshotId": "x", "totalMessages": 3}}));
    let chunk = |index: u32, texts: &[&str], last: bool| {
        let messages: Vec<_> = texts.iter().map(|text| user_message(text)).collect();
        json!({"type": "session_messages_chunk", "snapshotId": "x", "chunkIndex": index, "totalChunks": 2, "totalMessages": 3, "messages": messages, "final": last})
    };
    agent.send(chunk(0, &["a", "b"], false));
    let seq = agent.send(chunk(1, &["c"], true));
    agent.acked(seq).await;
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&agent.session, None).await;
    assert_eq!((frames.len(), hydrated.seq.0), (1, 1));
    let state: serde_json::Value = frames[0].event.to().unwrap();
    assert_eq!(state["state"]["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn thinking_is_timed_and_large_pictures_become_links() {
    use base64::Engine;
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    let step = |kind: &str| json!({"type": "message_update", "message": {"role": "assistant", "timestamp": 9, "content": []}, "assistantMessageEvent": {"type": kind, "contentIndex": 0}});
    agent.send(step("thinking_start"));
    let seq = agent.send(step("thinking_end"));
    agent.acked(seq).await;
    let png = [&[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a][..], &vec![0; 20_000]].concat();
    let picture = base64::engine::general_purpose::STANDARD.encode(png);
    let seq = agent.send(json!({"type": "message_end", "message": {"role": "assistant", "timestamp": 9, "content": [
        {"type": "thinking", "thinking": "hm"}, {"type": "image", "data": picture, "mimeType": "image/png"}]}}));
    agent.acked(seq).await;
    let mut tab = ana.tab().await;
    let (frames, _) = tab.open(&agent.session, None).await;
    let event: serde_json::Value = frames[0].event.to().unwrap();
    let content = &event["message"]["content"];
    assert!(content[0]["durationSeconds"].is_number(), "{content}");
    let url = content[1]["source"]["url"].as_str().unwrap();
    assert!(url.starts_with("/api/attachments/"), "{content}");
    assert!(content[1].get("data").is_none());
}

#[tokio::test]
async fn metadata_that_says_nothing_new_takes_no_number() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.snapshot(&[]).await;
    let patch = json!({"type": "session_metadata_update", "metadata": {"sessionName": "named", "queuedMessages": []}});
    agent.send(patch.clone());
    agent.send(patch);
    agent.say("after").await;
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&agent.session, None).await;
    assert_eq!(hydrated.seq.0, 3);
    let state: serde_json::Value = frames[0].event.to().unwrap();
    assert_eq!(state["state"]["sessionName"], "named", "and the newest state carries it");
}

#[tokio::test]
async fn a_session_that_is_asked_answers_all_who_wait() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    agent.say("before").await;
    // A published page needs a whole state, and none is stored.
    let (mut first, mut second) = (ana.old_tab().await, ana.old_tab().await);
    let (one, two) = (first.switch(&agent.session, None), second.switch(&agent.session, None));
    agent
        .peer
        .find("the question", |event| match event {
            relay::FromServer::Connected(connected) => connected.recovery_nonce,
            _ => None,
        })
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await; // both wait by now; when not, they find it stored
    agent.snapshot(&["whole"]).await;
    for (tab, generation) in [(&mut first, one), (&mut second, two)] {
        let (frames, _) = tab.hydrated(generation).await;
        assert_eq!(frames.last().unwrap().event, RawJson::from(active(&["whole"])));
    }
}
