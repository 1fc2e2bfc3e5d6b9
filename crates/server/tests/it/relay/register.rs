use pizzapi_protocol::{PeerCapabilities, SessionPresence, hub, relay, viewer};
use serde_json::json;

use crate::sockets::{Agent, Chaos, Peer, said};
use crate::support::TestServer;

#[tokio::test]
async fn a_session_is_registered_under_the_id_it_asked_for() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let agent = ana.agent("0198-s1").await;
    assert_eq!(agent.session, "0198-s1");
    assert_eq!(agent.token.len(), 64);
    assert!(agent.registered.share_url.ends_with("/session/0198-s1"), "{}", agent.registered.share_url);
    assert!(
        agent.registered.supports_session_trigger_ack && agent.registered.is_ephemeral && agent.registered.collab_mode
    );
    assert_eq!(agent.registered.epoch.unwrap().0, 1);
}

#[tokio::test]
async fn an_id_of_another_user_is_answered_with_a_fresh_one() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut first = ana.agent("s1").await;
    let second = bob.agent("s1").await;
    assert_ne!(second.session, first.session);
    assert_eq!(second.registered.requested_session_id.as_ref().map(|id| id.as_str()), Some("s1"));
    first.say("still mine").await;
}

#[tokio::test]
async fn refusals_have_the_published_words() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let url = server.running.url();
    let mut peer: Peer<relay::FromServer> =
        Peer::connect(pizzapi_socket_client::Config::new(&url), json!({"apiKey": "0".repeat(64)}));
    assert_eq!(peer.rejected().await, "unauthorized");
    let mut peer: Peer<relay::FromServer> = Peer::connect(pizzapi_socket_client::Config::new(&url), json!({}));
    assert_eq!(peer.rejected().await, "unauthorized");
    let config = pizzapi_socket_client::Config::new(&url)
        .header("origin", "https://evil.example")
        .header("cookie", &ana.browser.cookie);
    let mut peer: Peer<viewer::FromServer> = Peer::connect(config, json!({"apiKey": ana.key}));
    assert_eq!(peer.rejected().await, "forbidden: untrusted origin");
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut agent = ana.agent("s1").await;
    let right = std::mem::replace(&mut agent.token, "0".repeat(64));
    agent.send(said("forged"));
    let message = agent
        .peer
        .find("an error", |event| match event {
            relay::FromServer::Error(error) => Some(error.message),
            _ => None,
        })
        .await;
    assert_eq!(message, "Invalid token");
    agent.token = right;
    agent.say("mine").await;
    let mut tab = ana.tab().await;
    let (frames, hydrated) = tab.open(&agent.session, None).await;
    assert_eq!((frames.len(), hydrated.seq.0), (1, 1));
}

#[tokio::test]
async fn a_takeover_keeps_viewers_log_and_numbers() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut first = ana.agent("s1").await;
    first.say("one").await;
    let mut tab = ana.tab().await;
    tab.open(&first.session, None).await;
    let mut second = ana.agent("s1").await;
    assert_ne!(second.token, first.token);
    assert_eq!(second.registered.epoch.unwrap().0, 2);
    second.say("two").await;
    assert_eq!(tab.durable().await, (2, said("two")));

    // The one before is inert.
    first.send(said("late"));
    first.peer.emit::<relay::from_client::SessionEnd>(&relay::SessionEnd {
        session_id: None,
        token: first.token.clone(),
        reason: None,
    });
    second.say("three").await;
    assert_eq!(tab.durable().await, (3, said("three")));
    drop(first);
    second.say("four").await;
    assert_eq!(tab.durable().await, (4, said("four")), "a late disconnect is inert too");
}

#[tokio::test]
async fn a_broken_connection_is_shown_and_waited_for() {
    let server = TestServer::with(|config| config.sessions.grace = std::time::Duration::from_millis(1200)).await;
    let ana = server.user("ana").await;
    let chaos = Chaos::before(&server).await;
    let mut hub = ana.hub().await;
    let agent = Agent::register(&chaos.url, &ana.key, "s1", |_| {}).await;
    let mut tab = ana.tab().await;
    tab.switch(&agent.session, None);
    let presence = async |hub: &mut Peer<hub::FromServer>, wanted: SessionPresence| {
        hub.find("presence", |event| match event {
            hub::FromServer::SessionStatus(status) if status.presence == Some(wanted) => Some(()),
            hub::FromServer::SessionRemoved(_) => panic!("the session was removed"),
            _ => None,
        })
        .await;
    };
    drop(agent.peer); // our client says goodbye …
    chaos.cut();
    presence(&mut hub, SessionPresence::Reconnecting).await;
    presence(&mut hub, SessionPresence::Offline).await;
    // … and the session is still there to come back to.
    let again = ana.agent("s1").await;
    assert_eq!(again.registered.epoch.unwrap().0, 2);
    presence(&mut hub, SessionPresence::Online).await;
}

#[tokio::test]
async fn the_list_shows_a_session_from_its_registration_to_its_end() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut agent = ana.agent("s1").await;
    let mut hub = ana.hub().await;
    let sessions = hub
        .find("sessions", |event| match event {
            hub::FromServer::Sessions(list) => Some(list.sessions),
            _ => None,
        })
        .await;
    assert_eq!(sessions.iter().map(|session| session.session_id.as_str()).collect::<Vec<_>>(), ["s1"]);
    assert_eq!(sessions[0].presence, Some(SessionPresence::Online));

    let mut strangers = bob.hub().await;
    agent.send(json!({"type": "heartbeat", "active": true, "isCompacting": false, "ts": 1, "model": {"provider": "p", "id": "m"}, "sessionName": "named", "uptime": 1, "cwd": "/work", "queuedMessages": []}));
    let status = hub
        .find("status", |event| match event {
            hub::FromServer::SessionStatus(status) if status.is_active => Some(status),
            _ => None,
        })
        .await;
    assert_eq!(status.session_name.as_deref(), Some("named"));
    agent.peer.emit::<relay::from_client::SessionEnd>(&relay::SessionEnd {
        session_id: None,
        token: agent.token.clone(),
        reason: None,
    });
    hub.find("removed", |event| match event {
        hub::FromServer::SessionRemoved(removed) if removed.session_id == "s1" => Some(()),
        _ => None,
    })
    .await;
    let first = strangers
        .find("anything", |event| match event {
            hub::FromServer::Sessions(list) => Some(list.sessions.len()),
            other => panic!("somebody else's: {other:?}"),
        })
        .await;
    assert_eq!(first, 0);
}

#[tokio::test]
async fn capabilities_are_announced_to_those_who_ask() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let agent = ana.modern_agent("s1").await;
    assert_eq!(agent.registered.capabilities, Some(PeerCapabilities::ALL));
}
