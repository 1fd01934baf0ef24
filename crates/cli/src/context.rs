use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::{DatabaseUrl, InvalidDatabaseUrl};
use longshore_core::{Clock, SystemClock, Timestamp};
use longshore_postgres::PostgresUrl;

use crate::arguments::Globals;
use crate::error_report::command_error::CommandError;
use crate::output::Output;
use crate::output::live_line::LiveText;
use crate::output::log_sink::LogSink;
use crate::settings::config::Config;
use crate::settings::databases::{Databases, variable_of};
use crate::settings::environment::{Environment, process_variable};

/// What every command needs: output, options and environment.
pub(crate) struct Context {
    /// Where results and notes are written.
    pub(crate) output: Output,
    globals: Globals,
    config: OnceCell<Arc<Config>>,
    log: Option<LogSink>,
}

const CONFIG_PATH: &str = "longshore.toml";
/// Set for command jobs of a worker that was told to use one database.
const ONE_DATABASE: &str = "LONGSHORE_ONE_DATABASE";
const DATABASE: &str = "sqlite:longshore.db";

impl Context {
    /// A context for these flags. Files are read only when a command needs them, so that a broken configuration does
    /// not stop `longshore completions`.
    pub(crate) fn new(globals: Globals) -> Self {
        Self { output: Output::new(&globals), globals, config: OnceCell::new(), log: None }
    }

    /// The same with the log, below which a live line can be shown.
    pub(crate) fn with_log(globals: Globals, log: LogSink) -> Self {
        Self { log: Some(log), ..Self::new(globals) }
    }

    /// Shows a live line below the log, if standard error is a terminal. Returns whether it does.
    pub(crate) fn show_live(&self, text: LiveText) -> bool {
        match &self.log {
            Some(log) if self.output.has_progress() => {
                log.show(text);
                true
            }
            _ => false,
        }
    }

    /// Removes the live line before a result is printed.
    pub(crate) fn hide_live(&self) {
        if let Some(log) = &self.log {
            log.flush();
        }
    }

