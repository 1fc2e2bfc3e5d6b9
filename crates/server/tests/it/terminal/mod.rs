//! Terminals shared by pages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pizzapi_protocol::terminal::{
    self, TerminalData, TerminalExit, TerminalRef, ViewerTerminalInput, ViewerTerminalResize,
};
use pizzapi_protocol::{PeerCapabilities, runner};
use pizzapi_server::socket::api;

use crate::sockets::Peer;
use crate::support::TestServer;

async fn text(page: &mut Peer<terminal::FromServer>, wanted: &str) {
    let mut seen = Vec::new();
    while seen != wanted.as_bytes() {
        assert!(wanted.as_bytes().starts_with(&seen), "{:?}", String::from_utf8_lossy(&seen));
        let data = page
            .find("output", |event| match event {
                terminal::FromServer::TerminalData(data) => Some(data.data),
                _ => None,
            })
            .await;
        seen.extend(STANDARD.decode(data).unwrap());
    }
}

#[tokio::test]
async fn a_terminal_starts_once_and_shows_everybody_what_was_there() {
    let server = TestServer::start().await;
    let ana = server.user("ana").await;
    let mut machine =
        ana.runner_with("r1", "secret", |register| register.capabilities = Some(PeerCapabilities::ALL)).await;
    machine.find("registered", |event| matches!(event, runner::FromServer::RunnerRegistered(_)).then_some(())).await;
    let id =
        api::create_terminal(server.app(), &ana.browser.user_id, "r1", Some("/work".to_owned()), 0, 0).await.unwrap();
    let (mut first, mut second) = (ana.terminal(id.as_str()).await, ana.terminal(id.as_str()).await);
    let resize = ViewerTerminalResize { terminal_id: None, cols: Some(100.0), rows: Some(30.0) };
    first.emit::<terminal::from_client::TerminalResize>(&resize);
    second.emit::<terminal::from_client::TerminalResize>(&resize);
    let (mut started, mut resized) = (0, 0);
    while started + resized < 2 {
        machine
            .find("the start", |event| match event {
                runner::FromServer::NewTerminal(new) => {
                    assert_eq!((new.cols, new.rows), (Some(100), Some(30)));
                    started += 1;
                    Some(())
                }
                runner::FromServer::TerminalResize(_) => {
                    resized += 1;
                    Some(())
                }
                _ => None,
            })
            .await;
    }
    assert_eq!(started, 1, "one shell, not two");
    machine.emit::<runner::from_client::TerminalReady>(&TerminalRef { terminal_id: id.clone() });
    let say = |bytes: &[u8]| {
        machine.emit::<runner::from_client::TerminalData>(&TerminalData {
            terminal_id: id.clone(),
            data: STANDARD.encode(bytes),
            offset: None,
            replay: None,
        });
    };
    // A character in two halves.
    let umlaut = "ü".as_bytes();
    say(&umlaut[..1]);
    say(&umlaut[1..]);
    text(&mut first, "ü").await;
    text(&mut second, "ü").await;
    let mut late = ana.terminal(id.as_str()).await;
    text(&mut late, "ü").await;
    late.emit::<terminal::from_client::TerminalInput>(&ViewerTerminalInput {
        terminal_id: None,
        data: STANDARD.encode("ls\n"),
    });
    machine.find("input", |event| matches!(event, runner::FromServer::TerminalInput(_)).then_some(())).await;
    machine.emit::<runner::from_client::TerminalExit>(&TerminalExit { terminal_id: id.clone(), exit_code: 3 });
    for page in [&mut first, &mut second, &mut late] {
        let code = page
            .find("the end", |event| match event {
                terminal::FromServer::TerminalExit(exit) => Some(exit.exit_code),
                _ => None,
            })
            .await;
        assert_eq!(code, 3);
    }
}

#[tokio::test]
async fn somebody_elses_terminal_does_not_exist() {
    let server = TestServer::start().await;
    let (ana, bob) = (server.user("ana").await, server.user("bob").await);
    let mut machine = ana.runner("r1", "secret").await;
    machine.find("registered", |event| matches!(event, runner::FromServer::RunnerRegistered(_)).then_some(())).await;
    let id = api::create_terminal(server.app(), &ana.browser.user_id, "r1", None, 80, 24).await.unwrap();
    assert!(api::create_terminal(server.app(), &bob.browser.user_id, "r1", None, 80, 24).await.is_err());
    let mut page = bob.terminal(id.as_str()).await;
    let message = page
        .find("the refusal", |event| match event {
            terminal::FromServer::TerminalError(error) => Some(error.message),
            _ => None,
        })
        .await;
    assert_eq!(message, "Terminal not found");
}
