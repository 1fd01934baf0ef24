use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{ChannelBinding, SslNegotiation};

use crate::environment::Environment;
use crate::parameters::Parameters;
use crate::password_file::is_open_to_others;
use crate::{InvalidPostgresUrl, value};

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum TlsMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whether and how connections are encrypted. Files are read for each connection, so that renewed ones are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub(crate) mode: TlsMode,
    pub(crate) negotiation: SslNegotiation,
    pub(crate) channel_binding: ChannelBinding,
    roots: Roots,
    /// The certificate of the client and its key, and whether the URL names them.
    certificate: Option<(PathBuf, PathBuf, Named)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Roots {
    System,
    /// The file that the URL names.
    File(PathBuf),
    /// libpq's own place, used if there is a file.
    Default(Option<PathBuf>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    InUrl,
    ByDefault,
}

const MODES: [(&str, TlsMode); 6] = [
    ("disable", TlsMode::Disable),
    ("allow", TlsMode::Allow),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];

impl TlsSettings {
    pub(crate) fn of(parameters: &Parameters, environment: &Environment<'_>) -> Result<Self, InvalidPostgresUrl> {
        let expected = "disable, allow, prefer, require, verify-ca or verify-full";
        let mode = value::word(parameters, "sslmode", &MODES, expected)?;
        let roots = match parameters.get("sslrootcert") {
            Some(word) if word == "system" => Roots::System,
            Some(file) => Roots::File(PathBuf::from(file)),
            None => Roots::Default(environment.file(".postgresql/root.crt")),
        };
        if roots == Roots::System && mode.is_some_and(|mode| mode != TlsMode::VerifyFull) {
            return Err(InvalidPostgresUrl::WeakTls);
        }
        let default_mode = if roots == Roots::System { TlsMode::VerifyFull } else { TlsMode::Prefer };
        let versions = [("TLSv1", ()), ("TLSv1.1", ()), ("TLSv1.2", ()), ("TLSv1.3", ())];
        value::word(parameters, "ssl_min_protocol_version", &versions, "TLSv1.2 or TLSv1.3")?;
        let negotiation = [("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
        let binding = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        Ok(Self {
            mode: mode.unwrap_or(default_mode),
            negotiation: value::word(parameters, "sslnegotiation", &negotiation, "postgres or direct")?
                .unwrap_or_default(),
            channel_binding: value::word(parameters, "channel_binding", &binding, "disable, prefer or require")?
                .unwrap_or(ChannelBinding::Prefer),
            roots,
            certificate: certificate(parameters, environment),
        })
    }

    pub(crate) fn without_files(mode: TlsMode) -> Self {
        let (negotiation, channel_binding) = (SslNegotiation::Postgres, ChannelBinding::Prefer);
        Self { mode, negotiation, channel_binding, roots: Roots::Default(None), certificate: None }
    }

    /// Reads the files. An error is a sentence.
    pub(crate) fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(self.verifier(provider)?));
        let mut client = match self.client_certificate()? {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the client's certificate and its key do not fit: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        if self.negotiation == SslNegotiation::Direct {
            client.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(client)
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Verifier, String> {
        let roots = match &self.roots {
            _ if self.mode < TlsMode::Require => None,
            Roots::System => Some(system_roots()?),
            Roots::File(file) => Some(certificates(file)?),
            Roots::Default(Some(file)) if file.exists() => Some(certificates(file)?),
            Roots::Default(file) if self.mode >= TlsMode::VerifyCa => return Err(no_roots(file.as_deref())),
            Roots::Default(_) => None,
        };
        let Some(roots) = roots else { return Ok(Verifier { provider, checks: None }) };
        let mut store = RootCertStore::empty();
        if store.add_parsable_certificates(roots.iter().cloned()).0 == 0 {
            return Err("sslrootcert has no certificate that can be used".to_owned());
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
        let chain = chain.map_err(|error| error.to_string())?;
        let checks = Checks { chain, roots, has_name: self.mode == TlsMode::VerifyFull };
        Ok(Verifier { provider, checks: Some(checks) })
    }

    fn client_certificate(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
        let Some((file, key, named)) = &self.certificate else { return Ok(None) };
        if *named == Named::ByDefault && !file.exists() {
            return Ok(None);
        }
        let chain = certificates(file)?;
        if key.exists() && is_open_to_others(key) {
            return Err(format!("the key {} can be read by others: give it the permissions 0600", key.display()));
        }
        let text = std::fs::read(key).map_err(|error| format!("the key {} cannot be read: {error}", key.display()))?;
        if String::from_utf8_lossy(&text).contains("ENCRYPTED") {
            return Err(format!(
                "the key {} is encrypted, which is not supported: name one without a password",
                key.display()
            ));
        }
        let key_of = PrivateKeyDer::from_pem_slice(&text);
        Ok(Some((chain, key_of.map_err(|_| format!("{} has no private key in PEM format", key.display()))?)))
    }
}

fn certificate(parameters: &Parameters, environment: &Environment<'_>) -> Option<(PathBuf, PathBuf, Named)> {
    let key = parameters.get("sslkey").map(PathBuf::from).or_else(|| environment.file(".postgresql/postgresql.key"));
    let (file, named) = match parameters.get("sslcert") {
        Some(file) => (PathBuf::from(file), Named::InUrl),
        None => (environment.file(".postgresql/postgresql.crt")?, Named::ByDefault),
    };
    Some((file, key?, named))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text =
        std::fs::read(file).map_err(|error| format!("the certificate {} cannot be read: {error}", file.display()))?;
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match list {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(format!("{} has no certificate in PEM format", file.display())),
    }
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match found.errors.first() {
        Some(error) if found.certs.is_empty() => Err(format!("the system's certificates cannot be read: {error}")),
        None if found.certs.is_empty() => {
            Err("the system has no certificates (Debian's package ca-certificates)".to_owned())
        }
        _ => Ok(found.certs),
    }
}

fn no_roots(file: Option<&Path>) -> String {
    let place = file.map_or_else(String::new, |file| format!(" {}", file.display()));
    format!("there is no root certificate{place}: name a file with sslrootcert, or write sslrootcert=system")
}

/// Checks as much of a server's certificate as `sslmode` asks for.
struct Verifier {
    provider: Arc<CryptoProvider>,
    checks: Option<Checks>,
}

struct Checks {
    chain: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
    has_name: bool,
}

impl Checks {
    /// A server's own certificate may be the root: PostgreSQL's manual makes such a one, which is an authority as well.
    fn is_root_itself(&self, certificate: &CertificateDer<'_>, error: &rustls::Error) -> bool {
        error.to_string().contains("CaUsedAsEndEntity") && self.roots.contains(certificate)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(checks) = &self.checks else { return Ok(ServerCertVerified::assertion()) };
        match checks.chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at after the chain.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !checks.has_name => Ok(ServerCertVerified::assertion()),
            Err(error) if checks.is_root_itself(certificate, &error) => {
                if checks.has_name {
                    rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("checks_chain", &self.checks.is_some()).finish_non_exhaustive()
    }
}
