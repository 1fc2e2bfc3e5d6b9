//! One configured relay address, and the three forms programs need.

/// Where sessions and runners connect when nothing says otherwise.
pub const DEFAULT_RELAY_URL: &str = "ws://localhost:7492";

/// Does this address mean "no relay"?
pub fn is_off(url: &str) -> bool {
    url.trim().eq_ignore_ascii_case("off")
}

/// For Socket.IO: `http` or `https`, no slash at the end, `localhost` spelled `127.0.0.1`.
pub fn socket_url(relay: &str) -> String {
    let relay = loopback(relay.trim());
    http_scheme(relay.trim_end_matches('/'))
}

/// For HTTP requests: as [`socket_url`], and the path of old addresses is cut; a bare host name means TLS.
pub fn http_url(relay: &str) -> String {
    let relay = relay.trim().trim_end_matches('/');
    let relay = relay.strip_suffix("/ws/sessions").unwrap_or(relay).trim_end_matches('/');
    let relay = if relay.contains("://") { relay.to_owned() } else { format!("https://{relay}") };
    http_scheme(&loopback(&relay))
}

/// For people and browsers: `localhost` rather than an address, since cookies belong to names.
pub fn browser_url(relay: &str) -> String {
    let url = http_url(relay);
    match split(&url) {
        Some(parts) if parts.host == "127.0.0.1" => parts.with_host("localhost"),
        _ => url,
    }
}

/// For the configuration file: the WebSocket scheme, no slash at the end.
pub fn websocket_url(url: &str) -> String {
    let url = http_url(url);
    match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        Some(("https", rest)) => format!("wss://{rest}"),
        _ => url,
    }
}

/// Is the relay on this machine?
pub fn is_local(relay: &str) -> bool {
    let url = http_url(relay);
    split(&url).is_some_and(|parts| matches!(parts.host, "127.0.0.1" | "[::1]" | "::1" | "localhost"))
}

/// `localhost` may resolve to an address nobody listens on; everything else of the URL stays as it is.
fn loopback(url: &str) -> String {
    match split(url) {
        Some(parts) if parts.host.eq_ignore_ascii_case("localhost") => parts.with_host("127.0.0.1"),
        _ => url.to_owned(),
    }
}

fn http_scheme(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
        _ => url.to_owned(),
    }
}

struct Parts<'a> {
    /// Scheme and login, as far as the host.
    before: &'a str,
    host: &'a str,
    /// Port, path and the rest.
    after: &'a str,
}

impl Parts<'_> {
    fn with_host(&self, host: &str) -> String {
        format!("{}{host}{}", self.before, self.after)
    }
}

fn split(url: &str) -> Option<Parts<'_>> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    let host = url[authority..end].rfind('@').map_or(authority, |at| authority + at + 1);
    let length = if url[host..].starts_with('[') {
        url[host..end].find(']')? + 1
    } else {
        url[host..end].find(':').unwrap_or(end - host)
    };
    Some(Parts { before: &url[..host], host: &url[host..host + length], after: &url[host + length..] })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn one_address_takes_the_form_each_program_needs() {
        for (relay, socket, http) in [
            ("ws://localhost:7492", "http://127.0.0.1:7492", "http://127.0.0.1:7492"),
            ("wss://relay.example/", "https://relay.example", "https://relay.example"),
            ("https://relay.example/pizza/", "https://relay.example/pizza", "https://relay.example/pizza"),
            ("ws://u:p@LOCALHOST/x", "http://u:p@127.0.0.1/x", "http://u:p@127.0.0.1/x"),
            ("ws://[::1]:7492", "http://[::1]:7492", "http://[::1]:7492"),
            ("wss://relay.example/ws/sessions", "https://relay.example/ws/sessions", "https://relay.example"),
            ("relay.example", "relay.example", "https://relay.example"),
            ("ws://localhost.example:1", "http://localhost.example:1", "http://localhost.example:1"),
        ] {
            assert_eq!((socket_url(relay).as_str(), http_url(relay).as_str()), (socket, http), "{relay}");
        }
    }

    #[test]
    fn people_see_names_and_files_keep_the_scheme_of_sockets() {
        assert_eq!(browser_url("ws://127.0.0.1:7492"), "http://localhost:7492");
        assert_eq!(websocket_url("http://localhost:7492/"), "ws://127.0.0.1:7492");
        assert_eq!(websocket_url("relay.example"), "wss://relay.example");
        assert!(is_off(" OFF ") && !is_off("offline"));
        assert!(is_local("ws://localhost:1") && is_local("http://[::1]:1") && !is_local("wss://relay.example"));
    }
}
