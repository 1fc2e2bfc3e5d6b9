//! Ordinary life: order, acknowledgements, namespaces, refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pizzapi_socket_client::{Client, ClientError, Config, Join, OnRejection, Reason, Signal, Status};
use serde_json::json;

use crate::support::*;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_auth_object_is_made_for_each_attempt() {
    let server = Server::start();
    let attempts = Arc::new(AtomicU32::new(0));
    let count = attempts.clone();
    let join = Join::with_auth(move || {
        let attempt = count.fetch_add(1, Ordering::SeqCst);
        async move { Ok(json!({ "attempt": attempt })) }
    });
    let (_handle, mut incoming) = Client::connect::<Said>(quick(server.url()), join).unwrap();
    assert_eq!(connected(&mut incoming).await.1, json!({ "attempt": 0 }));
    let address = server.kill();
    assert!(matches!(disconnected(&mut incoming).await, Reason::Closed | Reason::Lost(_)));
    let _server = Server::start_at(address, Timing::default());
    assert_eq!(connected(&mut incoming).await.1["attempt"], json!(attempts.load(Ordering::SeqCst) - 1));
}

#[tokio::test]
async fn twenty_thousand_events_arrive_in_order() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    handle.emit::<Flood>(&20_000).unwrap();
    for expected in 0..20_000 {
        match next(&mut incoming).await {
            Signal::Event(Said::Number(n)) => assert_eq!(n, expected),
            other => panic!("expected {expected}, got {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_calls_in_flight_are_answered_each_with_its_own_answer() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    let calls: Vec<_> = (0..4_000u64)
        .map(|n| {
            let handle = handle.clone();
            tokio::spawn(async move {
                let link = handle.link().unwrap();
                loop {
                    match link.call::<Echo>(&n, PATIENCE).await {
                        Err(ClientError::Full) => tokio::task::yield_now().await,
                        answer => return (n, answer.unwrap()),
                    }
                }
            })
        })
        .collect();
    for call in calls {
        let (asked, answered) = call.await.unwrap();
        assert_eq!(asked, answered);
    }
    assert_no_acks_left(&handle);
}

#[tokio::test]
async fn questions_of_the_server_are_answered() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    handle.emit::<AskBack>(&1_000).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 1_000 {
        match next(&mut incoming).await {
            Signal::Event(Said::Question(n, ack)) => {
                assert!(ack.is_wanted());
                ack.send(&(n * 2));
            }
            Signal::Event(Said::Number(n)) => heard.push(n),
            other => panic!("unexpected {other:?}"),
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..1_000).map(|n| n * 2).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_call_without_answer_ends_at_its_deadline_and_is_forgotten() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    let (link, _) = connected(&mut incoming).await;
    let timed_out = handle.call::<Never>(&1, Duration::from_millis(30)).await;
    assert!(matches!(timed_out, Err(ClientError::TimedOut { event: "never", .. })));
    let wrong = handle.call::<Wrong>(&1, PATIENCE).await;
    assert!(matches!(wrong, Err(ClientError::Decode { event: "wrong", .. })), "{wrong:?}");
    drop(link.ask::<Never>(&2).unwrap());
    assert_no_acks_left(&handle);
}

#[tokio::test]
async fn namespaces_share_a_connection_and_nothing_else() {
    let server = Server::start();
    let mut client = Client::new(quick(server.url())).unwrap();
    let (test, mut test_in) = client.namespace::<Said>(Join::default()).unwrap();
    let (other, mut other_in) = client.namespace::<Other>(Join::default()).unwrap();
    assert!(client.namespace::<Other>(Join::default()).is_err());
    client.start();
    connected(&mut test_in).await;
    assert!(matches!(other_in.recv().await, Some(Signal::Connected { .. })));
    assert!(matches!(other_in.recv().await, Some(Signal::Event(Other(7)))));
    assert_eq!(test.call::<Echo>(&1, PATIENCE).await.unwrap(), 1);
    assert_eq!(other.call::<OtherEcho>(&1, PATIENCE).await.unwrap(), 1001);

    other.disconnect().await;
    assert!(matches!(other_in.recv().await, Some(Signal::Disconnected { reason: Reason::Requested })));
    assert!(other_in.recv().await.is_none());
    assert!(matches!(other.call::<OtherEcho>(&1, PATIENCE).await, Err(ClientError::Closed)));
    assert_eq!(test.call::<Echo>(&2, PATIENCE).await.unwrap(), 2);
}

#[tokio::test]
async fn binary_events_are_passed_over_with_their_attachments() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    handle.emit::<Binary>(&5).unwrap();
    assert!(matches!(next(&mut incoming).await, Signal::Event(Said::Number(5))));
    assert_eq!(handle.call::<Echo>(&6, PATIENCE).await.unwrap(), 6);
}

#[tokio::test]
async fn large_messages_pass_and_too_large_ones_are_refused_before_they_harm() {
    let server = Server::start();
    let mut config = quick(server.url());
    config.max_message_bytes = 40 << 20;
    config.outbound_bytes = 1 << 20;
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    connected(&mut incoming).await;
    let large = "x".repeat(30 << 20);
    handle.emit::<Note>(&large).unwrap();
    assert!(matches!(handle.emit::<Note>(&large), Err(ClientError::Full)));
    match next(&mut incoming).await {
        Signal::Event(Said::Text(text)) => assert_eq!(text.len(), large.len()),
        other => panic!("unexpected {other:?}"),
    }
    let refused = handle.emit::<Note>(&"x".repeat(41 << 20));
    assert!(matches!(refused, Err(ClientError::TooLarge { .. })));
    assert_eq!(handle.call::<Echo>(&1, PATIENCE).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_queue_says_so_and_waiting_for_room_works() {
    let server = Server::start();
    let mut config = quick(server.url());
    config.outbound_messages = 8;
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    let (link, _) = connected(&mut incoming).await;
    // Nothing else runs on this thread before the first await, so the queue cannot drain meanwhile.
    let outcomes: Vec<_> = (0..9).map(|n| link.emit::<Echo>(&n)).collect();
    assert!(outcomes[..8].iter().all(Result::is_ok));
    assert!(matches!(outcomes[8], Err(ClientError::Full)));
    for n in 0..100 {
        link.emit_when_ready::<Echo>(&n).await.unwrap();
    }
    assert_eq!(link.call::<Echo>(&3, PATIENCE).await.unwrap_or(3), 3);
    assert!(handle.is_connected());
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let server = Server::start();
    // socketioxide answers an unknown namespace with its own text.
    struct Nowhere;
    impl pizzapi_protocol::events::EventTable for Nowhere {
        const NAMESPACE: &'static str = "/nowhere";
        const NAMES: &'static [&'static str] = &[];
        fn decode(
            _: &str,
            _: Option<&str>,
            _: Option<pizzapi_protocol::events::ReplyFn>,
        ) -> Result<Option<Self>, pizzapi_protocol::events::DecodeError> {
            Ok(None)
        }
        fn name(&self) -> &'static str {
            ""
        }
    }
    let stop = Join::default().on_rejection(|message| {
        assert_eq!(message, "Invalid namespace");
        OnRejection::Stop
    });
    let (handle, mut incoming) = Client::connect::<Nowhere>(quick(server.url()), stop).unwrap();
    match incoming.recv().await {
        Some(Signal::Rejected { message, retry_in: None }) => assert_eq!(message, "Invalid namespace"),
        _ => panic!("expected a rejection"),
    }
    assert!(incoming.recv().await.is_none());
    assert_eq!(*handle.status().borrow(), Status::Closed);
    assert!(matches!(handle.emit::<Echo>(&1), Err(ClientError::Closed)));

    let again = Join::default().on_rejection(|_| OnRejection::RetryAfter(Duration::from_millis(10)));
    let (_handle, mut incoming) = Client::connect::<Nowhere>(quick(server.url()), again).unwrap();
    for _ in 0..3 {
        assert!(matches!(incoming.recv().await, Some(Signal::Rejected { retry_in: Some(_), .. })));
    }
}

#[tokio::test]
async fn a_namespace_taken_away_is_joined_again() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    let (old, _) = connected(&mut incoming).await;
    handle.emit::<Kick>(&0).unwrap();
    assert_eq!(disconnected(&mut incoming).await, Reason::Server);
    let (new, _) = connected(&mut incoming).await;
    assert!(!old.is_alive());
    assert!(matches!(old.emit::<Echo>(&1), Err(ClientError::Disconnected)));
    assert_eq!(new.call::<Echo>(&1, PATIENCE).await.unwrap(), 1);
}

