use pizzapi_protocol::{HydratedVia, Position};

use crate::sockets::{Agent, Chaos, resuming, said};
use crate::support::TestServer;

#[tokio::test]
async fn what_was_stored_is_not_stored_twice() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    for text in ["one", "two", "three"] {
        agent.say(text).await;
    }
    let epoch = agent.registered.epoch.unwrap().0;
    let url = server.running.url();
    drop(agent);
    // It saw the acknowledgement of the first only.
    let mut again = Agent::register(&url, &ana.key, "s1", resuming(epoch, 1)).await;
    let answer = again.registered.resume.clone().expect("the relay knows");
    assert_eq!((answer.epoch.0, answer.stored_seq), (epoch, 3));
    // Its own count begins anew; a repetition within it is dropped and acknowledged.
    again.say("four").await;
    again.counted = 0;
    again.say("four again").await;
    let mut tab = ana.tab().await;
    let (frames, _) = tab.open(&again.session, None).await;
    let texts: Vec<String> = frames
        .iter()
        .map(|frame| frame.event.to::<serde_json::Value>().unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn an_unknown_past_is_not_pretended_to_be_known() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let agent = Agent::register(&server.running.url(), &ana.key, "s1", resuming(7, 100)).await;
    assert!(agent.registered.resume.is_none());
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_called_complete_before_a_whole_state_came() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let url = server.running.url();
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&["hello"]).await;
    let mut tab = ana.tab().await;
    tab.open(&agent.session, None).await;
    drop(agent);
    // It believes in a past that this log does not know.
    let mut agent = Agent::register(&url, &ana.key, "s1", resuming(9, 5)).await;
    assert!(agent.registered.resume.is_none());
    agent.say("after").await;
    let mut other = ana.tab().await;
    let (_, hydrated) = other.open(&agent.session, Some(Position::new(2, 3))).await;
    assert!(!hydrated.complete);
    agent.snapshot(&["hello", "lost", "after"]).await;
    let (_, hydrated) = other.open(&agent.session, None).await;
    assert!(hydrated.complete);
    // The viewer that stayed is told that it was brought up to date again.
    let again = tab
        .peer
        .find("hydrated again", |event| match event {
            pizzapi_protocol::viewer::FromServer::Hydrated(hydrated) => Some(hydrated),
            _ => None,
        })
        .await;
    assert_eq!((again.via, again.complete), (HydratedVia::Snapshot, true));
}

#[tokio::test]
async fn everything_survives_a_restart_of_the_server() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.modern_agent("s1").await;
    agent.snapshot(&["hello"]).await;
    agent.say("two").await;
    let mut hub = ana.hub().await;
    hub.next().await;
    let (key, cookie, user_id) = (ana.key.clone(), ana.browser.cookie.clone(), ana.browser.user_id.clone());
    drop((agent, hub, ana));
    let dir = server.stop().await;

    let server = TestServer::within(dir, |_| {}).await;
    let ana = crate::sockets::Person { browser: crate::support::Browser { server: &server, cookie, user_id }, key };
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&"s1".into(), Some(Position::new(1, 1))).await;
    assert_eq!((hydrated.via, hydrated.seq.0, hydrated.complete), (HydratedVia::Delta, 2, true));
    assert_eq!(frames[0].event.to::<serde_json::Value>().unwrap(), said("two"));
    let mut again = Agent::register(&server.running.url(), &ana.key, "s1", resuming(1, 2)).await;
    assert_eq!(again.registered.epoch.unwrap().0, 2, "the count of claims goes on");
    assert_eq!(again.registered.resume.as_ref().unwrap().stored_seq, 2);
    again.say("three").await;
    assert_eq!(tab.durable().await, (3, said("three")), "a viewer that waited sees it go on");
}

#[tokio::test]
async fn a_cut_connection_loses_and_doubles_nothing() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let chaos = Chaos::before(&server).await;
    let mut agent = Agent::register(&chaos.url, &ana.key, "s1", crate::sockets::modern).await;
    let mut tab = ana.tab().await;
    agent.snapshot(&[]).await;
    tab.open(&agent.session, None).await;
    let mut sent = 0;
    for round in 0..3 {
        for _ in 0..50 {
            agent.send(said(&sent.to_string()));
            sent += 1;
        }
        let epoch = agent.registered.epoch.unwrap().0;
        chaos.cut();
        agent.peer.disconnected().await;
        agent.peer.connected().await;
        let first = agent.counted - 50;
        agent.register_again(resuming(epoch, 0)).await;
        let stored = agent.registered.resume.as_ref().expect("a known past").stored_seq;
        assert!(stored >= first, "round {round}: what was acknowledged is stored");
        // Everything behind it is sent again, under new numbers.
        let missing = (first + 50).saturating_sub(stored);
        for n in (sent - missing)..sent {
            agent.send(said(&n.to_string()));
        }
        agent.say(&format!("round {round}")).await;
    }
    let mut expected = Vec::new();
    for round in 0..3 {
        expected.extend((round * 50..(round + 1) * 50).map(|n| n.to_string()));
        expected.push(format!("round {round}"));
    }
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        seen.push(tab.durable().await.1["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, expected);
}
