use std::collections::HashSet;
use std::fs::File;
use std::io;

use longshore_core::{ClaimNumber, JobId, StartedAttempt};

/// The bytes of one slot: the job's id, then its claim number, both little-endian.
const SLOT_BYTES: usize = 16;
/// A file that is longer than this many slots was not written by us.
const SLOTS_MAX: usize = 1 << 16;

/// Which attempts of a dead worker had begun: each slot of its file holds the last one that it ran.
#[derive(Debug)]
pub(crate) enum StartedTable {
    /// These had.
    Known(HashSet<(JobId, ClaimNumber)>),
    /// The file is gone or cannot be read, so every one must be taken to have begun.
    Unknown,
}

impl StartedTable {
    /// One positional write: it survives the death of the process, and costs about a microsecond.
    pub(crate) fn note(file: &File, attempt: StartedAttempt) -> io::Result<()> {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&attempt.id.0.to_le_bytes());
        bytes[8..].copy_from_slice(&attempt.claim_number.0.to_le_bytes());
        write_at(file, &bytes, u64::from(attempt.slot) * SLOT_BYTES as u64)
    }

    pub(crate) fn read(file: &File) -> Self {
        let mut bytes = vec![0; SLOT_BYTES * SLOTS_MAX];
        let Ok(length) = read_at_most(file, &mut bytes) else { return Self::Unknown };
        let attempts = bytes[..length].chunks_exact(SLOT_BYTES).map(|slot| {
            let (id, claim) = slot.split_at(8);
            let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("a half slot has eight bytes"));
            (JobId(number(id)), ClaimNumber(number(claim)))
        });
        Self::Known(attempts.collect())
    }

    pub(crate) fn has_begun(&self, id: JobId, claim_number: ClaimNumber) -> bool {
        match self {
            Self::Known(attempts) => attempts.contains(&(id, claim_number)),
            Self::Unknown => true,
        }
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_some_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_some_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}

fn read_at_most(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match read_some_at(file, &mut bytes[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
