//! Certificate and key from PEM files, and what is wrong with them in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate, then those of its issuers.
    pub certificate: PathBuf,
    /// PEM: the private key, not encrypted.
    pub key: PathBuf,
}

/// Certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not PEM.
    #[error("{} is not a PEM file: {error}", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A PEM file without certificate.
    #[error("{} contains no certificate (a \"BEGIN CERTIFICATE\" section)", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// A PEM file without private key.
    #[error("{} contains no private key that is not encrypted (a \"BEGIN PRIVATE KEY\" section)", path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}", .0.key.display(), .0.certificate.display())]
    Mismatch(TlsFiles),
    /// Something else that the TLS library doesn't like.
    #[error("the certificate in {} or its key in {} can't be used: {error}", files.certificate.display(), files.key.display())]
    Unusable {
        /// Which files.
        files: TlsFiles,
        /// Why.
        error: rustls::Error,
    },
}

/// Reads the files and checks that they belong together.
pub(crate) fn load(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let path = &files.certificate;
    let certificates = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::NotPem {
            path: path.clone(),
            error,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.clone() });
    }
    let path = &files.key;
    let key = PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.clone() },
        error => TlsError::NotPem {
            path: path.clone(),
            error,
        },
    })?;
    let unusable = |error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(files.clone()),
        error => TlsError::Unusable {
            files: files.clone(),
            error,
        },
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Read {
        path: path.to_owned(),
        error,
    })
}
