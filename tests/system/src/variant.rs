//! The attacks by name, and what honest devices have to make of each. How an attack is done is in `attack.rs`.

use core::fmt;
use core::str::FromStr;

/// One way to attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Both ends talk to peer connections of the attacker, who passes every frame on unchanged.
    Middle,
    /// The same, but the attacker shakes hands with each end, with a device key of its own.
    MiddleWithOwnKey,
    /// Both ends are told the attacker's certificate, but nobody presents it.
    SwapBoth,
    /// Only the end that answers is told the attacker's certificate.
    SwapOffer,
    /// Only the end that offers is.
    SwapAnswer,
    /// A description names the attacker's certificate beside the right one.
    Append,
    /// A description names its certificate by SHA-1 only.
    Sha1,
    /// Signals of an earlier connection take the place of the present ones.
    ReplayInstead,
    /// Signals of an earlier connection come along with the present ones.
    ReplayBeside,
    /// What an end says comes back to it as said by the other end.
    Reflect,
    /// What an end says to one peer comes back to it as said by another one: it connects to itself.
    Mirror,
    /// The answers of two peers are exchanged.
    Splice,
    /// An offer for one peer goes to another one, whose answer comes back in the first one's name.
    Divert,
    /// Two devices are announced by each other's card.
    SwapCards,
    /// A device is announced by an id that is not its own.
    FalseId,
    /// A device is announced by a name that is not its own.
    FalseName,
    /// The answerer's half of the session is changed.
    Nonce,
    /// A certificate is changed in the restart of ICE of an open session, and not before.
    Restart,
}

/// What has to come of an attack. Nothing is ever delivered to another device than the one that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing gets through. Both ends that were brought together report that they can't verify each other.
    Unverified,
    /// Nothing gets through. The end that reads a changed description reports that it can't verify the other end, which
    /// reports the same if the attacker lets it be told, and else that the device can't be reached.
    Refused,
    /// Nothing gets through. A device reports that it can't verify those in whose names it was told its own words.
    Mirrored,
    /// Nothing gets through. The device can't be reached.
    Unreachable,
    /// Nothing gets through. Connections come together by chance, if at all: the device can't be reached or verified.
    Confused,
    /// Connections may be lost, and nothing else: all of a transfer arrives, or the device can't be reached.
    Disturbed,
    /// Everything arrives, and is said to come from who has sent it.
    Arrives,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Middle,
        Self::MiddleWithOwnKey,
        Self::SwapBoth,
        Self::SwapOffer,
        Self::SwapAnswer,
        Self::Append,
        Self::Sha1,
        Self::ReplayInstead,
        Self::ReplayBeside,
        Self::Reflect,
        Self::Mirror,
        Self::Splice,
        Self::Divert,
        Self::SwapCards,
        Self::FalseId,
        Self::FalseName,
        Self::Nonce,
        Self::Restart,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Middle => "middle",
            Self::MiddleWithOwnKey => "middle-with-own-key",
            Self::SwapBoth => "swap-both",
            Self::SwapOffer => "swap-offer",
            Self::SwapAnswer => "swap-answer",
            Self::Append => "append",
            Self::Sha1 => "sha-1",
            Self::ReplayInstead => "replay-instead",
            Self::ReplayBeside => "replay-beside",
            Self::Reflect => "reflect",
            Self::Mirror => "mirror",
            Self::Splice => "splice",
            Self::Divert => "divert",
            Self::SwapCards => "swap-cards",
            Self::FalseId => "false-id",
            Self::FalseName => "false-name",
            Self::Nonce => "nonce",
            Self::Restart => "restart",
        }
    }

    /// What has to come of it.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Middle
            | Self::MiddleWithOwnKey
            | Self::SwapBoth
            | Self::SwapOffer
            | Self::SwapAnswer
            | Self::Divert
            | Self::SwapCards
            | Self::FalseId
            | Self::Nonce
            | Self::Restart => Outcome::Unverified,
            Self::Append | Self::Sha1 => Outcome::Refused,
            Self::Mirror => Outcome::Mirrored,
            Self::ReplayInstead | Self::Reflect => Outcome::Unreachable,
            Self::Splice => Outcome::Confused,
            Self::ReplayBeside => Outcome::Disturbed,
            Self::FalseName => Outcome::Arrives,
        }
    }

    /// Whether it takes three devices.
    pub fn takes_three(self) -> bool {
        matches!(
            self,
            Self::Mirror | Self::Splice | Self::Divert | Self::SwapCards
        )
    }

    /// Whether the attacker has peer connections of its own, which take all signals.
    pub fn has_legs(self) -> bool {
        matches!(self, Self::Middle | Self::MiddleWithOwnKey)
    }

    /// Whether devices are told lies about each other, which they believe until they are told anew who is there.
    pub fn lies(self) -> bool {
        matches!(self, Self::SwapCards | Self::FalseId | Self::FalseName)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no attack has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariant(String);

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no attack {:?}", self.0)
    }
}

impl core::error::Error for UnknownVariant {}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == name)
            .ok_or_else(|| UnknownVariant(name.to_owned()))
    }
}
