//! A device id as people compare, read aloud and type it: `MRSX-M2LD-…`, seven groups of four characters of base 32. The
//! last two check the rest. Knows letters only, neither keys nor how they are shown.
//!
//! The checks are those of a Reed-Solomon code over the field of 32 elements: any one or two wrong characters are found,
//! so also any two that changed places, neighbours or not. Of other mistakes one in 1,024 stays unnoticed.

use crate::id::DeviceId;

/// The 32 characters, by value (RFC 4648): no 0, 1, 8 or 9.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of the id itself.
const ID_CHARACTERS: usize = 26;

/// All characters, without hyphens.
const CHARACTERS: usize = ID_CHARACTERS + 2;

/// Characters between two hyphens.
const GROUP: usize = 4;

/// Why a text is no spelled device id, for a hint to whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misspelled {
    /// Characters are missing, or too many.
    #[error("a device id has {CHARACTERS} letters and digits")]
    Length,
    /// A character that no id has.
    #[error("a device id has the letters A to Z and the digits 2 to 7")]
    Character,
    /// A character is not the right one, or two changed places.
    #[error("a character of the device id is wrong")]
    Check,
}

impl DeviceId {
    /// The id as people read it: seven groups of four capitals and digits, with hyphens.
    pub fn spelled(&self) -> String {
        let mut values = [0; ID_CHARACTERS];
        for (value, character) in values.iter_mut().zip(self.to_string().bytes()) {
            *value = value_of(character).unwrap_or_default();
        }
        let mut text = String::new();
        for (index, value) in values.iter().chain(&checks(&values)).enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[usize::from(*value)]));
        }
        text
    }

    /// Reads what a person typed. Capitals, spaces and hyphens don't matter; 0, 1 and 8 are taken for the letters that they
    /// look like.
    pub fn from_spelled(text: &str) -> Result<Self, Misspelled> {
        let mut values = [0; CHARACTERS];
        let mut length = 0;
        for character in text.chars() {
            if character == '-' || character.is_whitespace() {
                continue;
            }
            let value = u8::try_from(character).ok().and_then(value_of);
            let value = value.ok_or(Misspelled::Character)?;
            *values.get_mut(length).ok_or(Misspelled::Length)? = value;
            length += 1;
        }
        if length != CHARACTERS {
            return Err(Misspelled::Length);
        }
        let (id, found) = values.split_at(ID_CHARACTERS);
        if checks(id) != found {
            return Err(Misspelled::Check);
        }
        let letters = id.iter().map(|&value| ALPHABET[usize::from(value)]);
        let id: String = letters
            .map(|letter| char::from(letter.to_ascii_lowercase()))
            .collect();
        // Two bits of the last character belong to no byte and are zero.
        id.parse().map_err(|_| Misspelled::Check)
    }
}

fn value_of(character: u8) -> Option<u8> {
    match character {
        b'a'..=b'z' => Some(character - b'a'),
        b'A'..=b'Z' => Some(character - b'A'),
        b'2'..=b'7' => Some(character - b'2' + 26),
        b'0' => value_of(b'O'),
        b'1' => value_of(b'I'),
        b'8' => value_of(b'B'),
        _ => None,
    }
}

/// The remainder of the id as a polynomial, shifted by two places, divided by (x - a)(x - a²) = x² + 6x + 8, where a = 2.
fn checks(values: &[u8]) -> [u8; 2] {
    let mut remainder = [0; 2];
    for value in values {
        let factor = remainder[0] ^ value;
        remainder = [remainder[1] ^ product(factor, 6), product(factor, 8)];
    }
    remainder
}

/// The product in the field of 32 elements with the polynomial x⁵ + x² + 1, of which 2 generates all 31 but zero.
fn product(a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in (0..5).rev() {
        product <<= 1;
        if product & 0b10_0000 != 0 {
            product ^= 0b10_0101;
        }
        if b >> bit & 1 != 0 {
            product ^= a;
        }
    }
    product
}
