use longshore_core::{Cancellation, Changes, ClaimNumber, JobId, JobKind, Known, WorkerId};
use serde::{Deserialize, Serialize};

/// The channel of all queues of a database.
pub(super) const CHANNEL: &str = "longshore";
/// PostgreSQL takes fewer than 8000 bytes.
const BYTES_MAX: usize = 7900;

/// What one process tells the others of a queue. What does not fit is told as "anything".
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Payload {
    /// The schema of the queue, because a database may have several.
    schema: String,
    /// The store that sends it, which has told its own subscribers already.
    from: u64,
    /// Types, where they are known, and queues. None for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<(Option<String>, String)>>,
    /// Workers, jobs and claim numbers. None for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancellations: Option<Vec<(String, i64, i64)>>,
    /// Whether schedules are due at other instants than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    schedules: bool,
}

impl Payload {
    /// The text of a notification.
    pub(super) fn text(changes: &Changes, schema: &str, from: u64) -> String {
        let jobs = changes.jobs.only(|kind| (kind.job_type.clone(), kind.queue.clone()));
        let cancellations = changes.cancellations.only(|asked| {
            let (id, claim_number) = asked.job;
            (asked.worker_id.as_str().to_owned(), id.0, claim_number.0)
        });
        let mut payload = Self { schema: schema.to_owned(), from, jobs, cancellations, schedules: changes.schedules };
        let mut text = payload.encode();
        if text.len() > BYTES_MAX {
            (payload.jobs, payload.cancellations) = (None, None);
            text = payload.encode();
        }
        text
    }

    /// What a notification says to this store: nothing if it is its own, or of another queue. One that cannot be read is
    /// that of a later version, and may mean anything.
    pub(super) fn changes(text: &str, schema: &str, own: u64) -> Option<Changes> {
        let Ok(payload) = serde_json::from_str::<Self>(text) else { return Some(Changes::unknown()) };
        if payload.schema != schema || payload.from == own {
            return None;
        }
        let jobs = payload.jobs.map(|kinds| kinds.into_iter().map(|(job_type, queue)| JobKind { job_type, queue }));
        let cancellations = payload.cancellations.map(|asked| {
            asked.into_iter().map(|(worker_id, id, claim_number)| Cancellation {
                worker_id: WorkerId::from_stored(&worker_id),
                job: (JobId(id), ClaimNumber(claim_number)),
            })
        });
        Some(Changes {
            jobs: Known::from_only(jobs),
            cancellations: Known::from_only(cancellations),
            schedules: payload.schedules,
        })
    }

    fn encode(&self) -> String {
        serde_json::to_string(self).expect("words and numbers can be encoded")
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{Hint, Interest, QueueScope};

    use super::*;

    fn jobs_of(job_type: &str) -> Interest {
        Interest::Jobs { job_types: [job_type.to_owned()].into(), scope: QueueScope::All }
    }

    #[test]
    fn others_learn_what_was_told_here() {
        let (mut changes, worker_id) = (Changes::default(), WorkerId::random());
        changes.add_job(Some("mail"), "default");
        changes.add_cancellation(worker_id.clone(), JobId(7), ClaimNumber(8));
        let text = Payload::text(&changes, "longshore", 1);
        let told = Payload::changes(&text, "longshore", 2).expect("it is another store's");
        assert_eq!(told.hint_for(&jobs_of("mail")), Some(Hint::Jobs));
        assert_eq!(told.hint_for(&jobs_of("other")), None);
        let asked = Hint::Cancellations(vec![(JobId(7), ClaimNumber(8))]);
        assert_eq!(told.hint_for(&Interest::Cancellations { worker_id }), Some(asked));
    }

    #[test]
    fn ones_own_notification_and_that_of_another_queue_say_nothing() {
        let text = Payload::text(&Changes::unknown(), "longshore", 1);
        assert!(Payload::changes(&text, "longshore", 1).is_none());
        assert!(Payload::changes(&text, "other", 2).is_none());
        let told = Payload::changes("{\"later\": 1}", "longshore", 1).expect("it may mean anything");
        assert_eq!(told.hint_for(&jobs_of("mail")), Some(Hint::Anything));
    }

    #[test]
    fn what_does_not_fit_is_told_as_anything() {
        let mut changes = Changes::default();
        changes.add_job(Some(&"long".repeat(5000)), "default");
        let text = Payload::text(&changes, "longshore", 1);
        assert!(text.len() < 8000, "{}", text.len());
        let told = Payload::changes(&text, "longshore", 2).expect("it is another store's");
        assert_eq!(told.hint_for(&jobs_of("mail")), Some(Hint::Anything));
    }
}
