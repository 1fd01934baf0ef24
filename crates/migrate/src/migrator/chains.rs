use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::{execution::replay::Chain, files::source::Source};

/// For how long a chain is remembered: a server that is upgraded meanwhile renders definitions in another way.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// What the files of some sources make, remembered beyond one migrator. For a program that looks at one database again
/// and again: the ledger and the schema are still read at each look, only the replay of the same files is saved.
#[derive(Debug, Clone, Default)]
pub struct Chains {
    last: Arc<Mutex<Option<Remembered>>>,
}

#[derive(Debug)]
struct Remembered {
    /// The database with the names and digests of the sources.
    of: String,
    at: Timestamp,
    chain: Chain,
}

impl Chains {
    /// The chain of these sources, if it is remembered and not old.
    pub(super) fn find(&self, of: &str, now: Timestamp) -> Option<Chain> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|known| known.of == of)?;
        let age = now.duration_since(known.at);
        (age >= SignedDuration::ZERO && age < KEPT).then(|| known.chain.clone())
    }

    /// Remembers a whole chain. A broken one is replayed each time, because it may be rights that it lacks.
    pub(super) fn keep(&self, of: String, at: Timestamp, chain: &Chain) {
        if chain.broken().is_none() {
            let known = Remembered { of, at, chain: chain.clone() };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
    }
}

/// What tells these sources on this database from others; none with code, which may do something else each time.
pub(super) fn identity(database: &str, sources: &[Source]) -> Option<String> {
    let mut text = database.to_owned();
    for source in sources {
        text.push('\0');
        text.push_str(source.name());
        text.push('\0');
        text.push_str(&source.digest()?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_found_for_an_hour_and_only_for_its_own_sources() {
        let (chains, begin) = (Chains::default(), Timestamp::UNIX_EPOCH);
        let later = |minutes| begin + SignedDuration::from_mins(minutes);
        assert!(chains.find("a", begin).is_none());
        chains.keep("a".to_owned(), begin, &Chain::default());
        assert!(chains.find("a", later(59)).is_some());
        assert!(chains.find("b", later(59)).is_none());
        assert!(chains.find("a", later(60)).is_none());
        assert!(chains.find("a", later(-1)).is_none(), "the clock went back");
    }
}
