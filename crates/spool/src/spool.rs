use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_core::{OutsideCause, StoreError, ValidJob};

use crate::spooled_job::Spoolable;

/// How many jobs are kept in memory. Further jobs go to a file.
const KEPT_JOBS_MAX: usize = 50_000;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How many jobs one part has.
const PART_JOBS_MAX: usize = 500;
const PART_BYTES_MAX: usize = 2 * 1024 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;

/// The jobs of a stream between reading and the transaction, in bounded memory. The rest is in a file without a name,
/// which disappears with the process.
#[derive(Debug)]
pub(crate) struct Spool<T> {
    folder: PathBuf,
    kept: Vec<T>,
    kept_bytes: usize,
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    /// The folder of the file, for errors.
    folder: PathBuf,
    file: BufWriter<File>,
    jobs: u64,
}

impl<T: Spoolable> Spool<T> {
    /// An empty spool, whose file would be created in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), kept: Vec::new(), kept_bytes: 0, spilled: None }
    }

    pub(crate) fn push(&mut self, job: T) -> Result<(), StoreError> {
        if let Some(spilled) = &mut self.spilled {
            return spilled.push(&job);
        }
        self.kept_bytes += job.bytes();
        self.kept.push(job);
        if self.kept.len() >= KEPT_JOBS_MAX || self.kept_bytes >= KEPT_BYTES_MAX {
            self.spilled = Some(Spilled::new(&self.folder)?);
        }
        Ok(())
    }

    /// Returns the jobs in their order.
    pub(crate) fn into_parts(self) -> Result<Parts<T>, StoreError> {
        let spilled = self.spilled.map(Spilled::into_reading).transpose()?;
        Ok(Parts { kept: self.kept.into_iter(), spilled })
    }
}

impl Spilled {
    /// Elsewhere only if its folder cannot be written.
    fn new(folder: &Path) -> Result<Self, StoreError> {
        if let Ok(file) = tempfile::tempfile_in(folder) {
            return Ok(Self::in_file(folder.to_owned(), file));
        }
        let folder = std::env::temp_dir();
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Self::in_file(folder, file)),
            Err(source) => Err(explain(&folder, source)),
        }
    }

    fn in_file(folder: PathBuf, file: File) -> Self {
        Self { folder, file: BufWriter::with_capacity(BUFFER_BYTES, file), jobs: 0 }
    }

    fn push(&mut self, job: &impl Spoolable) -> Result<(), StoreError> {
        let record = job.encode();
        // A record of a few payloads is far below 4 GiB.
        let length = u32::try_from(record.len()).map_err(|_| explain(&self.folder, ErrorKind::FileTooLarge.into()))?;
        let written = self.file.write_all(&length.to_le_bytes()).and_then(|()| self.file.write_all(&record));
        self.jobs += 1;
        written.map_err(|source| explain(&self.folder, source))
    }

    fn into_reading(self) -> Result<SpilledReading, StoreError> {
        let Self { folder, file, jobs } = self;
        let rewound = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|mut file| {
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        });
        let file = rewound.map_err(|source| explain(&folder, source))?;
        Ok(SpilledReading { folder, file: BufReader::with_capacity(BUFFER_BYTES, file), left: jobs })
    }
}

/// The jobs of a spool, part by part.
#[derive(Debug)]
pub struct Parts<T = ValidJob> {
    kept: std::vec::IntoIter<T>,
    spilled: Option<SpilledReading>,
}

#[derive(Debug)]
struct SpilledReading {
    folder: PathBuf,
    file: BufReader<File>,
    left: u64,
}

impl<T: Spoolable> Parts<T> {
    /// The next jobs. An empty list means the end.
    pub fn next_part(&mut self) -> Result<Vec<T>, StoreError> {
        let mut part = Vec::with_capacity(PART_JOBS_MAX);
        let mut part_bytes = 0;
        while part.len() < PART_JOBS_MAX && part_bytes < PART_BYTES_MAX {
            let Some(job) = self.next_job()? else { break };
            part_bytes += job.bytes();
            part.push(job);
        }
        Ok(part)
    }

