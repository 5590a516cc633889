//! Bytes as text of digits that stand for a few bits each, the first for the highest. One spelling for each value: every
//! other text is refused. Knows no meaning. By hand, because a general library for it is 10 KiB of wasm.

/// One way to write bytes.
#[derive(Debug)]
pub(crate) struct Digits {
    bits: u32,
    alphabet: &'static [u8],
}

/// Lower-case hexadecimal.
pub(crate) const HEX: Digits = Digits {
    bits: 4,
    alphabet: b"0123456789abcdef",
};

/// Lower-case base 32 (RFC 4648) without padding.
pub(crate) const BASE32: Digits = Digits {
    bits: 5,
    alphabet: b"abcdefghijklmnopqrstuvwxyz234567",
};

impl Digits {
    /// How many digits these many bytes take. What the last one has beyond the bytes is zero.
    const fn length(&self, bytes: usize) -> usize {
        (bytes * 8).div_ceil(self.bits as usize)
    }

    pub(crate) fn encode(&self, bytes: &[u8]) -> String {
        // Never grows: a text that must be wiped has no copies.
        let mut text = String::with_capacity(self.length(bytes.len()));
        let mut push = |value: u32| {
            let value = value as usize % self.alphabet.len();
            text.push(char::from(self.alphabet[value]));
        };
        let (mut pending, mut pending_bits) = (0u32, 0);
        for byte in bytes {
            pending = pending << 8 | u32::from(*byte);
            pending_bits += 8;
            while pending_bits >= self.bits {
                pending_bits -= self.bits;
                push(pending >> pending_bits);
            }
        }
        if pending_bits > 0 {
            push(pending << (self.bits - pending_bits));
        }
        text
    }

    /// Fills `bytes` with what [`encode`](Self::encode) made this text of. `None` if it made it of no bytes of that
    /// length.
    pub(crate) fn decode(&self, text: &str, bytes: &mut [u8]) -> Option<()> {
        if text.len() != self.length(bytes.len()) {
            return None;
        }
        let mut bytes = bytes.iter_mut();
        let (mut pending, mut pending_bits) = (0u32, 0);
        for digit in text.bytes() {
            let value = (0..).zip(self.alphabet).find(|(_, known)| **known == digit);
            pending = pending << self.bits | value?.0;
            pending_bits += self.bits;
            if pending_bits >= 8 {
                pending_bits -= 8;
                let [.., byte] = (pending >> pending_bits).to_be_bytes();
                *bytes.next()? = byte;
                pending &= (1 << pending_bits) - 1;
            }
        }
        (pending == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE32_NOPAD, HEXLOWER};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn decoded(digits: &Digits, text: &str, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        digits.decode(text, &mut bytes).map(|()| bytes)
    }

    proptest! {
        #[test]
        fn bytes_are_written_as_a_library_writes_them(bytes in vec(any::<u8>(), 0..70)) {
            let base32 = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
            for (digits, text) in [(HEX, HEXLOWER.encode(&bytes)), (BASE32, base32)] {
                prop_assert_eq!(&digits.encode(&bytes), &text);
                prop_assert_eq!(decoded(&digits, &text, bytes.len()), Some(bytes.clone()));
                prop_assert_eq!(decoded(&digits, &text, bytes.len() + 1), None);
            }
        }

        #[test]
        fn no_text_is_read_that_a_library_refuses(hex in "[0-9a-g]{0,9}", base32 in "[a-z2-8]{0,17}|[ab]{0,17}") {
            let expected = HEXLOWER.decode(hex.as_bytes()).ok();
            prop_assert_eq!(decoded(&HEX, &hex, hex.len() / 2), expected);
            let expected = BASE32_NOPAD.decode(base32.to_ascii_uppercase().as_bytes()).ok();
            prop_assert_eq!(decoded(&BASE32, &base32, base32.len() * 5 / 8), expected);
        }
    }
}
