use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::environment::Environment;
use crate::parameters::{self, Parameters};
use crate::tls::{TlsMode, TlsSettings};
use crate::value;

/// A server and a database, as libpq's URLs, `key=value` lists, environment variables and files name them.
///
/// Two parameters are ours: `longshore_schema=NAME` for the schema of the queue's tables, and
/// `longshore_pooled=true|false|auto` for a pooler that may give each transaction another session.
///
/// Nothing that it shows contains the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    pub(crate) servers: Vec<Server>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) tls: TlsSettings,
    pub(crate) can_be_read_only: bool,
    password: Option<String>,
    password_file: Option<PathBuf>,
    /// Everything that is the same for each server.
    base: Config,
    schema: Arc<str>,
    pooling: Pooling,
}

/// Whether a pooler stands before the server that may give each transaction another session, such as PgBouncer with
/// `pool_mode = transaction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// It does.
    Pooled,
    /// It does not: sessions are the client's own.
    Direct,
    /// It is found out when the database is opened.
    #[default]
    Auto,
}

/// One server of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) address: Option<std::net::IpAddr>,
    pub(crate) port: u16,
}

/// The text, the environment or a file does not name a server. No variant repeats what may be a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidPostgresUrl {
    /// A character of the user or the password separates parts of a URL.
    #[error(
        "the PostgreSQL URL has an @ or a # where none can be: write these and / ? : % in a password as %40 %23 %2F %3F %3A %25"
    )]
    Unescaped,
    /// A percent sign does not begin an escape, or the escaped bytes are not UTF-8.
    #[error("the PostgreSQL URL has a % that begins no escape: write % itself as %25")]
    Percent,
    /// A parameter has no `=`.
    #[error(
        "the PostgreSQL URL has a parameter without a value: expected postgres://USER@HOST/DATABASE?NAME=VALUE, or NAME=VALUE NAME=VALUE"
    )]
    NoValue,
    /// A quote is not closed.
    #[error("the PostgreSQL parameters have a quote that is not closed")]
    Quote,
    /// The bracket of an IPv6 address is not closed.
    #[error("the PostgreSQL URL has a \"[\" without \"]\": expected an IPv6 address such as [::1]")]
    Bracket,
    /// A parameter is not known.
    #[error("\"{name}\" is not a parameter of a PostgreSQL URL that longshore knows")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A parameter has a value that it cannot have.
    #[error("{name} in the PostgreSQL URL or the environment is not valid: expected {expected}")]
    Value {
        /// Its name.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// A value has a NUL character.
    #[error("{name} in the PostgreSQL URL has a NUL character")]
    Nul {
        /// Its name.
        name: &'static str,
    },
    /// The numbers of hosts and ports differ.
    #[error("the PostgreSQL URL names {ports} ports for {hosts} hosts: expected one port, or one for each host")]
    Ports {
        /// The number of hosts.
        hosts: usize,
        /// The number of ports.
        ports: usize,
    },
    /// A service file is asked for.
    #[error("service files of PostgreSQL are not supported: unset PGSERVICE, and name the server in the URL")]
    Service,
    /// A wish for a server that cannot be written.
    #[error(
        "target_session_attrs asks for a server that may be read-only: expected any, read-write or primary, because a queue is written"
    )]
    ReadOnly,
    /// No user is named and the account has no name.
    #[error("the PostgreSQL URL names no user, and this account has no name: expected postgres://USER@HOST/DATABASE")]
    NoUser,
    /// `sslrootcert=system` with a mode that checks less than the whole certificate.
    #[error("sslrootcert=system needs sslmode=verify-full: otherwise any certificate of a public authority would do")]
    WeakTls,
}

impl InvalidPostgresUrl {
    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        "invalid_database"
    }

    /// What the user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "remove it; the names are those of libpq, and longshore_schema and longshore_pooled"
            }
            _ => "such as postgres://app@db.example.org/app?sslmode=verify-full",
        }
    }
}

