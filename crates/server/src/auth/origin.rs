//! Which pages may talk to this server, and under which names it answers at all.

use std::net::IpAddr;

use http::{HeaderMap, header};

use crate::app::App;
use crate::config::ServerConfig;

/// Origins of the development servers of the web UI.
const DEVELOPMENT: [&str; 2] = ["http://localhost:5173", "http://127.0.0.1:5173"];
/// Origins of the mobile app's web views.
const MOBILE: [&str; 2] = ["capacitor://localhost", "https://localhost"];

/// The other end of the connection; put into every request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// May the page that sent this request talk to us? A request without `Origin` is no page's.
pub fn is_trusted(app: &App, headers: &HeaderMap) -> bool {
    is_trusted_from(app, headers, None)
}

/// [`is_trusted`] where the other end of the connection is known, so that a trusted proxy can name the host.
pub fn is_trusted_from(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    if origins.next().is_some() {
        return false;
    }
    origin.to_str().is_ok_and(|origin| is_trusted_origin(&app.config, origin, headers, peer))
}

/// [`is_trusted`] for the request that opened a socket.
pub fn is_trusted_parts(app: &App, parts: &http::request::Parts) -> bool {
    is_trusted_from(app, &parts.headers, parts.extensions.get::<Peer>().map(|peer| peer.0))
}

/// Is `origin` ours, configured, or the same host the request was sent to?
pub fn is_trusted_origin(config: &ServerConfig, origin: &str, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    let origin = origin.trim_end_matches('/');
    if trusted(config).any(|trusted| trusted.eq_ignore_ascii_case(origin)) {
        return true;
    }
    // Without a public URL the name in the address bar has to do; `is_known_host` keeps foreign names out.
    if config.web.base_url.is_some() {
        return false;
    }
    let Some(own) = own_origin(config, headers, peer) else { return false };
    own.eq_ignore_ascii_case(origin) && is_known_host(config, headers, peer)
}

/// The configured origins, in order of preference.
pub fn trusted(config: &ServerConfig) -> impl Iterator<Item = &str> {
    let base = config.web.base_url.as_deref().map(origin_of);
    let development = (config.web.base_url.is_none() && !config.web.production).then_some(DEVELOPMENT);
    let mobile = config.web.trust_mobile_origins.then_some(MOBILE);
    base.into_iter()
        .chain(development.into_iter().flatten())
        .chain(config.web.extra_origins.iter().map(String::as_str))
        .chain(mobile.into_iter().flatten())
}

/// Is the name the client used for this server one of ours? A page that points its own name at this machine is not.
///
/// Ours are addresses, `localhost`, and the hosts of the public URL, the extra origins and the tunnel domain. A server
/// that listens beyond loopback answers to any name: its operator decides how the network calls it.
pub fn is_known_host(config: &ServerConfig, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    if !config.listen.address.ip().is_loopback() {
        return true;
    }
    let Some(host) = host(config, headers, peer) else { return true };
    let name = without_port(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || ends_with_label(name, "localhost") {
        return true;
    }
    let configured = config.web.base_url.iter().chain(&config.web.extra_origins).filter_map(|url| {
        let url = url::Url::parse(url).ok()?;
        url.host_str().map(str::to_owned)
    });
    if configured.into_iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return true;
    }
    config.web.tunnel_domain.as_ref().is_some_and(|domain| {
        let domain = without_port(domain.split_once("://").map_or(domain.as_str(), |(_, rest)| rest));
        name.eq_ignore_ascii_case(domain) || ends_with_label(name, domain)
    })
}

fn own_origin(config: &ServerConfig, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<String> {
    let forwarded = peer.and_then(|peer| config.web.proxy.forwarded(peer, headers, "x-forwarded-proto"));
    let scheme = match forwarded {
        Some("https") => "https",
        Some("http") => "http",
        _ if config.listen.tls.is_some() => "https",
        _ => "http",
    };
    Some(format!("{scheme}://{}", host(config, headers, peer)?))
}

fn host<'h>(config: &ServerConfig, headers: &'h HeaderMap, peer: Option<IpAddr>) -> Option<&'h str> {
    let forwarded = peer.and_then(|peer| config.web.proxy.forwarded(peer, headers, "x-forwarded-host"));
    forwarded.or_else(|| headers.get(header::HOST)?.to_str().ok())
}

fn origin_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or(url, |at| &url[..after_scheme + at])
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host.ends_with(']') && host[at + 1..].bytes().all(|b| b.is_ascii_digit()) => &host[..at],
        _ => host,
    }
}

fn ends_with_label(name: &str, domain: &str) -> bool {
    name.len() > domain.len() + 1
        && name.is_char_boundary(name.len() - domain.len())
        && name[name.len() - domain.len()..].eq_ignore_ascii_case(domain)
        && name.as_bytes()[name.len() - domain.len() - 1] == b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers
    }

    fn trusted_with(base: Option<&str>, origin: &str, host: &str) -> bool {
        let mut config = ServerConfig::new("/tmp");
        config.web.base_url = base.map(str::to_owned);
        is_trusted_origin(&config, origin, &headers(host), None)
    }

    #[test]
    fn the_public_url_is_trusted_and_nothing_that_looks_like_it() {
        let base = Some("https://pizza.example.org/sub");
        assert!(trusted_with(base, "https://pizza.example.org", "pizza.example.org"));
        for origin in [
            "https://pizza.example.org.evil.com",
            "https://evil-pizza.example.org",
            "https://pizza.example.org:8443",
            "http://pizza.example.org",
            "null",
            "",
        ] {
            assert!(!trusted_with(base, origin, "pizza.example.org"), "{origin}");
        }
    }

    #[test]
    fn without_a_public_url_the_own_host_is_trusted() {
        assert!(trusted_with(None, "http://127.0.0.1:7492", "127.0.0.1:7492"));
        assert!(!trusted_with(None, "http://127.0.0.1:7493", "127.0.0.1:7492"));
    }

    #[test]
    fn a_name_rebound_to_this_address_is_not_trusted() {
        assert!(!trusted_with(None, "http://rebound.evil.com:7492", "rebound.evil.com:7492"));
        let config = ServerConfig::new("/tmp");
        assert!(!is_known_host(&config, &headers("rebound.evil.com:7492"), None));
        for host in ["localhost:7492", "127.0.0.1", "[::1]:7492", "app.localhost"] {
            assert!(is_known_host(&config, &headers(host), None), "{host}");
        }
    }
}
