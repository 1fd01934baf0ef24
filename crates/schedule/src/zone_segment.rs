use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A span of time in which the clock of a zone is not changed. All numbers are seconds.
///
/// In it, a wall-clock time and an instant differ by the offset alone. What is special about a change of the clock is
/// at the start of the segment that begins with it: a gap if the clock went forward, times that repeat if it went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZoneSegment {
    /// When the clock was changed; none if it never was before.
    pub(crate) start: Option<i64>,
    /// When it is changed next; none if it never is.
    pub(crate) end: Option<i64>,
    /// What to add to an instant for the wall clock.
    pub(crate) offset: i64,
    /// The offset before `start`.
    previous_offset: i64,
}

impl ZoneSegment {
    /// The segment that contains this instant; none outside the calendar.
    pub(crate) fn at(zone: &TimeZone, instant: i64) -> Option<Self> {
        let at = Timestamp::from_second(instant).ok()?;
        // A change at this very instant begins the segment.
        let start = Timestamp::from_second(instant + 1).ok().and_then(|next| zone.preceding(next).next());
        let start = start.map(|transition| transition.timestamp().as_second());
        let offset = seconds(zone, at);
        let previous_offset = match start.and_then(|start| Timestamp::from_second(start - 1).ok()) {
            Some(before) => seconds(zone, before),
            None => offset,
        };
        let end = zone.following(at).next().map(|transition| transition.timestamp().as_second());
        Some(Self { start, end, offset, previous_offset })
    }

    pub(crate) fn next(&self, zone: &TimeZone) -> Option<Self> {
        Self::at(zone, self.end?)
    }

    pub(crate) fn previous(&self, zone: &TimeZone) -> Option<Self> {
        Self::at(zone, self.start? - 1)
    }

    /// The first wall-clock time.
    pub(crate) fn civil_start(&self) -> Option<i64> {
        Some(self.start? + self.offset)
    }

    /// The first wall-clock time that no earlier segment had.
    pub(crate) fn civil_fresh(&self) -> Option<i64> {
        Some(self.start? + self.offset.max(self.previous_offset))
    }

    /// The wall-clock time at its end, which it does not contain.
    pub(crate) fn civil_end(&self) -> Option<i64> {
        Some(self.end? + self.offset)
    }

    /// The wall-clock times that the change at its start left out, from the first one to the one after the last.
    pub(crate) fn gap(&self) -> Option<(i64, i64)> {
        let start = self.start?;
        (self.previous_offset < self.offset).then_some((start + self.previous_offset, start + self.offset))
    }
}

fn seconds(zone: &TimeZone, at: Timestamp) -> i64 {
    i64::from(zone.to_offset(at).seconds())
}
