//! Every limit of the protocol, once, with its reason. Whoever needs a number takes it from here.

/// Bytes of file data in one bulk frame. Between browsers 128 KiB go 8 % faster than 64 KiB; 256 KiB double Chromium's
/// memory, and SCTP takes no more than that. A sender may send less.
pub const CHUNK_BYTES: usize = 128 * 1024;

/// Longest control frame in bytes. Chromium's SCTP accepts messages up to 256 KiB.
pub const CONTROL_FRAME_BYTES: usize = 256 * 1024;

/// Longest handshake message in bytes. The longest honest one has 355: the second, with every version and the longest name.
pub const HANDSHAKE_MESSAGE_BYTES: usize = 512;

/// Longest message of the proof of a typed code, in bytes: a byte for the role, and a point.
pub const CODE_PROOF_MESSAGE_BYTES: usize = 33;

/// A device is found under the tag of the next or the last hour, too, when the hour ends or began within this. Clocks of
/// devices that set them from the network differ by seconds, of those that don't by minutes; every minute more shows a
/// server for longer which two tags belong together.
pub const PAIR_TAG_OVERLAP_SECONDS: u64 = 5 * 60;

/// Longest signaling message in bytes, either direction. An SDP with candidates is a few KiB.
pub const SIGNALING_MESSAGE_BYTES: usize = 64 * 1024;

/// Longest session description in bytes.
pub const SDP_BYTES: usize = 16 * 1024;

/// Longest ICE candidate line in bytes.
pub const CANDIDATE_BYTES: usize = 1024;

/// Longest device name in UTF-8 bytes: fits a menu title.
pub const DEVICE_NAME_BYTES: usize = 64;

/// Protocol versions one peer may list.
pub const VERSIONS: usize = 16;

/// Capabilities one peer may list, and the longest one in bytes.
pub const CAPABILITIES: usize = 16;
/// See [`CAPABILITIES`].
pub const CAPABILITY_BYTES: usize = 32;

/// Entries in one manifest: a large folder.
pub const MANIFEST_ENTRIES: usize = 100_000;

/// Inline items (pages, links, texts) in one manifest.
pub const INLINE_ENTRIES: usize = 16;

/// File names as proposed, in UTF-8 bytes: what file systems allow is 255, but a hostile peer may try more and an
/// honest one may come from a system that counts differently.
pub const PROPOSED_NAME_BYTES: usize = 1024;

/// Longest folder of a proposed file in bytes.
pub const FOLDER_BYTES: usize = 1024;

/// Folders inside each other.
pub const FOLDER_DEPTH: usize = 32;

/// Bytes of all names and other texts of one manifest: what a receiver keeps in memory before anyone said yes.
pub const MANIFEST_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// Memory of all proposals that nobody has answered yet, of whomever, with their texts and what each entry takes besides: two of the
/// largest. One more is refused as busy.
pub const UNANSWERED_BYTES: usize = 2 * (MANIFEST_TEXT_BYTES + MANIFEST_ENTRIES * 128);

/// Longest media type in bytes.
pub const MEDIA_TYPE_BYTES: usize = 127;

/// Longest received name, in UTF-8 bytes and in UTF-16 units: leaves room for " (99)" and a staging suffix below
/// the 255 that file systems allow.
pub const RECEIVED_NAME_BYTES: usize = 200;

/// What is kept of an extension, dot included, when a received name is cut.
pub const RECEIVED_EXTENSION_BYTES: usize = 16;

/// Longest link in bytes. Browsers take more; nothing a person sends needs it.
pub const URL_BYTES: usize = 8 * 1024;

/// Longest page title in bytes; longer ones are cut by the sender.
pub const TITLE_BYTES: usize = 512;

/// Longest inline text in bytes. JSON may write a byte as six, and the frame must stay below
/// [`CONTROL_FRAME_BYTES`]. A longer text travels as a file.
pub const TEXT_BYTES: usize = 32 * 1024;

