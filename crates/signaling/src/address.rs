//! What an address says about where a client is: its nearby room and whose quota it uses. It knows addresses only;
//! it must not know how an address was found.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tabferry_protocol::address::is_private;

/// Where a client is, and how far that can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Where it seems to be.
    pub address: IpAddr,
    /// Whether it is there.
    pub doubt: Doubt,
}

/// What is not known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing: the client is there.
    None,
    /// The client may be anywhere.
    Client,
    /// So may every client that seems to be there.
    Everyone,
}

/// Which clients are near each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NearbyKey {
    /// Every loopback and private address. A server reached privately serves one private network, its own machine
    /// included.
    Private,
    /// The devices behind one public IPv4 address.
    V4(Ipv4Addr),
    /// The devices of one public IPv6 network: the upper 64 bits.
    V6(u64),
}

impl NearbyKey {
    /// The nearby room of a client at `address`.
    pub fn of(address: IpAddr) -> Self {
        if is_private(address) {
            return Self::Private;
        }
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(upper_half(address)),
        }
    }
}

/// Whose connections are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 /64: what one subscriber gets at least, so its addresses are free to choose.
    Network(u64),
    /// An IPv6 /48: what one subscriber gets at most.
    Site(u64),
}

impl Source {
    /// The source of `address`, and the site that it is part of.
    pub(crate) fn of(address: IpAddr) -> (Self, Option<Self>) {
        match address.to_canonical() {
            IpAddr::V4(address) => (Self::V4(address), None),
            IpAddr::V6(address) => {
                let network = upper_half(address);
                (Self::Network(network), Some(Self::Site(network >> 16)))
            }
        }
    }
}

fn upper_half(address: Ipv6Addr) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> NearbyKey {
        NearbyKey::of(address.parse().unwrap())
    }

    #[test]
    fn private_addresses_of_both_families_share_one_room() {
        for address in [
            "127.0.0.1",
            "127.255.0.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.7.7",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fd12:3456::1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.0.9",
        ] {
            assert_eq!(key(address), NearbyKey::Private, "{address}");
        }
    }

    #[test]
    fn the_neighbors_of_private_ranges_are_public() {
        for address in [
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.0",
            "fec0::1",
            "fbff::1",
            "fe00::1",
            "::2",
            "2001:db8::1",
        ] {
            assert_ne!(key(address), NearbyKey::Private, "{address}");
        }
    }

    #[test]
    fn public_ipv4_is_one_room_per_address_however_it_is_written() {
        assert_eq!(key("203.0.113.7"), key("::ffff:203.0.113.7"));
        assert_ne!(key("203.0.113.7"), key("203.0.113.8"));
    }

    #[test]
    fn public_ipv6_is_one_room_per_64() {
        assert_eq!(
            key("2001:db8:1:2::1"),
            key("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }

    #[test]
    fn networks_of_one_48_are_sources_of_one_site() {
        let of = |address: &str| Source::of(address.parse().unwrap());
        let (one, other) = (of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(one.0, other.0);
        assert_eq!(one.1, other.1);
        assert_ne!(one.1, of("2001:db8:2:2::1").1);
        assert_eq!(of("203.0.113.7").1, None);
    }
}
