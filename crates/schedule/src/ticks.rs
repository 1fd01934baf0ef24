use std::time::Duration;

use jiff::tz::TimeZone;
use longshore_core::{Timestamp, Timing, format_duration};
use thiserror::Error;

use crate::zone_segment::ZoneSegment;
use crate::{CronExpression, InvalidCron, InvalidTimeZone, find_time_zone};

/// The shortest and the longest span of `every`.
const EVERY_MIN: Duration = Duration::from_secs(1);
const EVERY_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Ticks that are older than a century before the last one asked for are not counted.
const COUNTED_SECONDS: i64 = 100 * 366 * 86_400;
/// How many changes of the clock a search may pass: five centuries of two a year.
const SEGMENTS_MAX: usize = 1000;
/// No tick is before 1970, in the wall clock of any zone.
const CIVIL_MIN: i64 = -86_400;
/// No tick is after [`Timestamp::MAX`].
const CIVIL_MAX: i64 = Timestamp::MAX.as_ms() / 1000 + 86_400;

/// The instants at which a schedule is due.
///
/// A cron expression that names fixed times follows the wall clock: a time that the clock leaves out is due at the end of
/// the gap, and one that repeats is due the first time. One that follows elapsed time (see
/// [`CronExpression::follows_elapsed_time`]) is due at every instant whose wall-clock time matches.
#[derive(Clone, Debug)]
pub struct Ticks {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Every so many milliseconds since 1970.
    Every(i64),
    Cron(Box<CronExpression>),
}

/// Ticks whose wall-clock time a change of the clock left out, and that no other tick replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostTicks {
    /// When the clock was changed.
    pub at: Timestamp,
    /// How many ticks there would have been.
    pub ticks: u64,
    /// The first wall-clock time that was left out, in seconds since 1970-01-01T00:00.
    pub(crate) civil_from: i64,
    /// The one after the last.
    pub(crate) civil_to: i64,
}

/// Why a timing is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTiming {
    /// The expression.
    #[error(transparent)]
    Cron(#[from] InvalidCron),
    /// The time zone.
    #[error(transparent)]
    TimeZone(#[from] InvalidTimeZone),
    /// The span.
    #[error("every must be from 1s to 10 years, but is {}", format_duration(Duration::from_millis(*every_ms)))]
    Every {
        /// In milliseconds.
        every_ms: u64,
    },
}

impl Ticks {
    /// Parses a timing.
    pub fn new(timing: &Timing) -> Result<Self, InvalidTiming> {
        let zone = find_time_zone(timing.time_zone())?;
        let rule = match timing {
            Timing::Cron { cron, .. } => Rule::Cron(Box::new(CronExpression::parse(cron)?)),
            Timing::Every { every_ms, .. } => {
                if !(EVERY_MIN..=EVERY_MAX).contains(&Duration::from_millis(*every_ms)) {
                    return Err(InvalidTiming::Every { every_ms: *every_ms });
                }
                Rule::Every(every_ms.cast_signed())
            }
        };
        Ok(Self { rule, zone })
    }

    /// The time zone in which its instants are shown.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// An instant in the schedule's time zone, for people: `Sun 2026-03-29 03:00:00 CEST`.
    pub fn local(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_ms()) {
            Ok(instant) => instant.to_zoned_datetime(self.zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
            Err(_) => at.to_string(),
        }
    }

    /// An instant in the schedule's time zone, in RFC 3339: `2026-03-29T03:00:00+02:00`.
    pub fn local_rfc3339(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_ms()) {
            Ok(instant) => instant.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Err(_) => at.to_string(),
        }
    }

    /// The first tick after this instant; none if there is none before [`Timestamp::MAX`].
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.as_ms().max(-1);
        let next = match &self.rule {
            Rule::Every(every) => (after.div_euclid(*every) + 1).checked_mul(*every)?,
            Rule::Cron(cron) => CronTicks { cron, zone: &self.zone }.next_after(after.div_euclid(1000))? * 1000,
        };
        Some(Timestamp::from_ms(next)).filter(|next| *next <= Timestamp::MAX)
    }

    /// The last tick at or before this instant; none if there is none since 1970.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let until = until.min(Timestamp::MAX).as_ms();
        if until < 0 {
            return None;
        }
        let last = match &self.rule {
            Rule::Every(every) => until.div_euclid(*every) * every,
            Rule::Cron(cron) => CronTicks { cron, zone: &self.zone }.last_until(until.div_euclid(1000))? * 1000,
        };
        Some(Timestamp::from_ms(last)).filter(|last| *last >= Timestamp::MIN)
    }

    /// How many ticks there are after one instant and until another, which counts too. The work is bounded by the days
    /// between them, not by the ticks; those of more than a century are not counted.
    pub fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        let (after, until) = (after.as_ms().max(-1), until.min(Timestamp::MAX).as_ms());
        if until <= after {
            return 0;
        }
        match &self.rule {
            Rule::Every(every) => (until.div_euclid(*every) - after.div_euclid(*every)).unsigned_abs(),
            Rule::Cron(cron) => {
                let ticks = CronTicks { cron, zone: &self.zone };
                ticks.count(after.div_euclid(1000), until.div_euclid(1000))
            }
        }
    }

    /// The ticks that were lost to changes of the clock after one instant and until another, oldest first.
    pub fn lost(&self, after: Timestamp, until: Timestamp) -> Vec<LostTicks> {
        let (after, until) = (after.as_ms().max(0), until.min(Timestamp::MAX).as_ms());
        match &self.rule {
            Rule::Cron(cron) if until > after => {
                let ticks = CronTicks { cron, zone: &self.zone };
                ticks.lost(after.div_euclid(1000), until.div_euclid(1000))
            }
            _ => Vec::new(),
        }
    }
}