/// Largest file and largest transfer in bytes: the integers that JSON and JavaScript keep exact (2^53 - 1).
pub const TRANSFER_BYTES: u64 = (1 << 53) - 1;

/// Bytes that a sender may have on the way per transfer beyond what the receiver has written. A data channel has no
/// back-pressure on the receiving side, so this bounds the receiver's memory.
pub const RECEIVE_WINDOW_BYTES: u64 = 16 * 1024 * 1024;

/// The receiver returns credit once this much was written: often enough that the window never runs dry, seldom
/// enough that it costs nothing.
pub const CREDIT_STEP_BYTES: u64 = 2 * 1024 * 1024;

/// The receiver also returns credit once anything was written and this has passed since the last time: on a slow link the
/// sender would not learn for minutes that its bytes arrive. Milliseconds.
pub const CREDIT_INTERVAL_MS: u64 = 1_000;

/// A sender stops reading its source when this much waits in the channel. Chromium refuses more than 16 MiB.
pub const BUFFERED_HIGH_BYTES: u64 = 4 * 1024 * 1024;

/// The sender goes on when the channel has drained to this.
pub const BUFFERED_LOW_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes asked of a source at once. In Chromium each read of a file costs two round trips to its browser process: reads of
/// 512 KiB took a sixth of a transfer's time.
pub const READ_BYTES: u64 = 2 * 1024 * 1024;

/// Reads on their way at once per session.
pub const READS_AHEAD: usize = 2;

/// Transfers of one session that move bytes at once; the others wait. Bounds memory to this many windows.
pub const ACTIVE_TRANSFERS: usize = 8;

/// Proposals of one peer that wait for an answer; one more is declined as busy.
pub const PENDING_PROPOSALS: usize = 8;

/// Files of one transfer whose commit the sink has not confirmed: small files are pipelined up to this many.
pub const UNCOMMITTED_FILES: usize = 16;

/// While it sends, an end keeps the state of its digest at every multiple of this: a transfer that goes on after a loss need
/// not read again what both have. Bytes.
pub const CHECKPOINT_BYTES: u64 = 1024 * 1024;

/// How many of them: a receiver is behind by no more than what it granted, what waits in the channel and what was read.
pub const CHECKPOINTS: usize = 24;

/// How often a receiver starts a file again after its storage was interrupted (not: is full).
pub const STORAGE_RESTARTS: u32 = 3;

/// Pages, links and texts one peer may deliver per minute without being asked; more are declined as busy.
pub const ITEMS_PER_MINUTE: usize = 20;

/// Received pages, links and texts kept for the person to look at; the oldest goes first.
pub const KEPT_ITEMS: usize = 50;

/// Ended transfers kept for the person to look at; the oldest goes first.
pub const KEPT_TRANSFERS: usize = 50;

/// Transfers of one engine that have not ended; one more is refused as busy.
pub const OPEN_TRANSFERS: usize = 256;

/// Devices that one is paired with: each takes a room of the signaling server, or two at the turn of an hour.
pub const PAIRED_DEVICES: usize = 32;

/// Time for both persons to answer and to compare. Milliseconds.
pub const PAIRING_TIMEOUT_MS: u64 = 120_000;

/// After strings that differ, or a no, a device is not paired with for this long: each attempt is one guess of whoever may
/// be in between. Milliseconds.
pub const PAIRING_BACKOFF_MS: u64 = 60_000;

/// Bytes that one paired device may send unasked in 24 hours: it may be in the wrong hands.
pub const UNASKED_BYTES_PER_DAY: u64 = 10 * 1024 * 1024 * 1024;

/// Files that one paired device may send unasked in 24 hours.
pub const UNASKED_FILES_PER_DAY: u32 = 1_000;

/// Pages, links and texts of one paired device that open or are copied unasked, per minute and per hour; more wait for a
/// person.
pub const UNASKED_ITEMS_PER_MINUTE: usize = 5;
/// See [`UNASKED_ITEMS_PER_MINUTE`].
pub const UNASKED_ITEMS_PER_HOUR: usize = 60;

