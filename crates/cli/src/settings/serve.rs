use std::net::SocketAddr;

use longshore_web::Redaction;
use serde::{Deserialize, Deserializer, de};

use crate::arguments::{LISTEN, SiteArguments, base_path, host_name, listen_address};

/// The server section of the configuration file. A flag overrides its setting.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeConfig {
    /// Where the server listens.
    #[serde(default, deserialize_with = "address")]
    listen: Option<SocketAddr>,
    /// The host names that are allowed in requests.
    #[serde(default, deserialize_with = "host_names")]
    hosts: Vec<String>,
    /// The path below which it serves.
    #[serde(default, deserialize_with = "path")]
    base_path: String,
    /// Whether it refuses every change.
    #[serde(default)]
    read_only: bool,
    /// The fields whose values are shown to nobody, in the log of a worker neither.
    #[serde(default, deserialize_with = "redaction")]
    pub(crate) redact: Redaction,
}

/// How a server is reached and what it permits, from flags and configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServeSettings {
    /// None unless somebody has named an address.
    named: Option<SocketAddr>,
    pub(crate) hosts: Vec<String>,
    pub(crate) base_path: String,
    pub(crate) read_only: bool,
    pub(crate) redact: Redaction,
}

impl ServeSettings {
    pub(crate) fn new(listen: Option<SocketAddr>, site: &SiteArguments, config: &ServeConfig) -> Self {
        let hosts = if site.hosts.is_empty() { &config.hosts } else { &site.hosts };
        let base_path = if site.base_path.is_empty() { &config.base_path } else { &site.base_path };
        Self {
            named: listen.or(config.listen),
            hosts: hosts.clone(),
            base_path: base_path.clone(),
            read_only: site.read_only || config.read_only,
            redact: config.redact.clone(),
        }
    }

    /// Where it listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.named.unwrap_or(LISTEN)
    }

    /// Whether somebody has named the address, so that another one will not do.
    pub(crate) const fn names_address(&self) -> bool {
        self.named.is_some()
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    listen_address(&String::deserialize(deserializer)?).map(Some).map_err(de::Error::custom)
}

fn host_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    let checked = |host: &String| host_name(host).map_err(|error| de::Error::custom(format!("host {host:?}: {error}")));
    hosts.iter().map(checked).collect()
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    base_path(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn redaction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Redaction, D::Error> {
    Redaction::new(Vec::<String>::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_overrides_the_configuration() {
        let text = "listen = \"127.0.0.1:8080\"\nhosts = [\"jobs.example\"]\nbase_path = \"/jobs\"\nread_only = true";
        let config: ServeConfig = toml::from_str(text).unwrap();
        let settings = ServeSettings::new(None, &SiteArguments::default(), &config);
        assert_eq!(settings.listen().to_string(), "127.0.0.1:8080");
        assert_eq!(
            (settings.hosts.as_slice(), settings.base_path.as_str()),
            (&["jobs.example".to_owned()][..], "/jobs")
        );
        assert!(settings.read_only && settings.names_address());
        let site = SiteArguments { hosts: vec!["b".to_owned()], base_path: "/b".to_owned(), read_only: false };
        let settings = ServeSettings::new(Some("127.0.0.1:0".parse().unwrap()), &site, &config);
        assert_eq!((settings.listen().port(), settings.hosts.len(), settings.base_path.as_str()), (0, 1, "/b"));
        assert!(settings.read_only, "there is no flag that permits changes");
        let usual = ServeSettings::new(None, &SiteArguments::default(), &ServeConfig::default());
        assert_eq!((usual.listen(), usual.names_address()), (LISTEN, false));
    }

    #[test]
    fn localhost_is_an_address_of_this_machine() {
        for text in ["localhost:8080", "127.0.0.1:8080"] {
            let config: ServeConfig = toml::from_str(&format!("listen = \"{text}\"")).unwrap();
            assert_eq!(config.listen.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:8080"));
        }
        let unknown = listen_address("example:80").unwrap_err();
        assert_eq!(unknown, "\"example:80\" is not an address: expected one such as 127.0.0.1:7070");
    }

    #[test]
    fn a_host_is_a_name_or_an_address_alone() {
        for text in ["jobs.example.org", "JOBS", "jobs-2.internal", "my_host", "10.0.0.7", "::1"] {
            assert_eq!(host_name(text).as_deref(), Ok(text));
        }
        for text in ["", "*", "*.example.org", "http://x/", "a/b", "a:80", "a..b", "a.", "a b", "ä.example", "[::1]"] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_explained() {
        for (text, expected) in [
            ("listen = \"7070\"", "\"7070\" is not an address: expected one such as 127.0.0.1:7070"),
            ("base_path = \"/a/../b\"", "expected a path such as /jobs"),
            ("base_path = \"a\"", "expected a path such as /jobs"),
            ("readonly = true", "unknown field `readonly`"),
            ("hosts = \"a\"", "expected a sequence"),
            ("hosts = [\"a\", \"*\"]", "host \"*\": expected a host name such as jobs.example.org"),
            ("redact = [\"a\", \"\"]", "\"\" names no field to redact: expected a name such as password"),
        ] {
            let message = toml::from_str::<ServeConfig>(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
