use std::path::PathBuf;

use crate::InvalidPostgresUrl as Invalid;
use crate::parameters::Parameters;

/// libpq's environment variables with the parameters for which they stand in.
const VARIABLES: [(&str, &str); 18] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
];

/// What a process has around it.
pub(crate) struct Environment<'a> {
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) account: Option<String>,
}

impl Environment<'_> {
    pub(crate) fn of_process() -> Self {
        Self {
            variable: &|name| std::env::var(name).ok(),
            home: std::env::home_dir(),
            account: whoami::username().ok(),
        }
    }

    /// Adds what the text leaves open.
    pub(crate) fn complete(&self, parameters: &mut Parameters) -> Result<(), Invalid> {
        if parameters.contains_key("service") || self.value("PGSERVICE").is_some() {
            return Err(Invalid::Service);
        }
        // A host in the text is another server than an address in the environment.
        let names_server = parameters.contains_key("host") || parameters.contains_key("hostaddr");
        for (variable, name) in VARIABLES {
            if names_server && (name == "host" || name == "hostaddr") {
                continue;
            }
            if let Some(value) = self.value(variable) {
                parameters.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    /// A file in libpq's folder for settings of a user.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name))
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}