/// The ticks of an expression in a zone. All instants are seconds since 1970.
struct CronTicks<'a> {
    cron: &'a CronExpression,
    zone: &'a TimeZone,
}

impl CronTicks<'_> {
    fn next_after(&self, after: i64) -> Option<i64> {
        let mut segment = ZoneSegment::at(self.zone, after)?;
        let mut from = self.first_civil(&segment).unwrap_or(CIVIL_MIN).max(after + 1 + segment.offset);
        for _ in 0..SEGMENTS_MAX {
            if let Some(civil) = self.cron.first_between(from, segment.civil_end().unwrap_or(CIVIL_MAX)) {
                return Some(civil - segment.offset);
            }
            segment = segment.next(self.zone)?;
            if let Some(instant) = self.end_of_gap(&segment) {
                return Some(instant);
            }
            from = self.first_civil(&segment)?;
        }
        None
    }

    fn last_until(&self, until: i64) -> Option<i64> {
        let mut segment = ZoneSegment::at(self.zone, until)?;
        let mut to = until + 1 + segment.offset;
        for _ in 0..SEGMENTS_MAX {
            let from = self.first_civil(&segment).unwrap_or(CIVIL_MIN).max(CIVIL_MIN);
            if let Some(civil) = self.cron.last_between(from, to) {
                return Some(civil - segment.offset);
            }
            if let Some(instant) = self.end_of_gap(&segment) {
                return Some(instant);
            }
            segment = segment.previous(self.zone).filter(|segment| segment.end.is_some_and(|end| end > 0))?;
            to = segment.civil_end()?;
        }
        None
    }

    fn count(&self, after: i64, until: i64) -> u64 {
        let after = after.max(until - COUNTED_SECONDS);
        let Some(mut segment) = ZoneSegment::at(self.zone, after) else { return 0 };
        let mut count = 0;
        let mut from = self.first_civil(&segment).unwrap_or(CIVIL_MIN).max(after + 1 + segment.offset);
        loop {
            let to = segment.civil_end().unwrap_or(CIVIL_MAX).min(until + 1 + segment.offset);
            count += self.cron.count_between(from, to);
            match segment.next(self.zone) {
                Some(next) if next.start.is_some_and(|start| start <= until) => segment = next,
                _ => return count,
            }
            count += u64::from(self.end_of_gap(&segment).is_some());
            from = self.first_civil(&segment).unwrap_or(CIVIL_MIN);
        }
    }

    fn lost(&self, after: i64, until: i64) -> Vec<LostTicks> {
        // Of an expression that names every hour, each instant that matches is due, and hours go on without a hole.
        let after = after.max(until - COUNTED_SECONDS);
        let mut lost = Vec::new();
        if !self.cron.follows_elapsed_time() || self.cron.has_every_hour() {
            return lost;
        }
        let mut segment = ZoneSegment::at(self.zone, after).and_then(|segment| segment.next(self.zone));
        while let Some(begun) = segment.filter(|segment| segment.start.is_some_and(|start| start <= until)) {
            lost.extend(self.lost_at(&begun));
            segment = begun.next(self.zone);
        }
        lost
    }

    fn lost_at(&self, segment: &ZoneSegment) -> Option<LostTicks> {
        let (civil_from, civil_to) = segment.gap()?;
        let ticks = self.cron.count_between(civil_from, civil_to);
        let is_replaced = self.cron.count_between(civil_to, civil_to + 1) > 0;
        (ticks > 0 && !is_replaced).then_some(LostTicks {
            at: Timestamp::from_ms(segment.start? * 1000),
            ticks,
            civil_from,
            civil_to,
        })
    }

    /// Times that repeat belong to the earlier segment only, unless the expression follows elapsed time.
    fn first_civil(&self, segment: &ZoneSegment) -> Option<i64> {
        match self.cron.follows_elapsed_time() {
            true => segment.civil_start(),
            false => segment.civil_fresh(),
        }
    }

    /// The end of the gap with which a segment begins, if a fixed time falls into it. If one is due at that very time
    /// as well, it is not a second tick.
    fn end_of_gap(&self, segment: &ZoneSegment) -> Option<i64> {
        let (from, to) = segment.gap()?;
        let is_due = !self.cron.follows_elapsed_time()
            && self.cron.first_between(from, to).is_some()
            && self.cron.first_between(to, to + 1).is_none();
        segment.start.filter(|_| is_due)
    }
}
