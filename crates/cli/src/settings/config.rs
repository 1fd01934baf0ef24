use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore::Schedule;
use longshore::declared::DeclaredJob;
use longshore::handler::HandlerPolicy;
use longshore_core::{
    DurationWord, InvalidJob, InvalidLimit, JobData, LimitRule, LimitSubject, NewJob, Retention, deserialize_duration,
    format_duration, parse_duration,
};
use longshore_report::in_plain_words;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use crate::arguments::Durability;
use crate::error_report::command_error::CommandError;
use crate::settings::databases::DatabaseConfig;
use crate::settings::schedules::{ScheduleConfig, ScheduleMistake};
#[cfg(feature = "web")]
use crate::settings::serve::ServeConfig;
use crate::suggestion::closest;

/// The configuration file. Unknown keys are an error, so that a misspelt `timeuot` is noticed. Relative paths are
/// relative to the working directory, as everywhere on the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The database, in the form that `--database` accepts.
    pub(crate) database: Option<String>,
    /// Further databases, each with its queues.
    #[serde(default)]
    pub(crate) databases: BTreeMap<String, Spanned<DatabaseConfig>>,
    /// Job types, with what does their work.
    #[serde(default)]
    pub(crate) jobs: BTreeMap<String, Spanned<DeclaredJob>>,
    /// The file, to find the lines of its keys.
    #[serde(skip)]
    text: String,
    /// Schedules, each with its job.
    #[serde(default)]
    pub(crate) schedules: BTreeMap<String, Spanned<ScheduleConfig>>,
    /// Queues, each with its limit.
    #[serde(default)]
    pub(crate) queues: BTreeMap<String, Spanned<QueueConfig>>,
    /// Migrations.
    #[serde(default)]
    pub(crate) migrate: MigrateConfig,
    /// What a commit survives. Default: a power cut.
    pub(crate) durability: Option<Durability>,
    /// The worker's settings.
    #[serde(default)]
    pub(crate) worker: WorkerConfig,
    /// The server's settings.
    #[cfg(feature = "web")]
    #[serde(default)]
    pub(crate) serve: ServeConfig,
    /// A program without a server reads the same file.
    #[cfg(not(feature = "web"))]
    #[serde(default, rename = "serve")]
    _serve: serde::de::IgnoredAny,
}

/// A queue in the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueConfig {
    /// How many of its jobs run at once, over all processes and hosts.
    pub(crate) concurrency: Option<u32>,
}

/// The worker section of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerConfig {
    /// The number of jobs that run at once. `--concurrency` overrides it.
    pub(crate) concurrency: Option<NonZero<u32>>,
    /// How long running jobs may continue after the worker was told to stop.
    #[serde(default, deserialize_with = "deserialize_duration")]
    pub(crate) grace: Option<Duration>,
    /// How long the worker keeps its jobs without a heartbeat.
    #[serde(default, deserialize_with = "lease")]
    pub(crate) lease: Option<Duration>,
    /// How long completed and cancelled jobs are kept.
    #[serde(default, deserialize_with = "retention")]
    pub(crate) retention: Option<Retention>,
    /// How long dead letters are kept.
    #[serde(default, deserialize_with = "retention")]
    pub(crate) dead_letter_retention: Option<Retention>,
}

/// A shorter lease could expire between two heartbeats on a busy machine.
const LEASE_MIN: Duration = Duration::from_secs(1);

fn lease<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let lease = deserialize_duration(deserializer)?;
    if lease.is_some_and(|lease| lease < LEASE_MIN) {
        return Err(de::Error::custom("the lease must be at least 1s"));
    }
    Ok(lease)
}

impl WorkerConfig {
    pub(crate) fn retention(&self) -> Retention {
        self.retention.unwrap_or(Retention::ENDED)
    }

    pub(crate) fn dead_letter_retention(&self) -> Retention {
        self.dead_letter_retention.unwrap_or(Retention::DEAD_LETTERS)
    }
}

