//! The codes that people type: eight characters of base 32, shown as `ABCD-EFGH`. A secret code brings two devices together
//! once; its first half names the place for the server, its second half never leaves the device. A group code names a
//! group's room and is known to the server. Knows letters only, neither how a code is proved nor how long it lives.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The 32 characters by value (Crockford): digits, then capitals without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code, without the hyphen.
const CHARACTERS: usize = 8;

/// Characters of each half.
const HALF: usize = 4;

/// What a link's fragment begins with when a code follows.
const FRAGMENT: &str = "code=";

/// Why a typed text is no code, for a hint to whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistyped {
    /// Characters are missing.
    #[error("the code has {CHARACTERS} letters and digits; some are missing")]
    TooShort,
    /// There are more.
    #[error("the code has {CHARACTERS} letters and digits; these are more")]
    TooLong,
    /// A character that no code has, U among them. Is said before a wrong length is.
    #[error("the code has no such character")]
    Character,
}

/// A text from another device that is not the code it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid code")]
pub struct InvalidCode;

/// Where two devices with the same code meet: its first four characters, 20 bits. The server sees it, and it is no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nameplate([u8; HALF]);

impl fmt::Display for Nameplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text_of(&self.0))
    }
}

impl fmt::Debug for Nameplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes capitals only, as they are sent.
impl FromStr for Nameplate {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        canonical(text).map(Self)
    }
}

impl TryFrom<String> for Nameplate {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, InvalidCode> {
        text.parse()
    }
}

impl From<Nameplate> for String {
    fn from(nameplate: Nameplate) -> Self {
        nameplate.to_string()
    }
}

/// What proves that two devices have the same code: its last four characters, 20 bits. Is never sent, not printed, and wiped
/// from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; HALF]>);

impl Secret {
    /// The four characters in capitals, for the proof.
    pub(crate) fn expose_characters(&self) -> &[u8; HALF] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A code for one connection between two devices.
#[derive(Debug, Clone)]
pub struct SecretCode {
    /// For the server.
    pub nameplate: Nameplate,
    /// For nobody but the two.
    pub secret: Secret,
}

impl SecretCode {
    /// The code of these 40 bits, which the caller drew at random.
    pub fn from_random(bytes: [u8; 5]) -> Self {
        Self::of(&Zeroizing::new(characters_of(bytes)))
    }

    /// Reads what a person typed. Case, white space and hyphens of any kind don't matter; O is taken for 0, I and L for 1.
    pub fn from_typed(text: &str) -> Result<Self, Mistyped> {
        let mut characters = Zeroizing::new([0; CHARACTERS]);
        read_typed(text, &mut characters)?;
        Ok(Self::of(&characters))
    }

    /// Reads a link that carries a code in its fragment, or a code. Errors as [`SecretCode::from_typed`] does.
    pub fn from_pasted(text: &str) -> Result<Self, Mistyped> {
        let fragment = text.split_once('#').map(|(_, fragment)| fragment);
        let code = fragment.and_then(|fragment| fragment.strip_prefix(FRAGMENT));
        Self::from_typed(code.unwrap_or(text))
    }

    /// The code as people read it: `ABCD-EFGH`.
    pub fn spelled(&self) -> Zeroizing<String> {
        let text = spelled(&self.nameplate.0, self.secret.expose_characters());
        Zeroizing::new(text)
    }

    /// What makes a link to our page carry the code: `#code=ABCDEFGH`. Browsers send no server the fragment of a link.
    pub fn fragment(&self) -> Zeroizing<String> {
        let nameplate = text_of(&self.nameplate.0);
        let secret = Zeroizing::new(text_of(self.secret.expose_characters()));
        Zeroizing::new(["#", FRAGMENT, &nameplate, &secret].concat())
    }

    fn of(characters: &[u8; CHARACTERS]) -> Self {
        let [nameplate, secret] = halves(characters);
        Self {
            nameplate: Nameplate(nameplate),
            secret: Secret(Zeroizing::new(secret)),
        }
    }
}

/// A [`SecretCode`] as a text, on its way between a page and its engine. Is not printed, and wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct CodeText(Zeroizing<String>);

impl CodeText {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeText")
    }
}

