use std::collections::HashMap;
use std::fs::File;
use std::io;

use longshore_core::{ClaimNumber, JobId, StartedAttempt};

/// The bytes of one slot: the job's id, then its claim number, both little-endian. The id is negative where attempts
/// of other workers of the process may have run beside this one.
const SLOT_BYTES: usize = 16;
/// A file that is longer than this many slots was not written by us.
const SLOTS_MAX: usize = 1 << 16;

/// Which attempts of a dead worker had begun: each slot of its file holds the last one that it ran.
#[derive(Debug)]
pub(crate) enum StartedTable {
    /// These had.
    Known(HashMap<(JobId, ClaimNumber), Company>),
    /// The file is gone or cannot be read, so every one must be taken to have begun.
    Unknown,
}

/// Whether attempts of other workers of its process may have run beside an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    None,
    Others,
}

impl StartedTable {
    /// One positional write: it survives the death of the process, and costs about a microsecond.
    pub(crate) fn note(file: &File, attempt: StartedAttempt) -> io::Result<()> {
        let mut bytes = [0; SLOT_BYTES];
        let id = if attempt.is_accompanied { attempt.id.0.saturating_neg() } else { attempt.id.0 };
        bytes[..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..].copy_from_slice(&attempt.claim_number.0.to_le_bytes());
        write_at(file, &bytes, u64::from(attempt.slot) * SLOT_BYTES as u64)
    }

    /// Notes of every attempt in the file that it was not alone.
    pub(crate) fn note_company(file: &File) -> io::Result<()> {
        for attempt in read_slots(file)? {
            Self::note(file, StartedAttempt { is_accompanied: true, ..attempt })?;
        }
        Ok(())
    }

    pub(crate) fn read(file: &File) -> Self {
        let Ok(slots) = read_slots(file) else { return Self::Unknown };
        let company = |is_accompanied| if is_accompanied { Company::Others } else { Company::None };
        let attempts = slots.into_iter().map(|slot| ((slot.id, slot.claim_number), company(slot.is_accompanied)));
        Self::Known(attempts.collect())
    }

    /// What is noted of an attempt.
    pub(crate) fn note_of(&self, id: JobId, claim_number: ClaimNumber) -> Note {
        match self {
            Self::Known(attempts) => {
                attempts.get(&(id, claim_number)).map_or(Note::Absent, |company| Note::Begun(*company))
            }
            Self::Unknown => Note::Unknown,
        }
    }
}

/// What the table says about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Begun(Company),
    Absent,
    Unknown,
}

fn read_slots(file: &File) -> io::Result<Vec<StartedAttempt>> {
    let mut bytes = vec![0; SLOT_BYTES * SLOTS_MAX];
    let length = read_at_most(file, &mut bytes)?;
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("a half slot has eight bytes"));
    let slots = (0..).zip(bytes[..length].chunks_exact(SLOT_BYTES)).map(|(slot, bytes)| {
        let (id, claim) = bytes.split_at(8);
        StartedAttempt {
            slot,
            id: JobId(number(id).saturating_abs()),
            claim_number: ClaimNumber(number(claim)),
            is_accompanied: number(id) < 0,
        }
    });
    Ok(slots.collect())
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
