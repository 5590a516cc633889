//! A device whose words can't be trusted, and a server that talks nonsense. Frames of the hostile device are changed,
//! dropped, repeated and invented; everything else about it is an engine like the others.

use tabferry_engine::Channel;
use tabferry_protocol::card::{DeviceCard, DeviceKind, DeviceName, EndpointKind};
use tabferry_protocol::code::Code;
use tabferry_protocol::digest::Digest;
use tabferry_protocol::fingerprint::Fingerprint;
use tabferry_protocol::frame::{
    Accept, Awaiting, BulkHeader, Cancel, Close, ControlFrame, Credit, Decline, Entries, EntryDone,
    EntryStored, Pause, Propose, Role, Withdraw,
};
use tabferry_protocol::id::{
    AnswerNonce, ConnectionId, DeviceId, PeerId, ResumeId, WireTransferId,
};
use tabferry_protocol::limits::{CHUNK_BYTES, CONTROL_FRAME_BYTES, TRANSFER_BYTES};
use tabferry_protocol::manifest::{Entry, FileEntry, Item};
use tabferry_protocol::name::ReceivedName;
use tabferry_protocol::signaling::{Peer, Room, ServerMessage, Signal, SignalBody};

use crate::world::{Happening, World};

impl World {
    /// Whether one end of a sending is the hostile device.
    pub(crate) fn is_hostile(&self, sending: usize) -> bool {
        let sending = &self.ledger.sendings[sending];
        self.plan
            .hostile
            .is_some_and(|hostile| hostile == sending.from.node || hostile == sending.to)
    }

    /// What becomes of a frame: itself, unless it comes from the hostile device.
    pub(crate) fn mangle(&mut self, node: usize, channel: Channel, frame: Vec<u8>) -> Vec<Vec<u8>> {
        if let (Channel::Control, Ok(ControlFrame::Propose(propose))) =
            (channel, ControlFrame::decode(&frame))
        {
            self.ledger.resumes.push(propose.resume);
        }
        if self.plan.hostile != Some(node) || self.quiet || !self.random.one_in(15) {
            return vec![frame];
        }
        match self.random.below(8) {
            0 => Vec::new(),
            1 => vec![frame.clone(), frame],
            2 => vec![self.invent(channel), frame],
            3 => vec![frame, self.invent(channel)],
            _ => {
                let mutated = self.mutate(frame.clone());
                let known = self.files_named_in(&frame);
                let alias = self
                    .files_named_in(&mutated)
                    .iter()
                    .any(|file| !known.contains(file));
                vec![if alias { frame } else { mutated }]
            }
        }
    }

    /// The files of the simulation that a proposal names. One must not become another: by its name a file is known again.
    fn files_named_in(&self, frame: &[u8]) -> Vec<usize> {
        let entries = match ControlFrame::decode(frame) {
            Ok(ControlFrame::Propose(propose)) => propose.entries,
            Ok(ControlFrame::Entries(entries)) => entries.entries,
            _ => Vec::new(),
        };
        let file_of = |entry: &Entry| match entry {
            Entry::File(file) => self
                .ledger
                .file_named(ReceivedName::from_proposed(&file.name).as_str()),
            _ => None,
        };
        entries.iter().filter_map(file_of).collect()
    }

    fn mutate(&mut self, mut frame: Vec<u8>) -> Vec<u8> {
        let at = self.random.index(frame.len());
        match self.random.below(5) {
            0 => frame.truncate(at),
            1 => frame.extend(self.random.vec(40)),
            2 => frame[at] = self.random.next() as u8,
            3 => frame[at] ^= 1 << self.random.below(8),
            _ => {
                // A digit that stays one keeps the frame readable.
                let digits: Vec<_> = (0..frame.len().min(200))
                    .filter(|at| frame[*at].is_ascii_digit())
                    .collect();
                if !digits.is_empty() {
                    let at = self.random.pick(&digits);
                    frame[at] = b'0' + self.random.below(10) as u8;
                }
            }
        }
        frame
    }

    /// A frame out of the blue.
    fn invent(&mut self, channel: Channel) -> Vec<u8> {
        let transfer = WireTransferId(self.some_u32());
        match channel {
            Channel::Control if self.random.one_in(8) => {
                let length =
                    self.random
                        .pick(&[0, 1, 2, 50, CONTROL_FRAME_BYTES, CONTROL_FRAME_BYTES + 1]);
                self.random.vec(length)
            }
            Channel::Control => self.invent_control(transfer).encode(),
            Channel::Bulk => {
                let length = self.random.pick(&[0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 1]);
                let header = BulkHeader {
                    transfer,
                    epoch: self.some_u32(),
                    entry: self.some_u32(),
                    offset: self.some_u64(),
                };
                let mut frame = [&header.encode()[..], &self.random.vec(length)].concat();
                if self.random.one_in(10) {
                    frame.truncate(self.random.index(BulkHeader::BYTES + 1));
                }
                frame
            }
        }
    }

