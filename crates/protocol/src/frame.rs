//! Frames of a session. Control frames: one byte of kind, then JSON (or a message of the handshake). Bulk frames: a fixed
//! header, then file bytes. Parsing checks every limit; nothing here knows what a frame means for a transfer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::InvalidFrame;
use crate::code::Code;
use crate::digest::Digest;
use crate::hex;
use crate::id::{ResumeId, WireTransferId};
use crate::limits::{
    CHUNK_BYTES, CODE_PROOF_MESSAGE_BYTES, CONTROL_FRAME_BYTES, HANDSHAKE_MESSAGE_BYTES,
    MANIFEST_ENTRIES, OPEN_TRANSFERS, UNCOMMITTED_FILES,
};
use crate::manifest::{Entry, Manifest};
use crate::pair::PairHalf;
use crate::sas::{Commitment, Nonce};

/// Kinds of control frames. Every integer of the wire stands here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum FrameKind {
    Handshake = 1,
    Close = 2,
    Propose = 3,
    Entries = 4,
    Accept = 5,
    Decline = 6,
    Credit = 7,
    EntryDone = 8,
    EntryStored = 9,
    Cancel = 10,
    Ping = 11,
    Pong = 12,
    PairAsk = 13,
    PairNonce = 14,
    PairReveal = 15,
    PairPicked = 16,
    PairStop = 17,
    CodeProof = 18,
    Awaiting = 19,
    Withdraw = 20,
    Pause = 21,
}

/// A control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlFrame {
    /// A message of the [`handshake`](crate::handshake), at most [`HANDSHAKE_MESSAGE_BYTES`]. Until it has ended, no other
    /// frame but [`Close`] means anything.
    Handshake(Vec<u8>),
    /// Last frame of an end that closes the session.
    Close(Close),
    /// Sender: a transfer and the first of its entries.
    Propose(Propose),
    /// Sender: further entries of a transfer that is not complete yet.
    Entries(Entries),
    /// Receiver: send, from here on.
    Accept(Accept),
    /// Receiver: don't send.
    Decline(Decline),
    /// Receiver: more may be on the way.
    Credit(Credit),
    /// Sender: all bytes of an entry were handed over; this is their digest.
    EntryDone(EntryDone),
    /// Receiver: an entry is verified and stored (or delivered).
    EntryStored(EntryStored),
    /// Either end: the transfer ends here.
    Cancel(Cancel),
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// Asker: pair with me.
    PairAsk(PairAsk),
    /// Asked: here is my nonce.
    PairNonce(PairNonce),
    /// Asker: here is mine.
    PairReveal(PairReveal),
    /// Either end: my person picked the right string.
    PairPicked(PairPicked),
    /// Either end: no pairing.
    PairStop(PairStop),
    /// Either end: the next message of the proof of a typed code.
    CodeProof(CodeProof),
    /// Receiver: these transfers are not over for me.
    Awaiting(Awaiting),
    /// Sender: an awaited transfer is over.
    Withdraw(Withdraw),
    /// Either end: no bytes for now, or again.
    Pause(Pause),
    /// A kind of a newer version, to be ignored.
    Unknown(u8),
}

/// Why the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The reason.
    pub code: Code,
}

/// A proposal: the manifest, or its beginning if it is too long for one frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propose {
    /// Drawn by the sender.
    pub transfer: WireTransferId,
    /// The same whenever this transfer is proposed again.
    pub resume: ResumeId,
    /// Entries of the whole manifest, 1 to [`MANIFEST_ENTRIES`].
    pub count: u32,
    /// The first entries, at least one; the rest follows in [`Entries`], in order.
    pub entries: Vec<Entry>,
}

/// Further entries of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// The next entries.
    pub entries: Vec<Entry>,
}

/// Starts the bytes, or starts them again from another position: each accept of one transfer has a higher epoch, and
/// frames of older epochs are dropped unread. Says which entries are stored: all before `entry`, and those of `stored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// Stands in every bulk frame from here on; the first is 1.
    pub epoch: u32,
    /// Index of the entry to begin with; how many there are, if all are stored.
    pub entry: u32,
    /// Offset in that entry, in bytes.
    pub offset: u64,
    /// Digest of the bytes before `offset`, if there are any: the sender goes on only if it has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Digest>,
    /// Entries behind `entry` that are stored, as half-open ranges in rising order with gaps between them, at most
    /// [`UNCOMMITTED_FILES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stored: Vec<(u32, u32)>,
    /// Bytes that may be on the way.
    pub credit: u64,
}

