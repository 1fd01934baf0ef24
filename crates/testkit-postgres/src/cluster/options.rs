/// Settings of a private server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) fsync: bool,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) host_rules: Option<String>,
}

/// How a server is stopped, in the words of `pg_ctl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Waits until all sessions have ended.
    Smart,
    /// Ends all sessions and shuts down cleanly.
    Fast,
    /// Aborts at once; the next start recovers as after a crash.
    Immediate,
}

impl Options {
    /// `fsync` off, 64 MB of buffers, 300 connections, no just-in-time compilation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns `fsync` and full page writes on.
    #[must_use]
    pub fn with_fsync(mut self) -> Self {
        self.fsync = true;
        self
    }

    /// Adds a line to `postgresql.conf`; the value is quoted.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file into the data folder before the start, readable by the server alone: a certificate or a key.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// Rules of `pg_hba.conf` for TCP connections. Through the Unix socket everybody is trusted, as the tests need it.
    #[must_use]
    pub fn host_rules(mut self, lines: &str) -> Self {
        self.host_rules = Some(lines.to_owned());
        self
    }

    /// The text that is appended to `postgresql.conf`.
    pub(crate) fn configuration(&self) -> String {
        let durable = if self.fsync { "on" } else { "off" };
        let mut text = format!("fsync = {durable}\nfull_page_writes = {durable}\n");
        text.push_str("shared_buffers = 64MB\nmax_connections = 300\njit = off\nlogging_collector = off\nwal_retrieve_retry_interval = 100ms\n");
        for (name, value) in &self.settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        text
    }
}

impl StopMode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Smart => "smart",
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
}
