use std::time::Duration;

use longshore_core::{InvalidJob, JobData, LimitRule, Limits, NewJob, OnDuplicate, Priority, RetryPolicy, UniqueWhile};
use serde::Deserialize;

use super::declaration::{Declaration, InvalidDeclaration};
use crate::command::CommandSpec;
use crate::handler::HandlerPolicy;
use crate::program::ProgramSpec;
#[cfg(feature = "push")]
use crate::push::PushSpec;

/// A job type from the configuration file, `[jobs.NAME]`.
///
/// Reading it fails for unknown keys, keys without effect, invalid durations, and what could never run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Declaration")]
pub struct DeclaredJob {
    kind: DeclaredKind,
    settings: Settings,
    limit: LimitRule,
}

/// What does the work of a declared job type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeclaredKind {
    /// `run`: a program for each job.
    Run(CommandSpec),
    /// `serve`: a program that stays and gets job after job.
    Serve(ProgramSpec),
    /// Only limits: the handler is in another program.
    Elsewhere,
    /// `post`: an HTTP target.
    #[cfg(feature = "push")]
    Post {
        /// The target, without its secrets.
        spec: PushSpec,
        /// The environment variable with the secrets, as [`SigningSecret::parse_all`](crate::push::SigningSecret)
        /// reads them.
        secret_env: Option<String>,
    },
    /// `http`: workers over HTTP, see [`remote`](crate::remote).
    Http {
        /// The timeout of an attempt.
        timeout: Option<Duration>,
    },
}

/// What every kind has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: RetryPolicy,
    pub(super) queue: Option<String>,
    pub(super) priority: Option<Priority>,
    pub(super) expires_in: Option<Duration>,
    pub(super) deadline_in: Option<Duration>,
    pub(super) max_crashes: Option<u32>,
    pub(super) max_deferrals: Option<u32>,
    pub(super) on_duplicate: Option<OnDuplicate>,
    pub(super) unique_while: Option<UniqueWhile>,
}

impl DeclaredJob {
    /// What does the work.
    pub const fn kind(&self) -> &DeclaredKind {
        &self.kind
    }

    /// A job of the type `job_type` with the declared settings. The caller may change them for one job.
    pub fn new_job(&self, job_type: impl Into<String>) -> NewJob {
        let settings = &self.settings;
        let mut job = NewJob::new(job_type, JobData::default());
        if self.kind.is_elsewhere() {
            // The program with its handler has its settings.
            return job;
        }
        job.queue = settings.queue.clone().unwrap_or(job.queue);
        job.priority = settings.priority.unwrap_or(job.priority);
        job.max_retries = Some(settings.retry.retries);
        job.max_crashes = settings.max_crashes.unwrap_or(job.max_crashes);
        job.max_deferrals = settings.max_deferrals.unwrap_or(job.max_deferrals);
        job.on_duplicate = settings.on_duplicate.unwrap_or(job.on_duplicate);
        job.unique_while = settings.unique_while.unwrap_or(job.unique_while);
        job.timeout = settings.timeout;
        job.expires_in = settings.expires_in;
        job.deadline_in = settings.deadline_in;
        job
    }

    /// How the jobs of the type are retried, and what they get if they do not say otherwise.
    pub fn policy(&self) -> HandlerPolicy {
        let Settings { timeout, retry, queue, priority, .. } = &self.settings;
        let policy =
            HandlerPolicy { timeout: *timeout, queue: queue.clone(), priority: *priority, ..Default::default() };
        policy.retry(retry.clone())
    }

    /// How many jobs of the type run at once, and how often they start. It may limit nothing.
    pub const fn limit(&self) -> &LimitRule {
        &self.limit
    }

    /// Checks that jobs of this type can be enqueued under that name.
    pub fn validate(&self, job_type: &str) -> Result<(), InvalidJob> {
        self.new_job(job_type).check(&Limits::default()).map(drop)
    }
}

