use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Which certificates of servers are accepted. TLS sessions are resumed, so that a later connection is faster.
pub(super) enum Trust {
    /// The system's, read when they are needed first.
    System(OnceLock<Arc<ClientConfig>>),
    /// Those of a file.
    File(Arc<ClientConfig>),
}

impl Trust {
    /// Reads the file, if there is one. An error is a sentence.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        match ca_file {
            None => Ok(Self::System(OnceLock::new())),
            Some(file) => Ok(Self::File(client(certificates(file)?, &format!("{}", file.display()))?)),
        }
    }

    /// The settings of a connection. An error is a sentence.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let known = match self {
            Self::File(client) => return Ok(Arc::clone(client)),
            Self::System(known) => known,
        };
        if let Some(client) = known.get() {
            return Ok(Arc::clone(client));
        }
        // An error is not kept: the certificates may be installed while the worker runs.
        let read = client(system_certificates()?, "the system")?;
        Ok(Arc::clone(known.get_or_init(|| read)))
    }
}

fn client(certificates: Vec<CertificateDer<'static>>, origin: &str) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(format!("{origin} has no certificate that can be used"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut client = builder.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(client))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match list {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(format!("{} has no certificate in PEM format", file.display())),
    }
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match found.errors.first() {
        Some(error) if found.certs.is_empty() => Err(format!("the system's certificates cannot be read: {error}")),
        None if found.certs.is_empty() => {
            Err("the system has no certificates: install them (Debian's package ca-certificates), or set `ca_file`"
                .to_owned())
        }
        _ => Ok(found.certs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(Trust::new(Some(&path)).err().unwrap().contains("cannot be read"));
        std::fs::write(&path, "nothing").unwrap();
        assert!(Trust::new(Some(&path)).err().unwrap().ends_with("ca.pem has no certificate in PEM format"));
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&path, pem).unwrap();
        assert!(Trust::new(Some(&path)).err().unwrap().ends_with("has no certificate that can be used"));
    }
}
