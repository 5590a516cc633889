//! What pairing and codes make of fixed values, for its golden files and for the wasm build, which must come to the same. Knows
//! no test framework.

use tabferry_protocol::emoji::EMOJI;
use tabferry_protocol::pair::{PairHalf, PairSecret};
use tabferry_protocol::sas::{Asked, Asker, Nonce, WrongNonce};
use tabferry_protocol::secret_code::{GroupCode, SecretCode};

/// Each value as text, under the name of its golden file.
pub(crate) fn pairing() -> Result<[(&'static str, String); 7], WrongNonce> {
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
    let codes = [
        [0x00, 0x44, 0x32, 0x14, 0xC7],
        [0xC6, 0x75, 0xBE, 0x77, 0xDF],
    ]
    .map(|bytes| {
        let code = SecretCode::from_random(bytes);
        let group = String::from(GroupCode::from_random(bytes));
        let [spelled, fragment] = [code.spelled(), code.fragment()].map(|text| text.to_string());
        format!("{spelled} {} {group} {fragment}\n", code.nameplate)
    });
    Ok([
        ("codes.txt", codes.concat()),
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
