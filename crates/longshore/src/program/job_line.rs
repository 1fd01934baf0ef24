use longshore_core::JobId;
use serde::Serialize;

use crate::CurrentAttempt;
use crate::command::claim_word::claim_word;
use crate::handler::job_document::JobDocument;
use crate::workflow::DependencyList;

#[derive(Serialize)]
struct JobLine<'a> {
    job: JobDocument<'a>,
    /// The value of the variable that `longshore batches add` reads.
    claim: String,
}

/// The line that hands a job to its program.
pub(super) fn job(attempt: &CurrentAttempt, dependencies: &DependencyList) -> Vec<u8> {
    line(&JobLine { job: JobDocument::new(attempt.lease(), dependencies), claim: claim_word(attempt) })
}

/// The line that asks the program to stop working on a job.
pub(super) fn cancel(id: JobId) -> Vec<u8> {
    line(&serde_json::json!({"cancel": id.0}))
}

/// The line that asks the program to end.
pub(super) fn quit() -> Vec<u8> {
    line(&serde_json::json!({"quit": true}))
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings, numbers and JSON always encode");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AttemptProbe, EnqueueRecorder};
    use longshore_core::{JobData, NewJob};

    #[test]
    fn a_job_is_one_line_and_its_data_is_unchanged() {
        let data = JobData::parse("{\n  \"a\": 1.10,\r\n  \"b\": \"x\\ny\"\n}").unwrap();
        let probe = AttemptProbe::new(NewJob::new("resize", data), EnqueueRecorder::queue().1);
        let line = String::from_utf8(job(&probe.attempt(), &DependencyList::default())).unwrap();
        assert!(line.ends_with("}\n") && line.trim_end().lines().count() == 1, "{line}");
        assert!(line.contains(r#""a": 1.10,"#) && line.contains(r#""x\ny""#), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<&str> = value["job"].as_object().unwrap().keys().map(String::as_str).collect();
        let expected =
            ["attempt", "checkpoint", "dependencies", "id", "job_data", "job_type", "max_retries", "metadata", "queue"];
        assert_eq!(keys, expected);
        assert!(value["claim"].as_str().unwrap().starts_with("1:1:"), "{line}");
    }

    #[test]
    fn requests_are_lines() {
        assert_eq!(cancel(JobId(7)), b"{\"cancel\":7}\n");
        assert_eq!(quit(), b"{\"quit\":true}\n");
    }
}
