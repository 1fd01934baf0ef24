use std::ffi::OsString;
use std::fmt;

use longshore::DatabaseUrl;
use longshore_combined::is_database_name;
use longshore_core::{IdRange, InvalidJob};
use serde::Deserialize;

use crate::error_report::command_error::CommandError;
use crate::settings::config::Config;

/// The name of the database that has every queue which no other one names.
pub(crate) const MAIN: &str = "main";

/// A `[databases.NAME]` of the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// The database, in the form that `--database` accepts. An environment variable overrides it.
    url: Option<String>,
    /// The queues whose jobs are enqueued there.
    queues: Vec<String>,
    /// The range of its ids, if it is not to be chosen.
    number: Option<u16>,
}

impl DatabaseConfig {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self, name: &str) -> Option<String> {
        if name == MAIN || !is_database_name(name) {
            return Some(format!(
                "\"{name}\" is no name for a database: expected lower-case letters, digits, - and _, and not {MAIN}"
            ));
        }
        if let Some(number) = self.number.filter(|number| IdRange::new(*number).is_none()) {
            return Some(format!("the number {number} of a database is too high: at most {}", IdRange::NUMBER_MAX));
        }
        let invalid = self.queues.iter().find_map(|queue| InvalidJob::check_queue(queue).err());
        invalid.map(|error| format!("the queues of database {name}: {error}"))
    }
}

/// The databases that a command works on, the main one first.
#[derive(Clone, Debug)]
pub(crate) struct Databases {
    pub(crate) all: Vec<PlacedDatabase>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct PlacedDatabase {
    pub(crate) name: String,
    pub(crate) url: DatabaseUrl,
    /// The text that named it, which may have a password.
    pub(crate) text: String,
    pub(crate) queues: Vec<String>,
    pub(crate) range: Option<IdRange>,
}

impl Databases {
    /// Only this database.
    pub(crate) fn one(url: DatabaseUrl) -> Self {
        let main = PlacedDatabase { name: MAIN.to_owned(), url, text: String::new(), queues: Vec::new(), range: None };
        Self { all: vec![main] }
    }

    /// This database and those of the configuration. `variable` reads the environment.
    pub(crate) fn with_configured(
        main: DatabaseUrl,
        config: &Config,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CommandError> {
        let mut all = Self::one(main).all;
        for (name, database) in &config.databases {
            let DatabaseConfig { url, queues, number } = database.get_ref();
            let named = variable(&variable_of(name)).map(OsString::into_string).transpose();
            let named = named.map_err(|_| CommandError::NotText { what: "the URL of a database" })?;
            let Some(text) = named.or_else(|| url.clone()) else {
                let (name, variable) = (name.clone(), variable_of(name));
                return Err(CommandError::DatabaseWithoutUrl { name, variable });
            };
            let url = text.parse().map_err(|source| CommandError::NamedDatabaseUrl { name: name.clone(), source })?;
            let range = number.and_then(IdRange::new);
            all.push(PlacedDatabase { name: name.clone(), url, text, queues: queues.clone(), range });
        }
        Ok(Self { all })
    }

    /// The main one.
    pub(crate) fn main(&self) -> &PlacedDatabase {
        &self.all[0]
    }

    /// Whether the configuration names more than one.
    pub(crate) fn are_several(&self) -> bool {
        self.all.len() > 1
    }
}

/// The environment variable with the URL of a database: `LONGSHORE_DATABASE_MAIL`.
pub(crate) fn variable_of(name: &str) -> String {
    format!("LONGSHORE_DATABASE_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Where they are, without passwords.
impl fmt::Display for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.are_several() {
            return self.main().url.fmt(f);
        }
        let words: Vec<String> = self.all.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(", "))
    }
}

impl fmt::Display for PlacedDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.url)
    }
}