/// Refuses a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// Why.
    pub code: Code,
}

/// More credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// Of which epoch.
    pub epoch: u32,
    /// Bytes that may be on the way in addition.
    pub bytes: u64,
}

/// The digest of an entry. May overtake its last bulk frames: the channels are not ordered among each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryDone {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// In which epoch.
    pub epoch: u32,
    /// Index of the entry.
    pub entry: u32,
    /// Digest of all its bytes.
    pub digest: Digest,
}

/// An entry has arrived for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryStored {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// Index of the entry.
    pub entry: u32,
}

/// Which end of a transfer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It proposed the transfer.
    Sender,
    /// It was asked.
    Receiver,
}

/// Ends a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// The role of the end that cancels: both ends draw ids, so the id alone is not enough.
    pub role: Role,
    /// Why.
    pub code: Code,
}

/// Begins a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairAsk {
    /// Binds the asker to its nonce.
    pub commitment: Commitment,
}

/// Answers a [`PairAsk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairNonce {
    /// Of the end that is asked.
    pub nonce: Nonce,
}

/// Answers a [`PairNonce`]. Both ends have the string now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairReveal {
    /// The one that the asker committed to.
    pub nonce: Nonce,
}

/// A person has found the string of the other end to be that of this one. Says so to the other end, but proves it nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairPicked {
    /// The sender's half of what both will share.
    pub half: PairHalf,
}

/// Ends a pairing without success: the strings differ, or a person thought better of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairStop {}

/// A message of the proof of a typed code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeProof {
    /// As the proof wrote it, at most [`CODE_PROOF_MESSAGE_BYTES`]; as text two hexadecimal characters for each byte.
    #[serde(with = "hex::text")]
    pub message: Vec<u8>,
}

/// Asks which of the sender's transfers are not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaiting {
    /// Those that are not over for the receiver and have no number in this session, at most [`OPEN_TRANSFERS`].
    pub resume: Vec<ResumeId>,
}

/// Ends a transfer that has no number in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Which.
    pub resume: ResumeId,
    /// Why.
    pub code: Code,
}

/// Holds a transfer's bytes, or lets them go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// The role of the end whose person wants it.
    pub role: Role,
    /// Whether it is to wait.
    pub paused: bool,
}

