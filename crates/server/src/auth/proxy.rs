//! Which peers may speak for others, and what the client's address therefore is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderMap;

/// A network such as `10.0.0.0/8` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    const fn v6(first: u16, bits: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), bits }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| ())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        match bits.unwrap_or(widest) {
            bits if bits <= widest => Ok(Self { address, bits }),
            _ => Err(()),
        }
    }
}

/// Peers whose forwarding headers are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyTrust {
    networks: Vec<Cidr>,
    loopback: bool,
    depth: usize,
    /// The operator said that there is a proxy; loopback alone is only a guess.
    explicit: bool,
}

impl Default for ProxyTrust {
    fn default() -> Self {
        Self::loopback(0)
    }
}

impl ProxyTrust {
    pub fn nobody() -> Self {
        Self { networks: Vec::new(), loopback: false, depth: 0, explicit: false }
    }

    pub fn loopback(depth: usize) -> Self {
        Self { networks: Vec::new(), loopback: true, depth, explicit: false }
    }

    pub fn networks(networks: Vec<Cidr>, depth: usize) -> Self {
        Self { networks, loopback: true, depth, explicit: true }
    }

    /// Loopback, private and link-local ranges.
    pub fn private(depth: usize) -> Self {
        let networks = vec![
            Cidr::v4(10, 0, 0, 0, 8),
            Cidr::v4(172, 16, 0, 0, 12),
            Cidr::v4(192, 168, 0, 0, 16),
            Cidr::v4(169, 254, 0, 0, 16),
            Cidr::v6(0xfc00, 7),
            Cidr::v6(0xfe80, 10),
        ];
        Self::networks(networks, depth)
    }

    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        (self.loopback && peer.is_loopback()) || self.networks.iter().any(|network| network.contains(peer))
    }

    /// The address limits are counted against: the peer, or what a trusted proxy says it saw.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let chain: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let seen = chain.len().checked_sub(1 + self.depth).and_then(|at| parse_address(chain[at]));
        seen.map_or(peer, |ip| ip.to_canonical())
    }

    /// A forwarded name or scheme, when the peer may set it. First entry of a list.
    ///
    /// Loopback is not enough here: a page whose own name was pointed at this machine comes from loopback too, and could
    /// send any header.
    pub fn forwarded<'h>(&self, peer: IpAddr, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        if !self.explicit || !self.trusts(peer) {
            return None;
        }
        let value = headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// An address with or without a port or brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What a limit counts: one IPv4 address, or the /48 an IPv6 customer may roam in.
pub fn limit_group(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(chain: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", chain.parse().unwrap());
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        let trust = ProxyTrust::loopback(0);
        assert_eq!(trust.client_address(ip("203.0.113.9"), &headers("1.2.3.4")), ip("203.0.113.9"));
    }

    #[test]
    fn the_right_most_entry_counts_and_depth_skips_more() {
        assert_eq!(
            ProxyTrust::loopback(0).client_address(ip("127.0.0.1"), &headers("6.6.6.6, 1.2.3.4")),
            ip("1.2.3.4")
        );
        assert_eq!(
            ProxyTrust::loopback(1).client_address(ip("127.0.0.1"), &headers("6.6.6.6, 1.2.3.4")),
            ip("6.6.6.6")
        );
    }

    #[test]
    fn a_chain_shorter_than_the_depth_means_the_peer() {
        assert_eq!(ProxyTrust::loopback(2).client_address(ip("::1"), &headers("6.6.6.6, 1.2.3.4")), ip("::1"));
    }

    #[test]
    fn private_networks_are_trusted_only_when_asked_for() {
        assert!(!ProxyTrust::loopback(0).trusts(ip("10.1.2.3")));
        assert!(ProxyTrust::private(0).trusts(ip("10.1.2.3")));
        assert!(ProxyTrust::private(0).trusts(ip("::ffff:192.168.0.7")));
        assert!(!ProxyTrust::private(0).trusts(ip("8.8.8.8")));
        assert!(!ProxyTrust::nobody().trusts(ip("127.0.0.1")));
    }

    #[test]
    fn an_ipv6_customer_cannot_rotate_out_of_a_limit() {
        assert_eq!(limit_group(ip("2001:db8:7:1::1")), limit_group(ip("2001:db8:7:ffff::9")));
        assert_ne!(limit_group(ip("2001:db8:7:1::1")), limit_group(ip("2001:db8:8::1")));
    }
}
