use longshore_core::{JobData, Timestamp};
use serde::Deserialize;

/// What a schedule writes into the metadata of its jobs.
#[derive(Deserialize)]
pub(crate) struct JobOrigin {
    pub(crate) schedule: String,
    pub(crate) due_at: Timestamp,
}

impl JobOrigin {
    /// Other metadata is that of a job that no schedule made.
    pub(crate) fn of(metadata: &JobData) -> Option<Self> {
        metadata.decode().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_metadata_of_a_schedule_is_understood() {
        let origin = |text: &str| JobOrigin::of(&JobData::parse(text).unwrap()).map(|it| (it.schedule, it.due_at));
        let of_schedule = r#"{"schedule": "a", "due_at": "1970-01-01T00:00:07Z", "more": 1}"#;
        assert_eq!(origin(of_schedule), Some(("a".to_owned(), Timestamp::from_ms(7000))));
        for other in ["null", "7", "[]", "{}", r#"{"schedule": "a"}"#, r#"{"schedule": "a", "due_at": "soon"}"#] {
            assert_eq!(origin(other), None, "{other}");
        }
    }
}
