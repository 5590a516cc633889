//! What an IP address says about where its owner is. Knows addresses only; must not know how one was found.

use std::net::IpAddr;

/// Whether `address` can't come from the public internet: loopback, RFC 1918, link-local, unique local, and the shared
/// space 100.64.0.0/10 (RFC 6598). The last is not routed publicly either: who arrives with it is on a private overlay
/// network (Tailscale numbers its devices there) or inside the same provider's network as the server.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && second & 0xc0 == 64;
            address.is_loopback() || address.is_private() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}