/// Groups that one device is in: with the room of its network and that of a code they are among the eight rooms that
/// [`ROOMS_PER_PEER`] leaves.
pub const GROUPS: usize = 4;

/// Other devices that may be near at one public address and not paired, before it is taken for one that strangers share.
pub const UNRELATED_DEVICES: usize = 8;

/// A room that the server refused is asked for again after this. Milliseconds.
pub const ROOM_RETRY_MS: u64 = 60_000;

/// Sessions at once; one more peer is refused as busy.
pub const SESSIONS: usize = 32;

/// Peer connections that peers opened and that are not open yet, over all peers.
pub const INCOMING_CONNECTIONS: usize = 8;

/// Remote candidates kept while the remote description is still missing, per connection.
pub const EARLY_CANDIDATES: usize = 64;

/// A connection must be open after this, or its transfers fail. Milliseconds.
pub const CONNECT_TIMEOUT_MS: u64 = 30_000;

/// One attempt to connect is given up after this and another one made, within [`CONNECT_TIMEOUT_MS`]. Milliseconds.
pub const CONNECT_ATTEMPT_MS: u64 = 10_000;

/// A failed attempt to connect is tried again after this. Milliseconds.
pub const CONNECT_RETRY_MS: u64 = 1_000;

/// A connection reported as disconnected often recovers by itself; after this an ICE restart is tried. Milliseconds.
pub const ICE_RESTART_DELAY_MS: u64 = 2_000;

/// An ICE restart that brought nothing is repeated after this. Milliseconds.
pub const ICE_RESTART_RETRY_MS: u64 = 5_000;

/// How often a proposal is made when its connection breaks before an answer.
pub const PROPOSAL_RETRIES: u32 = 3;

/// Longest wait before a device that is there, and with which no connection comes up, is tried again for what waits for it:
/// whoever sees the network come back does not wait for long. Milliseconds.
pub const WAITING_RETRY_MS: u64 = 8_000;

/// A sender that reads what its receiver has, to compare it, shows life this often. Milliseconds.
pub const COMPARING_PING_MS: u64 = 5_000;

/// How often a transfer is resumed without having moved a byte in between.
pub const FRUITLESS_RESUMPTIONS: u32 = 10;

/// A transfer waits this long for its device. Milliseconds.
pub const WAITING_TIMEOUT_MS: u64 = 7 * 24 * 60 * 60_000;

/// Ended transfers of which a receiver remembers how they ended, for senders that have not heard it.
pub const REMEMBERED_OUTCOMES: usize = 256;
/// Those of one device.
pub const REMEMBERED_OUTCOMES_OF_DEVICE: usize = 64;

/// A running transfer that moves nothing for this long has lost its connection, whatever that says. Milliseconds.
pub const STALL_TIMEOUT_MS: u64 = 60_000;

/// A proposal that nobody answers ends after this. Milliseconds.
pub const PROPOSAL_TIMEOUT_MS: u64 = 10 * 60_000;

/// After the server says that a peer has left, an open connection must show life within this. Milliseconds.
pub const LEFT_PEER_TIMEOUT_MS: u64 = 5_000;

/// A connection without transfers is closed after this. Milliseconds.
pub const IDLE_TIMEOUT_MS: u64 = 120_000;

/// The server must answer hello within this. Milliseconds.
pub const SIGNALING_HELLO_TIMEOUT_MS: u64 = 10_000;

/// When a path is lost, the way to the server may be as well: it must answer within this. Milliseconds.
pub const SIGNALING_PROBE_TIMEOUT_MS: u64 = 5_000;

/// First and longest wait before the server is tried again (full jitter in between). Milliseconds.
pub const SIGNALING_BACKOFF_MIN_MS: u64 = 500;
/// See [`SIGNALING_BACKOFF_MIN_MS`].
pub const SIGNALING_BACKOFF_MAX_MS: u64 = 30_000;