impl TryFrom<Declaration> for DeclaredJob {
    type Error = InvalidDeclaration;

    fn try_from(declared: Declaration) -> Result<Self, InvalidDeclaration> {
        let (kind, limit) = (declared.kind()?, declared.limit());
        Ok(Self { settings: declared.settings(kind.timeout()), kind, limit })
    }
}

impl DeclaredKind {
    /// The default timeout of the kind is a default of its jobs too.
    const fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Run(spec) => spec.timeout,
            Self::Serve(spec) => spec.command.timeout,
            Self::Elsewhere => None,
            #[cfg(feature = "push")]
            Self::Post { spec, .. } => spec.timeout,
            Self::Http { timeout } => *timeout,
        }
    }

    /// Whether only the limits are declared, because the handler is in another program.
    pub const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere)
    }

    /// Whether workers over HTTP do its work, so that no handler of a worker does.
    pub const fn is_http(&self) -> bool {
        matches!(self, Self::Http { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;
    use crate::command::OnShutdown;
    #[cfg(feature = "push")]
    use crate::push::PrivateTargets;

    fn parse(text: &str) -> Result<DeclaredJob, toml::de::Error> {
        toml::from_str(text)
    }

    fn command(text: &str) -> CommandSpec {
        match parse(text).unwrap().kind {
            DeclaredKind::Run(spec) => spec,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = r#"
            run = ["python3", "thumbnail.py"]
            timeout = "5m"
            max_retries = 7
            priority = "high"
            queue = "media"
        "#;
        let declared = parse(text).unwrap();
        let job = declared.new_job("thumbnail");
        assert_eq!((job.queue.as_str(), job.priority, job.max_retries), ("media", Priority::HIGH, Some(7)));
        assert_eq!(job.timeout, Some(Duration::from_secs(300)));
        assert_eq!(command(text).run, ["python3", "thumbnail.py"]);
    }

    #[test]
    fn every_setting_may_be_given_and_the_rest_is_usual() {
        let text = r#"
            run = ["true"]
            directory = "/tmp"
            env = { A = "b" }
            grace = "2s"
            on_shutdown = "terminate"
            priority = 7
            max_crashes = 1
            max_deferrals = 9
            on_duplicate = "push_back"
            unique_while = "waiting"
            expires_in = "10m"
            deadline_in = "1h"
            retry = { first_delay = "10m", factor = 3, jitter = 0 }
        "#;
        let declared = parse(text).unwrap();
        let expected = RetryPolicy::exponential(Duration::from_secs(600), 3.0, RetryPolicy::DELAY_MAX).jitter(0.0);
        assert_eq!(command(text).retry, expected);
        assert_eq!(command(text).grace, Some(Duration::from_secs(2)));
        assert_eq!(command(text).on_shutdown, OnShutdown::Terminate);
        assert_eq!(command("run = [\"true\"]").on_shutdown, OnShutdown::Wait);
        let job = declared.new_job("a");
        assert_eq!((job.max_crashes, job.max_deferrals, job.priority), (1, 9, Priority(7)));
        assert_eq!((job.on_duplicate, job.unique_while), (OnDuplicate::PushBack, UniqueWhile::Waiting));
        assert_eq!((job.queue.as_str(), job.max_retries), ("default", Some(15)));
        assert_eq!(
            (job.expires_in, job.deadline_in),
            (Some(Duration::from_secs(600)), Some(Duration::from_secs(3600)))
        );
        let deadline = parse("run = [\"true\"]\ndeadline = \"2h\"").unwrap().new_job("a");
        assert_eq!((deadline.expires_in, deadline.deadline_in), (None, Some(Duration::from_secs(7200))));
    }

    #[test]
    fn a_type_whose_handler_is_in_another_program_has_only_limits() {
        let declared = parse("concurrency = 5\nrate = \"100/1m\"").unwrap();
        assert_eq!((declared.kind(), declared.limit().concurrency), (&DeclaredKind::Elsewhere, Some(5)));
        // Its own program says how often it is retried.
        assert_eq!(declared.new_job("sync").max_retries, None);
        for (text, key) in [("queue = \"a\"", "queue"), ("retry = \"quick\"", "retry"), ("env = {}", "env")] {
            let error = parse(&format!("concurrency = 5\n{text}")).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}` needs `run`, `serve`, `post` or `http`")), "{error}");
        }
        let error = parse("").unwrap_err().to_string();
        assert!(error.contains("or a limit such as `concurrency`"), "{error}");
    }

    #[test]
    fn the_retries_of_a_job_are_those_of_its_policy_unless_they_are_given() {
        let retries =
            |text: &str| parse(&format!("run = [\"true\"]\n{text}")).unwrap().new_job("a").max_retries.unwrap();
        assert_eq!((retries(""), retries("retry = \"quick\"")), (15, 3));
        assert_eq!((retries("retry = [\"1s\", \"5s\"]"), retries("retry = \"fixed\"")), (2, 15));
        assert_eq!(retries("retry = \"quick\"\nmax_retries = 9"), 9);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            (
                "",
                "needs `run` (a program), `serve` (a program that stays), `post` (a URL) or `http = true` (workers over HTTP)",
            ),
            ("http = false", "a job type needs `run`"),
            ("http = true\nenv = {}", "`env` has no effect with `http`"),
            (
                "run = [\"true\"]\nserve = [\"true\"]",
                "only one of `run`, `serve`, `post` and `http`: remove `run` or `serve`",
            ),
            ("run = [\"true\"]\nmax_jobs = 5", "`max_jobs` has no effect with `run`"),
            ("run = [\"true\"]\nallow_private = true", "`allow_private` has no effect with `run`"),
            ("serve = [\"true\"]\nheaders = {}", "`headers` has no effect with `serve`"),
            ("serve = []", "`serve` is empty"),
            ("serve = [\"true\"]\nmax_jobs = 0", "expected a nonzero u32"),
            ("serve = [\"true\"]\nmax_rss = \"512\"", "\"512\" is not a size"),
            ("serve = [\"true\"]\nstart_timeout = \"0s\"", "`start_timeout` is too short"),
            ("run = []", "`run` is empty"),
            ("run = \"true\"", "expected a sequence"),
            ("run = [\"true\"]\ntimeout = \"soon\"", "\"soon\" is not a duration"),
            ("run = [\"true\"]\ntimeout = 5", "5 has no unit: write \"5s\" for seconds"),
            ("run = [\"true\"]\nexpires_in = \"soon\"", "\"soon\" is not a duration"),
            ("run = [\"true\"]\nmax_retires = 5", "unknown field `max_retires`"),
            ("run = [\"true\"]\nmax_retries = -1", "expected u32"),
            ("run = [\"true\"]\npriority = \"loud\"", "\"loud\" is not a priority"),
            ("run = [\"true\"]\non_shutdown = \"sleep\"", "unknown variant `sleep`, expected `wait` or `terminate`"),
            ("run = [\"true\"]\non_duplicate = \"drop\"", "expected keep, replace or push_back"),
            ("run = [\"true\"]\nretry = { factor = 0.5 }", "0.5 is out of range: expected a number from 1 to 1000"),
            ("run = [\"true\"]\nenv = { \"\" = \"x\" }", "is not a valid name of an environment variable"),
        ];
        for (text, expected) in table {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn a_program_that_stays_has_its_own_settings() {
        let text = r#"
            serve = ["python3", "worker.py"]
            directory = "/tmp"
            max_jobs = 1000
            max_rss = "512MiB"
            start_timeout = "5s"
            timeout = "1m"
        "#;
        let declared = parse(text).unwrap();
        let DeclaredKind::Serve(spec) = declared.kind() else { panic!("{declared:?}") };
        assert_eq!((spec.max_jobs.map(NonZero::get), spec.max_rss_bytes), (Some(1000), Some(512 << 20)));
        assert_eq!((spec.start_timeout, spec.command.timeout), (Duration::from_secs(5), Some(Duration::from_secs(60))));
        let usual = parse("serve = [\"true\"]").unwrap();
        let DeclaredKind::Serve(spec) = usual.kind() else { panic!("{usual:?}") };
        assert_eq!((spec.max_jobs, spec.max_rss_bytes, spec.start_timeout), (None, None, ProgramSpec::START_TIMEOUT));
    }

    #[test]
    fn a_type_of_workers_over_http_has_the_settings_of_every_type() {
        let text = "http = true\nqueue = \"scans\"\ntimeout = \"5s\"\nretry = \"quick\"\nconcurrency = 2";
        let declared = parse(text).unwrap();
        assert!(declared.kind().is_http());
        assert_eq!(declared.limit().concurrency, Some(2));
        let policy = declared.policy();
        assert_eq!((policy.timeout, policy.queue.as_deref()), (Some(Duration::from_secs(5)), Some("scans")));
        assert_eq!(policy.retry, RetryPolicy::quick());
        assert_eq!(declared.new_job("scan").max_retries, Some(3));
    }

    #[cfg(feature = "push")]
    #[test]
    fn an_http_target_has_its_own_settings() {
        let text = r#"
            post = "https://shop.internal/jobs/receipt"
            secret_env = "RECEIPT_SECRET"
            headers = { "x-env" = "prod" }
            allow_private = true
            ca_file = "ca.pem"
            timeout = "5s"
            queue = "mail"
        "#;
        let declared = parse(text).unwrap();
        let DeclaredKind::Post { spec, secret_env } = declared.kind() else { panic!("{declared:?}") };
        assert_eq!(secret_env.as_deref(), Some("RECEIPT_SECRET"));
        assert_eq!((spec.headers["x-env"].as_str(), spec.private_targets), ("prod", PrivateTargets::Allowed));
        let job = declared.new_job("receipt");
        assert_eq!((job.queue.as_str(), job.timeout), ("mail", Some(Duration::from_secs(5))));
        let usual = parse("post = \"https://shop.internal/\"").unwrap();
        assert_eq!(usual.new_job("receipt").timeout, Some(PushSpec::TIMEOUT), "a request never waits for ever");
        let DeclaredKind::Post { spec, .. } = usual.kind() else { panic!("{usual:?}") };
        assert_eq!(spec.private_targets, PrivateTargets::Refused);
    }

    #[cfg(feature = "push")]
    #[test]
    fn a_mistake_in_an_http_target_is_named() {
        let table = [
            ("post = \"shop.internal\"", "`post` cannot be used: it is not a URL"),
            ("post = \"ftp://shop.internal/\"", "must begin with https:// or http://"),
            ("post = 7", "expected a string"),
            ("post = \"http://a/\"\nrun = [\"true\"]", "remove `run` or `post`"),
            ("post = \"http://a/\"\nenv = {}", "`env` has no effect with `post`"),
            ("post = \"http://a/\"\non_shutdown = \"wait\"", "`on_shutdown` has no effect with `post`"),
            ("post = \"http://a/\"\nheaders = { \"a b\" = \"c\" }", "\"a b\" in `headers` is not a valid name"),
            ("post = \"http://a/\"\nheaders = { a = \"b\\nc\" }", "has a character that no header may have"),
            ("post = \"http://a/\"\nheaders = { Host = \"b\" }", "\"Host\" in `headers` is set by Longshore itself"),
        ];
        for (text, expected) in table {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn absurd_limits_are_refused_under_the_name_of_the_type() {
        let declared = parse("run = [\"true\"]\nmax_retries = 4000000000").unwrap();
        assert!(declared.validate("a").is_err());
        assert!(parse("run = [\"true\"]").unwrap().validate("line\nbreak").is_err());
    }
}