    /// A transfer's id: one that others may know, or a new one.
    fn some_resume(&mut self) -> ResumeId {
        let known: Vec<_> = self.ledger.resumes.clone();
        if known.is_empty() || self.random.one_in(2) {
            return ResumeId::from_bytes(self.random.bytes());
        }
        self.random.pick(&known)
    }

    fn invent_ranges(&mut self, entry: u32) -> Vec<(u32, u32)> {
        let mut at = entry;
        let count = self.random.below(4) * self.random.below(2);
        let mut step = || {
            at = at.saturating_add(self.random.between(0, 3) as u32);
            at
        };
        (0..count).map(|_| (step(), step())).collect()
    }

    fn invent_control(&mut self, transfer: WireTransferId) -> ControlFrame {
        let (epoch, entry, offset, bytes) = (
            self.some_u32(),
            self.some_u32(),
            self.some_u64(),
            self.some_u64(),
        );
        let code = self.random.pick(&Code::ALL);
        match self.random.below(17) {
            0 => ControlFrame::Handshake(self.random.vec(300)),
            1 => ControlFrame::Close(Close { code }),
            2..=3 => {
                let transfer =
                    WireTransferId(transfer.0.saturating_add(self.random.below(50) as u32));
                let entries = self.invent_entries();
                let count = match self.random.below(4) {
                    0 => entry.clamp(1, 10_000).max(entries.len() as u32),
                    _ => entries.len().max(1) as u32,
                };
                ControlFrame::Propose(Propose {
                    transfer,
                    resume: self.some_resume(),
                    count,
                    entries,
                })
            }
            4 => ControlFrame::Entries(Entries {
                transfer,
                entries: self.invent_entries(),
            }),
            5 => ControlFrame::Accept(Accept {
                transfer,
                epoch,
                entry,
                offset,
                prefix: (offset > 0).then(|| Digest::of(&[1])),
                stored: self.invent_ranges(entry),
                credit: bytes,
            }),
            6 => ControlFrame::Decline(Decline { transfer, code }),
            7..=8 => ControlFrame::Credit(Credit {
                transfer,
                epoch,
                bytes,
            }),
            9 => {
                let digest = Digest::of(&self.random.vec(1));
                ControlFrame::EntryDone(EntryDone {
                    transfer,
                    epoch,
                    entry,
                    digest,
                })
            }
            10 => ControlFrame::EntryStored(EntryStored { transfer, entry }),
            11 => {
                let role = self.random.pick(&[Role::Sender, Role::Receiver]);
                ControlFrame::Cancel(Cancel {
                    transfer,
                    role,
                    code,
                })
            }
            12 => ControlFrame::Ping,
            13 => {
                let resume = vec![self.some_resume(), self.some_resume()];
                ControlFrame::Awaiting(Awaiting { resume })
            }
            14 => ControlFrame::Withdraw(Withdraw {
                resume: self.some_resume(),
                code,
            }),
            15 => ControlFrame::Pause(Pause {
                transfer,
                role: self.random.pick(&[Role::Sender, Role::Receiver]),
                paused: self.random.one_in(2),
            }),
            _ => ControlFrame::Unknown(self.random.between(22, 255) as u8),
        }
    }

    fn invent_entries(&mut self) -> Vec<Entry> {
        let count = self.random.pick(&[0, 1, 1, 2, 20]);
        (0..count).map(|_| self.invent_entry()).collect()
    }

    fn invent_entry(&mut self) -> Entry {
        let number = self.random.next();
        match self.random.below(8) {
            0 => Entry::Item(Item::Text {
                text: format!("from hostile {number}"),
            }),
            1 => Entry::Item(Item::Text {
                text: String::new(),
            }),
            2 => Entry::Unknown,
            _ => {
                let name = match self.random.below(5) {
                    0 => "x".repeat(2_000),
                    1 => String::new(),
                    2 => "../../../x\u{202E}\u{0}".to_owned(),
                    3 => "CON".to_owned(),
                    _ => format!("hostile {number}"),
                };
                let bytes = self.random.pick(&[
                    0,
                    0,
                    1,
                    1_000,
                    TRANSFER_BYTES,
                    TRANSFER_BYTES + 1,
                    u64::MAX,
                ]);
                let folder = self
                    .random
                    .pick(&["", "", "..", "../..", "/etc", "a//b", "C:\\x"]);
                Entry::File(FileEntry {
                    name,
                    folder: folder.to_owned(),
                    bytes,
                    media_type: None,
                })
            }
        }
    }

