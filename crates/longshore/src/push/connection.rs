use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use longshore_core::{Failure, FailureType};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::PrivateTargets;
use super::addresses::is_public;
use super::target::Target;
use super::trust::Trust;

/// How long it may take until a connection is there, with all the addresses of a name.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long one of several addresses may take.
const ADDRESS_MAX: Duration = Duration::from_secs(3);

/// A connection to the target, encrypted or not.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to the target. The name is resolved once, every address is checked, and the connection goes to one of
/// exactly these addresses: a name that changes its address in between gains nothing.
pub(super) async fn connect(
    target: &Target,
    private_targets: PrivateTargets,
    trust: &Trust,
) -> Result<Box<dyn Duplex>, Failure> {
    let deadline = Instant::now() + CONNECT_MAX;
    let connected = timeout_at(deadline, async {
        let addresses = addresses_of(target, private_targets).await?;
        let stream = connect_to_one(target, &addresses, deadline).await?;
        // A request is one small write that should leave at once.
        let _ = stream.set_nodelay(true);
        if target.is_encrypted { encrypt(target, stream, trust).await } else { Ok(Box::new(stream) as Box<dyn Duplex>) }
    });
    connected.await.unwrap_or_else(|_| {
        let message = format!("{target} could not be reached within {}", longshore_core::format_duration(CONNECT_MAX));
        Err(Failure::new(FailureType::TimeoutError, message))
    })
}

/// The addresses of the target, all of which may be used.
async fn addresses_of(target: &Target, private_targets: PrivateTargets) -> Result<Vec<SocketAddr>, Failure> {
    let found = lookup_host((target.host.as_str(), target.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| unresolved(target, &error.to_string()))?.collect();
    if addresses.is_empty() {
        return Err(unresolved(target, "the name has no address"));
    }
    if private_targets == PrivateTargets::Refused {
        // One refused address is enough: a public one beside it says nothing about who answers.
        if let Some(refused) = addresses.iter().find(|address| !is_public(address.ip())) {
            return Err(private(target, refused.ip()));
        }
    }
    Ok(addresses)
}

fn unresolved(target: &Target, error: &str) -> Failure {
    let words = error.strip_prefix("failed to lookup address information: ").unwrap_or(error);
    Failure::new(FailureType::NetworkError, format!("{} could not be resolved: {words}", target.host))
}

fn private(target: &Target, address: IpAddr) -> Failure {
    let message = format!(
        "nothing was sent to {target}: {address} is not an address of the public internet; if that is intended, set \
         allow_private = true for this job type"
    );
    Failure::new(FailureType::ConfigError, message)
}

async fn connect_to_one(target: &Target, addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Failure> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (number, address) in addresses.iter().enumerate() {
        let is_last = number + 1 == addresses.len();
        let until = if is_last { deadline } else { deadline.min(Instant::now() + ADDRESS_MAX) };
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
        }
    }
    Err(broken(&format!("{target} could not be reached"), &last))
}

async fn encrypt(target: &Target, stream: TcpStream, trust: &Trust) -> Result<Box<dyn Duplex>, Failure> {
    let client = trust
        .client()
        .map_err(|problem| Failure::new(FailureType::SystemError, format!("{target} cannot be trusted: {problem}")))?;
    let name = ServerName::try_from(target.host.clone()).map_err(|_| {
        Failure::new(FailureType::ConfigError, format!("{} is not a name that a certificate can have", target.host))
    })?;
    let stream = TlsConnector::from(client).connect(name, stream).await;
    let stream = stream.map_err(|error| broken(&format!("there is no encrypted connection to {target}"), &error))?;
    Ok(Box::new(stream))
}

fn broken(what: &str, error: &io::Error) -> Failure {
    let failure_type = match error.kind() {
        io::ErrorKind::TimedOut => FailureType::TimeoutError,
        _ => FailureType::NetworkError,
    };
    Failure::new(failure_type, format!("{what}: {error}"))
}
