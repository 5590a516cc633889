//! One proof of a typed code with everything fixed, for its golden files and for the wasm build, which must write the same
//! bytes. Knows no test framework.

use tabferry_protocol::code_proof::{CodeProof, Progress, ProofError};
use tabferry_protocol::secret_code::SecretCode;

/// The four messages in their order, each under the name of its golden file.
pub(crate) fn code_proof() -> Result<[(&'static str, Vec<u8>); 5], ProofError> {
    let code = SecretCode::from_typed("A1B2-0XYZ").map_err(|_| ProofError::Malformed)?;
    let transcript = *b"the transcript of one handshake.";
    let (mut guest, first) = CodeProof::guest(&code.secret, &transcript, &[0xA1; 32]);
    let mut host = CodeProof::host(&code.secret, &transcript, &[0xB2; 32]);
    let Progress::Reply(second) = host.read(&first)? else {
        return Err(ProofError::Ended);
    };
    let Progress::Reply(third) = guest.read(&second)? else {
        return Err(ProofError::Ended);
    };
    let Progress::Proven(Some(fourth), of_host) = host.read(&third)? else {
        return Err(ProofError::Ended);
    };
    let Progress::Proven(None, of_guest) = guest.read(&fourth)? else {
        return Err(ProofError::Ended);
    };
    if of_host != of_guest {
        return Err(ProofError::Mismatch);
    }
    Ok([
        ("1-guest-point.message", first),
        ("2-host-point.message", second),
        ("3-guest-confirmation.message", third),
        ("4-host-confirmation.message", fourth),
        (
            "pair-secret.txt",
            of_guest.expose_text().as_bytes().to_vec(),
        ),
    ])
}
