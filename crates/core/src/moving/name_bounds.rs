use std::fmt;

use crate::MovedJob;

/// The longest names of jobs that a database keeps, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameBounds {
    /// The type.
    pub job_type: usize,
    /// The queue.
    pub queue: usize,
    /// The unique key of a job that has not ended.
    pub unique_key: usize,
    /// The limit key of a job that has not ended.
    pub limit_key: usize,
}

/// A name that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameExcess {
    /// Which name.
    pub name: &'static str,
    /// The longest one, in bytes.
    pub bytes_max: usize,
}

impl NameBounds {
    /// Any length.
    pub const NONE: Self =
        Self { job_type: usize::MAX, queue: usize::MAX, unique_key: usize::MAX, limit_key: usize::MAX };

    /// Of PostgreSQL, where a row of an index has at most 2,704 bytes: so many have room with each other.
    pub const INDEXED: Self = Self { job_type: 1000, queue: 1000, unique_key: 2000, limit_key: 600 };

    /// The first name of the job that is too long.
    pub fn excess(&self, moved: &MovedJob) -> Option<NameExcess> {
        let job = &moved.job;
        // The keys of a job that has ended are in no index.
        let length = |key: &Option<String>| key.as_ref().filter(|_| !job.status.is_ended()).map_or(0, String::len);
        let names = [
            ("job type", job.job_type.len(), self.job_type),
            ("queue", job.queue.len(), self.queue),
            ("unique key", length(&job.unique_key), self.unique_key),
            ("limit key", length(&job.limit_key), self.limit_key),
        ];
        let too_long = names.into_iter().find(|(_, length, bytes_max)| length > bytes_max);
        too_long.map(|(name, _, bytes_max)| NameExcess { name, bytes_max })
    }
}

impl fmt::Display for NameExcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} has more than {} bytes", self.name, self.bytes_max)
    }
}