#[tokio::test]
async fn disconnecting_sends_what_was_queued_first() {
    let server = Server::start();
    let (watcher, mut watched) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut watched).await;
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    let (link, _) = connected(&mut incoming).await;
    let mut answers = Vec::new();
    for n in 0..50u64 {
        answers.push(link.ask::<Echo>(&n).unwrap());
    }
    handle.disconnect().await;
    assert!(matches!(link.emit::<Echo>(&1), Err(ClientError::Closed)));
    assert!(matches!(handle.emit::<Echo>(&1), Err(ClientError::Closed)));
    assert_eq!(disconnected(&mut incoming).await, Reason::Requested);
    assert!(incoming.recv().await.is_none());
    assert_eq!(*handle.status().borrow(), Status::Closed);
    for answer in answers {
        assert!(answer.within(PATIENCE).await.is_err());
    }
    assert!(watcher.is_connected());
}

#[tokio::test]
async fn dropping_the_last_handle_or_the_incoming_side_disconnects() {
    let server = Server::start();
    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    drop(handle);
    assert_eq!(disconnected(&mut incoming).await, Reason::Requested);
    assert!(incoming.recv().await.is_none());

    let (handle, mut incoming) = Client::connect::<Said>(quick(server.url()), Join::default()).unwrap();
    connected(&mut incoming).await;
    drop(incoming);
    handle.emit::<Note>(&"anybody?".to_owned()).unwrap();
    let mut status = handle.status();
    tokio::time::timeout(PATIENCE, status.wait_for(|status| *status == Status::Closed)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_never_connected_can_be_stopped() {
    let config = Config::new(format!("ws://{}", free_port()));
    let (handle, mut incoming) = Client::connect::<Said>(config, Join::default()).unwrap();
    assert!(matches!(handle.emit::<Echo>(&1), Err(ClientError::Disconnected)));
    handle.disconnect().await;
    assert!(incoming.recv().await.is_none());
    assert!(matches!(handle.emit::<Echo>(&1), Err(ClientError::Closed)));
}
