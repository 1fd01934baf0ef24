use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::{
    Action, BatchChange, BatchId, Filter, JobEdit, JobId, LimitRule, LimitSubject, NewSignal, QueueChange, Selection,
    StoreFuture, Timestamp,
};

/// The trail of what people and their scripts have changed by hand.
///
/// An entry is written before the change and completed after it. So a change whose program died is there, too, without an
/// end. It says nothing of payloads.
pub trait AuditTrail: Send + Sync + fmt::Debug + 'static {
    /// Notes what is about to be changed. Also removes a few entries that are older than [`AuditEntry::KEPT`].
    fn begin_deed(&self, actor: Actor, deed: Deed) -> StoreFuture<'_, AuditId>;

    /// Notes what became of it.
    fn end_deed(&self, id: AuditId, end: DeedEnd) -> StoreFuture<'_, ()>;

    /// Entries, newest first. Only reads. With a filter it looks at [`AuditRequest::LOOKED_AT_MAX`] entries.
    fn audit_page(&self, request: AuditRequest) -> StoreFuture<'_, Vec<AuditEntry>>;
}

/// The number of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AuditId(pub i64);

/// Who changes something, and through what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// A user of the dashboard, the name of a token, or a user of the operating system with the host.
    pub name: String,
    /// Through what.
    pub via: Via,
}

/// Through what something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The command line.
    CommandLine,
    /// The HTTP API.
    Api,
    /// The pages.
    Dashboard,
}

impl Via {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommandLine => "cli",
            Self::Api => "api",
            Self::Dashboard => "dashboard",
        }
    }
}

/// What is changed by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// A verb, such as `retry`.
    pub action: &'static str,
    /// What it is done to, such as `job 17` or `queue mail`. At most [`Deed::TARGET_CHARS_MAX`] characters.
    target: String,
}

impl Deed {
    /// A longer target is cut.
    pub const TARGET_CHARS_MAX: usize = 300;
    /// How many jobs a target names. It says how many others there are.
    const NAMED_MAX: usize = 10;

    /// A deed to one thing.
    pub fn new(action: &'static str, target: impl Into<String>) -> Self {
        let mut target: String = target.into().replace('\0', "\u{fffd}");
        if let Some((cut, _)) = target.char_indices().nth(Self::TARGET_CHARS_MAX) {
            target.truncate(cut);
        }
        Self { action, target }
    }

    /// An action on jobs.
    pub fn on_jobs(action: Action, selection: &Selection) -> Self {
        let target = match selection {
            Selection::Jobs(ids) => named(ids),
            Selection::Matching(filter) => described(filter),
        };
        match action {
            Action::Retry => Self::new("retry", target),
            Action::RetryAlone => Self::new("retry_alone", target),
            Action::RetryFromStart => Self::new("retry_from_start", target),
            Action::RetryAloneFromStart => Self::new("retry_alone_from_start", target),
            Action::Cancel => Self::new("cancel", target),
            Action::Delete => Self::new("delete", target),
            Action::Discard => Self::new("discard", target),
            Action::Reprioritise(priority) => Self::new("reprioritise", format!("{target} to {priority}")),
        }
    }

    /// A change of a job. It names the fields and not what is in them.
    pub fn edit(id: JobId, edit: &JobEdit) -> Self {
        let JobEdit { job_type, job_data, queue, due } = edit;
        let fields = [
            ("type", job_type.is_some()),
            ("payload", job_data.is_some()),
            ("queue", queue.is_some()),
            ("time", due.is_some()),
        ];
        let changed: Vec<&str> = fields.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
        Self::new("edit", format!("job {id}: {}", changed.join(", ")))
    }

    /// A change of a queue.
    pub fn on_queue(change: QueueChange, queue: &str) -> Self {
        let action = match change {
            QueueChange::Pause => "pause",
            QueueChange::Resume => "resume",
        };
        Self::new(action, format!("queue {queue}"))
    }

    /// A change of a schedule.
    pub fn on_schedule(action: &'static str, name: &str) -> Self {
        Self::new(action, format!("schedule {name}"))
    }

    /// A backfill of a schedule, from one instant on and before another.
    pub fn backfill(name: &str, from: Timestamp, to: Timestamp) -> Self {
        Self::new("backfill", format!("schedule {name}: {from} to {to}"))
    }