    /// Numbers where mistakes are made.
    fn some_u32(&mut self) -> u32 {
        self.random.pick(&[
            0,
            1,
            1,
            1,
            2,
            2,
            3,
            4,
            5,
            10,
            9_999,
            10_000,
            u32::MAX - 1,
            u32::MAX,
        ])
    }

    fn some_u64(&mut self) -> u64 {
        let chunk = CHUNK_BYTES as u64;
        self.random.pick(&[
            0,
            0,
            1,
            chunk,
            8 << 20,
            TRANSFER_BYTES,
            u64::MAX - 1,
            u64::MAX,
        ])
    }

    /// The hostile device does something by itself, on an open connection or through the server.
    pub(crate) fn act_hostile(&mut self) {
        let Some(node) = self.plan.hostile.filter(|_| !self.quiet) else {
            return;
        };
        let keys: Vec<_> = self.nodes[node]
            .connections
            .iter()
            .map(|(key, id)| (*key, *id))
            .collect();
        for (key, id) in keys {
            if self.network.connections[&id].opened && self.random.one_in(2) {
                let channel =
                    self.random
                        .pick(&[Channel::Control, Channel::Control, Channel::Bulk]);
                let repeat = self.random.pick(&[1, 1, 1, 30]);
                for _ in 0..repeat {
                    let frame = self.invent(channel);
                    self.queue_frame(node, key, channel, frame);
                }
            }
        }
        if self.random.one_in(3) {
            self.invent_signals(node);
        }
        let at = self.now + self.random.between(1, 5_000);
        self.schedule(at, Happening::HostileActs);
    }

    fn invent_signals(&mut self, node: usize) {
        let Some((from, others)) = self.socket_peers(node) else {
            return;
        };
        let seen = self.ledger.connection_ids.clone();
        for (socket, _) in others {
            let connection = match seen.is_empty() || self.random.one_in(3) {
                true => ConnectionId::from_bytes(self.random.bytes()),
                false => self.random.pick(&seen),
            };
            let sdp = self.random.pick(&[
                "v=0\r\n",
                "",
                "v=0\r\nsim offer 1 1 0\r\n",
                "v=0\r\nsim answer 1 1 1\r\n",
            ]);
            let fingerprint = Fingerprint::from_bytes(self.random.bytes());
            let sdp = match self.random.below(3) {
                0 => sdp.to_owned(),
                _ => format!("{sdp}a=fingerprint:sha-256 {fingerprint}\r\n"),
            };
            let body = match self.random.below(7) {
                0 => SignalBody::Offer { sdp },
                1 => SignalBody::Answer {
                    sdp,
                    nonce: AnswerNonce::from_bytes(self.random.bytes()),
                },
                2 => SignalBody::Candidate {
                    candidate: "candidate:1 1 1".to_owned(),
                    mid: None,
                },
                3 => SignalBody::EndOfCandidates,
                4 => SignalBody::RestartRequest,
                5 => SignalBody::Bye {
                    code: self.random.pick(&[None, Some(Code::Unverified)]),
                },
                _ => SignalBody::Unknown,
            };
            self.send_to_client(
                socket,
                &ServerMessage::Signal {
                    from,
                    signal: Signal { connection, body },
                },
            );
        }
    }

    /// What a broken server makes of a message.
    pub(crate) fn garbled_text(&mut self, text: &str) -> String {
        match self.random.below(4) {
            0 => "<html>".to_owned(),
            1 => text.chars().take(self.random.index(text.len())).collect(),
            2 => ServerMessage::PeerLeft {
                room: Room::Nearby,
                peer: PeerId::from_bytes(self.random.bytes()),
            }
            .encode(),
            _ => {
                let name = DeviceName::try_from("ghost".to_owned()).expect("a plain name");
                let id = DeviceId::from_bytes(self.random.bytes());
                let peer = Peer {
                    id: PeerId::from_bytes(self.random.bytes()),
                    device: Some(DeviceCard {
                        id,
                        name,
                        kind: DeviceKind::Other,
                    }),
                    endpoint: EndpointKind::Other,
                };
                ServerMessage::PeerUpdated { peer }.encode()
            }
        }
    }
}
