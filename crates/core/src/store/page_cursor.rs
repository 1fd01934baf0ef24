use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::{IdRange, InvalidId, JobId};

/// Where a page of jobs ends: the last job of each database that is on it, or before it.
///
/// One database needs one id. Several have one for each of their ranges, because their ids say nothing of which job is
/// older. As text the ids are separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCursor {
    /// At most one of each range, in order; never empty.
    ids: Vec<JobId>,
}

impl PageCursor {
    /// Behind these jobs, of which each is in a database of its own. None where there are none.
    pub fn behind(ids: impl IntoIterator<Item = JobId>) -> Option<Self> {
        let mut ids: Vec<JobId> = ids.into_iter().collect();
        ids.sort_unstable();
        // Of two in one range the lower one is further back.
        ids.dedup_by_key(|id| IdRange::of(*id));
        if ids.is_empty() { None } else { Some(Self { ids }) }
    }

    /// The last job of one database: the only one, if it does not name several.
    pub fn id(&self) -> JobId {
        self.ids[0]
    }

    /// The last job of the database with this range, if the pages have reached it.
    pub fn in_range(&self, range: IdRange) -> Option<JobId> {
        self.ids.iter().copied().find(|id| IdRange::of(*id) == range)
    }
}

impl From<JobId> for PageCursor {
    fn from(id: JobId) -> Self {
        Self { ids: vec![id] }
    }
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for PageCursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let ids = text.split(',').map(str::parse).collect::<Result<Vec<JobId>, _>>()?;
        Ok(Self::behind(ids).expect("a split text has at least one part"))
    }
}

/// As text: clients only hand a cursor back.
impl Serialize for PageCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_id_for_each_database() {
        let second = IdRange::new(1).unwrap();
        let there = JobId(second.before_first() + 5);
        let cursor = PageCursor::behind([there, JobId(7)]).unwrap();
        assert_eq!((cursor.in_range(IdRange::ZERO), cursor.in_range(second)), (Some(JobId(7)), Some(there)));
        assert_eq!(cursor.to_string(), format!("7,{there}"));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!(PageCursor::from(JobId(7)).to_string(), "7");
        assert_eq!(PageCursor::behind([]), None);
    }

    #[test]
    fn a_word_that_is_no_id_is_no_cursor() {
        for word in ["", "x", "7,", "7,x", "0"] {
            assert!(word.parse::<PageCursor>().is_err(), "{word}");
        }
    }
}