    /// A pause of a schedule, with its reason.
    pub fn pause_schedule(name: &str, reason: &str) -> Self {
        Self::new("pause", format!("schedule {name}: {reason}"))
    }

    /// A limit that is set by hand.
    pub fn set_limit(subject: &LimitSubject, rule: &LimitRule) -> Self {
        Self::new("set_limit", format!("{subject}: {}", rule.to_document()))
    }

    /// A limit that is unset.
    pub fn unset_limit(subject: &LimitSubject) -> Self {
        Self::new("unset_limit", subject.to_string())
    }

    /// A signal to a batch. It says nothing of the data.
    pub fn signal(signal: &NewSignal) -> Self {
        Self::new("signal", format!("batch {}: {}", signal.batch, signal.name))
    }

    /// A change of a batch.
    pub fn on_batch(change: BatchChange, id: BatchId) -> Self {
        let action = match change {
            BatchChange::Close => "close",
            BatchChange::Cancel => "cancel",
            BatchChange::Retry => "retry",
        };
        Self::new(action, format!("batch {id}"))
    }

    /// What it is done to.
    pub fn target(&self) -> &str {
        &self.target
    }
}

fn named(ids: &[JobId]) -> String {
    let words: Vec<String> = ids.iter().take(Deed::NAMED_MAX).map(|id| id.0.to_string()).collect();
    let noun = if ids.len() == 1 { "job" } else { "jobs" };
    match ids.len().saturating_sub(Deed::NAMED_MAX) {
        0 => format!("{noun} {}", words.join(", ")),
        others => format!("{noun} {} and {others} more", words.join(", ")),
    }
}

fn described(filter: &Filter) -> String {
    let Filter { statuses, job_types, queues, failure_types, reasons } = filter;
    let mut parts = Vec::new();
    let mut add = |what: &str, words: Option<Vec<String>>| {
        parts.extend(words.map(|words| format!("{what} {}", words.join(" or "))));
    };
    add("status", statuses.as_ref().map(|all| all.iter().map(ToString::to_string).collect()));
    add("type", job_types.clone());
    add("queue", queues.clone());
    add("failure type", failure_types.as_ref().map(|all| all.iter().map(ToString::to_string).collect()));
    add("reason", reasons.as_ref().map(|all| all.iter().map(ToString::to_string).collect()));
    if parts.is_empty() { "all jobs".to_owned() } else { format!("jobs of {}", parts.join(", ")) }
}

/// The verb of a deed, to find its entries by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeedAction(&'static str);

impl DeedAction {
    /// The words of all.
    pub const ALL: [&'static str; 23] = [
        "retry",
        "retry_alone",
        "retry_from_start",
        "retry_alone_from_start",
        "cancel",
        "delete",
        "discard",
        "reprioritise",
        "edit",
        "enqueue",
        "pause",
        "resume",
        "set_limit",
        "unset_limit",
        "close",
        "signal",
        "run",
        "backfill",
        "add_schedule",
        "remove_schedule",
        "apply_schedules",
        "add_token",
        "revoke_token",
    ];

    /// The word, as entries have it.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The word is not the verb of a deed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{word}\" is not an action: expected one of {}", DeedAction::ALL.join(", "))]
pub struct UnknownDeedAction {
    word: String,
}

impl FromStr for DeedAction {
    type Err = UnknownDeedAction;

    /// Also reads what people see, such as `remove schedule`.
    fn from_str(word: &str) -> Result<Self, UnknownDeedAction> {
        let written = word.trim().replace([' ', '-'], "_");
        let known = Self::ALL.into_iter().find(|known| *known == written);
        known.map(Self).ok_or_else(|| UnknownDeedAction { word: word.to_owned() })
    }
}

/// What became of a deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeedEnd {
    /// So many jobs or other things have changed.
    Done(u64),
    /// It was refused or has failed, with this message.
    Failed(String),
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditRequest {
    /// Only entries before this one.
    pub before: Option<AuditId>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only those with this verb.
    pub action: Option<String>,
    /// How many.
    pub limit: u32,
}

impl AuditRequest {
    /// How many entries a page looks at.
    pub const LOOKED_AT_MAX: u32 = 100_000;
}

/// One entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its number. A later entry has a higher one.
    pub id: AuditId,
    /// When it was begun.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Through what: the word of [`Via`]. A newer version may have written another one.
    pub via: String,
    /// The verb.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// What became of it.
    pub outcome: DeedOutcome,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many jobs or other things have changed.
    pub changed: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
}

