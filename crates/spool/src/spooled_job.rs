//! A job in a temporary file. The file never outlives its process, so the format has no version.

use std::time::Duration;

use longshore_core::{Due, JobData, JobId, NewJob, OnDuplicate, Priority, Timestamp, UniqueWhile, ValidJob};

/// What a spool can keep.
pub trait Spoolable: Send + Sized + 'static {
    /// How many bytes of payload it has.
    fn bytes(&self) -> usize;

    /// Whether only the transaction can check that the jobs exist which it names.
    fn names_other_jobs(&self) -> bool;

    /// It as bytes.
    fn encode(&self) -> Vec<u8>;

    /// Decodes it. `None` if the bytes are not what was encoded.
    fn decode(record: &[u8]) -> Option<Self>;
}

impl Spoolable for ValidJob {
    fn bytes(&self) -> usize {
        self.job_data.len() + self.metadata.as_ref().map_or(0, JobData::len)
    }

    fn names_other_jobs(&self) -> bool {
        self.parent.is_some()
    }

    fn encode(&self) -> Vec<u8> {
        let mut record = Record(Vec::with_capacity(self.job_data.len() + 128));
        write_job(&mut record, self);
        record.0
    }

    fn decode(record: &[u8]) -> Option<Self> {
        let mut rest = Rest(record);
        let job = read_job(&mut rest)?;
        rest.0.is_empty().then(|| Self::from_stored(job))
    }
}

pub(crate) fn write_job(record: &mut Record, job: &NewJob) {
    // Every field is listed, so that a new field cannot be forgotten.
    let NewJob {
        job_type,
        job_data,
        queue,
        priority,
        due,
        max_retries,
        max_crashes,
        max_deferrals,
        timeout,
        expires_in,
        deadline_in,
        unique_key,
        on_duplicate,
        unique_while,
        limit_key,
        parent,
        metadata,
    } = job;
    record.text(job_type);
    record.text(job_data.as_str());
    record.text(queue);
    record.fixed(priority.0.to_le_bytes());
    match due {
        Due::Now => record.fixed([0]),
        Due::After(delay) => {
            record.fixed([1]);
            record.span(*delay);
        }
        Due::At(instant) => {
            record.fixed([2]);
            record.fixed(instant.as_ms().to_le_bytes());
        }
    }
    record.optional(*max_retries, |record, count| record.fixed(count.to_le_bytes()));
    [max_crashes, max_deferrals].into_iter().for_each(|count| record.fixed(count.to_le_bytes()));
    [timeout, expires_in, deadline_in].into_iter().for_each(|span| record.optional(*span, Record::span));
    record.optional(unique_key.as_deref(), Record::text);
    record.fixed([match on_duplicate {
        OnDuplicate::Keep => 0,
        OnDuplicate::Replace => 1,
        OnDuplicate::PushBack => 2,
    }]);
    record.fixed([match unique_while {
        UniqueWhile::Unfinished => 0,
        UniqueWhile::Waiting => 1,
    }]);
    record.optional(limit_key.as_deref(), Record::text);
    record.optional(*parent, |record, parent| record.fixed(parent.0.to_le_bytes()));
    record.optional(metadata.as_ref().map(JobData::as_str), Record::text);
}

pub(crate) fn read_job(rest: &mut Rest<'_>) -> Option<NewJob> {
    // The fields are read in the order in which they are listed here.
    Some(NewJob {
        job_type: rest.text()?,
        job_data: JobData::from_stored(rest.text()?),
        queue: rest.text()?,
        priority: Priority(i32::from_le_bytes(rest.fixed()?)),
        due: match rest.fixed()? {
            [0] => Due::Now,
            [1] => Due::After(rest.span()?),
            [2] => Due::At(Timestamp::from_ms(i64::from_le_bytes(rest.fixed()?))),
            _ => return None,
        },
        max_retries: rest.optional(|rest| Some(u32::from_le_bytes(rest.fixed()?)))?,
        max_crashes: u32::from_le_bytes(rest.fixed()?),
        max_deferrals: u32::from_le_bytes(rest.fixed()?),
        timeout: rest.optional(Rest::span)?,
        expires_in: rest.optional(Rest::span)?,
        deadline_in: rest.optional(Rest::span)?,
        unique_key: rest.optional(Rest::text)?,
        on_duplicate: match rest.fixed()? {
            [0] => OnDuplicate::Keep,
            [1] => OnDuplicate::Replace,
            [2] => OnDuplicate::PushBack,
            _ => return None,
        },
        unique_while: match rest.fixed()? {
            [0] => UniqueWhile::Unfinished,
            [1] => UniqueWhile::Waiting,
            _ => return None,
        },
        limit_key: rest.optional(Rest::text)?,
        parent: rest.optional(|rest| Some(JobId(i64::from_le_bytes(rest.fixed()?))))?,
        metadata: rest.optional(Rest::text)?.map(JobData::from_stored),
    })
}

pub(crate) struct Record(pub(crate) Vec<u8>);

impl Record {
    pub(crate) fn fixed<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.fixed((text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn span(&mut self, span: Duration) {
        self.fixed(span.as_secs().to_le_bytes());
        self.fixed(span.subsec_nanos().to_le_bytes());
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.fixed([u8::from(value.is_some())]);
        if let Some(value) = value {
            put(self, value);
        }
    }
}

pub(crate) struct Rest<'r>(pub(crate) &'r [u8]);

impl Rest<'_> {
    pub(crate) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        let length = usize::try_from(u64::from_le_bytes(self.fixed()?)).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(bytes.to_vec()).ok()
    }

    pub(crate) fn span(&mut self) -> Option<Duration> {
        let seconds = u64::from_le_bytes(self.fixed()?);
        let nanos = u32::from_le_bytes(self.fixed()?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }

    /// `None` if the bytes are not what was encoded.
    pub(crate) fn optional<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.fixed()? {
            [0] => Some(None),
            [1] => Some(Some(take(self)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs() -> Vec<NewJob> {
        let plain = NewJob::new("mail", JobData::default());
        let mut full = NewJob::new("ä\u{0}😀", JobData::parse(r#"{"a":"€\u0000"}"#).unwrap())
            .queue("q")
            .priority(Priority(i32::MIN))
            .delay(Duration::new(u64::MAX, 999_999_999))
            .max_retries(u32::MAX)
            .timeout(Duration::from_millis(1500))
            .expires_in(Duration::from_millis(2500))
            .deadline_in(Duration::MAX)
            .unique_key("")
            .limit_key("k")
            .on_duplicate(OnDuplicate::PushBack)
            .unique_while(UniqueWhile::Waiting)
            .parent(JobId(i64::MIN))
            .metadata(JobData::parse("[]").unwrap());
        (full.max_crashes, full.max_deferrals) = (7, 0);
        let at = plain.clone().run_at(Timestamp::from_ms(i64::MIN)).on_duplicate(OnDuplicate::Replace);
        vec![plain, full, at]
    }

    #[test]
    fn every_field_of_a_job_comes_back() {
        for job in jobs() {
            let job = ValidJob::from_stored(job);
            assert_eq!(ValidJob::decode(&job.encode()), Some(job));
        }
    }

    #[test]
    fn bytes_that_are_no_job_are_none() {
        for job in jobs() {
            let record = ValidJob::from_stored(job).encode();
            (0..record.len()).for_each(|length| assert_eq!(ValidJob::decode(&record[..length]), None));
            assert_eq!(ValidJob::decode(&[record.as_slice(), &[0]].concat()), None);
        }
    }
}
