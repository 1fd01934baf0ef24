use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use longshore_cause::OutsideCause;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::cause::{cause_of, connect_cause};
use crate::tls::TlsMode;
use crate::url::{PostgresUrl, Server};

/// What drives a connection. It must be polled, in a task, for as long as its client is used.
pub struct ConnectionTask(Box<dyn Messages + Send>);

/// A connection with TLS or without.
trait Messages {
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>>;
}

impl<S, T> Messages for Connection<S, T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        Self::poll_message(self, context)
    }
}

impl ConnectionTask {
    /// Drives the connection until it hears a notice or a notification. `None` is its end.
    pub fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> {
        self.0.poll_message(context)
    }
}

impl Future for ConnectionTask {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.0.poll_message(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl std::fmt::Debug for ConnectionTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectionTask")
    }
}

/// Connects to the first server of the list that accepts it and, where the URL asks for it, can be written. Needs a
/// tokio runtime. After Err nothing is connected; the error is that of the last server that gave one of its own.
pub async fn connect(url: &PostgresUrl) -> Result<(Client, ConnectionTask), OutsideCause> {
    connect_with(url, &|_| {}).await
}

/// The same with other settings.
pub async fn connect_with(
    url: &PostgresUrl,
    configure: &(dyn Fn(&mut Config) + Sync),
) -> Result<(Client, ConnectionTask), OutsideCause> {
    let mut last = None;
    for server in &url.servers {
        let mut config = url.config_of(server);
        configure(&mut config);
        match connect_to(url, server, &config).await {
            Ok(connected) => return Ok(connected),
            // A standby is what is expected of the others; what the first server said matters more.
            Err(OutsideCause::ReadOnlyServer { .. }) if last.is_some() => {}
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("a URL names at least one server"))
}

async fn connect_to(
    url: &PostgresUrl,
    server: &Server,
    config: &Config,
) -> Result<(Client, ConnectionTask), OutsideCause> {
    let database: Arc<str> = format!("postgres://{}/{}", server.name(), url.database).into();
    let is_socket = !matches!(server.host, Host::Tcp(_));
    // What is tried in turn. libpq ignores sslmode on a socket.
    let modes: &[SslMode] = match url.tls.mode {
        _ if is_socket => &[SslMode::Disable],
        TlsMode::Disable => &[SslMode::Disable],
        TlsMode::Allow => &[SslMode::Disable, SslMode::Require],
        TlsMode::Prefer => &[SslMode::Prefer, SslMode::Disable],
        TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => &[SslMode::Require],
    };
    let mut result = attempt(url, config, modes[0], &database).await;
    if let ([_, second], Err(first)) = (modes, &result)
        && depends_on_tls(first)
    {
        // If the second does not connect either, the first said what is wrong.
        if let Ok(connected) = attempt(url, config, *second, &database).await {
            result = Ok(connected);
        }
    }
    let (client, mut task) = result?;
    if !url.can_be_read_only {
        tokio::select! {
            biased;
            writable = refuse_read_only(&client, &database) => writable?,
            ended = &mut task => return Err(match ended {
                Err(error) => connect_cause(Arc::clone(&database), &error),
                Ok(()) => OutsideCause::ServerUnreachable { database, source: "the server closed the connection".into() },
            }),
        }
    }
    Ok((client, task))
}

async fn attempt(
    url: &PostgresUrl,
    config: &Config,
    mode: SslMode,
    database: &Arc<str>,
) -> Result<(Client, ConnectionTask), OutsideCause> {
    let mut config = config.clone();
    config.ssl_mode(mode).channel_binding(url.tls.channel_binding);
    let failed = |error: Error| connect_cause(Arc::clone(database), &error);
    if mode == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        return Ok((client, ConnectionTask(Box::new(connection))));
    }
    if mode == SslMode::Require {
        config.ssl_negotiation(url.tls.negotiation);
    }
    let tls =
        url.tls.client().map_err(|text| OutsideCause::Tls { database: Arc::clone(database), source: text.into() })?;
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await.map_err(failed)?;
    Ok((client, ConnectionTask(Box::new(connection))))
}

/// Whether the same could succeed with or without TLS: the handshake failed, or `pg_hba.conf` has no such rule.
fn depends_on_tls(error: &OutsideCause) -> bool {
    matches!(error, OutsideCause::Tls { .. } | OutsideCause::LoginRefused { .. })
}

async fn refuse_read_only(client: &Client, database: &Arc<str>) -> Result<(), OutsideCause> {
    let answer = client.simple_query("SHOW transaction_read_only").await.map_err(|error| {
        cause_of(Arc::clone(database), &error).unwrap_or_else(|| connect_cause(Arc::clone(database), &error))
    })?;
    let is_read_only = answer.iter().any(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
        _ => false,
    });
    if is_read_only { Err(OutsideCause::ReadOnlyServer { database: Arc::clone(database) }) } else { Ok(()) }
}