/// The same while a transfer waits for its device: a person looks on, and few devices are in that state. Milliseconds.
pub const SIGNALING_BACKOFF_HURRIED_MS: u64 = 4_000;

/// Peers in one room.
pub const ROOM_PEERS: usize = 32;

/// Peers in the room of one pair: two devices, each present through a browser and natively, and as many more for sockets
/// that are lost and not yet known to be.
pub const PAIR_ROOM_PEERS: usize = 8;

/// Rooms one peer may be in at once: 32 paired devices with two tags each while one is replaced by the next, and eight
/// others.
pub const ROOMS_PER_PEER: usize = 72;

/// ICE servers a server may announce, and the longest URL in bytes.
pub const ICE_SERVERS: usize = 8;
/// See [`ICE_SERVERS`].
pub const ICE_SERVER_URL_BYTES: usize = 256;

/// Credentials for a TURN server are good for so long, and replaced after half of it: whoever is connected has some that are
/// good for three hours at least, also while the signaling server is away. What is relayed by then goes on. Seconds.
pub const TURN_CREDENTIAL_LIFE_SECONDS: u64 = 6 * 60 * 60;

/// Longest secret that is shared with TURN servers, in bytes: more than HMAC-SHA1 has any use for.
pub const TURN_SECRET_BYTES: usize = 1024;

// The signaling server. Those that a server's operator may change are defaults.

/// Connections one server holds at once: two thousand rooms of ten, in a few hundred MiB.
pub const SERVER_CONNECTIONS: u32 = 20_000;

/// Connections that have not said hello yet; further ones wait in the listening queue.
pub const PENDING_CONNECTIONS: u32 = 256;

/// From the arrival of a connection to its hello, TLS and HTTP included. Milliseconds.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;

/// Connections at once from one source: a public IPv4 address or an IPv6 /64. A household or small office.
pub const SOURCE_CONNECTIONS: u32 = 32;

/// New connections of one source per minute, and how many may come at once (all devices of an office after an outage).
pub const SOURCE_NEW_PER_MINUTE: u32 = 20;
/// See [`SOURCE_NEW_PER_MINUTE`].
pub const SOURCE_NEW_BURST: u32 = 40;

/// An IPv6 /48 holds 65,536 sources, all of which may be one person's: together they get as much as this many.
pub const SITE_SOURCES: u32 = 8;

/// Sources a server keeps count of: some 10 MiB. A further one is refused until others are forgotten.
pub const SOURCES_REMEMBERED: usize = 100_000;

/// A code is open for so long: read aloud and typed in by then. Milliseconds.
pub const CODE_LIFE_MS: u64 = 10 * 60_000;

/// A device and its server count the life of a code from moments that differ by this at most. Milliseconds.
pub const CODE_LIFE_SLACK_MS: u64 = 5_000;

/// Guests of one code, one after the other: a person mistypes the secret once or twice, and whoever guesses has no more
/// tries than that. The device that shows the code counts wrong ones itself.
pub const CODE_GUESTS: u32 = 3;

/// Codes that one source may have open: one for each person of a household.
pub const SOURCE_CODES: u32 = 4;

/// Attempts of one source to open or enter a code, at once and per minute from then on. Nobody types faster.
pub const CODE_ATTEMPTS_PER_MINUTE: u32 = 10;

/// The same at once, and per hour from then on: must be a multiple of 60.
pub const CODE_ATTEMPTS_PER_HOUR: u32 = 60;

/// Messages one socket may send at once, and per minute from then on. One connection takes about a dozen.
pub const MESSAGES_BURST: u32 = 120;
/// See [`MESSAGES_BURST`].
pub const MESSAGES_PER_MINUTE: u32 = 120;

