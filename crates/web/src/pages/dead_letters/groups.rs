use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use longshore_core::{Job, JobId, Timestamp};
use sha2::{Digest, Sha256};

use crate::pages::drawing::text::cut;

/// So much of a message counts: the rest is detail.
const MESSAGE_BYTES_MAX: usize = 500;
/// How many bars the trend has.
const BARS: usize = 24;

/// Dead letters with the same error, but for what differs from job to job: numbers, ids, quoted names.
#[derive(Debug)]
pub(super) struct ErrorGroup<'a> {
    /// Names the group in a form.
    pub(super) key: String,
    /// Newest first.
    pub(super) ids: Vec<JobId>,
    pub(super) newest: &'a Job,
    /// How many job types it has.
    pub(super) types: usize,
    /// How many became dead letters in each part of the trend, oldest first.
    pub(super) trend: Vec<u64>,
}

impl ErrorGroup<'_> {
    /// What the newest one says.
    pub(super) fn message(&self) -> &str {
        message(self.newest)
    }
}

fn message(job: &Job) -> &str {
    let said = job.error_message.as_deref().filter(|message| !message.trim().is_empty());
    said.or(job.dead_letter_reason.as_deref()).unwrap_or("no error is known")
}

/// Groups of jobs that are newest first, the largest group first.
pub(super) fn groups(jobs: &[Job], now: Timestamp, trend: Duration) -> Vec<ErrorGroup<'_>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(ErrorGroup<'_>, BTreeSet<&str>)> = Vec::new();
    for job in jobs {
        let kind = job.failure_type.as_deref().unwrap_or_default();
        let normal = format!("{kind}\n{}", normalised(message(job)));
        let place = *places.entry(normal).or_insert_with_key(|normal| {
            let key = Sha256::digest(normal)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            let group = ErrorGroup { key, ids: Vec::new(), newest: job, types: 0, trend: vec![0; BARS] };
            groups.push((group, BTreeSet::new()));
            groups.len() - 1
        });
        let (group, types) = &mut groups[place];
        group.ids.push(job.id);
        types.insert(&job.job_type);
        if let Some(bar) = job.moved_to_dead_letter_at.and_then(|at| bar_of(at, now, trend)) {
            group.trend[bar] += 1;
        }
    }
    let with_types = |(group, types): (_, BTreeSet<&str>)| ErrorGroup { types: types.len(), ..group };
    let mut groups: Vec<ErrorGroup<'_>> = groups.into_iter().map(with_types).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.ids.len()));
    groups
}

fn bar_of(at: Timestamp, now: Timestamp, trend: Duration) -> Option<usize> {
    let ago = now.since(at).as_millis();
    let back = usize::try_from(ago * BARS as u128 / trend.as_millis().max(1)).ok()?;
    (BARS - 1).checked_sub(back)
}

/// A message without what differs from job to job. Words with a digit, and whatever is in quotes, become `#`.
fn normalised(message: &str) -> String {
    let (message, _) = cut(message, MESSAGE_BYTES_MAX);
    let mut normal = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '`' | '\'' => match rest[1..].find(first) {
                Some(end) => end + 2,
                None => 1,
            },
            _ if first.is_alphanumeric() => rest
                .find(|letter: char| !(letter.is_alphanumeric() || letter == '-' || letter == '_'))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        let is_quoted = length > 1 && matches!(first, '"' | '`' | '\'');
        if is_quoted || word.bytes().any(|byte| byte.is_ascii_digit()) {
            if !normal.ends_with('#') {
                normal.push('#');
            }
        } else if first.is_whitespace() {
            normal.push(' ');
        } else {
            normal.push_str(word);
        }
        rest = after;
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_job_to_job_does_not_count() {
        let same = [
            "cannot reach 10.0.0.7:5432 after 30s: user \"anna\" 7f3e-11aa",
            "cannot reach 10.1.22.9:5433 after 5s: user \"bob o'neill\" 0000-ffff",
        ];
        assert_eq!(normalised(same[0]), normalised(same[1]));
        assert_ne!(normalised("cannot reach the host"), normalised("cannot read the host"));
        assert_eq!(normalised("it's not a quote"), "it's not a quote");
    }

    #[test]
    fn every_text_has_a_normal_form() {
        for text in ["", "é\"", "'", "\u{1b}[0m", "\"\"", "日本'語", &"é'".repeat(1000)] {
            assert!(normalised(text).len() <= MESSAGE_BYTES_MAX, "{text}");
        }
    }

    #[test]
    fn a_trend_has_a_bar_for_each_hour_of_a_day() {
        let now = Timestamp::from_ms(100 * 3_600_000);
        let bar = |hours: i64| bar_of(Timestamp::from_ms((100 - hours) * 3_600_000), now, Duration::from_secs(86_400));
        assert_eq!([0, 1, 23].map(bar), [Some(23), Some(22), Some(0)]);
        assert_eq!(bar(24), None);
        assert_eq!(bar(-1), Some(23));
    }
}