impl WorkerConfig {
    /// What happens to ended jobs, in one sentence.
    pub(crate) fn retention_words(&self) -> String {
        let (ended, dead) = (self.retention(), self.dead_letter_retention());
        let words = format!("completed and cancelled jobs are {}, dead letters are {}", kept(ended), kept(dead));
        let is_default = |retention| matches!(retention, Retention::Default(_));
        if is_default(ended) || is_default(dead) {
            return format!("{words} (default: set retention and dead_letter_retention under [worker])");
        }
        words
    }
}

fn kept(retention: Retention) -> String {
    match retention.span() {
        None => "kept for ever".to_owned(),
        Some(span) => format!("removed after {}", words_of(span)),
    }
}

fn words_of(span: Duration) -> String {
    let days = span.as_secs() / 86_400;
    match span == Duration::from_secs(days * 86_400) {
        true if days == 1 => "1 day".to_owned(),
        true => format!("{days} days"),
        false => format_duration(span).to_string(),
    }
}

/// A duration, or `forever`.
fn retention<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Retention>, D::Error> {
    let DurationWord(word) = DurationWord::deserialize(deserializer)?;
    if word == "forever" {
        return Ok(Some(Retention::Forever));
    }
    parse_duration(&word)
        .map(|span| Some(Retention::After(span)))
        .map_err(|error| de::Error::custom(format!("{error}, or \"forever\"")))
}

/// The migrations section of the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MigrateConfig {
    /// The directory of the application's own migrations.
    pub(crate) dir: Option<PathBuf>,
}