/// Refused messages (invalid, out of order, too many) after which a socket is closed, and how many per minute are
/// forgotten.
pub const REFUSALS_BURST: u32 = 16;
/// See [`REFUSALS_BURST`].
pub const REFUSALS_PER_MINUTE: u32 = 6;

/// Messages and bytes that wait for one socket; who reads more slowly than that is cut.
pub const QUEUE_MESSAGES: usize = 64;
/// See [`QUEUE_MESSAGES`].
pub const QUEUE_BYTES: usize = 256 * 1024;

/// One write to a socket may block for this long. Milliseconds.
pub const BLOCKED_WRITE_MS: u64 = 10_000;

/// A socket is pinged this often: below the 30 s after which the strictest address translators forget it. Milliseconds.
pub const PING_INTERVAL_MS: u64 = 25_000;

/// A socket that was silent for this long, pings included, is dead. Milliseconds.
pub const SILENCE_TIMEOUT_MS: u64 = 60_000;

/// A server that stops gives its sockets this long to close. Milliseconds.
pub const DRAIN_TIMEOUT_MS: u64 = 5_000;

/// Read buffer of one WebSocket in bytes. Most clients are idle, and this is what an idle one costs; most messages fit.
pub const SOCKET_READ_BUFFER_BYTES: usize = 2 * 1024;

/// Send and receive buffers of one socket in the kernel, in bytes: else a client that does not read is noticed
/// only after megabytes.
pub const SOCKET_KERNEL_BUFFER_BYTES: u32 = 64 * 1024;

/// Longest relayed message in bytes: one Noise record, and room for a header in front of it.
pub const RELAY_FRAME_BYTES: usize = 65_535 + 64;

/// Longest text message on a relay's socket in bytes, either direction: a ticket or a number.
pub const RELAY_MESSAGE_BYTES: usize = 1024;

/// Bytes that one end of a relayed connection may have on their way to the other: what 20 ms take at 50 MB/s. The server
/// keeps none of them but the message in hand; the rest is in the kernels' buffers, and in the sender's.
pub const RELAY_CREDIT_BYTES: u64 = 1024 * 1024;

/// The server gives credit back in steps of this: often enough that the window never runs dry.
pub const RELAY_CREDIT_STEP_BYTES: u64 = RELAY_CREDIT_BYTES / 4;

/// Read buffer of a relay's socket in bytes: a long message in few pieces.
pub const RELAY_READ_BUFFER_BYTES: usize = 32 * 1024;

/// Both ends must have joined a relayed connection this long after one of them got the ticket: a signal and two
/// connections, on slow links. Milliseconds.
pub const RELAY_TICKET_LIFE_MS: u64 = 30_000;

/// One write to a relayed socket may block for this long. Longer than for signaling, since nobody else waits: the other
/// end's disk may be slow. Below [`SILENCE_TIMEOUT_MS`], since the sender's pongs wait behind. Milliseconds.
pub const RELAY_BLOCKED_WRITE_MS: u64 = 30_000;

/// Relayed connections of one source: a household's devices, several at once. It takes what it asked for.
pub const SOURCE_RELAYS: u32 = 8;

/// Relayed connections of one server: some 300 MiB if all of them are busy.
pub const RELAYS: u32 = 1_000;

/// Tickets of one source that two ends have not joined with: one for each connection that it may have.
pub const SOURCE_RELAY_TICKETS: u32 = 8;

/// Such tickets of one server.
pub const RELAY_TICKETS: usize = 4_000;

/// GiB that one source may have relayed in a day. What it costs an operator is bandwidth, and large files are better sent
/// in one network.
pub const SOURCE_RELAY_GIB_PER_DAY: u32 = 10;

/// Longest frame between the native host, its daemon and an extension in bytes. Chromium disconnects a host that says more at
/// once (1 MiB, see "Native messaging" in Chrome's documentation for extensions).
pub const NATIVE_FRAME_BYTES: usize = 1024 * 1024;

/// Clients of one daemon at a time.
pub const NATIVE_CLIENTS: usize = 16;