impl From<String> for CodeText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for CodeText {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl From<CodeText> for String {
    fn from(text: CodeText) -> Self {
        (*text.0).clone()
    }
}

/// The code of a group, 40 bits, by which its devices find each other. The server is sent all of it; other people must not be, so
/// it is not printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupCode([u8; CHARACTERS]);

impl GroupCode {
    /// The code of these 40 bits, which the caller drew at random.
    pub fn from_random(bytes: [u8; 5]) -> Self {
        Self(characters_of(bytes))
    }

    /// Reads what a person typed, as [`SecretCode::from_typed`] does.
    pub fn from_typed(text: &str) -> Result<Self, Mistyped> {
        let mut characters = [0; CHARACTERS];
        read_typed(text, &mut characters)?;
        Ok(Self(characters))
    }

    /// The code as people read it: `ABCD-EFGH`.
    pub fn spelled(&self) -> String {
        let [first, last] = halves(&self.0);
        spelled(&first, &last)
    }
}

impl fmt::Debug for GroupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupCode")
    }
}

/// Takes eight capitals and digits only, as they are sent.
impl FromStr for GroupCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        canonical(text).map(Self)
    }
}

impl TryFrom<String> for GroupCode {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, InvalidCode> {
        text.parse()
    }
}

impl From<GroupCode> for String {
    fn from(code: GroupCode) -> Self {
        text_of(&code.0)
    }
}

/// Five bits for each character, from the highest.
fn characters_of(bytes: [u8; 5]) -> [u8; CHARACTERS] {
    let bits = bytes
        .iter()
        .fold(0, |bits: u64, byte| bits << 8 | u64::from(*byte));
    let mut characters = [0; CHARACTERS];
    for (place, character) in characters.iter_mut().rev().enumerate() {
        // Below 32.
        *character = ALPHABET[(bits >> (5 * place) & 0b1_1111) as usize];
    }
    characters
}

fn halves(characters: &[u8; CHARACTERS]) -> [[u8; HALF]; 2] {
    let [a, b, c, d, e, f, g, h] = *characters;
    [[a, b, c, d], [e, f, g, h]]
}

fn spelled(first: &[u8; HALF], last: &[u8; HALF]) -> String {
    let characters = first.iter().chain(b"-").chain(last);
    characters.map(|&character| char::from(character)).collect()
}

fn text_of(characters: &[u8]) -> String {
    characters
        .iter()
        .map(|&character| char::from(character))
        .collect()
}

/// The characters of a text that has exactly these, in capitals.
fn canonical<const N: usize>(text: &str) -> Result<[u8; N], InvalidCode> {
    let characters: [u8; N] = text.as_bytes().try_into().map_err(|_| InvalidCode)?;
    if characters.iter().all(|found| ALPHABET.contains(found)) {
        Ok(characters)
    } else {
        Err(InvalidCode)
    }
}

fn read_typed(text: &str, characters: &mut [u8; CHARACTERS]) -> Result<(), Mistyped> {
    let mut length = 0;
    for typed in text.chars().filter(|typed| !separates(*typed)) {
        let character = character_of(typed).ok_or(Mistyped::Character)?;
        if let Some(place) = characters.get_mut(length) {
            *place = character;
        }
        length += 1;
    }
    match length {
        0..CHARACTERS => Err(Mistyped::TooShort),
        CHARACTERS => Ok(()),
        _ => Err(Mistyped::TooLong),
    }
}

/// White space, also such without a width, and whatever keyboards and word processors make of a hyphen.
const fn separates(typed: char) -> bool {
    typed.is_whitespace()
        || matches!(
            typed,
            '-' | '\u{AD}' | '\u{200B}' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2043}'
                    | '\u{2060}'
                    | '\u{2212}'
                    | '\u{30FC}'
                    | '\u{FE58}'
                    | '\u{FE63}'
                    | '\u{FEFF}'
                    | '\u{FF0D}'
        )
}

fn character_of(typed: char) -> Option<u8> {
    let capital = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        capital => capital,
    };
    let capital = u8::try_from(capital).ok()?;
    ALPHABET.contains(&capital).then_some(capital)
}
