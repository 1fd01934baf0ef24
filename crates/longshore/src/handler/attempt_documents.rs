use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_core::JobData;

use crate::CurrentAttempt;

/// What a program has said or was given in an attempt, beside payload and metadata. Its error may repeat all of it.
#[derive(Debug, Default)]
pub(crate) struct AttemptDocuments {
    exchanged: Mutex<Exchanged>,
}

#[derive(Debug, Default)]
struct Exchanged {
    /// The last checkpoint that the program has said, stored or not.
    checkpoint: Option<JobData>,
    /// The result that it had said before it failed. It is stored nowhere.
    result: Option<JobData>,
    /// The results of what the job waited for.
    given: Vec<JobData>,
}

impl AttemptDocuments {
    fn exchanged(&self) -> MutexGuard<'_, Exchanged> {
        self.exchanged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CurrentAttempt {
    /// The documents whose values an error of a command, a program or a push may repeat: payload and metadata, the
    /// checkpoint that the attempt began with and the last one of its own, the result that it had before it failed, and
    /// the results of earlier jobs that it was given. What else a handler in Rust has read is not among them.
    #[doc(hidden)]
    pub fn documents(&self) -> Vec<JobData> {
        let lease = self.lease();
        let mut documents = vec![lease.job_data.clone()];
        documents.extend(lease.metadata.iter().chain(&lease.checkpoint).cloned());
        documents.extend(self.own_checkpoints().last_own());
        let exchanged = self.own_documents().exchanged();
        documents.extend(exchanged.checkpoint.iter().chain(&exchanged.result).chain(&exchanged.given).cloned());
        documents
    }

    #[cfg_attr(not(unix), allow(dead_code, reason = "only programs say checkpoints, and they need Unix"))]
    pub(crate) fn note_checkpoint(&self, checkpoint: JobData) {
        self.own_documents().exchanged().checkpoint = Some(checkpoint);
    }

    #[cfg_attr(not(unix), allow(dead_code, reason = "only programs say results, and they need Unix"))]
    pub(crate) fn note_unused_result(&self, result: JobData) {
        self.own_documents().exchanged().result = Some(result);
    }

    pub(crate) fn note_given(&self, results: Vec<JobData>) {
        self.own_documents().exchanged().given = results;
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::NewJob;

    use super::*;
    use crate::testing::{AttemptProbe, EnqueueRecorder};

    #[test]
    fn an_attempt_knows_what_its_error_may_repeat() {
        let data = |text: &str| JobData::parse(text).unwrap();
        let mut job = NewJob::new("sell", data("1"));
        job.metadata = Some(data("2"));
        let attempt = AttemptProbe::new(job, EnqueueRecorder::queue().1).attempt();
        attempt.note_given(vec![data("5"), data("6")]);
        attempt.note_checkpoint(data("3"));
        attempt.note_unused_result(data("4"));
        let known = attempt.documents();
        let known: Vec<&str> = known.iter().map(JobData::as_str).collect();
        assert_eq!(known, ["1", "2", "3", "4", "5", "6"]);
    }
}
