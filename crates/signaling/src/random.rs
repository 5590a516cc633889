//! Random bits for ids. The only file that asks the system for them.

/// Bits that nobody can foresee.
#[expect(
    clippy::expect_used,
    reason = "without the system's randomness no id is safe to give out, and no request can go on"
)]
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
