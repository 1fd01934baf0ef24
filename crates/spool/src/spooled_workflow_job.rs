//! A job of a workflow in a temporary file.

use longshore_core::{Awaited, JobId, Needs, NewDependency, Otherwise, ValidJob, ValidWorkflowJob};

use crate::spooled_job::{Record, Rest, Spoolable, read_job, write_job};

impl Spoolable for ValidWorkflowJob {
    fn bytes(&self) -> usize {
        self.job().bytes()
    }

    fn names_other_jobs(&self) -> bool {
        self.job().names_other_jobs()
            || self.after().iter().any(|dependency| matches!(dependency.awaited, Awaited::Job(_)))
    }

    fn encode(&self) -> Vec<u8> {
        let mut record = Record(Vec::with_capacity(self.bytes() + 192));
        write_job(&mut record, self.job());
        record.optional(self.reference(), Record::text);
        record.fixed((self.after().len() as u64).to_le_bytes());
        self.after().iter().for_each(|dependency| write_dependency(&mut record, dependency));
        record.0
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let mut rest = Rest(record);
        let job = ValidJob::from_stored(read_job(&mut rest)?);
        let reference = rest.optional(Rest::text)?;
        let count = u64::from_le_bytes(rest.fixed()?);
        let after = (0..count).map(|_| read_dependency(&mut rest)).collect::<Option<_>>()?;
        rest.0.is_empty().then(|| Self::from_stored(job, reference, after))
    }
}

fn write_dependency(record: &mut Record, dependency: &NewDependency) {
    let NewDependency { awaited, needs, otherwise } = dependency;
    match awaited {
        Awaited::Job(id) => {
            record.fixed([0]);
            record.fixed(id.0.to_le_bytes());
        }
        Awaited::Reference(reference) => {
            record.fixed([1]);
            record.text(reference);
        }
        Awaited::Batch => record.fixed([2]),
        Awaited::Signal { name, timeout } => {
            record.fixed([3]);
            record.text(name);
            record.optional(*timeout, Record::span);
        }
    }
    record.text(needs.as_str());
    record.text(otherwise.as_str());
}

fn read_dependency(rest: &mut Rest<'_>) -> Option<NewDependency> {
    let awaited = match rest.fixed()? {
        [0] => Awaited::Job(JobId(i64::from_le_bytes(rest.fixed()?))),
        [1] => Awaited::Reference(rest.text()?),
        [2] => Awaited::Batch,
        [3] => Awaited::Signal { name: rest.text()?, timeout: rest.optional(Rest::span)? },
        _ => return None,
    };
    let needs = Needs::from_stored(&rest.text()?)?;
    let otherwise = Otherwise::from_stored(&rest.text()?)?;
    Some(NewDependency { awaited, needs, otherwise })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use longshore_core::{JobData, NewJob};

    use super::*;

    fn jobs() -> Vec<ValidWorkflowJob> {
        let job = || ValidJob::from_stored(NewJob::new("mail", JobData::default()));
        let signal = |timeout| Awaited::Signal { name: "approved".to_owned(), timeout };
        let after = vec![
            NewDependency::on(Awaited::Job(JobId(7))),
            NewDependency::needing(Awaited::Reference("a".to_owned()), Needs::Ended),
            NewDependency::needing(Awaited::Batch, Needs::Failed).or_else(Otherwise::Run),
            NewDependency::on(signal(None)).or_else(Otherwise::Wait),
            NewDependency::on(signal(Some(Duration::from_millis(1500)))),
        ];
        let plain = ValidWorkflowJob::from_stored(job(), None, Vec::new());
        vec![plain, ValidWorkflowJob::from_stored(job(), Some("b".to_owned()), after)]
    }

    #[test]
    fn every_part_of_a_workflow_job_comes_back() {
        for job in jobs() {
            assert_eq!(ValidWorkflowJob::decode(&job.encode()), Some(job));
        }
    }

    #[test]
    fn bytes_that_are_no_workflow_job_are_none() {
        for job in jobs() {
            let record = job.encode();
            (0..record.len()).for_each(|length| assert_eq!(ValidWorkflowJob::decode(&record[..length]), None));
            assert_eq!(ValidWorkflowJob::decode(&[record.as_slice(), &[0]].concat()), None);
        }
    }
}
