//! What goes wrong in weeks: dead servers, deaf lines, stalled peers, long outages, slow consumers.

use std::time::Duration;

use pizzapi_socket_client::{Client, ClientError, Config, Join, Reason, Signal, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::*;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_killed_server_is_noticed_and_found_again() {
    let mut server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    for round in 0..3u64 {
        let (link, _) = connected(&mut incoming).await;
        assert_eq!(handle.call::<Echo>(&round, PATIENCE).await.unwrap(), round);
        let waiting = link.ask::<Never>(&1).unwrap();
        let address = server.kill();
        assert!(matches!(waiting.within(PATIENCE).await, Err(ClientError::Disconnected)));
        disconnected(&mut incoming).await;
        assert!(matches!(handle.emit::<Echo>(&1), Err(ClientError::Disconnected)));
        assert_eq!(handle.pending_acks(), 0);
        server = Server::start_at(address, Timing::default());
    }
    connected(&mut incoming).await;
}

#[tokio::test]
async fn a_line_that_went_deaf_is_given_up_after_ping_interval_and_timeout() {
    let timing = Timing { ping_interval: Duration::from_millis(300), ping_timeout: Duration::from_millis(200) };
    let server = Server::start_at("127.0.0.1:0".parse().unwrap(), timing);
    let proxy = Proxy::start(server.address).await;
    let (handle, mut incoming) =
        Client::connect::<Said>(quick(format!("ws://{}", proxy.address)), Join::default()).unwrap();
    connected(&mut incoming).await;

    // Pings alone keep it alive for longer than the silence it would die of.
    let quiet = tokio::time::timeout(Duration::from_millis(1_200), incoming.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");

    proxy.go_deaf(true);
    assert_eq!(disconnected(&mut incoming).await, Reason::Silent(Duration::from_millis(500)));
    proxy.go_deaf(false);
    // An attempt that began while the line was deaf may have to meet its deadline first.
    connected(&mut incoming).await;
    assert_eq!(handle.call::<Echo>(&1, PATIENCE).await.unwrap(), 1);
}

#[tokio::test]
async fn one_deadline_covers_the_whole_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = quick(format!("ws://{}", listener.local_addr().unwrap()));
    config.connect_timeout = Duration::from_millis(100);
    let (handle, _incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    // Accepts, reads, and never answers.
    let (_socket, _) = listener.accept().await.unwrap();
    let mut status = handle.status();
    let waiting = status.wait_for(|status| matches!(status, Status::Waiting { .. }));
    let waiting = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap().clone();
    match waiting {
        Status::Waiting { error, .. } => assert_eq!(error, "not connected within 100ms"),
        other => panic!("unexpected {other:?}"),
    }
}

/// Speaks just enough of the protocol to be stubborn at the right moment. The upgrade is answered with a real accept key.
async fn stubborn_server(listener: TcpListener, then: impl AsyncFnOnce(tokio::net::TcpStream)) {
    use tokio_tungstenite::tungstenite::Message;
    let (tcp, _) = listener.accept().await.unwrap();
    let mut ws = tokio_tungstenite::accept_async(tcp).await.unwrap();
    use futures_util::{SinkExt, StreamExt};
    let open = r#"0{"sid":"e","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":104857600}"#;
    ws.send(Message::text(open)).await.unwrap();
    let connect = ws.next().await.unwrap().unwrap();
    assert_eq!(connect.to_text().unwrap(), "40/test,");
    ws.send(Message::text(r#"40/test,{"sid":"s"}"#)).await.unwrap();
    then(ws.into_inner()).await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_fails_the_write_not_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = quick(format!("ws://{}", listener.local_addr().unwrap()));
    config.write_timeout = Duration::from_millis(200);
    let server = tokio::spawn(stubborn_server(listener, async |tcp| {
        // Keeps the socket open and reads nothing.
        let _tcp = tcp;
        std::future::pending::<()>().await;
    }));
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    assert!(matches!(next(&mut incoming).await, Signal::Connected { .. }));
    handle.emit::<Note>(&"x".repeat(30 << 20)).unwrap();
    assert_eq!(disconnected(&mut incoming).await, Reason::Stalled(Duration::from_millis(200)));
    server.abort();
}

#[tokio::test]
async fn a_slow_consumer_slows_the_server_and_loses_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = quick(format!("ws://{}", listener.local_addr().unwrap()));
    config.inbound_events = 4;
    const EVENTS: usize = 3_000;
    const BYTES: usize = 20_000;
    let (sent, mut progress) = tokio::sync::watch::channel(0usize);
    let server = tokio::spawn(stubborn_server(listener, async move |mut tcp| {
        // Unmasked text frames by hand: 30 times what the kernel's buffers hold.
        let packet = format!(r#"42/test,["text","{}"]"#, "y".repeat(BYTES));
        let mut frame = vec![0x81, 126];
        frame.extend(u16::try_from(packet.len()).unwrap().to_be_bytes());
        frame.extend(packet.as_bytes());
        for n in 1..=EVENTS {
            tcp.write_all(&frame).await.unwrap();
            sent.send_replace(n);
        }
        let mut rest = Vec::new();
        tcp.read_to_end(&mut rest).await.unwrap();
    }));
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    assert!(matches!(next(&mut incoming).await, Signal::Connected { .. }));
    // The server makes progress until the buffers are full, and then none.
    while tokio::time::timeout(Duration::from_millis(300), progress.changed()).await.is_ok() {}
    assert!(*progress.borrow() < EVENTS, "nothing held the server back");
    for _ in 0..EVENTS {
        assert!(matches!(next(&mut incoming).await, Signal::Event(Said::Text(text)) if text.len() == BYTES));
    }
    handle.disconnect().await;
    server.await.unwrap();
}

#[tokio::test]
async fn disconnect_works_while_the_consumer_stands_still() {
    let server = Server::start();
    let mut config = quick(server.url());
    config.inbound_events = 1;
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    connected(&mut incoming).await;
    handle.emit::<Flood>(&1_000).unwrap();
    tokio::time::timeout(Duration::from_secs(2), handle.disconnect()).await.unwrap();
    while incoming.recv().await.is_some() {}
}

#[tokio::test]
async fn a_garbled_line_ends_the_connection_and_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_handle, mut incoming) = Client::connect::<Said>(quick(format!("ws://{address}")), Join::default()).unwrap();
    stubborn_server(listener, async |mut tcp| {
        tcp.write_all(b"\x81\x03zzz").await.unwrap();
    })
    .await;
    assert!(matches!(next(&mut incoming).await, Signal::Connected { .. }));
    assert_eq!(disconnected(&mut incoming).await, Reason::Protocol("not an Engine.IO frame".to_owned()));
    let _server = Server::start_at(address, Timing::default());
    connected(&mut incoming).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_hours_costs_an_attempt_per_delay_and_never_gives_up() {
    let address = free_port();
    let mut config = Config::new(format!("ws://{address}"));
    config.backoff.max = Duration::from_secs(2);
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    let began = tokio::time::Instant::now();
    let mut status = handle.status();
    let mut attempts = 0u32;
    while began.elapsed() < Duration::from_secs(6 * 3600) {
        status.changed().await.unwrap();
        if let Status::Waiting { until, .. } = &*status.borrow_and_update() {
            attempts += 1;
            let delay = until.duration_since(tokio::time::Instant::now());
            assert!(delay <= Duration::from_millis(2_500), "{delay:?}");
        }
    }
    assert!((9_500..12_500).contains(&attempts), "{attempts} attempts");
    // From here on the clock is real: paused time outruns the network.
    tokio::time::resume();
    let _server = Server::start_at(address, Timing::default());
    assert!(matches!(next(&mut incoming).await, Signal::Connected { .. }));
}
