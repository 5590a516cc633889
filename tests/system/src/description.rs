//! What an attacker does to the lines of a description that name a certificate. The other lines stay.

use tabferry_protocol::fingerprint::Fingerprint;

const LINE: &str = "a=fingerprint:";

/// The description with another certificate.
pub fn with_certificate(sdp: &str, certificate: Fingerprint) -> String {
    with_lines(sdp, |_| vec![format!("{LINE}sha-256 {certificate}\r\n")])
}

/// The description with a further certificate, before its own or after it.
pub fn with_further_certificate(sdp: &str, certificate: Fingerprint, before: bool) -> String {
    with_lines(sdp, |line| {
        let further = format!("{LINE}sha-256 {certificate}\r\n");
        if before {
            vec![further, line.to_owned()]
        } else {
            vec![line.to_owned(), further]
        }
    })
}

/// The description with its certificate by SHA-1. Whose digest that is does not matter: nobody may look at it.
pub fn with_sha_1(sdp: &str, digest: [u8; 20]) -> String {
    let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    with_lines(sdp, |_| {
        vec![format!("{LINE}sha-1 {}\r\n", pairs.join(":"))]
    })
}

/// The certificates that a WebRTC stack accepts for this description: any that it names.
pub fn certificates(sdp: &str) -> Vec<Fingerprint> {
    sdp.lines()
        .filter(|line| line.starts_with(LINE))
        .filter_map(|line| Fingerprint::of_description(line).ok())
        .collect()
}

fn with_lines(sdp: &str, replace: impl Fn(&str) -> Vec<String>) -> String {
    sdp.split_inclusive('\n')
        .flat_map(|line| {
            if line.starts_with(LINE) {
                replace(line)
            } else {
                vec![line.to_owned()]
            }
        })
        .collect()
}
