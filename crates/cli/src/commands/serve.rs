use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use longshore_web::{ServeOptions, Web};
use serde::Serialize;
use tokio::net::TcpListener;

use super::{migrate, work};
use crate::arguments::{LISTEN, ServeArguments};
use crate::context::Context;
use crate::database::{Database, Prepare};
use crate::error_report::command_error::CommandError;
use crate::exit::Exit;
use crate::output::Format;
use crate::runtime;
use crate::settings::config::Config;
use crate::settings::serve::ServeSettings;

/// When to keep house again after that failed for a cause that does not pass by itself.
const HOUSE_PAUSE: Duration = Duration::from_secs(10);

/// Where the server is, for `--json`.
#[derive(Serialize)]
struct Listening {
    listen: SocketAddr,
    url: String,
}

/// Serves until a signal arrives.
pub(crate) fn run(context: &Context, arguments: &ServeArguments) -> anyhow::Result<Exit> {
    runtime::start()?.block_on(async {
        let database = Database::open(context, Prepare::New).await?;
        let config = context.config()?;
        let settings = ServeSettings::new(arguments.listen, &arguments.site, &config.serve);
        let server = Server::bind(context, &database, &settings).await?;
        let (first, second) = longshore::stop_signals()?;
        server.announce(context)?;
        tokio::select! {
            served = server.run(first) => served?,
            // A second signal does not wait for open requests.
            () = second => {}
            () = keep_house(&database, &config), if !settings.read_only => {}
        }
        Ok(Exit::Done)
    })
}

/// Finds workers over HTTP that are dead, and does what else workers do beside jobs: there may be no other process that
/// does. The pages must answer also where it fails, so that it can be seen why. Never ends.
async fn keep_house(database: &Database, config: &Config) {
    loop {
        if let Err(error) = work::housekeeper(database, config).keep_house(std::future::pending()).await {
            tracing::error!(error = %error, "the server cannot keep house; dead workers over HTTP keep their jobs meanwhile");
        }
        tokio::time::sleep(HOUSE_PAUSE).await;
    }
}

/// A server that listens and does not answer yet.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    url: String,
    web: Web,
}

impl Server {
    /// Listens. An address that other machines can reach needs a token in the database.
    pub(super) async fn bind(context: &Context, database: &Database, settings: &ServeSettings) -> anyhow::Result<Self> {
        let listen = settings.listen();
        let is_open = listen.ip().is_loopback() && settings.hosts.is_empty();
        if !is_open && database.tokens().await?.is_empty() {
            return Err(CommandError::ServeWithoutToken { listen }.into());
        }
        let web = web(context, database, settings)?;
        let web = if is_open { web.open_to_everyone() } else { web.tokens() };
        let bound = TcpListener::bind(listen).await;
        let listener = bound.map_err(|source| CommandError::Listen { listen, source })?;
        let address = listener.local_addr()?;
        let path = settings.base_path.trim_matches('/');
        let url = format!("http://{address}/{path}");
        Ok(Self { listener, address, url, web })
    }

    /// For `up`: the usual address may be taken by another worker, which then serves the same pages.
    pub(super) async fn bind_beside_worker(
        context: &Context,
        database: &Database,
        settings: &ServeSettings,
    ) -> anyhow::Result<Option<Self>> {
        match Self::bind(context, database, settings).await {
            Ok(server) => Ok(Some(server)),
            Err(error) if !settings.names_address() && is_taken(&error) => {
                tracing::warn!("{LISTEN} is taken, so this worker serves no pages; name another address with --listen");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The address for people.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn announce(&self, context: &Context) -> anyhow::Result<()> {
        let listening = Listening { listen: self.address, url: self.url.clone() };
        if context.output.format() == Format::Json {
            return Ok(context.output.document(&listening)?);
        }
        Ok(context.output.line(format!("listening on {}", self.url))?)
    }

    /// Serves until the future resolves, then for a grace period.
    pub(super) async fn run(self, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
        self.web.serve(self.listener, ServeOptions::default(), shutdown).await
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let listen = error.downcast_ref::<CommandError>();
    matches!(listen, Some(CommandError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse)
}

fn web(context: &Context, database: &Database, settings: &ServeSettings) -> anyhow::Result<Web> {
    let (config, place) = (context.config()?, database.clone());
    let policies = config.clone();
    let mut web = Web::new(database.queue())
        .policies(move |job_type| policies.policy(job_type))
        .database(context.databases()?.to_string())
        .defaults(move |job_type| config.new_job(job_type))
        .places(move |id| place.place_of(id))
        .migrations(migrate::inspector(context)?)
        .base_path(&settings.base_path)
        .redact(settings.redact.clone());
    for host in &settings.hosts {
        web = web.host(host);
    }
    Ok(if settings.read_only { web.read_only() } else { web })
}
