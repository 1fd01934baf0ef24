use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_core::{Clock, SystemClock, Timestamp};

use crate::arguments::Globals;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::database_url::DatabaseUrl;
use crate::environment::{Environment, process_variable};
use crate::output::Output;

/// What every command has at hand.
pub(crate) struct Context {
    /// Where results and notes go.
    pub(crate) output: Output,
    globals: Globals,
    config: OnceCell<Arc<Config>>,
}

const CONFIG_PATH: &str = "longshore.toml";
const DATABASE: &str = "sqlite:longshore.db";

impl Context {
    /// A context for these flags. Nothing is read before a command asks for it, so that a broken configuration
    /// does not stop `longshore completions`.
    pub(crate) fn new(globals: Globals) -> Self {
        Self { output: Output::new(&globals), globals, config: OnceCell::new() }
    }

    /// The configuration, empty where there is no file.
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

    fn config_path(&self) -> Option<PathBuf> {
        let named = self.globals.config.clone().or_else(|| process_variable("LONGSHORE_CONFIG").map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(CONFIG_PATH)).filter(|path| path.exists()))
    }

    /// The database: the flag, the environment, `.env`, the configuration, the default, in this order.
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl, CommandError> {
        Ok(self.database_word()?.parse()?)
    }

    fn database_word(&self) -> Result<String, CommandError> {
        if let Some(word) = &self.globals.database {
            return Ok(word.clone());
        }
        if let Some(word) = process_variable("LONGSHORE_DATABASE") {
            return Ok(word);
        }
        let environment = Environment::read(process_variable, Path::new(".env"))?;
        let word = environment.var("LONGSHORE_DATABASE").or_else(|| environment.var("DATABASE_URL"));
        if let Some(word) = word {
            return Ok(word);
        }
        Ok(self.config()?.database.clone().unwrap_or_else(|| DATABASE.to_owned()))
    }

    /// What a command job is told beside its job, so that a `longshore` that it calls means the same database and
    /// configuration, wherever it runs.
    pub(crate) fn variables_for_commands(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let whole = |path: &Path| std::path::absolute(path).map(|path| path.display().to_string());
        let database = format!("sqlite:{}", whole(self.database_url()?.path())?);
        let mut variables = vec![("LONGSHORE_DATABASE", database)];
        if let Some(config) = self.config_path() {
            variables.push(("LONGSHORE_CONFIG", whole(&config)?));
        }
        Ok(variables)
    }

    /// Runs what waits for the database to its end.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the operating system gives a process its timers").block_on(future)
    }

    /// The time, for telling how long ago something was.
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock::new().now()
    }
}