impl ControlFrame {
    /// The frame as bytes, at most [`CONTROL_FRAME_BYTES`] if its parts keep their limits.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Handshake(message) => [&[FrameKind::Handshake as u8], &message[..]].concat(),
            Self::Close(body) => encode(FrameKind::Close, body),
            Self::Propose(body) => encode(FrameKind::Propose, body),
            Self::Entries(body) => encode(FrameKind::Entries, body),
            Self::Accept(body) => encode(FrameKind::Accept, body),
            Self::Decline(body) => encode(FrameKind::Decline, body),
            Self::Credit(body) => encode(FrameKind::Credit, body),
            Self::EntryDone(body) => encode(FrameKind::EntryDone, body),
            Self::EntryStored(body) => encode(FrameKind::EntryStored, body),
            Self::Cancel(body) => encode(FrameKind::Cancel, body),
            Self::Ping => vec![FrameKind::Ping as u8],
            Self::Pong => vec![FrameKind::Pong as u8],
            Self::PairAsk(body) => encode(FrameKind::PairAsk, body),
            Self::PairNonce(body) => encode(FrameKind::PairNonce, body),
            Self::PairReveal(body) => encode(FrameKind::PairReveal, body),
            Self::PairPicked(body) => encode(FrameKind::PairPicked, body),
            Self::PairStop(body) => encode(FrameKind::PairStop, body),
            Self::CodeProof(body) => encode(FrameKind::CodeProof, body),
            Self::Awaiting(body) => encode(FrameKind::Awaiting, body),
            Self::Withdraw(body) => encode(FrameKind::Withdraw, body),
            Self::Pause(body) => encode(FrameKind::Pause, body),
            Self::Unknown(kind) => vec![*kind],
        }
    }

    /// Reads one control frame. Errors when it is none or breaks a limit; a kind we don't know is not an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidFrame> {
        InvalidFrame::check_length(bytes.len(), CONTROL_FRAME_BYTES)?;
        let (kind, body) = bytes.split_first().ok_or(InvalidFrame::TooShort)?;
        let Some(kind) = FrameKind::from_byte(*kind) else {
            return Ok(Self::Unknown(*kind));
        };
        Ok(match kind {
            FrameKind::Handshake => {
                InvalidFrame::check_length(body.len(), HANDSHAKE_MESSAGE_BYTES)?;
                Self::Handshake(body.to_vec())
            }
            FrameKind::Close => Self::Close(decode(body)?),
            FrameKind::Propose => Self::Propose(decode::<Propose>(body)?.checked()?),
            FrameKind::Entries => Self::Entries(decode::<Entries>(body)?.checked()?),
            FrameKind::Accept => Self::Accept(decode::<Accept>(body)?.checked()?),
            FrameKind::Decline => Self::Decline(decode(body)?),
            FrameKind::Credit => Self::Credit(decode(body)?),
            FrameKind::EntryDone => Self::EntryDone(decode(body)?),
            FrameKind::EntryStored => Self::EntryStored(decode(body)?),
            FrameKind::Cancel => Self::Cancel(decode(body)?),
            FrameKind::Ping => empty(body, Self::Ping)?,
            FrameKind::Pong => empty(body, Self::Pong)?,
            FrameKind::PairAsk => Self::PairAsk(decode(body)?),
            FrameKind::PairNonce => Self::PairNonce(decode(body)?),
            FrameKind::PairReveal => Self::PairReveal(decode(body)?),
            FrameKind::PairPicked => Self::PairPicked(decode(body)?),
            FrameKind::PairStop => Self::PairStop(decode(body)?),
            FrameKind::CodeProof => Self::CodeProof(decode::<CodeProof>(body)?.checked()?),
            FrameKind::Awaiting => Self::Awaiting(decode::<Awaiting>(body)?.checked()?),
            FrameKind::Withdraw => Self::Withdraw(decode(body)?),
            FrameKind::Pause => Self::Pause(decode(body)?),
        })
    }
}