    /// The configuration; empty if there is no file.
    pub(crate) fn config(&self) -> Result<Arc<Config>, CommandError> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.read_config()?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }

    fn read_config(&self) -> Result<Config, CommandError> {
        self.config_path().map_or_else(|| Ok(Config::default()), |path| Config::read(&path))
    }

    /// The configuration file, if there is one.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        let named = self.globals.config.clone().or_else(|| process_variable("LONGSHORE_CONFIG").map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(CONFIG_PATH)).filter(|path| path.exists()))
    }

    /// The database URL from the first of: the flag, `LONGSHORE_DATABASE`, the configuration, `DATABASE_URL`, the
    /// default.
    /// `DATABASE_URL` comes late because it often names another application's database.
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl, CommandError> {
        let (text, origin) = self.database_text()?;
        let Some(text) = text.to_str() else {
            return Err(CommandError::DatabaseUrl { source: InvalidDatabaseUrl::NotUtf8, origin });
        };
        text.parse().map_err(|source| CommandError::DatabaseUrl { source, origin })
    }

    /// The databases of the configuration. `--database` names one, and then it is the only one.
    pub(crate) fn databases(&self) -> Result<Databases, CommandError> {
        let main = self.database_url()?;
        let config = self.config()?;
        if self.is_one_named() || config.databases.is_empty() {
            return Ok(Databases::one(main));
        }
        let environment = Environment::read(process_variable, Path::new(".env"))?;
        Databases::with_configured(main, &config, |name| environment.var(name))
    }

    /// Whether `--database` names one where the configuration has several.
    pub(crate) fn is_one_of_several(&self) -> Result<bool, CommandError> {
        Ok(self.is_one_named() && !self.config()?.databases.is_empty())
    }

    fn is_one_named(&self) -> bool {
        self.globals.database.is_some() || process_variable(ONE_DATABASE).is_some()
    }

    /// The server that `--database` names, and its text. A command that puts load on a server must not find one in the
    /// environment.
    pub(crate) fn server_named_by_flag(&self) -> Result<Option<(PostgresUrl, String)>, CommandError> {
        let Some(text) = &self.globals.database else { return Ok(None) };
        Ok(match self.database_url()? {
            DatabaseUrl::Postgres(url) => Some((*url, text.to_string_lossy().into_owned())),
            DatabaseUrl::Sqlite(_) => None,
        })
    }

    /// Where the URL of the one database comes from; none if there are several.
    pub(crate) fn database_origin(&self) -> Option<&'static str> {
        let has_several = !self.is_one_named() && !self.config().ok()?.databases.is_empty();
        self.database_text().ok().map(|(_, origin)| origin).filter(|_| !has_several)
    }

    /// The text that names the database, and where it comes from.
    fn database_text(&self) -> Result<(OsString, &'static str), CommandError> {
        if let Some(text) = &self.globals.database {
            return Ok((text.clone(), "--database"));
        }
        if let Some(text) = process_variable("LONGSHORE_DATABASE") {
            return Ok((text, "LONGSHORE_DATABASE"));
        }
        let environment = Environment::read(process_variable, Path::new(".env"))?;
        if let Some(text) = environment.var("LONGSHORE_DATABASE") {
            return Ok((text, "LONGSHORE_DATABASE in .env"));
        }
        if let Some(text) = &self.config()?.database {
            return Ok((text.into(), "`database` in the configuration file"));
        }
        if let Some(text) = process_variable("DATABASE_URL") {
            return Ok((text, "DATABASE_URL"));
        }
        Ok(match environment.var("DATABASE_URL") {
            Some(text) => (text, "DATABASE_URL in .env"),
            None => (DATABASE.into(), "the default"),
        })
    }

    /// A variable of this process or, if it is not set there, of `.env`.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<String>, CommandError> {
        let value = Environment::read(process_variable, Path::new(".env"))?.var(name);
        value.map(|value| value.into_string().map_err(|_| CommandError::NotText { what: "a secret" })).transpose()
    }

    /// Environment variables for command jobs. If a job calls `longshore`, it uses the same database and configuration
    /// from any working directory.
    pub(crate) fn variables_for_commands(&self) -> anyhow::Result<Vec<(String, String)>> {
        let database = match self.database_url()?.path() {
            Some(path) => file_url(path)?,
            // With its password: the job's programs connect as this one does.
            None => {
                self.database_text()?.0.into_string().map_err(|_| CommandError::NotText { what: "the database" })?
            }
        };
        let mut variables = vec![("LONGSHORE_DATABASE".to_owned(), database)];
        if self.is_one_of_several()? {
            variables.push((ONE_DATABASE.to_owned(), "1".to_owned()));
        }
        for placed in &self.databases()?.all[1..] {
            let url = placed.url.path().map_or_else(|| Ok(placed.text.clone()), file_url)?;
            variables.push((variable_of(&placed.name), url));
        }
        if let Some(config) = self.config_path() {
            variables
                .push(("LONGSHORE_CONFIG".to_owned(), whole(&config, "the absolute path of the configuration file")?));
        }
        Ok(variables)
    }

    /// Runs a future to its end on this thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        // Only timers: the I/O driver needs file descriptors and would panic if there are none left.
        tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(future)
    }

    /// The current time, to print how long ago something was.
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock::new().now()
    }
}

/// The URL of a file that means the same in any working directory.
fn file_url(path: &Path) -> anyhow::Result<String> {
    let path = whole(path, "the absolute path of the database")?;
    let url = format!("sqlite:{path}");
    // Some paths would mean something else in a URL. Such a path is passed without a scheme; it is absolute, so it is
    // not ambiguous.
    let is_plain = url.parse::<DatabaseUrl>().is_ok_and(|url| url.path() == Some(Path::new(&path)));
    Ok(if is_plain { url } else { path })
}

/// The absolute path as text for another program. A lossy conversion would name another file.
fn whole(path: &Path, what: &'static str) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    Ok(path.into_os_string().into_string().map_err(|_| CommandError::NotText { what })?)
}