impl Config {
    /// Reads a file. Fails if it does not exist.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let bytes = std::fs::read(path).map_err(|source| CommandError::Unreadable { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            Self::problem(path, line_of(error.as_bytes(), valid), "it is not UTF-8")
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, CommandError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let words: Vec<&str> = error.message().split_whitespace().collect();
            let (line, words) = (line_of(text.as_bytes(), at), words.join(" "));
            Self::problem(path, line_of_named(text, line, &words), &explained(text, line, &words))
        })?;
        text.clone_into(&mut config.text);
        for (job_type, declared) in &config.jobs {
            if let Err(error) = declared.get_ref().validate(job_type) {
                let lines = job_keys(&error).iter().map(|key| config.line_of(job_type, key));
                return Err(Self::problem(path, lines.max().unwrap_or(1), &error.to_string()));
            }
        }
        for (job_type, declared) in &config.jobs {
            let subject = LimitSubject::Type(job_type.clone());
            if let Err(error) = declared.get_ref().limit().check(&subject) {
                let line = line_of(text.as_bytes(), declared.span().start);
                let line = limit_key(&error).map_or(line, |key| line_of_key(text, line, key));
                return Err(Self::problem(path, line, &error.to_string()));
            }
        }
        for (name, queue) in &config.queues {
            let (subject, rule) = queue.get_ref().limit(name);
            if let Err(error) = rule.check(&subject) {
                let line = line_of(text.as_bytes(), queue.span().start);
                let line = limit_key(&error).map_or(line, |key| line_of_key(text, line, key));
                return Err(Self::problem(path, line, &error.to_string()));
            }
        }
        for (name, database) in &config.databases {
            if let Some(problem) = database.get_ref().problem(name) {
                return Err(Self::problem(path, line_of(text.as_bytes(), database.span().start), &problem));
            }
        }
        for (name, schedule) in &config.schedules {
            if let Err(mistake) = config.schedule(name, schedule.get_ref()) {
                let line = line_of(text.as_bytes(), schedule.span().start);
                let line = mistake.setting.map_or(line, |key| line_of_key(text, line, key));
                return Err(Self::problem(path, line, &mistake.problem));
            }
        }
        Ok(config)
    }

    /// The line of a key of a job type, or that of the type if the key is not at the start of a line.
    pub(crate) fn line_of(&self, job_type: &str, key: &str) -> usize {
        let start = self.jobs.get(job_type).map_or(0, |declared| declared.span().start);
        line_of_key(&self.text, line_of(self.text.as_bytes(), start), key)
    }

    /// The limits of every declared type and queue. Those without one have none any more.
    pub(crate) fn limits(&self) -> Vec<(LimitSubject, LimitRule)> {
        let types = self
            .jobs
            .iter()
            .map(|(job_type, declared)| (LimitSubject::Type(job_type.clone()), declared.get_ref().limit().clone()));
        let queues = self.queues.iter().map(|(name, queue)| queue.get_ref().limit(name));
        types.chain(queues).collect()
    }

    /// The types whose work somebody is declared to do. Of others only the limits are declared.
    pub(crate) fn worked_types(&self) -> impl Iterator<Item = &String> {
        let is_worked = |(_, declared): &(&String, &Spanned<DeclaredJob>)| !declared.get_ref().kind().is_elsewhere();
        self.jobs.iter().filter(is_worked).map(|(job_type, _)| job_type)
    }

    /// The types whose work a worker of this program does: not those of workers over HTTP and of other programs.
    pub(crate) fn own(&self) -> impl Iterator<Item = (&String, &Spanned<DeclaredJob>)> {
        self.jobs.iter().filter(|(_, declared)| {
            let kind = declared.get_ref().kind();
            !kind.is_http() && !kind.is_elsewhere()
        })
    }

    /// Their names.
    pub(crate) fn own_types(&self) -> impl Iterator<Item = &String> {
        self.own().map(|(job_type, _)| job_type)
    }

    /// The rules of a declared type.
    pub(crate) fn policy(&self, job_type: &str) -> Option<HandlerPolicy> {
        let declared = self.jobs.get(job_type).filter(|declared| !declared.get_ref().kind().is_elsewhere());
        declared.map(|declared| declared.get_ref().policy())
    }

    /// The schedules, with the defaults of their jobs from `[jobs.NAME]`. They were checked when the file was read.
    pub(crate) fn schedules(&self) -> Vec<Schedule> {
        let checked = |(name, schedule): (&String, &Spanned<ScheduleConfig>)| {
            self.schedule(name, schedule.get_ref()).expect("it was checked when the file was read")
        };
        self.schedules.iter().map(checked).collect()
    }

    /// The names of the schedules with the types of their jobs.
    pub(crate) fn types_of_schedules(&self) -> Vec<(&str, &str)> {
        self.schedules.iter().map(|(name, schedule)| (name.as_str(), schedule.get_ref().job.as_str())).collect()
    }

    fn schedule(&self, name: &str, schedule: &ScheduleConfig) -> Result<Schedule, ScheduleMistake> {
        schedule.schedule(name, self.new_job(&schedule.job))
    }

    fn problem(path: &Path, line: usize, problem: &str) -> CommandError {
        CommandError::Config { path: path.to_owned(), line, problem: problem.to_owned() }
    }

    /// A job of this type, with the defaults from its `[jobs.NAME]`.
    pub(crate) fn new_job(&self, job_type: &str) -> NewJob {
        match self.jobs.get(job_type) {
            None => NewJob::new(job_type, JobData::default()),
            Some(declared) => declared.get_ref().new_job(job_type),
        }
    }
}

impl QueueConfig {
    fn limit(&self, name: &str) -> (LimitSubject, LimitRule) {
        let rule = LimitRule { concurrency: self.concurrency, ..LimitRule::default() };
        (LimitSubject::Queue(name.to_owned()), rule)
    }
}

/// The key of a table that a limit is refused for.
const fn limit_key(error: &InvalidLimit) -> Option<&'static str> {
    match error {
        InvalidLimit::OutOfRange { what, .. } | InvalidLimit::Needs { what, .. } => Some(what),
        InvalidLimit::Weight { .. } | InvalidLimit::TooManyWeights => Some("weights"),
        _ => None,
    }
}