impl PostgresUrl {
    /// The same database with the queue's tables in another schema: 1 to 63 of a-z, 0-9 and _, not a digit first.
    pub fn in_schema(mut self, schema: &str) -> Result<Self, InvalidPostgresUrl> {
        self.schema = valid_schema(schema)?;
        Ok(self)
    }

    /// The schema of the queue's tables. Default: `longshore`.
    pub fn schema(&self) -> &Arc<str> {
        &self.schema
    }

    /// Whether there is a pooler, as far as the URL says so.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// How the server's views name the sessions.
    pub fn application_name(&self) -> &str {
        self.base.get_application_name().unwrap_or("longshore")
    }

    /// The first server and the database, without credentials and parameters.
    pub fn name(&self) -> String {
        let server = &self.servers[0];
        format!("postgres://{}/{}", server.name(), self.database)
    }

    /// What tokio-postgres needs to connect to one of the servers.
    pub(crate) fn config_of(&self, server: &Server) -> Config {
        let mut config = self.base.clone();
        match &server.host {
            Host::Tcp(name) => config.host(name),
            #[cfg(unix)]
            Host::Unix(folder) => config.host_path(folder),
        };
        if let Some(address) = server.address {
            config.hostaddr(address);
        }
        config.port(server.port).user(&self.user).dbname(&self.database);
        let from_file = || {
            let file = self.password_file.as_ref()?;
            crate::password_file::password_for(file, server, &self.database, &self.user)
        };
        if let Some(password) = self.password.clone().or_else(from_file) {
            config.password(password);
        }
        config
    }

    pub(crate) fn of(mut parameters: Parameters, environment: &Environment<'_>) -> Result<Self, InvalidPostgresUrl> {
        environment.complete(&mut parameters)?;
        let servers = servers(&parameters)?;
        let user = parameters.get("user").cloned().or_else(|| environment.account.clone());
        let user = user.ok_or(InvalidPostgresUrl::NoUser)?;
        let database = parameters.get("dbname").unwrap_or(&user).clone();
        let password_file = parameters.get("passfile").map(PathBuf::from).or_else(|| environment.file(".pgpass"));
        let pooling = [("true", Pooling::Pooled), ("false", Pooling::Direct), ("auto", Pooling::Auto)];
        let pooling = value::word(&parameters, "longshore_pooled", &pooling, "true, false or auto")?;
        Ok(Self {
            can_be_read_only: can_be_read_only(&parameters, servers.len())?,
            servers,
            user,
            database,
            tls: TlsSettings::of(&parameters, environment)?,
            password: parameters.get("password").cloned(),
            password_file,
            base: base(&parameters)?,
            schema: schema(&parameters)?,
            pooling: pooling.unwrap_or_default(),
        })
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidPostgresUrl;

    /// Reads a URL or a `key=value` list, and for what it leaves open the environment of the process.
    fn from_str(text: &str) -> Result<Self, InvalidPostgresUrl> {
        Self::of(parameters::parse(text)?, &Environment::of_process())
    }
}

impl From<Config> for PostgresUrl {
    /// The servers, the user, the database and the settings of a connection; TLS as in `sslmode` without certificates.
    fn from(config: Config) -> Self {
        let ports = config.get_ports();
        let port_of = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let addresses = config.get_hostaddrs();
        let hosts = config.get_hosts().iter().cloned().map(Some).chain(std::iter::repeat(None));
        let count = config.get_hosts().len().max(addresses.len());
        let servers = hosts.take(count).enumerate().map(|(at, host)| {
            let address = addresses.get(at).copied();
            let host =
                host.unwrap_or_else(|| Host::Tcp(address.map_or_else(String::new, |address| address.to_string())));
            Server { host, address, port: port_of(at) }
        });
        let mut servers: Vec<_> = servers.collect();
        if servers.is_empty() {
            servers.push(Server { host: Host::Tcp("localhost".to_owned()), address: None, port: port_of(0) });
        }
        let account = || whoami::username().unwrap_or_else(|_| "postgres".to_owned());
        let user = config.get_user().map_or_else(account, str::to_owned);
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let mode = match config.get_ssl_mode() {
            SslMode::Disable => TlsMode::Disable,
            SslMode::Require => TlsMode::Require,
            _ => TlsMode::Prefer,
        };
        let (can_be_read_only, tls) = (servers.len() == 1, TlsSettings::without_files(mode));
        let base = base_of(&config);
        let (schema, pooling) = ("longshore".into(), Pooling::Auto);
        Self { servers, user, database, tls, can_be_read_only, password, password_file: None, base, schema, pooling }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresUrl")
            .field("servers", &self.servers.iter().map(Server::name).collect::<Vec<_>>())
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("schema", &self.schema)
            .field("pooling", &self.pooling)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Its host and port.
    pub(crate) fn name(&self) -> String {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", self.port),
            Host::Tcp(name) => format!("{name}:{}", self.port),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{}", folder.display(), self.port),
        }
    }

