//! What files contain: bytes that follow from the number of a file and the offset, so that nothing large is stored and
//! every byte that arrives can be checked at once.

use std::sync::LazyLock;

use crate::random::Random;

/// Each block of a file is a piece of one pool of random bytes, from a place that depends on file and block: bytes at a
/// wrong offset or of a wrong file don't match.
const BLOCK: u64 = 4096;
const POOL: u64 = 1 << 20;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| Random::new(0).vec((POOL + BLOCK) as usize));

/// The piece of the pool that begins at `offset` of a file, up to the end of its block.
fn piece(file: usize, offset: u64) -> &'static [u8] {
    let block = offset / BLOCK;
    let mixed = (file as u64 ^ block.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let start = (mixed ^ (mixed >> 29)) % POOL;
    &BYTES[(start + offset % BLOCK) as usize..(start + BLOCK) as usize]
}

/// `length` bytes of a file from `offset` on.
pub(crate) fn bytes(file: usize, mut offset: u64, length: u64) -> Vec<u8> {
    let end = offset + length;
    let mut bytes = Vec::with_capacity(length as usize);
    while offset < end {
        let piece = piece(file, offset);
        let piece = &piece[..piece.len().min((end - offset) as usize)];
        bytes.extend_from_slice(piece);
        offset += piece.len() as u64;
    }
    bytes
}

/// Whether `data` is what a file has at `offset`.
pub(crate) fn matches(file: usize, mut offset: u64, mut data: &[u8]) -> bool {
    while !data.is_empty() {
        let piece = piece(file, offset);
        let length = piece.len().min(data.len());
        if piece[..length] != data[..length] {
            return false;
        }
        data = &data[length..];
        offset += length as u64;
    }
    true
}
