use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use longshore_core::{
    KeyPointer, LimitRule, OnDuplicate, Priority, Rate, RetryPolicy, UniqueWhile, deserialize_duration,
};
use serde::Deserialize;
use thiserror::Error;

use super::byte_size::ByteSize;
use super::declared_job::{DeclaredKind, Settings};
use super::retry_setting::RetrySetting;
use crate::command::{CommandSpec, InvalidCommand, OnShutdown};
use crate::program::{InvalidProgram, ProgramSpec};
#[cfg(feature = "push")]
use crate::push::{InvalidPush, PrivateTargets, PushSpec};

/// Why a declaration is not a job type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDeclaration {
    /// It does not say what does the work.
    #[error(
        "a job type needs `run` (a program), `serve` (a program that stays), `post` (a URL) or `http = true` (workers \
         over HTTP), or a limit such as `concurrency` if its handler is in another program"
    )]
    NoKind,
    /// A key that only a type with a kind has.
    #[error(
        "`{key}` needs `run`, `serve`, `post` or `http`: of a type whose handler is in another program only the limits are given"
    )]
    NeedsKind {
        /// The key.
        key: &'static str,
    },
    /// It says so more than once.
    #[error("a job type has only one of `run`, `serve`, `post` and `http`: remove `{first}` or `{second}`")]
    SeveralKinds {
        /// One of them.
        first: &'static str,
        /// Another one.
        second: &'static str,
    },
    /// A key belongs to another kind.
    #[error("`{key}` has no effect with `{kind}`: remove it")]
    NoEffect {
        /// The key.
        key: &'static str,
        /// What does the work.
        kind: &'static str,
    },
    /// The command could never run.
    #[error(transparent)]
    Command(#[from] InvalidCommand),
    /// The program could never run.
    #[error(transparent)]
    Program(#[from] InvalidProgram),
    /// No request could ever be sent.
    #[cfg(feature = "push")]
    #[error(transparent)]
    Push(#[from] InvalidPush),
    /// This program has no push jobs.
    #[cfg(not(feature = "push"))]
    #[error("`post` is not supported by this program: it was built without the feature \"push\"")]
    NoPush,
}

/// The keys in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    run: Option<Vec<String>>,
    serve: Option<Vec<String>>,
    post: Option<String>,
    http: Option<bool>,

    // Programs.
    env: Option<BTreeMap<String, String>>,
    directory: Option<PathBuf>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    grace: Option<Duration>,
    on_shutdown: Option<OnShutdown>,

    // Programs that stay.
    max_jobs: Option<NonZero<u32>>,
    max_rss: Option<ByteSize>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    start_timeout: Option<Duration>,

    // HTTP targets.
    headers: Option<BTreeMap<String, String>>,
    secret_env: Option<String>,
    allow_private: Option<bool>,
    ca_file: Option<PathBuf>,

    // All kinds.
    #[serde(default, deserialize_with = "deserialize_duration")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "deserialize_duration")]
    expires_in: Option<Duration>,
    #[serde(default, alias = "deadline", deserialize_with = "deserialize_duration")]
    deadline_in: Option<Duration>,
    #[serde(default)]
    retry: RetrySetting,
    queue: Option<String>,
    priority: Option<Priority>,
    max_retries: Option<u32>,
    max_crashes: Option<u32>,
    max_deferrals: Option<u32>,
    on_duplicate: Option<OnDuplicate>,
    unique_while: Option<UniqueWhile>,

    // Limits.
    concurrency: Option<u32>,
    rate: Option<Rate>,
    burst: Option<u32>,
    key: Option<KeyPointer>,
    key_concurrency: Option<u32>,
    key_rate: Option<Rate>,
    #[serde(default)]
    weights: BTreeMap<String, u32>,
}

impl Declaration {
    /// What does the work, unless a key has no effect with it.
    pub(super) fn kind(&self) -> Result<DeclaredKind, InvalidDeclaration> {
        let word = self.kind_word()?;
        match (self.key_without_effect(word), word) {
            (Some(key), Some(kind)) => Err(InvalidDeclaration::NoEffect { key, kind }),
            (Some(key), None) => Err(InvalidDeclaration::NeedsKind { key }),
            (None, None) => Ok(DeclaredKind::Elsewhere),
            (None, Some("run")) => Ok(DeclaredKind::Run(self.command(self.run.clone().unwrap_or_default(), "run")?)),
            (None, Some("serve")) => Ok(DeclaredKind::Serve(self.program()?)),
            (None, Some("http")) => Ok(DeclaredKind::Http { timeout: self.timeout }),
            (None, Some(_)) => self.push(),
        }
    }

    /// How many of its jobs run, and how often they start.
    pub(super) fn limit(&self) -> LimitRule {
        LimitRule {
            concurrency: self.concurrency,
            rate: self.rate,
            burst: self.burst,
            key: self.key.clone(),
            key_concurrency: self.key_concurrency,
            key_rate: self.key_rate,
            weights: self.weights.clone(),
        }
    }

    /// What its jobs get; the timeout depends on the kind.
    pub(super) fn settings(self, timeout: Option<Duration>) -> Settings {
        Settings {
            timeout,
            retry: self.retry_policy(),
            queue: self.queue,
            priority: self.priority,
            expires_in: self.expires_in,
            deadline_in: self.deadline_in,
            max_crashes: self.max_crashes,
            max_deferrals: self.max_deferrals,
            on_duplicate: self.on_duplicate,
            unique_while: self.unique_while,
        }
    }

    /// None if it only limits a type.
    fn kind_word(&self) -> Result<Option<&'static str>, InvalidDeclaration> {
        let all = [
            ("run", self.run.is_some()),
            ("serve", self.serve.is_some()),
            ("post", self.post.is_some()),
            ("http", self.http == Some(true)),
        ];
        let mut given = all.into_iter().filter(|(_, is_given)| *is_given).map(|(word, _)| word);
        let Some(first) = given.next() else {
            return if self.limits() { Ok(None) } else { Err(InvalidDeclaration::NoKind) };
        };
        match given.next() {
            None => Ok(Some(first)),
            Some(second) => Err(InvalidDeclaration::SeveralKinds { first, second }),
        }
    }

    fn limits(&self) -> bool {
        let numbers = [self.concurrency, self.burst, self.key_concurrency];
        numbers.iter().any(Option::is_some)
            || self.rate.is_some()
            || self.key_rate.is_some()
            || self.key.is_some()
            || !self.weights.is_empty()
    }

    /// A key that this kind does not use: it would be ignored silently.
    fn key_without_effect(&self, kind: Option<&str>) -> Option<&'static str> {
        let all: &[&str] = &["run", "serve", "post", "http"];
        let keys: [(&str, bool, &[&str]); 22] = [
            ("env", self.env.is_some(), &["run", "serve"]),
            ("directory", self.directory.is_some(), &["run", "serve"]),
            ("grace", self.grace.is_some(), &["run", "serve"]),
            ("on_shutdown", self.on_shutdown.is_some(), &["run", "serve"]),
            ("max_jobs", self.max_jobs.is_some(), &["serve"]),
            ("max_rss", self.max_rss.is_some(), &["serve"]),
            ("start_timeout", self.start_timeout.is_some(), &["serve"]),
            ("headers", self.headers.is_some(), &["post"]),
            ("secret_env", self.secret_env.is_some(), &["post"]),
            ("allow_private", self.allow_private.is_some(), &["post"]),
            ("ca_file", self.ca_file.is_some(), &["post"]),
            ("timeout", self.timeout.is_some(), all),
            ("expires_in", self.expires_in.is_some(), all),
            ("deadline_in", self.deadline_in.is_some(), all),
            ("retry", self.retry != RetrySetting::default(), all),
            ("queue", self.queue.is_some(), all),
            ("priority", self.priority.is_some(), all),
            ("max_retries", self.max_retries.is_some(), all),
            ("max_crashes", self.max_crashes.is_some(), all),
            ("max_deferrals", self.max_deferrals.is_some(), all),
            ("on_duplicate", self.on_duplicate.is_some(), all),
            ("unique_while", self.unique_while.is_some(), all),
        ];
        let has_no_effect = |kinds: &[&str]| kind.is_none_or(|kind| !kinds.contains(&kind));
        keys.into_iter().find(|(_, is_given, kinds)| *is_given && has_no_effect(kinds)).map(|(key, ..)| key)
    }

    fn retry_policy(&self) -> RetryPolicy {
        let retry = self.retry.policy.clone();
        let retries = self.max_retries.unwrap_or(retry.retries);
        retry.retries(retries)
    }

    fn command(&self, run: Vec<String>, key: &'static str) -> Result<CommandSpec, InvalidCommand> {
        let spec = CommandSpec {
            run,
            env: self.env.clone().unwrap_or_default(),
            directory: self.directory.clone(),
            timeout: self.timeout,
            grace: self.grace,
            on_shutdown: self.on_shutdown.unwrap_or_default(),
            retry: self.retry_policy(),
            queue: self.queue.clone(),
            priority: self.priority,
        };
        spec.validate_as(key)?;
        Ok(spec)
    }

    fn program(&self) -> Result<ProgramSpec, InvalidDeclaration> {
        let command = self.command(self.serve.clone().unwrap_or_default(), "serve")?;
        let spec = ProgramSpec {
            max_jobs: self.max_jobs,
            max_rss_bytes: self.max_rss.map(|ByteSize(bytes)| bytes),
            start_timeout: self.start_timeout.unwrap_or(ProgramSpec::START_TIMEOUT),
            command,
        };
        spec.validate()?;
        Ok(spec)
    }

    #[cfg(feature = "push")]
    fn push(&self) -> Result<DeclaredKind, InvalidDeclaration> {
        let spec = PushSpec {
            headers: self.headers.clone().unwrap_or_default(),
            private_targets: match self.allow_private {
                Some(true) => PrivateTargets::Allowed,
                Some(false) | None => PrivateTargets::Refused,
            },
            ca_file: self.ca_file.clone(),
            timeout: Some(self.timeout.unwrap_or(PushSpec::TIMEOUT)),
            retry: self.retry_policy(),
            queue: self.queue.clone(),
            priority: self.priority,
            ..PushSpec::new(self.post.clone().unwrap_or_default())
        };
        spec.validate()?;
        Ok(DeclaredKind::Post { spec, secret_env: self.secret_env.clone() })
    }

    #[cfg(not(feature = "push"))]
    fn push(&self) -> Result<DeclaredKind, InvalidDeclaration> {
        Err(InvalidDeclaration::NoPush)
    }
}
