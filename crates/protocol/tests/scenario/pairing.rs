//! What pairing computes from fixed values, for its golden files and for the wasm build, which must come to the same. Knows
//! no test framework.

use tabferry_protocol::emoji::EMOJI;
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::sas::{Asked, Asker, Nonce, WrongNonce};

/// Each value as text, under the name of its golden file.
pub(crate) fn pairing() -> Result<[(&'static str, String); 6], WrongNonce> {
    let transcript = *b"the transcript of one handshake.";
    let (asker, commitment) = Asker::new(transcript, Nonce::from_bytes([0xA1; 32]));
    let answer = Nonce::from_bytes([0xB2; 32]);
    let asked = Asked::new(transcript, answer, commitment);
    let (shown, sas) = asker.answer(&answer);
    if asked.reveal(&shown)? != sas {
        return Err(WrongNonce);
    }
    let choices = sas.choices([0xC3; 32]);
    let lines = |strings: &[_]| {
        let lines = strings.iter().map(|symbols: &[u8; 4]| {
            let words = symbols.map(|symbol| {
                let (character, word) = EMOJI[usize::from(symbol)];
                format!("{symbol} {character} {word}")
            });
            words.join(", ") + "\n"
        });
        lines.collect::<String>()
    };
    let secret = PairSecret::of_halves(
        &PairHalf::from_bytes([0xD4; 32]),
        &PairHalf::from_bytes([0xE5; 32]),
    );
    let symbols: String = EMOJI
        .iter()
        .enumerate()
        .map(|(index, (character, word))| format!("{index} {character} {word}\n"))
        .collect();
    Ok([
        ("commitment.txt", String::from(commitment) + "\n"),
        ("string.txt", lines(&[sas.symbols()])),
        (
            "choices.txt",
            lines(&choices.shown.map(|sas| sas.symbols())),
        ),
        ("secret.txt", secret.expose_text().to_string() + "\n"),
        (
            "tags.txt",
            [0, 490_000, u64::MAX]
                .map(|hour| format!("{hour} {}\n", secret.tag(hour)))
                .concat(),
        ),
        ("symbols.txt", symbols),
    ])
}