/// The keys of a job type that may hold what is refused.
fn job_keys(error: &InvalidJob) -> &[&str] {
    match error {
        InvalidJob::Span { what: "deadline_in", .. } => &["deadline_in", "deadline"],
        InvalidJob::Span { what, .. } | InvalidJob::OutOfRange { what, .. } => std::slice::from_ref(what),
        InvalidJob::Name { what: "queue name", .. } => &["queue"],
        _ => &[""],
    }
}

/// What the parser said, in the words of those who write the file.
fn explained(text: &str, line: usize, words: &str) -> String {
    let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map_or("", |(key, _)| key.trim());
    let plain = in_plain_words(words, "a table");
    match (meant_key(words), given_list(key, words)) {
        (Some(meant), _) => meant,
        (None, Some(list)) => format!("{plain} such as {list}"),
        (None, None) => plain,
    }
}

/// An unknown key with the known one that was probably meant, instead of all known ones.
fn meant_key(words: &str) -> Option<String> {
    let (found, expected) = words.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    let meant = closest(found, names_in(expected))?;
    Some(format!("unknown field \"{found}\": did you mean \"{meant}\"?"))
}

/// How a list is written of which only a text was given.
fn given_list(key: &str, words: &str) -> Option<String> {
    let given = words.strip_prefix("invalid type: string \"")?.strip_suffix("\", expected a sequence")?;
    let is_program = ["run", "serve"].contains(&key);
    let needs_shell = given.contains(['\\', '\'', '|', '&', ';', '<', '>', '$', '*', '(']);
    Some(match (is_program, needs_shell) {
        (true, true) => format!("[\"sh\", \"-c\", \"{given}\"]"),
        (true, false) => format!("[\"{}\"]", given.split_whitespace().collect::<Vec<_>>().join("\", \"")),
        (false, _) => format!("[\"{given}\"]"),
    })
}

/// The names between backticks.
fn names_in(words: &str) -> impl Iterator<Item = &str> {
    words.split('`').skip(1).step_by(2)
}

/// The line of the first key that the words name in the table that begins at `line`, or that line.
fn line_of_named(text: &str, line: usize, words: &str) -> usize {
    if words.starts_with("unknown field") {
        return line;
    }
    names_in(words).map(|key| line_of_key(text, line, key)).find(|at| *at != line).unwrap_or(line)
}

/// The line of a key in the table that begins at `line`, or that line if the key is not at the start of a line.
fn line_of_key(text: &str, line: usize, key: &str) -> usize {
    if !text.lines().nth(line - 1).is_some_and(|header| header.trim_start().starts_with('[')) {
        return line;
    }
    let is_key =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let table = text.lines().enumerate().skip(line - 1);
    let mut table = table.take_while(|(at, text)| *at < line || !text.trim_start().starts_with('['));
    table.find(|(_, text)| is_key(text)).map_or(line, |(at, _)| at + 1)
}

