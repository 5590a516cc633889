//! What the engine has decided to do and not handed out yet, and the keys it draws. It knows no rule.

use std::collections::VecDeque;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tabferry_protocol::host::Event;
use tabferry_protocol::id::{AnswerNonce, ConnectionId, ResumeId};

use crate::io::Output;

/// Outputs in their order, the count of visible changes, fresh keys and randomness.
#[derive(Debug)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    revision: u64,
    last_key: u32,
    random: ChaCha12Rng,
}

impl Outbox {
    pub(crate) fn new(seed: [u8; 32], first_key: u32) -> Self {
        Self {
            outputs: VecDeque::new(),
            revision: 0,
            last_key: first_key,
            random: ChaCha12Rng::from_seed(seed),
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Something that a snapshot shows has changed.
    pub(crate) fn changed(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// A key that no other thing of this engine has.
    pub(crate) fn key(&mut self) -> u32 {
        self.last_key = self.last_key.wrapping_add(1);
        self.last_key
    }

    pub(crate) fn connection_id(&mut self) -> ConnectionId {
        ConnectionId::from_bytes(self.bytes())
    }

    pub(crate) fn answer_nonce(&mut self) -> AnswerNonce {
        AnswerNonce::from_bytes(self.bytes())
    }

    pub(crate) fn resume_id(&mut self) -> ResumeId {
        ResumeId::from_bytes(self.bytes())
    }

    /// Random bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// A number below `limit`; 0 if that is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.random
            .next_u64()
            .checked_rem(limit)
            .unwrap_or_default()
    }
}