    /// libpq's file calls every socket in a standard folder `localhost`.
    pub(crate) fn name_in_password_file(&self) -> &str {
        match &self.host {
            Host::Tcp(name) => name,
            #[cfg(unix)]
            Host::Unix(folder) if SOCKET_FOLDERS.iter().any(|standard| folder == std::path::Path::new(standard)) => {
                "localhost"
            }
            #[cfg(unix)]
            Host::Unix(folder) => folder.to_str().unwrap_or_default(),
        }
    }
}

/// Where Debian's and the original server have their sockets.
#[cfg(unix)]
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

fn servers(parameters: &Parameters) -> Result<Vec<Server>, InvalidPostgresUrl> {
    let list = |name: &str| parameters.get(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    let (hosts, addresses) = (list("host"), list("hostaddr"));
    let count = hosts.as_ref().or(addresses.as_ref()).map_or(1, Vec::len);
    let ports = ports(&list("port").unwrap_or_default(), count)?;
    let at = |list: &Option<Vec<String>>, at: usize| {
        list.as_ref().and_then(|list| list.get(at)).filter(|text| !text.is_empty()).cloned()
    };
    let server = |(number, port): (usize, u16)| {
        let address = at(&addresses, number).map(|text| text.parse::<std::net::IpAddr>()).transpose();
        let address = address.map_err(|_| InvalidPostgresUrl::Value { name: "hostaddr", expected: "an IP address" })?;
        let host = match (at(&hosts, number), address) {
            (Some(name), _) => host(&name),
            (None, Some(address)) => Host::Tcp(address.to_string()),
            (None, None) => default_host(port),
        };
        Ok(Server { host, address, port })
    };
    ports.into_iter().enumerate().map(server).collect()
}

fn ports(texts: &[String], hosts: usize) -> Result<Vec<u16>, InvalidPostgresUrl> {
    let port = |text: &String| match text.trim() {
        "" => Ok(5432),
        text => text.parse().map_err(|_| InvalidPostgresUrl::Value { name: "port", expected: "a number up to 65535" }),
    };
    match texts.len() {
        0 => Ok(vec![5432; hosts]),
        1 => Ok(vec![port(&texts[0])?; hosts]),
        count if count == hosts => texts.iter().map(port).collect(),
        ports => Err(InvalidPostgresUrl::Ports { hosts, ports }),
    }
}

fn host(name: &str) -> Host {
    #[cfg(unix)]
    if name.starts_with('/') {
        return Host::Unix(PathBuf::from(name));
    }
    Host::Tcp(name.to_owned())
}

/// A server on this machine: by its socket if there is one, as libpq does.
fn default_host(port: u16) -> Host {
    #[cfg(unix)]
    for folder in SOCKET_FOLDERS {
        if std::path::Path::new(folder).join(format!(".s.PGSQL.{port}")).exists() {
            return Host::Unix(PathBuf::from(folder));
        }
    }
    let _ = port;
    Host::Tcp("localhost".to_owned())
}

/// With several servers the one that can be written is meant, unless the URL says `any`.
fn can_be_read_only(parameters: &Parameters, servers: usize) -> Result<bool, InvalidPostgresUrl> {
    match parameters.get("target_session_attrs").map(String::as_str) {
        None => Ok(servers == 1),
        Some("any") => Ok(true),
        Some("read-write" | "primary") => Ok(false),
        Some("read-only" | "standby" | "prefer-standby") => Err(InvalidPostgresUrl::ReadOnly),
        Some(_) => {
            Err(InvalidPostgresUrl::Value { name: "target_session_attrs", expected: "any, read-write or primary" })
        }
    }
}

fn schema(parameters: &Parameters) -> Result<Arc<str>, InvalidPostgresUrl> {
    valid_schema(parameters.get("longshore_schema").map_or("longshore", String::as_str))
}

/// A name that needs no quotes, so that SQL files can name its tables as they name those of `longshore`.
fn valid_schema(name: &str) -> Result<Arc<str>, InvalidPostgresUrl> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    if name.len() > 63 || name.starts_with("pg_") || !begins_well || !name.chars().all(is_plain) {
        let expected = "at most 63 of a-z, 0-9 and _, and not a digit or pg_ at the beginning";
        return Err(InvalidPostgresUrl::Value { name: "longshore_schema", expected });
    }
    Ok(name.into())
}

/// What is the same for every server. A dead network is noticed after half a minute, not after the two hours of most
/// systems: a worker must connect again long before its lease ends.
fn base(parameters: &Parameters) -> Result<Config, InvalidPostgresUrl> {
    let mut config = Config::new();
    let name = parameters.get("application_name").or(parameters.get("fallback_application_name"));
    config.application_name(name.map_or("longshore", String::as_str));
    if let Some(options) = parameters.get("options") {
        config.options(options);
    }
    let encoding = [("UTF8", ()), ("utf8", ()), ("UTF-8", ()), ("utf-8", ()), ("auto", ())];
    value::word(parameters, "client_encoding", &encoding, "UTF8")?;
    let gss = [("disable", ()), ("prefer", ())];
    value::word(parameters, "gssencmode", &gss, "disable, because GSSAPI is not supported")?;
    match value::seconds(parameters, "connect_timeout")? {
        Some(Duration::ZERO) => {}
        timeout => {
            config.connect_timeout(timeout.unwrap_or(Duration::from_secs(10)));
        }
    }
    let on = [("1", true), ("0", false)];
    config.keepalives(value::word(parameters, "keepalives", &on, "0 or 1")?.unwrap_or(true));
    config.keepalives_idle(value::seconds(parameters, "keepalives_idle")?.unwrap_or(Duration::from_secs(15)));
    config.keepalives_interval(value::seconds(parameters, "keepalives_interval")?.unwrap_or(Duration::from_secs(5)));
    config.keepalives_retries(value::number(parameters, "keepalives_count")?.unwrap_or(3));
    let unacknowledged = value::number(parameters, "tcp_user_timeout")?.unwrap_or(30_000);
    config.tcp_user_timeout(Duration::from_millis(unacknowledged));
    let expected = "disable or random";
    let balance = [("disable", false), ("random", true)];
    if value::word(parameters, "load_balance_hosts", &balance, expected)? == Some(true) {
        config.load_balance_hosts(tokio_postgres::config::LoadBalanceHosts::Random);
    }
    Ok(config)
}

fn base_of(config: &Config) -> Config {
    let mut base = Config::new();
    base.application_name(config.get_application_name().unwrap_or("longshore"));
    if let Some(options) = config.get_options() {
        base.options(options);
    }
    base.connect_timeout(config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(10)));
    base.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    base.channel_binding(config.get_channel_binding());
    base
}
