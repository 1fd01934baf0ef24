use std::fmt;

use serde::{Deserialize, Serialize};

use crate::JobId;

/// The range from which a database gives ids to its jobs.
///
/// Databases that are used together have different ranges, so an id alone says where its job is. All ids are below
/// 2^53, so JavaScript reads them exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdRange(u16);

/// A range has 2^44 ids, which is 17 million million.
const ID_BITS: u32 = 44;

impl IdRange {
    /// The range of a database that was never told to use another one.
    pub const ZERO: Self = Self(0);
    /// The highest number of a range.
    pub const NUMBER_MAX: u16 = 511;

    /// The range with this number, if it is not too high.
    pub const fn new(number: u16) -> Option<Self> {
        if number > Self::NUMBER_MAX { None } else { Some(Self(number)) }
    }

    /// The range of an id. Numbers that no store gives count as the first or the last range.
    pub fn of(id: JobId) -> Self {
        let number = (id.0.max(0) >> ID_BITS).min(i64::from(Self::NUMBER_MAX));
        Self(u16::try_from(number).unwrap_or(Self::NUMBER_MAX))
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The number before the first id: what a sequence has given last if the next id is the first of this range.
    pub const fn before_first(self) -> i64 {
        (self.0 as i64) << ID_BITS
    }

    /// The range whose sequence has given this number last; none if it has given nothing yet.
    pub fn after(last: i64) -> Option<Self> {
        (last > 0).then(|| Self::of(JobId(last)))
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other_and_end_where_javascript_stops_counting() {
        for number in [0, 1, 7, IdRange::NUMBER_MAX] {
            let range = IdRange::new(number).unwrap();
            let first = JobId(range.before_first() + 1);
            let last = JobId(range.before_first() + (1 << ID_BITS) - 1);
            assert_eq!((IdRange::of(first), IdRange::of(last)), (range, range), "{number}");
            assert!(last.0 < 1 << 53);
        }
        assert_eq!(IdRange::new(IdRange::NUMBER_MAX + 1), None);
        assert_eq!(IdRange::of(JobId(i64::MAX)).number(), IdRange::NUMBER_MAX);
        assert_eq!(IdRange::of(JobId(-1)), IdRange::ZERO);
    }

    #[test]
    fn a_sequence_that_has_given_nothing_has_no_range_yet() {
        let third = IdRange::new(3).unwrap();
        assert_eq!((IdRange::after(0), IdRange::after(1)), (None, Some(IdRange::ZERO)));
        assert_eq!(IdRange::after(third.before_first()), Some(third));
    }
}
