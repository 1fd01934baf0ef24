use std::collections::HashMap;
use std::fs::File;
use std::io;

use longshore_core::{ClaimNumber, JobId, StartedAttempt};

use crate::workers::liveness::boot_id::BOOT_ID_BYTES_MAX;

/// The bytes of one slot: the job's id, then its claim number, both little-endian. The id is negative if attempts of
/// other workers of the process may have run beside this one.
const SLOT_BYTES: usize = 16;
/// A file with more slots was not written by us.
const SLOTS_MAX: usize = 1 << 16;
/// The start and the end of the header, so that a partly written header is detected.
const MAGIC: &[u8; 8] = b"LSHLIVE2";
/// The magic, the boot id padded with zeros, and the magic again.
const HEADER_BYTES: usize = BOOT_ID_BYTES_MAX + 2 * MAGIC.len();

/// Which attempts of a dead worker had started. Each slot of its file holds the last one that it ran.
///
/// The slots survive the death of the process, because each is one write, but not a power cut, because they are not
/// synced. So they count only if the header is complete and from this boot.
#[derive(Debug)]
pub(crate) enum StartedTable {
    /// These had started.
    Known(HashMap<(JobId, ClaimNumber), Company>),
    /// The file is gone, unreadable or not trusted, so every attempt counts as started.
    Unknown,
    /// The worker ended without retiring while its process lived on, so its attempts are not charged.
    Abandoned,
}

/// Whether attempts of other workers of its process may have run beside an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    None,
    Others,
}

impl StartedTable {
    /// Creates an empty table with space for this many slots, so that a disk that fills up later still has space for
    /// the records. Without a boot id it has no header, and every reader treats it as unknown.
    pub(crate) fn begin(file: &File, boot_id: Option<&str>, slots: u32) -> io::Result<()> {
        let slots = (slots as usize).min(SLOTS_MAX);
        let mut bytes = vec![0; HEADER_BYTES + slots * SLOT_BYTES];
        if let Some(boot_id) = boot_id {
            bytes[..HEADER_BYTES].copy_from_slice(&header(boot_id));
        }
        file.set_len(bytes.len() as u64)?;
        write_at(file, &bytes, 0)
    }

    /// One positional write. It survives the death of the process and costs about a microsecond.
    pub(crate) fn note(file: &File, attempt: StartedAttempt) -> io::Result<()> {
        let mut bytes = [0; SLOT_BYTES];
        let id = if attempt.is_accompanied { attempt.id.0.saturating_neg() } else { attempt.id.0 };
        bytes[..8].copy_from_slice(&id.to_le_bytes());
        bytes[8..].copy_from_slice(&attempt.claim_number.0.to_le_bytes());
        write_at(file, &bytes, HEADER_BYTES as u64 + u64::from(attempt.slot) * SLOT_BYTES as u64)
    }

    /// Makes the table unknown to every reader, after a record that could not be written.
    pub(crate) fn spoil(file: &File) -> io::Result<()> {
        write_at(file, &[0; MAGIC.len()], 0)
    }

    /// Records that the worker ends without having retired.
    pub(crate) fn abandon(file: &File) -> io::Result<()> {
        write_at(file, &ABANDONED, 0)
    }

    /// Copies the content of another file, whatever it is.
    pub(crate) fn copy(from: &File, to: &File) -> io::Result<()> {
        let bytes = read_all(from)?;
        to.set_len(bytes.len() as u64)?;
        write_at(to, &bytes, 0)
    }

    /// Records for every attempt in the file that it was not alone.
    pub(crate) fn note_company(file: &File) -> io::Result<()> {
        for attempt in read_slots(file)?.1 {
            Self::note(file, StartedAttempt { is_accompanied: true, ..attempt })?;
        }
        Ok(())
    }

    pub(crate) fn read(file: &File, boot_id: Option<&str>) -> Self {
        let is_believed = |header: &Header| boot_id.is_some_and(|boot_id| *header == self::header(boot_id));
        let Ok((header, slots)) = read_slots(file) else { return Self::Unknown };
        if header == ABANDONED {
            return Self::Abandoned;
        }
        if !is_believed(&header) {
            return Self::Unknown;
        }
        let company = |is_accompanied| if is_accompanied { Company::Others } else { Company::None };
        let attempts = slots.into_iter().map(|slot| ((slot.id, slot.claim_number), company(slot.is_accompanied)));
        Self::Known(attempts.collect())
    }

