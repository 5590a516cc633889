//! `wss://` works, and a certificate that does not is refused in words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tabferry_signaling::tls::TlsFiles;
use tabferry_signaling::{Config, Server};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::client::{PATIENCE, TestServer, handshake};

/// A folder with PEM files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        #[expect(clippy::disallowed_methods, reason = "in a folder of the test's own")]
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

#[tokio::test]
async fn peers_meet_over_tls() {
    let folder = Folder::new();
    let CertifiedKey { cert, signing_key } = certificate();
    let files = TlsFiles {
        certificate: folder.file("cert.pem", &cert.pem()),
        key: folder.file("key.pem", &signing_key.serialize_pem()),
    };
    let server = TestServer::with(|config| {
        config.tls = Some(files);
        config.limits.handshake = Duration::from_secs(2);
    });
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut clients = Vec::new();
    for name in ["Desk", "Phone"] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name_checked = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name_checked, stream).await.unwrap();
        let mut client = handshake(stream, &[]).await.unwrap();
        client.greet(name).await;
        client.join().await;
        clients.push(client);
    }
    clients[0].next().await;
    drop(clients.pop());
    clients[0].next().await;

    // Who speaks no TLS, or nothing at all, is dropped.
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, silent.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, b"");
    assert!(server.connect_with(&[]).await.is_err());
}

#[tokio::test]
async fn certificates_and_keys_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    let CertifiedKey { cert, signing_key } = certificate();
    let good = folder.file("cert.pem", &cert.pem());
    let key = folder.file("key.pem", &signing_key.serialize_pem());
    let other_key = folder.file("other.pem", &certificate().signing_key.serialize_pem());
    let missing = folder.0.path().join("missing.pem");
    let empty = folder.file("empty.pem", "");
    let text = folder.file("text.pem", "a certificate, honestly\n");
    let broken = folder.file(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    let wrong = folder.file(
        "wrong.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let encrypted = folder.file(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (certificate, key, words) in [
        (&missing, &key, "can't read"),
        (&good, &missing, "can't read"),
        (&empty, &key, "contains no certificate"),
        (&text, &key, "contains no certificate"),
        (&key, &key, "contains no certificate"),
        (&broken, &key, "is not a PEM file"),
        (&wrong, &key, "can't be used"),
        (&good, &empty, "contains no private key"),
        (&good, &good, "contains no private key"),
        (
            &good,
            &encrypted,
            "contains no private key that is not encrypted",
        ),
        (&good, &other_key, "does not belong to the certificate"),
    ] {
        let mut config = Config::new(([127, 0, 0, 1], 0).into());
        config.tls = Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        });
        let error = Server::bind(config).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert!(error.contains(".pem"), "{error}");
    }
}