/// The line number of byte `at`; the first line is 1.
fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::Priority;
    use std::time::Duration;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("longshore.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_type_says_what_its_jobs_are_like() {
        let text = r#"
            database = "sqlite:jobs.db"
            [jobs.thumbnail]
            run = ["python3", "thumbnail.py"]
            timeout = "5m"
            max_retries = 7
            priority = "high"
            queue = "media"
        "#;
        let job = parse(text).unwrap().new_job("thumbnail");
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("media", Priority::HIGH, Some(7)));
        assert_eq!(job.timeout, Some(Duration::from_secs(300)));
    }

    #[test]
    fn ended_jobs_are_kept_7_days_and_dead_letters_90_unless_something_else_is_set() {
        let kept = |text: &str| {
            let worker = parse(text).unwrap().worker;
            (worker.retention(), worker.dead_letter_retention())
        };
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(kept(""), (Retention::Default(days(7)), Retention::Default(days(90))));
        assert_eq!(kept("[worker]\nretention = \"30d\""), (Retention::After(days(30)), Retention::DEAD_LETTERS));
        let both = kept("[worker]\nretention = \"7d\"\ndead_letter_retention = \"90d\"");
        assert_eq!(both, (Retention::After(days(7)), Retention::After(days(90))));
        let forever = kept("[worker]\nretention = \"forever\"\ndead_letter_retention = \"forever\"");
        assert_eq!(forever, (Retention::Forever, Retention::Forever));
        let words = |text: &str| parse(text).unwrap().worker.retention_words();
        let usual =
            "completed and cancelled jobs are removed after 7 days, dead letters are removed after 90 days (default: ";
        assert!(words("").starts_with(usual), "{}", words(""));
        let set = words("[worker]\nretention = \"36h\"\ndead_letter_retention = \"forever\"");
        assert_eq!(set, "completed and cancelled jobs are removed after 1d 12h, dead letters are kept for ever");
        let error = parse("[worker]\ndead_letter_retention = \"never\"").unwrap_err();
        assert!(error.starts_with("longshore.toml, line 2: \"never\" is not a duration"), "{error}");
        assert!(error.ends_with("or \"forever\""), "{error}");
    }

    #[test]
    fn each_mistake_of_a_schedule_is_named_with_its_line() {
        let good = "job = \"report\"\ncron = \"30 2 * * mon-fri\"\n";
        let at = |line: usize, text: &str, words: &str| {
            let error = parse(text).map(drop).expect_err(text);
            assert!(error.starts_with(&format!("longshore.toml, line {line}: ")), "{text:?}: {error}");
            assert!(error.contains(words), "{text:?}: {error}");
        };
        let with = |lines: &str| format!("\n[schedules.nightly]\n{good}{lines}\n");
        assert_eq!(parse(&with("")).unwrap().schedules().len(), 1);
        at(5, &with("time_zone = \"Europe/Berln\""), "did you mean Europe/Berlin?");
        at(4, &with("").replace("30 2 * * mon-fri", "0 0 30 2 *"), "never matches");
        at(4, &with("").replace("30 2 * * mon-fri", "61 * * * *"), "the cron expression \"61 * * * *\" is not valid");
        at(2, &with("every = \"15m\""), "both cron and every");
        at(2, "\n[schedules.nightly]\njob = \"report\"\n", "neither cron nor every");
        at(4, "\n[schedules.nightly]\njob = \"report\"\nevery = \"500ms\"", "every must be from 1s to 10 years");
        at(4, "\n[schedules.nightly]\njob = \"report\"\nevery = 15", "15 has no unit");
        at(2, "\n[schedules.nightly]\ncron = \"@daily\"\n", "missing field \"job\"");
        at(5, &with("catch_up_max = 101"), "catch_up_max must be from 1 to 100");
        at(5, &with("catch_up_max = 0"), "catch_up_max must be from 1 to 100");
        at(5, &with("jitter = \"2d\""), "jitter must be 1 day or less");
        at(5, &with("late_after = \"soon\""), "\"soon\" is not a duration");
        at(5, &with("expect_within = \"0s\""), "expect_within must be");
        at(5, &with("missed = \"some\""), "some");
        at(5, &with("overlap = \"queue\""), "queue");
        at(5, &with("time_zome = \"UTC\""), "unknown field \"time_zome\"");
        at(5, &with("timeout = \"0s\""), "timeout");
        at(2, &with("").replace("\"report\"", "\"\""), "job type");
        at(5, &with("data = nan"), "data");
    }

    #[test]
    fn the_job_of_a_schedule_is_like_other_jobs_of_its_type() {
        let text = r#"
            [jobs.report]
            run = ["true"]
            queue = "slow"
            max_retries = 7
            timeout = "5m"
            [schedules.nightly]
            every = "15m"
            time_zone = "Europe/Berlin"
            job = "report"
            data = { kind = "daily", at = 2026-05-04T12:30:00Z, n = [1, 2.5] }
            priority = "high"
            timeout = "1h"
        "#;
        let schedule = parse(text).unwrap().schedules().remove(0).definition().unwrap();
        let job = schedule.job.to_job();
        assert_eq!((job.queue.as_str(), job.max_retries, job.priority), ("slow", Some(7), Priority::HIGH));
        assert_eq!(job.timeout, Some(Duration::from_secs(3600)));
        assert_eq!(job.job_data.as_str(), r#"{"at":"2026-05-04T12:30:00Z","kind":"daily","n":[1,2.5]}"#);
        assert_eq!(schedule.timing.time_zone(), "Europe/Berlin");
    }

    #[test]
    fn limits_are_read_and_a_mistake_in_one_names_its_line() {
        let text = r#"
            [queues.api]
            concurrency = 20
            [jobs.sync]
            run = ["true"]
            concurrency = 50
            rate = "1000/1m"
            burst = 20
            key = "/tenant_id"
            key_concurrency = 2
            key_rate = "100/1m"
            weights = { acme = 3 }
        "#;
        let limits = parse(text).unwrap().limits();
        let (subject, rule) = &limits[0];
        assert_eq!((subject, rule.concurrency), (&LimitSubject::Type("sync".to_owned()), Some(50)));
        assert_eq!((rule.rate, rule.burst), (Some("1000/1m".parse().unwrap()), Some(20)));
        assert_eq!(rule.key.as_ref().unwrap().as_str(), "/tenant_id");
        assert_eq!((rule.key_concurrency, rule.weights["acme"]), (Some(2), 3));
        let (subject, rule) = &limits[1];
        assert_eq!((subject, rule.concurrency), (&LimitSubject::Queue("api".to_owned()), Some(20)));
        for (line, text) in [
            (3, "[jobs.a]\nrun = [\"true\"]\nconcurrency = 0"),
            (3, "[jobs.a]\nrun = [\"true\"]\nkey = \"tenant\""),
            (3, "[jobs.a]\nrun = [\"true\"]\nrate = \"5\""),
            (3, "[jobs.a]\nrun = [\"true\"]\nrate = \"0/1m\""),
            (4, "[jobs.a]\nrun = [\"true\"]\nkey = \"/t\"\nweights = { acme = 0 }"),
            (3, "[jobs.a]\nrun = [\"true\"]\nkey_concurrency = 2"),
            (3, "[jobs.a]\nrun = [\"true\"]\nburst = 2"),
            (2, "[queues.a]\nconcurrency = 0"),
            (2, "[queues.a]\nrate = \"5/1s\""),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("longshore.toml, line {line}: ")), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse("database = \"a\"\n[jobs.mail]\nrun = [\"true\"]\ntimeuot = \"5m\"\n").unwrap_err();
        assert!(error.starts_with("longshore.toml, line 4: unknown field \"timeuot\""), "{error}");
        let error = parse("\n\ndatabse = \"a\"").unwrap_err();
        assert!(error.starts_with("longshore.toml, line 3: unknown field \"databse\""), "{error}");
    }

    #[test]
    fn a_duration_without_a_unit_is_refused_with_the_text_to_write() {
        let of_jobs =
            ["timeout", "grace", "expires_in", "deadline"].map(|key| format!("[jobs.a]\nrun = [\"true\"]\n{key}"));
        let of_worker =
            ["grace", "lease", "retention", "dead_letter_retention"].map(|key| format!("[worker]\n\n{key}"));
        for key in of_jobs.iter().chain(&of_worker) {
            let error = parse(&format!("{key} = 5")).unwrap_err();
            assert_eq!(error, "longshore.toml, line 3: 5 has no unit: write \"5s\" for seconds", "{key}");
            let error = parse(&format!("{key} = \"5\"")).unwrap_err();
            assert!(error.starts_with("longshore.toml, line 3: \"5\" has no unit: write 5s for seconds"), "{error}");
        }
        let error = parse("[jobs.a]\nrun = [\"true\"]\nretry = { first_delay = 5 }").unwrap_err();
        assert!(error.ends_with("5 has no unit: write \"5s\" for seconds"), "{error}");
    }

    #[test]
    fn the_key_and_the_list_that_were_meant_are_shown() {
        let error = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            error("[jobs.a]\nrunn = [\"true\"]"),
            "longshore.toml, line 2: unknown field \"runn\": did you mean \"run\"?"
        );
        let list =
            "longshore.toml, line 2: invalid type: string \"echo hi\", expected a list such as [\"echo\", \"hi\"]";
        assert_eq!(error("[jobs.a]\nrun = \"echo hi\""), list);
        assert!(error("[jobs.a]\nrun = \"ls | wc\"").ends_with("such as [\"sh\", \"-c\", \"ls | wc\"]"));
        assert!(error("[databases.mail]\nqueues = \"mail\"").ends_with("expected a list such as [\"mail\"]"));
        assert!(error("[jobs.a]\nzebra = 1").contains("expected one of \"run\", "));
    }

    #[test]
    fn the_page_of_the_configuration_file_has_every_key_and_its_examples_are_read() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let page = std::fs::read_to_string(page).unwrap();
        let examples: Vec<&str> =
            page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(examples.len() >= 5);
        for example in examples {
            parse(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
        }
        for table in [
            "",
            "[worker]",
            "[serve]",
            "[migrate]",
            "[databases.a]",
            "[queues.a]",
            "[schedules.a]",
            "[jobs.a]",
            "[jobs]\na.run = [\"true\"]\na.retry.policy = \"fixed\"\na.retry",
        ] {
            let unknown = if table.ends_with("retry") { ".zz = 1" } else { "\nzz = 1" };
            let error = parse(&format!("{table}{unknown}")).unwrap_err();
            let (_, known) = error.split_once("expected ").unwrap_or_else(|| panic!("{table}: {error}"));
            for key in known.split('"').skip(1).step_by(2) {
                let places = [format!("\n{key} = "), format!("\n[{key}"), format!(" {key} = "), format!("`{key}`")];
                assert!(places.iter().any(|place| page.contains(place)), "{key} of {table:?} is not in the page");
            }
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_with_its_line() {
        for (line, text) in [
            (2, "[jobs.mail]\nrun = \"true\""),
            (1, "[jobs.mail]\n"),
            (3, "[jobs.mail]\nrun = [\"true\"]\ntimeout = \"soon\""),
            (3, "[jobs.mail]\nrun = [\"true\"]\nmax_retries = -1"),
            (2, "[jobs.mail]\nrun = []"),
            (4, "\n[jobs.mail]\nrun = [\"true\"]\nmax_retries = 4000000000"),
            (3, "[jobs.mail]\nrun = [\"true\"]\ntimeout = \"0s\""),
            (3, "[jobs.mail]\nrun = [\"true\"]\nexpires_in = \"0s\""),
            (3, "[jobs.mail]\nrun = [\"true\"]\ndeadline = \"0s\""),
            (3, "[jobs.mail]\nrun = [\"true\"]\nqueue = \"\""),
            (3, "[jobs.mail]\nserve = [\"true\"]\nstart_timeout = \"0s\""),
            (3, "[jobs.mail]\nrun = [\"true\"]\nmax_jobs = 5"),
            (3, "[jobs.mail]\npost = \"http://a/\"\nheaders = { \"a b\" = \"c\" }"),
            (2, "[jobs]\nmail = { run = [] }\nrun = { run = [\"true\"] }"),
            (1, "database = 7"),
            (1, "database"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("longshore.toml, line {line}: ")), "{text:?}: {error}");
        }
    }
}
