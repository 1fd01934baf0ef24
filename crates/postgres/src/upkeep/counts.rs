use std::collections::BTreeMap;

use longshore_core::{Status, Timestamp};
use postgres_types::Type;
use serde::Serialize;
use tokio_postgres::Error;

use crate::jobs::claim::hints::Changes;
use crate::session::sql::sql;
use crate::session::statements::Session;

/// The changes of a transaction to the counts of the dashboard, collected in memory and appended at its end; and who must
/// hear of them once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) news: Changes,
    depths: BTreeMap<Box<str>, BTreeMap<&'static str, i64>>,
    minutes: BTreeMap<(Box<str>, i64), Minute>,
}

/// What ended in one minute. Durations are in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Minute {
    #[serde(rename = "minute_completed")]
    pub(crate) completed: i64,
    #[serde(rename = "minute_failed")]
    pub(crate) failed: i64,
    #[serde(rename = "minute_retried")]
    pub(crate) retried: i64,
    #[serde(rename = "minute_cancelled")]
    pub(crate) cancelled: i64,
    pub(crate) waited_ms: i64,
    pub(crate) ran_ms: i64,
}

/// A row of the table; a column that is left out is NULL.
#[derive(Serialize)]
struct Change<'a> {
    queue: &'a str,
    #[serde(flatten)]
    depths: Option<&'a BTreeMap<&'static str, i64>>,
    minute: Option<Timestamp>,
    #[serde(flatten)]
    ended: Option<&'a Minute>,
}

impl Counts {
    /// A job has changed its status.
    pub(crate) fn moved(&mut self, queue: &str, from: Status, to: Status) {
        self.left(queue, from);
        self.entered(queue, to);
    }

    /// A job has got this status.
    pub(crate) fn entered(&mut self, queue: &str, status: Status) {
        self.add(queue, status, 1);
    }

    /// A job no longer has this status.
    pub(crate) fn left(&mut self, queue: &str, status: Status) {
        self.add(queue, status, -1);
    }

    /// The number of jobs with this status has changed by this much.
    pub(crate) fn add(&mut self, queue: &str, status: Status, by: i64) {
        *self.depths.entry(queue.into()).or_default().entry(status.as_str()).or_default() += by;
    }

    /// An attempt or a job has ended.
    pub(crate) fn ended(&mut self, queue: &str, at: Timestamp, what: Minute) {
        let minute = self.minutes.entry((queue.into(), at.minute())).or_default();
        minute.completed += what.completed;
        minute.failed += what.failed;
        minute.retried += what.retried;
        minute.cancelled += what.cancelled;
        minute.waited_ms = minute.waited_ms.saturating_add(what.waited_ms);
        minute.ran_ms = minute.ran_ms.saturating_add(what.ran_ms);
    }

    /// Adds the changes of another part of the transaction.
    pub(crate) fn merge(&mut self, other: Self) {
        self.news.merge(other.news);
        for (queue, depths) in other.depths {
            let mine = self.depths.entry(queue).or_default();
            depths.into_iter().for_each(|(status, by)| *mine.entry(status).or_default() += by);
        }
        for ((queue, minute), what) in other.minutes {
            self.ended(&queue, Timestamp::from_ms(minute * 60_000), what);
        }
    }

    /// Appends the collected changes of the counts.
    pub(crate) async fn flush(mut self, session: &Session) -> Result<(), Error> {
        // A queue without a change stays: so it is known once a job was moved into it and out again.
        self.depths.values_mut().for_each(|depths| depths.retain(|_, by| *by != 0));
        let depths =
            self.depths.iter().map(|(queue, depths)| Change { queue, depths: Some(depths), minute: None, ended: None });
        let minutes = self.minutes.iter().map(|((queue, minute), ended)| Change {
            queue,
            depths: None,
            minute: Some(Timestamp::from_ms(minute * 60_000)),
            ended: Some(ended),
        });
        let changes: Vec<Change<'_>> = depths.chain(minutes).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_string(&changes).expect("names and numbers are always JSON");
        session.execute(sql!("upkeep/insert_changes"), &[(&json, Type::TEXT)]).await?;
        Ok(())
    }
}