    /// What is recorded about an attempt.
    pub(crate) fn note_of(&self, id: JobId, claim_number: ClaimNumber) -> Note {
        match self {
            Self::Known(attempts) => {
                attempts.get(&(id, claim_number)).map_or(Note::Absent, |company| Note::Begun(*company))
            }
            Self::Unknown => Note::Unknown,
            Self::Abandoned => Note::Abandoned,
        }
    }
}

/// Replaces the header of a worker that gave up its liveness evidence.
const ABANDONED: Header = [b'-'; HEADER_BYTES];

type Header = [u8; HEADER_BYTES];

fn header(boot_id: &str) -> Header {
    let mut header = [0; HEADER_BYTES];
    let kept = boot_id.len().min(BOOT_ID_BYTES_MAX);
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[MAGIC.len()..MAGIC.len() + kept].copy_from_slice(&boot_id.as_bytes()[..kept]);
    header[HEADER_BYTES - MAGIC.len()..].copy_from_slice(MAGIC);
    header
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length.min(HEADER_BYTES + SLOT_BYTES * SLOTS_MAX)];
    let length = read_at_most(file, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// What the table says about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Begun(Company),
    Absent,
    Unknown,
    Abandoned,
}

/// The content of the file, trusted or not.
fn read_slots(file: &File) -> io::Result<(Header, Vec<StartedAttempt>)> {
    let bytes = read_all(file)?;
    let Some((header, bytes)) = bytes.split_first_chunk() else { return Ok(([0; HEADER_BYTES], Vec::new())) };
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("a half slot has eight bytes"));
    let slots = (0..).zip(bytes.chunks_exact(SLOT_BYTES)).map(|(slot, bytes)| {
        let (id, claim) = bytes.split_at(8);
        StartedAttempt {
            slot,
            id: JobId(number(id).saturating_abs()),
            claim_number: ClaimNumber(number(claim)),
            is_accompanied: number(id) < 0,
        }
    });
    Ok((*header, slots.collect()))
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

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: StartedAttempt =
        StartedAttempt { slot: 1, id: JobId(7), claim_number: ClaimNumber(3), is_accompanied: false };

    fn table() -> File {
        let file = tempfile::tempfile().expect("the system has a folder for temporary files");
        StartedTable::begin(&file, Some("a boot"), 4).expect("it can be written");
        StartedTable::note(&file, BEGUN).expect("it can be written");
        file
    }

    fn begun(file: &File, boot_id: Option<&str>) -> (bool, bool) {
        let table = StartedTable::read(file, boot_id);
        let has_begun = |id| table.note_of(JobId(id), ClaimNumber(3)) != Note::Absent;
        (has_begun(7), has_begun(8))
    }

    #[test]
    fn what_was_noted_in_this_boot_is_known() {
        assert_eq!(begun(&table(), Some("a boot")), (true, false));
    }

    #[test]
    fn under_another_boot_and_without_a_boot_id_everything_counts_as_begun() {
        assert_eq!(begun(&table(), Some("another boot")), (true, true));
        assert_eq!(begun(&table(), None), (true, true));
    }

    #[test]
    fn an_empty_or_torn_or_spoilt_file_means_that_everything_counts_as_begun() {
        for length in [0, 1, HEADER_BYTES as u64 - 1] {
            let file = table();
            file.set_len(length).expect("it can be cut");
            assert_eq!(begun(&file, Some("a boot")), (true, true), "{length}");
        }
        let file = table();
        StartedTable::spoil(&file).expect("it can be written");
        assert_eq!(begun(&file, Some("a boot")), (true, true));
    }

    #[test]
    fn a_copy_says_the_same() {
        let copy = tempfile::tempfile().expect("the system has a folder for temporary files");
        StartedTable::copy(&table(), &copy).expect("it can be written");
        assert_eq!(begun(&copy, Some("a boot")), (true, false));
    }
}
