//! `cargo +nightly fuzz run packet` in `crates/socket-client`: whatever a server sends, reading it must not panic, and what
//! was read must survive being written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pizzapi_socket_client::{engine::Frame, packet};

fuzz_target!(|text: &str| {
    let text = match Frame::decode(text) {
        Ok(Frame::Message(text)) => text,
        _ => text,
    };
    if let Ok(packet) = packet::decode(text) {
        assert_eq!(packet::decode(&packet::encode(&packet)), Ok(packet));
        if let packet::Packet::Event { data, .. } = packet {
            let _ = packet::event_data(data);
        }
    }
});
