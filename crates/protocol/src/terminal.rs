//! `/terminal`: a browser and a pseudo-terminal on a runner. Bytes travel as base64.

use crate::events::events;
use crate::ids::TerminalId;
use crate::json::wire;

events! {
    /// Browser to relay. The terminal is the one named in the handshake; ids in payloads are informative.
    pub enum FromClient / from_client in "/terminal" {
        TerminalInput = "terminal_input" (ViewerTerminalInput),
        /// The first one starts the terminal.
        TerminalResize = "terminal_resize" (ViewerTerminalResize),
        KillTerminal = "kill_terminal" (ViewerTerminalRef),
    }
}

events! {
    /// Relay to browser.
    pub enum FromServer / from_server in "/terminal" {
        /// What was on the screen before has been sent.
        TerminalConnected = "terminal_connected" (TerminalRef),
        TerminalReady = "terminal_ready" (TerminalRef),
        TerminalData = "terminal_data" (TerminalData),
        TerminalExit = "terminal_exit" (TerminalExit),
        TerminalError = "terminal_error" (TerminalError),
    }
}

wire! {
    pub struct ViewerTerminalInput {
        terminal_id?: TerminalId,
        /// Base64.
        data: String = default,
    }

    pub struct ViewerTerminalResize {
        terminal_id?: TerminalId,
        cols?: f64,
        rows?: f64,
    }

    #[derive(Default)]
    pub struct ViewerTerminalRef {
        terminal_id?: TerminalId,
    }

    pub struct TerminalRef {
        terminal_id: TerminalId = default,
    }

    pub struct TerminalData {
        terminal_id: TerminalId = default,
        /// Base64 of raw bytes; may cut a character in two.
        data: String = default,
        /// Bytes of output before these, since the terminal started.
        offset?: u64,
        /// From the scroll-back, not from now.
        replay?: bool,
    }

    pub struct TerminalExit {
        terminal_id: TerminalId = default,
        /// -1: killed, or the runner is lost.
        exit_code: i32 = default,
    }

    pub struct TerminalError {
        /// May be empty.
        terminal_id: TerminalId = default,
        message: String = default,
    }
}
