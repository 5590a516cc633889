//! Credentials for TURN servers that share a secret with this one: good for a while, and for whoever has them. As coturn
//! takes them with `use-auth-secret`: the user's name is the second in which they expire, and the password follows from the
//! name. It must not know any clock or randomness.

use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64;
use ring::hmac;
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::TURN_SECRET_BYTES;
use tabferry_protocol::signaling::IceServer;

/// TURN servers, as they are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnConfig {
    /// `turn:` and `turns:` URLs.
    pub urls: Vec<String>,
    /// A file with the secret, which the TURN servers have as `static-auth-secret`.
    pub secret_file: PathBuf,
    /// How long credentials are good.
    pub life: Duration,
}

/// The secret can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The file can't be read.
    #[error("can't read the TURN secret in {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not one line of text.
    #[error("{} must contain the TURN servers' static-auth-secret on one line, and nothing else", .0.display())]
    NotALine(PathBuf),
    /// The file is empty.
    #[error("{} is empty: it must contain the TURN servers' static-auth-secret", .0.display())]
    Empty(PathBuf),
    /// The secret is too long.
    #[error("the TURN secret in {} is longer than {TURN_SECRET_BYTES} bytes", .0.display())]
    TooLong(PathBuf),
}

/// TURN servers and the secret that is shared with them.
#[derive(Debug)]
pub(crate) struct Turn {
    urls: Vec<String>,
    // Its `Debug` shows no key.
    secret: hmac::Key,
    life: Duration,
}

impl Turn {
    /// Reads the secret.
    pub(crate) fn load(config: &TurnConfig) -> Result<Self, TurnError> {
        let path = &config.secret_file;
        let bytes = std::fs::read(path).map_err(|error| TurnError::Read {
            path: path.clone(),
            error,
        })?;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(TurnError::Empty(path.clone()));
        }
        if line.len() > TURN_SECRET_BYTES {
            return Err(TurnError::TooLong(path.clone()));
        }
        if line.iter().any(u8::is_ascii_control) {
            return Err(TurnError::NotALine(path.clone()));
        }
        Ok(Self::new(config.urls.clone(), line, config.life))
    }

    fn new(urls: Vec<String>, secret: &[u8], life: Duration) -> Self {
        Self {
            urls,
            // Broken for signatures, not for this, and what TURN servers expect.
            secret: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret),
            life,
        }
    }

    /// After so long a client should have new credentials: half of their life.
    pub(crate) fn renewal(&self) -> Duration {
        self.life / 2
    }

    /// The servers with credentials made at `now`, in seconds since 1970, with random bits that tell them from others.
    pub(crate) fn servers(&self, now: u64, random: [u8; 16]) -> Vec<IceServer> {
        let expires = now.saturating_add(self.life.as_secs());
        let username = format!("{expires}:{}", PeerId::from_bytes(random));
        let tag = hmac::sign(&self.secret, username.as_bytes());
        let credential = BASE64.encode(tag.as_ref());
        let servers = self.urls.iter().map(|url| IceServer {
            url: url.clone(),
            username: Some(username.clone()),
            credential: Some(credential.clone()),
        });
        servers.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    const NOW: u64 = 1_785_000_000;

    fn turn(secret: &[u8]) -> Turn {
        let urls = vec![
            "turn:turn.example.org:3478".to_owned(),
            "turns:turn.example.org:5349".to_owned(),
        ];
        Turn::new(urls, secret, Duration::from_secs(3600))
    }

    #[test]
    fn credentials_are_what_a_turn_server_computes() {
        let servers = turn(b"north").servers(NOW, [0; 16]);
        let username = "1785003600:aaaaaaaaaaaaaaaaaaaaaaaaaa";
        // printf %s USERNAME | openssl dgst -sha1 -hmac north -binary | base64
        let credential = "HefYm1H60hDoWOp8qXJAyrXhxKQ=";
        let expected =
            ["turn:turn.example.org:3478", "turns:turn.example.org:5349"].map(|url| IceServer {
                url: url.to_owned(),
                username: Some(username.to_owned()),
                credential: Some(credential.to_owned()),
            });
        assert_eq!(servers, expected);
    }

    #[test]
    fn the_digest_is_that_of_rfc_2202() {
        let tag = hmac::sign(&turn(b"Jefe").secret, b"what do ya want for nothing?");
        let expected = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        assert_eq!(data_encoding::HEXLOWER.encode(tag.as_ref()), expected);
    }

    #[test]
    fn others_get_others_and_they_are_renewed_at_half_of_their_life() {
        let turn = turn(b"north");
        assert_ne!(turn.servers(NOW, [1; 16]), turn.servers(NOW, [2; 16]));
        assert_ne!(turn.servers(NOW, [1; 16]), turn.servers(NOW + 1, [1; 16]));
        assert_eq!(turn.renewal(), Duration::from_secs(1800));
        let last = turn.servers(u64::MAX, [0; 16]);
        let username = last[0].username.as_deref().unwrap();
        assert!(username.starts_with(&u64::MAX.to_string()));
    }

    #[test]
    fn what_is_no_secret_is_said() {
        let load_from = |path: &Path| {
            Turn::load(&TurnConfig {
                urls: vec!["turn:turn.example.org:3478".to_owned()],
                secret_file: path.to_owned(),
                life: Duration::from_secs(3600),
            })
        };
        let load = |content: &[u8]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content).unwrap();
            load_from(file.path())
        };
        for line in ["north", "north\n", "north\r\n"] {
            let loaded = load(line.as_bytes()).unwrap();
            let credential = |turn: &Turn| turn.servers(NOW, [0; 16])[0].credential.clone();
            assert_eq!(credential(&loaded), credential(&turn(b"north")));
            assert!(!format!("{loaded:?}").contains("north"));
        }
        assert!(matches!(load(b""), Err(TurnError::Empty(_))));
        assert!(matches!(load(b"\n"), Err(TurnError::Empty(_))));
        assert!(matches!(load(b"a\nb\n"), Err(TurnError::NotALine(_))));
        let long = vec![b'a'; TURN_SECRET_BYTES + 1];
        assert!(matches!(load(&long), Err(TurnError::TooLong(_))));
        assert!(load(&long[1..]).is_ok());
        let error = load_from(Path::new("/nonexistent/secret")).unwrap_err();
        assert!(matches!(error, TurnError::Read { .. }));
        assert!(error.to_string().contains("/nonexistent/secret"), "{error}");
    }
}