impl FrameKind {
    const ALL: [Self; 21] = [
        Self::Handshake,
        Self::Close,
        Self::Propose,
        Self::Entries,
        Self::Accept,
        Self::Decline,
        Self::Credit,
        Self::EntryDone,
        Self::EntryStored,
        Self::Cancel,
        Self::Ping,
        Self::Pong,
        Self::PairAsk,
        Self::PairNonce,
        Self::PairReveal,
        Self::PairPicked,
        Self::PairStop,
        Self::CodeProof,
        Self::Awaiting,
        Self::Withdraw,
        Self::Pause,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl Propose {
    fn checked(self) -> Result<Self, InvalidFrame> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let first = self.entries.len();
        // A proposal without entries would have to be kept without knowing what of.
        if count > MANIFEST_ENTRIES || !(1..=count).contains(&first) {
            return Err(InvalidFrame::Malformed(format!(
                "a proposal of {count} entries that begins with {first}"
            )));
        }
        Ok(self)
    }
}

/// Longest page of a proposal in bytes, unless one entry alone is longer: well below [`CONTROL_FRAME_BYTES`], so that an
/// answer to something else need not wait behind it.
const PAGE_BYTES: usize = 64 * 1024;

/// The frames that propose a manifest: [`Propose`], then as many [`Entries`] as it takes.
pub fn proposal(
    transfer: WireTransferId,
    resume: ResumeId,
    manifest: Manifest,
) -> Vec<ControlFrame> {
    let mut pages: Vec<Vec<Entry>> = Vec::new();
    let mut page_bytes = 0;
    let count = u32::try_from(manifest.count()).unwrap_or(u32::MAX);
    for entry in manifest.into_entries() {
        let entry_bytes = encode(FrameKind::Entries, &entry).len();
        match pages.last_mut() {
            Some(page) if page_bytes + entry_bytes <= PAGE_BYTES => page.push(entry),
            _ => {
                pages.push(vec![entry]);
                page_bytes = 0;
            }
        }
        page_bytes += entry_bytes;
    }
    let mut pages = pages.into_iter();
    let first = Propose {
        transfer,
        resume,
        count,
        entries: pages.next().unwrap_or_default(),
    };
    let rest = pages.map(|entries| ControlFrame::Entries(Entries { transfer, entries }));
    std::iter::once(ControlFrame::Propose(first))
        .chain(rest)
        .collect()
}

impl Entries {
    fn checked(self) -> Result<Self, InvalidFrame> {
        if self.entries.is_empty() {
            return Err(InvalidFrame::Malformed("no further entries".to_owned()));
        }
        Ok(self)
    }
}

impl Accept {
    fn checked(self) -> Result<Self, InvalidFrame> {
        let ends = self.stored.iter().flat_map(|(from, to)| [*from, *to]);
        // Each range has something in it, and something is between two.
        let rising = std::iter::once(self.entry)
            .chain(ends)
            .is_sorted_by(|a, b| a < b);
        if self.stored.len() > UNCOMMITTED_FILES
            || !rising
            || self.prefix.is_some() != (self.offset > 0)
        {
            return Err(InvalidFrame::Malformed(
                "an accept that contradicts itself".to_owned(),
            ));
        }
        Ok(self)
    }
}

impl Awaiting {
    fn checked(self) -> Result<Self, InvalidFrame> {
        let count = self.resume.len();
        if count > OPEN_TRANSFERS {
            return Err(InvalidFrame::Malformed(format!(
                "{count} awaited transfers"
            )));
        }
        Ok(self)
    }
}

impl CodeProof {
    fn checked(self) -> Result<Self, InvalidFrame> {
        let length = self.message.len();
        if length > CODE_PROOF_MESSAGE_BYTES {
            return Err(InvalidFrame::Malformed(format!(
                "a proof's message of {length} bytes"
            )));
        }
        Ok(self)
    }
}

fn encode<T: Serialize>(kind: FrameKind, body: &T) -> Vec<u8> {
    let mut bytes = vec![kind as u8];
    #[expect(
        clippy::expect_used,
        reason = "the bodies have string keys only and a Vec takes every write"
    )]
    serde_json::to_writer(&mut bytes, body).expect("bodies of frames always serialize");
    bytes
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidFrame> {
    // As text, like the messages of signaling: serde_json has code of its own for bytes.
    let text = str::from_utf8(body).map_err(|error| InvalidFrame::Malformed(error.to_string()))?;
    Ok(serde_json::from_str(text)?)
}

fn empty(body: &[u8], frame: ControlFrame) -> Result<ControlFrame, InvalidFrame> {
    if body.is_empty() {
        Ok(frame)
    } else {
        Err(InvalidFrame::Malformed(
            "a body where none belongs".to_owned(),
        ))
    }
}

/// The header of a bulk frame: four little-endian integers. The file bytes follow, 1 to [`CHUNK_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkHeader {
    /// Which transfer.
    pub transfer: WireTransferId,
    /// The epoch of the accept that asked for these bytes.
    pub epoch: u32,
    /// Index of the entry.
    pub entry: u32,
    /// Where in the entry the bytes belong.
    pub offset: u64,
}

impl BulkHeader {
    /// Length of the header in bytes.
    pub const BYTES: usize = 20;

    /// The header as bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.transfer.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.entry.to_le_bytes());
        bytes[12..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    /// Splits a bulk frame into its header and its bytes. Errors when it is shorter than a header and one byte, or longer
    /// than a header and a chunk.
    pub fn decode(frame: &[u8]) -> Result<(Self, &[u8]), InvalidFrame> {
        InvalidFrame::check_length(frame.len(), Self::BYTES + CHUNK_BYTES)?;
        let (header, data) = frame
            .split_first_chunk::<{ Self::BYTES }>()
            .ok_or(InvalidFrame::TooShort)?;
        if data.is_empty() {
            return Err(InvalidFrame::TooShort);
        }
        let u32_at = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let offset = u64::from(u32_at(12)) | u64::from(u32_at(16)) << 32;
        let header = Self {
            transfer: WireTransferId(u32_at(0)),
            epoch: u32_at(4),
            entry: u32_at(8),
            offset,
        };
        Ok((header, data))
    }
}
