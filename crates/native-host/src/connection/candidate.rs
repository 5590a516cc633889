//! What is done with an ICE candidate of the other end: whether it can be used, and where its address is a `.local` name,
//! finding the address. It knows the grammar of a candidate (RFC 8839) and no connection.
//!
//! A browser hides the addresses of a web page behind random `.local` names (of an extension it doesn't). Two things
//! reach such a browser. Our own candidates bear addresses, so its checks arrive here, and ICE learns from them where it
//! is. Where a firewall drops them until something was sent the other way, the name must be resolved. The system does
//! that (Avahi's module, macOS and Windows): a responder of our own would need the port that belongs to the system's, and
//! webrtc-rs' own fails where there is nothing but loopback.

use core::net::IpAddr;

/// Longest first label of a `.local` name that is looked up: browsers use a UUID.
const NAME_BYTES: usize = 64;

/// What to do with a candidate of the other end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    /// It bears an address: hand it on as it is.
    Usable,
    /// It bears this name, for which an address must be found.
    Named(String),
    /// It is of no use here.
    Useless,
}

/// Judges a candidate line, with or without its `candidate:`.
///
/// TCP is of no use: no socket here listens for it, and dialing where a peer says is not wanted. Nor are names other
/// than those of browsers: a peer would choose what is asked of our name server.
pub(super) fn judge(line: &str) -> Candidate {
    let mut fields = line.split_ascii_whitespace();
    let (Some(transport), Some(address)) = (fields.nth(2), fields.nth(1)) else {
        return Candidate::Useless;
    };
    if !transport.eq_ignore_ascii_case("udp") {
        return Candidate::Useless;
    }
    if let Ok(address) = address.parse::<IpAddr>() {
        return if is_dialable(address) {
            Candidate::Usable
        } else {
            Candidate::Useless
        };
    }
    match address.strip_suffix(".local") {
        Some(label) if is_random_name(label) => Candidate::Named(address.to_owned()),
        _ => Candidate::Useless,
    }
}

/// The candidate with an address in the place of its name; `None` if it can't be used with this one.
pub(super) fn with_address(line: &str, address: IpAddr) -> Option<String> {
    let found = address.to_string();
    let fields: Vec<&str> = line
        .split_ascii_whitespace()
        .enumerate()
        .map(|(place, field)| if place == 4 { found.as_str() } else { field })
        .collect();
    is_dialable(address).then(|| fields.join(" "))
}

/// Whether one machine, and a known one, is meant.
fn is_dialable(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}

fn is_random_name(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= NAME_BYTES
        && label
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(transport: &str, address: &str) -> String {
        format!(
            "candidate:842163049 1 {transport} 1677729535 {address} 61887 typ host generation 0"
        )
    }

    #[test]
    fn what_can_be_used_is_what_bears_the_address_of_a_machine() {
        for (transport, address, usable) in [
            ("udp", "192.0.2.7", true),
            ("UDP", "fd00::7", true),
            ("udp", "127.0.0.1", true),
            ("udp", "0.0.0.0", false),
            ("udp", "::", false),
            ("udp", "224.0.0.251", false),
            ("udp", "ff02::fb", false),
            ("udp", "255.255.255.255", false),
            ("tcp", "192.0.2.7", false),
            ("udp", "example.org", false),
            ("udp", "printer.local", false),
            ("udp", ".local", false),
            ("udp", "a.b.local", false),
            ("udp", "192.0.2.7:80", false),
        ] {
            let judged = judge(&line(transport, address)) == Candidate::Usable;
            assert_eq!(judged, usable, "{transport} {address}");
            if !usable {
                assert_eq!(judge(&line(transport, address)), Candidate::Useless);
            }
        }
        let long = format!("{}.local", "a".repeat(NAME_BYTES + 1));
        for garbage in ["", "candidate:", "a b c d", "\0", &line("udp", &long)] {
            assert_eq!(judge(garbage), Candidate::Useless, "{garbage:?}");
        }
    }

    #[test]
    fn the_name_of_a_browser_gives_way_to_an_address() {
        let name = "e2494022-4d9a-4c1e-a750-cc48d4f8d6ee.local";
        let named = line("udp", name);
        assert_eq!(judge(&named), Candidate::Named(name.to_owned()));
        for address in ["192.0.2.7", "fd00::7"] {
            let found = with_address(&named, address.parse().unwrap()).unwrap();
            assert_eq!(found, line("udp", address));
        }
        assert_eq!(with_address(&named, "224.0.0.251".parse().unwrap()), None);
    }
}
