use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;

/// Where the server listens unless told otherwise.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Listen at this address; port 0 takes any free one [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) site: SiteArguments,
}

/// How the server is reached, and what it permits.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SiteArguments {
    /// Allow this host name in requests, as behind a proxy, and need a token; may be repeated
    #[arg(long = "host", value_name = "NAME", value_parser = host_name)]
    pub(crate) hosts: Vec<String>,

    /// Serve below this path, as behind a proxy
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true, value_parser = base_path)]
    pub(crate) base_path: String,

    /// Refuse every change
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// The name `localhost` is looked up nowhere: elsewhere it could be another machine.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.strip_prefix("localhost:") {
        Some(port) => format!("{}:{port}", LISTEN.ip()),
        None => text.to_owned(),
    };
    address.parse().map_err(|_| format!("{text:?} is not an address: expected one such as {LISTEN}"))
}

/// It is compared with the name in a request, without its port.
pub(crate) fn host_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("expected a host name such as jobs.example.org, without scheme, port or path".to_owned())
}

/// It becomes part of links and of a cookie.
pub(crate) fn base_path(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let is_rooted = text.is_empty() || text.starts_with('/');
    if is_rooted
        && text.bytes().all(is_plain)
        && !text.split('/').any(|part| part == "." || part == "..")
        && !text.contains("//")
    {
        return Ok(text.to_owned());
    }
    Err("expected a path such as /jobs, of letters, digits, and - _ . ~".to_owned())
}

/// Where `up` serves.
#[derive(Debug, Args)]
pub(crate) struct BesideWorkArguments {
    /// Serve the HTTP API and the dashboard at this address [default: 127.0.0.1:7070; without them if that is taken]
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,

    #[command(flatten)]
    pub(crate) site: SiteArguments,
}