    fn next_job(&mut self) -> Result<Option<T>, StoreError> {
        if let Some(job) = self.kept.next() {
            return Ok(Some(job));
        }
        // Free their memory while the file is read.
        drop(mem::take(&mut self.kept));
        match &mut self.spilled {
            Some(spilled) if spilled.left > 0 => spilled.next_job().map(Some),
            _ => Ok(None),
        }
    }
}

impl SpilledReading {
    fn next_job<T: Spoolable>(&mut self) -> Result<T, StoreError> {
        self.left -= 1;
        let read =
            self.read_record().and_then(|record| T::decode(&record).ok_or_else(|| ErrorKind::InvalidData.into()));
        read.map_err(|source| explain(&self.folder, source))
    }

    fn read_record(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let mut record = vec![0; u32::from_le_bytes(length) as usize];
        self.file.read_exact(&mut record)?;
        Ok(record)
    }
}

/// An error of the temporary file names its folder, which may not be on the disk of the database.
fn explain(folder: &Path, source: io::Error) -> StoreError {
    let file: Arc<str> = format!("a temporary file in {}", folder.display()).into();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            OutsideCause::Full { database: file }.into()
        }
        _ => StoreError::Backend { database: file, doing: "keeping a stream of jobs", source: source.into() },
    }
}

#[cfg(test)]
mod tests {
    use longshore_core::{JobData, Limits, NewJob};

    use super::*;

    fn job(number: usize) -> ValidJob {
        checked(NewJob::new(format!("type {number}"), JobData::encode(&vec![number; 40]).unwrap()))
    }

    fn checked(job: NewJob) -> ValidJob {
        job.check(&Limits { payload_bytes_max: 2 * 1024 * 1024 }).unwrap()
    }

    fn spool(folder: &Path, jobs: usize) -> Result<Spool<ValidJob>, StoreError> {
        let mut spool = Spool::new(folder);
        (0..jobs).try_for_each(|number| spool.push(job(number)))?;
        Ok(spool)
    }

    #[test]
    fn jobs_come_out_as_they_went_in_whether_kept_or_spilled() {
        let folder = tempfile::tempdir().unwrap();
        for jobs in [0, 1, KEPT_JOBS_MAX - 1, KEPT_JOBS_MAX, KEPT_JOBS_MAX + 1, KEPT_JOBS_MAX + 1234] {
            let spool = spool(folder.path(), jobs).unwrap();
            assert_eq!(spool.spilled.is_some(), jobs >= KEPT_JOBS_MAX);

            let mut parts = spool.into_parts().unwrap();
            let mut found = 0;
            loop {
                let part = parts.next_part().unwrap();
                if part.is_empty() {
                    break;
                }
                assert!(part.len() <= PART_JOBS_MAX);
                part.into_iter().for_each(|out| {
                    assert_eq!(out, job(found));
                    found += 1;
                });
            }
            assert_eq!(found, jobs);
        }
    }

    #[test]
    fn large_payloads_are_spilled_by_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path());
        let large = JobData::encode(&"x".repeat(1024 * 1024)).unwrap();
        (0..20).for_each(|_| spool.push(checked(NewJob::new("mail", large.clone()))).unwrap());

        assert_eq!(spool.kept.len(), 16);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_replaced_by_that_of_the_system() {
        let spool = spool(Path::new("/nowhere/at/all"), KEPT_JOBS_MAX + 5).unwrap();
        assert_eq!(spool.spilled.unwrap().folder, std::env::temp_dir());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_as_such_with_the_folder() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut spilled = Spilled::in_file("/data".into(), full);
        let mut pushed = (0..10_000).map(|number| spilled.push(&job(number)));

        let error = pushed.find_map(Result::err).unwrap();

        assert!(matches!(error, StoreError::Outside(OutsideCause::Full { .. })), "{error}");
        assert_eq!(error.to_string(), "there is no space left for a temporary file in /data");
    }
}
