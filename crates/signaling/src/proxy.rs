//! Which address a client has when proxies may stand in between. It knows the header's text and the trusted networks;
//! it must not know what the address is used for.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The proxies whose `X-Forwarded-For` is believed. Everyone may write that header; only theirs is theirs.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// What the headers said of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// Nothing that counts: the client is at the other end of the socket.
    Direct,
    /// A trusted proxy says that the client is here.
    Forwarded(IpAddr),
    /// A trusted proxy said nothing that can be read of this client.
    Unsaid,
    /// Someone who is not trusted said where the client is: a client that lies, or a proxy that nobody told us of and
    /// that hides all its clients behind its own address.
    Untrusted,
}

impl TrustedProxies {
    /// Trusts the proxies in these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether `address` is one of the proxies.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Finds the client behind a socket whose other end is `peer`, from the `X-Forwarded-For` lines in their order.
    ///
    /// Every proxy appends the address it was called from, so the list is true from its right end up to and including
    /// the first address that is not a trusted proxy's.
    pub(crate) fn forwarding<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Forwarding {
        let mut hops = lines
            .rev()
            .flat_map(|line| line.rsplit(|byte| *byte == b','))
            .peekable();
        match (self.contains(peer), hops.peek().is_some()) {
            (false, false) => return Forwarding::Direct,
            (false, true) => return Forwarding::Untrusted,
            (true, false) => return Forwarding::Unsaid,
            (true, true) => {}
        }
        let mut client = None;
        for hop in hops {
            let Some(address) = parse_hop(hop) else {
                return Forwarding::Unsaid;
            };
            client = Some(address);
            if !self.contains(address) {
                break;
            }
        }
        client.map_or(Forwarding::Unsaid, Forwarding::Forwarded)
    }
}

/// Reads `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, and the first and last with a port.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => text
            .parse()
            .or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()))
            .ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXIES: &[&str] = &["127.0.0.1/32", "10.1.0.0/16", "2001:db8:f::/48"];

    fn forwarding(peer: &str, lines: &[&str]) -> Forwarding {
        TrustedProxies::new(PROXIES.iter().map(|network| network.parse().unwrap())).forwarding(
            peer.parse().unwrap(),
            lines.iter().map(|line| line.as_bytes()),
        )
    }

    #[track_caller]
    fn check(peer: &str, lines: &[&str], client: &str) {
        let client = client.parse().unwrap();
        assert_eq!(forwarding(peer, lines), Forwarding::Forwarded(client));
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        check("127.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("::ffff:127.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("2001:db8:f::9", &["2001:db8::7"], "2001:db8::7");
        check("127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7");
        check("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7");
        check("127.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7");
        check("127.0.0.1", &["\t203.0.113.7 "], "203.0.113.7");
    }

    #[test]
    fn what_a_client_wrote_itself_is_left_of_what_the_proxy_appended() {
        check("127.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7");
        check("127.0.0.1", &["198.51.100.1", "203.0.113.7"], "203.0.113.7");
        check("127.0.0.1", &["garbage, 203.0.113.7"], "203.0.113.7");
        check("127.0.0.1", &["127.0.0.1, 203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn trusted_hops_are_skipped_from_the_right() {
        check("127.0.0.1", &["203.0.113.7, 10.1.2.3"], "203.0.113.7");
        check(
            "127.0.0.1",
            &["1.1.1.1, 203.0.113.7, 10.1.2.3", "10.1.9.9"],
            "203.0.113.7",
        );
        check("127.0.0.1", &["10.1.2.3, 10.1.2.4"], "10.1.2.3");
    }

    #[test]
    fn what_cannot_be_read_or_comes_from_strangers_counts_for_nothing() {
        for header in [
            "",
            " ",
            ",",
            "unknown",
            "203.0.113",
            "203.0.113.7,",
            "203.0.113.7;",
            "[203.0.113.7]",
            "2001:db8::7:4711:::",
            "fe80::1%eth0",
            "for=203.0.113.7",
            "203.0.113.7, unknown, 10.1.2.3",
            "٢٠٣.0.113.7",
        ] {
            assert_eq!(
                forwarding("127.0.0.1", &[header]),
                Forwarding::Unsaid,
                "{header:?}"
            );
        }
        assert_eq!(forwarding("127.0.0.1", &[]), Forwarding::Unsaid);
        for header in ["203.0.113.7", "garbage", ""] {
            assert_eq!(forwarding("10.2.0.1", &[header]), Forwarding::Untrusted);
        }
        assert_eq!(forwarding("10.2.0.1", &[]), Forwarding::Direct);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..4)) {
            let proxies = TrustedProxies::new(["0.0.0.0/0".parse().unwrap()]);
            proxies.forwarding("127.0.0.1".parse().unwrap(), lines.iter().map(Vec::as_slice));
        }

        #[test]
        fn a_client_cannot_move_by_what_it_prepends(prefix in "[ -~]{0,60}") {
            let line = format!("{prefix}, 203.0.113.7");
            check("127.0.0.1", &[&line], "203.0.113.7");
        }
    }
}
