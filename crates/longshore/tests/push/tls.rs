//! Encrypted targets.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use longshore::FailureType;
use longshore::push::{PrivateTargets, PushHandler, PushSpec};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::server::{Request, job, push};

/// A certificate for `localhost`, made for one test, and the authority that signed it.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn new() -> Self {
        let certificates = Self { folder: tempfile::tempdir().unwrap() };
        let path = |name: &str| certificates.path(name).to_str().unwrap().to_owned();
        fs::write(path("names"), "subjectAltName=DNS:localhost").unwrap();
        let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"];
        openssl(&[&["req", "-x509", "-days", "2", "-out", &ca, "-keyout", &ca_key], &key[..], &["/CN=test"]].concat());
        let (request, server_key) = (path("request"), path("server.key"));
        openssl(&[&["req", "-out", &request, "-keyout", &server_key], &key[..], &["/CN=localhost"]].concat());
        openssl(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-CAcreateserial",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-extfile",
            &path("names"),
            "-out",
            &path("server.pem"),
        ]);
        certificates
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_file(self.path("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }

    /// A server that answers every request with 42. Returns its port.
    fn serve(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = self.server();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                thread::spawn(move || {
                    // A client that does not trust the certificate closes the connection.
                    while stream.conn.is_handshaking() {
                        if stream.conn.complete_io(&mut stream.sock).is_err() {
                            return;
                        }
                    }
                    let request = Request::read(&mut stream);
                    assert_eq!(request.header("longshore-job-type"), Some("receipt"));
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42");
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        port
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("install Debian's package openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn spec(host: &str, port: u16, ca_file: Option<PathBuf>) -> PushSpec {
    let spec = PushSpec::new(format!("https://{host}:{port}/jobs"));
    PushSpec { private_targets: PrivateTargets::Allowed, ca_file, ..spec }
}

#[test]
fn an_encrypted_target_is_trusted_by_the_certificate_in_the_file() {
    let certificates = Certificates::new();
    let port = certificates.serve();
    let pushed = push(spec("localhost", port, Some(certificates.path("ca.pem"))), job());
    assert_eq!(pushed.json().as_deref(), Some("42"));
}

#[test]
fn a_certificate_of_another_authority_or_for_another_name_is_refused() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let port = certificates.serve();
    for refused in [
        spec("localhost", port, Some(others.path("ca.pem"))),
        spec("127.0.0.1", port, Some(certificates.path("ca.pem"))),
    ] {
        let failure = push(refused, job()).failure();
        assert_eq!(failure.failure_type, FailureType::NetworkError);
        assert!(failure.message.starts_with("there is no encrypted connection to"), "{failure}");
    }
}

#[test]
fn a_target_that_does_not_encrypt_is_a_network_error() {
    let server = crate::server::Server::answering("200 OK", &[], "");
    let certificates = Certificates::new();
    let failure = push(spec("localhost", server.address.port(), Some(certificates.path("ca.pem"))), job()).failure();
    assert_eq!(failure.failure_type, FailureType::NetworkError);
}

#[test]
fn a_missing_file_of_certificates_is_an_error_at_once() {
    let error = PushHandler::new(spec("localhost", 1, Some("/no/such/ca.pem".into()))).unwrap_err();
    assert!(error.to_string().starts_with("`ca_file` cannot be used: /no/such/ca.pem cannot be read"), "{error}");
}