impl AuditEntry {
    /// How long an entry is kept at least.
    pub const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
    /// How many old entries a new one removes.
    pub const REMOVED_MAX: u32 = 10;
}

/// What became of a deed, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeedOutcome {
    /// It was done.
    Done,
    /// It was refused or has failed.
    Failed,
    /// It goes on, or its program died before it said what became of it.
    Unfinished,
}

impl DeedOutcome {
    /// From what is stored.
    pub const fn of(has_ended: bool, has_error: bool) -> Self {
        match (has_ended, has_error) {
            (false, _) => Self::Unfinished,
            (true, true) => Self::Failed,
            (true, false) => Self::Done,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
        }
    }
}

impl Serialize for DeedOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    #[test]
    fn a_target_names_ten_jobs_and_counts_the_others() {
        let ids: Vec<JobId> = (1..=12).map(JobId).collect();
        let of = |ids: &[JobId]| Deed::on_jobs(Action::Cancel, &Selection::Jobs(ids.to_vec())).target;
        assert_eq!(of(&ids[..1]), "job 1");
        assert_eq!(of(&ids[..2]), "jobs 1, 2");
        assert_eq!(of(&ids), "jobs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
    }

    #[test]
    fn a_target_describes_a_filter() {
        let filter = Filter {
            statuses: Some(vec![Status::Retrying, Status::DeadLetter]),
            queues: Some(vec!["mail".to_owned()]),
            ..Filter::all()
        };
        let of = |filter| Deed::on_jobs(Action::Retry, &Selection::Matching(filter)).target;
        assert_eq!(of(filter), "jobs of status retrying or dead_letter, queue mail");
        assert_eq!(of(Filter::all()), "all jobs");
    }

    #[test]
    fn an_action_is_found_as_it_is_stored_and_as_it_is_shown() {
        for word in ["remove_schedule", "remove schedule", "remove-schedule"] {
            assert_eq!(word.parse::<DeedAction>().unwrap().as_str(), "remove_schedule");
        }
        let error = "cancell".parse::<DeedAction>().unwrap_err().to_string();
        assert!(error.starts_with("\"cancell\" is not an action: expected one of retry, "), "{error}");
    }

    #[test]
    fn every_deed_has_an_action_that_can_be_found() {
        let id = JobId(1);
        let (jobs, batch) = (Selection::job(id), BatchId(1));
        let actions = [
            Action::Retry,
            Action::RetryAlone,
            Action::RetryFromStart,
            Action::RetryAloneFromStart,
            Action::Cancel,
            Action::Delete,
            Action::Discard,
            Action::Reprioritise(crate::Priority::HIGH),
        ];
        let subject = LimitSubject::Queue("mail".to_owned());
        let now = Timestamp::from_ms(0);
        let mut deeds: Vec<Deed> = actions.map(|action| Deed::on_jobs(action, &jobs)).into();
        deeds.extend([QueueChange::Pause, QueueChange::Resume].map(|change| Deed::on_queue(change, "mail")));
        let changes = [BatchChange::Close, BatchChange::Cancel, BatchChange::Retry];
        deeds.extend(changes.map(|change| Deed::on_batch(change, batch)));
        deeds.extend([
            Deed::edit(id, &JobEdit::default()),
            Deed::backfill("nightly", now, now),
            Deed::pause_schedule("nightly", "work"),
            Deed::set_limit(&subject, &LimitRule::default()),
            Deed::unset_limit(&subject),
            Deed::signal(&NewSignal { batch, name: "approved".to_owned(), data: None }),
        ]);
        for deed in deeds {
            assert_eq!(deed.action.parse::<DeedAction>().unwrap().as_str(), deed.action);
        }
    }

    #[test]
    fn a_long_target_is_cut_between_characters() {
        let deed = Deed::new("pause", "é".repeat(400) + "\0");
        assert_eq!(deed.target().chars().count(), Deed::TARGET_CHARS_MAX);
    }
}
