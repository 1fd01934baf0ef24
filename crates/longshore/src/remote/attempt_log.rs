use std::collections::HashMap;
use std::collections::hash_map::Entry;

use longshore_core::{ClaimNumber, JobId, LogBuffer, LogChunk, LogRequest, StoredPiece};

use super::{RemoteAttempt, RemoteError, RemoteWorkers};

/// The most pages of a log that are read to go on with it. A page has up to a thousand pieces.
const PAGES_MAX: usize = 200;

/// The logs of what a worker runs, as far as this process has written them.
#[derive(Debug, Default)]
pub(super) struct AttemptLogs {
    known: HashMap<(JobId, ClaimNumber), LogBuffer>,
}

impl AttemptLogs {
    pub(super) fn keep_only(&mut self, is_held: impl Fn(&(JobId, ClaimNumber)) -> bool) {
        self.known.retain(|claim, _| is_held(claim));
    }

    /// The pieces that the store must write to add this text. `attempt` is the number of the attempt.
    pub(super) async fn add(
        &mut self,
        remote: &RemoteWorkers,
        of: &RemoteAttempt,
        attempt: u32,
        text: &str,
    ) -> Result<Vec<LogChunk>, RemoteError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let log = match self.known.entry((of.id, of.claim_number)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(stored(remote, of, attempt).await?),
        };
        log.push(text);
        Ok(log.take())
    }
}

/// The log that another process, or an earlier life of this one, has written.
async fn stored(remote: &RemoteWorkers, of: &RemoteAttempt, attempt: u32) -> Result<LogBuffer, RemoteError> {
    let mut pieces = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let request = LogRequest { id: of.id, attempt: Some(attempt), after };
        let entries = remote.backend().log(request).await?.entries;
        let Some(last) = entries.last() else { break };
        after = Some((last.claim_number, last.chunk_number));
        let own = entries.iter().filter(|entry| entry.claim_number == of.claim_number);
        pieces.extend(own.map(|entry| StoredPiece {
            number: entry.chunk_number,
            bytes: entry.text.len(),
            cut_bytes: entry.cut_bytes,
        }));
    }
    Ok(LogBuffer::resume(remote.shared.log_limits, pieces))
}
