use std::collections::HashSet;
use std::fs::File;
use std::io;

use longshore_core::{ClaimNumber, JobId, StartedAttempt};

use crate::workers::boot_id::BOOT_ID_BYTES_MAX;

/// The bytes of one slot: the job's id, then its claim number, both little-endian.
const SLOT_BYTES: usize = 16;
/// A file that is longer than this many slots was not written by us.
const SLOTS_MAX: usize = 1 << 16;
/// What the header begins and ends with, so that one that was written in part is known as such.
const MAGIC: &[u8; 8] = b"LSHLIVE2";
/// The magic, the boot id filled up with zeros, and the magic again.
const HEADER_BYTES: usize = BOOT_ID_BYTES_MAX + 2 * MAGIC.len();

/// Which attempts of a dead worker had begun: each slot of its file holds the last one that it ran.
///
/// The slots survive the death of the process, because each is one write, but not a power cut, because none is
/// synced. So they count only under a whole header of this very boot.
#[derive(Debug)]
pub(crate) enum StartedTable {
    /// These had.
    Known(HashSet<(JobId, ClaimNumber)>),
    /// The file is gone, cannot be read or may not be believed, so every one must be taken to have begun.
    Unknown,
}

impl StartedTable {
    /// An empty table with room for so many slots, so that a disk that fills up later leaves room for the notes.
    /// Without a boot id it has no header, and is unknown to everybody.
    pub(crate) fn begin(file: &File, boot_id: Option<&str>, slots: u32) -> io::Result<()> {
        let slots = (slots as usize).min(SLOTS_MAX);
        let mut bytes = vec![0; HEADER_BYTES + slots * SLOT_BYTES];
        if let Some(boot_id) = boot_id {
            bytes[..HEADER_BYTES].copy_from_slice(&header(boot_id));
        }
        file.set_len(bytes.len() as u64)?;
        write_at(file, &bytes, 0)
    }

    /// One positional write: it survives the death of the process, and costs about a microsecond.
    pub(crate) fn note(file: &File, attempt: StartedAttempt) -> io::Result<()> {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&attempt.id.0.to_le_bytes());
        bytes[8..].copy_from_slice(&attempt.claim_number.0.to_le_bytes());
        write_at(file, &bytes, HEADER_BYTES as u64 + u64::from(attempt.slot) * SLOT_BYTES as u64)
    }

    /// Makes the table unknown to everybody, after a note that could not be written.
    pub(crate) fn spoil(file: &File) -> io::Result<()> {
        write_at(file, &[0; MAGIC.len()], 0)
    }

    /// Takes over what another file says, whatever that is.
    pub(crate) fn copy(from: &File, to: &File) -> io::Result<()> {
        let bytes = read_all(from)?;
        to.set_len(bytes.len() as u64)?;
        write_at(to, &bytes, 0)
    }

    pub(crate) fn read(file: &File, boot_id: Option<&str>) -> Self {
        let (Some(boot_id), Ok(bytes)) = (boot_id, read_all(file)) else { return Self::Unknown };
        let Some(slots) = bytes.strip_prefix(&header(boot_id)) else { return Self::Unknown };
        let attempts = slots.chunks_exact(SLOT_BYTES).map(|slot| {
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

fn header(boot_id: &str) -> [u8; HEADER_BYTES] {
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

    const BEGUN: StartedAttempt = StartedAttempt { slot: 1, id: JobId(7), claim_number: ClaimNumber(3) };

    fn table() -> File {
        let file = tempfile::tempfile().expect("the system has a folder for temporary files");
        StartedTable::begin(&file, Some("a boot"), 4).expect("it can be written");
        StartedTable::note(&file, BEGUN).expect("it can be written");
        file
    }

    fn begun(file: &File, boot_id: Option<&str>) -> (bool, bool) {
        let table = StartedTable::read(file, boot_id);
        let has_begun = |id| table.has_begun(JobId(id), ClaimNumber(3));
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
