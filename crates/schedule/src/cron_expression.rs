use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::Date;
use thiserror::Error;

use crate::time_of_day::{DAY_SECONDS, TimesOfDay, date_of};

/// A longer expression names nothing that a shorter one could not. It also bounds the work of the parser.
const BYTES_MAX: usize = 256;
/// The calendar repeats after 400 years, weekdays included. What has no date in them never has one.
const CYCLE_DAYS: i64 = 146_097;
/// 2000-01-01.
const CYCLE_START: i64 = 10_957;

/// A parsed cron expression: five fields, or six with the seconds first, or a nickname such as `@daily`.
///
/// It knows dates and times of day without a time zone. Fields may have lists, ranges, steps, the names of months and
/// weekdays, `L` (the last day), `15W` (the weekday nearest to the 15th), `mon#2` (the second Monday) and `fri#L` (the
/// last Friday). If both days are restricted, either is enough; a `+` before the weekday demands both.
#[derive(Clone, Debug)]
pub struct CronExpression {
    cron: Cron,
    times: TimesOfDay,
    follows_elapsed_time: bool,
}

/// Why a cron expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCron {
    /// It is longer than any expression needs.
    #[error("the cron expression has {bytes} bytes, but the limit is {BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has the wrong number of fields.
    #[error(
        "the cron expression {expression:?} has {}: expected 5 (minute hour day month weekday), 6 with seconds first, or \
         a nickname such as @daily",
        counted(*fields)
    )]
    Fields {
        /// As it was given.
        expression: String,
        /// How many fields it has.
        fields: usize,
    },
    /// The nickname is unknown.
    #[error(
        "the cron expression {expression:?} is not known: expected @yearly, @monthly, @weekly, @daily, @midnight or \
         @hourly{}",
        nickname_hint(expression)
    )]
    Nickname {
        /// As it was given.
        expression: String,
    },
    /// A field cannot be read.
    #[error("the cron expression {expression:?} is not valid: {reason}")]
    Field {
        /// As it was given.
        expression: String,
        /// What the parser says.
        reason: String,
    },
    /// It names no date that exists.
    #[error("the cron expression {expression:?} never matches: no such date exists")]
    Never {
        /// As it was given.
        expression: String,
    },
}

fn counted(fields: usize) -> String {
    if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") }
}

fn nickname_hint(expression: &str) -> &'static str {
    match expression.split_whitespace().next() {
        Some("@every") => "; for a fixed span, set every instead of cron",
        Some("@reboot") => "; a schedule does not know when a machine starts",
        _ => "",
    }
}

impl CronExpression {
    /// Parses an expression, in bounded work. An error is one sentence that names the expression.
    pub fn parse(expression: &str) -> Result<Self, InvalidCron> {
        if expression.len() > BYTES_MAX {
            return Err(InvalidCron::TooLong { bytes: expression.len() });
        }
        let plain = without_nickname(expression)?;
        let fields: Vec<&str> = plain.split_ascii_whitespace().collect();
        if !(5..=6).contains(&fields.len()) {
            return Err(InvalidCron::Fields { expression: expression.to_owned(), fields: fields.len() });
        }
        let invalid = |reason: String| InvalidCron::Field { expression: expression.to_owned(), reason };
        check_lists(&fields).map_err(invalid)?;
        let cron = parsed(&fields).map_err(|error| invalid(in_our_words(&fields, &error.to_string())))?;
        let times = TimesOfDay::new(
            &cron.pattern.hours.values(),
            &cron.pattern.minutes.values(),
            &cron.pattern.seconds.values(),
        );
        // The fields of the time of day come before the last three.
        let has_wildcard = fields[..fields.len() - 3].iter().any(|field| field.contains('*'));
        let follows_elapsed_time = has_wildcard || times.has_every_hour();
        let parsed = Self { cron, times, follows_elapsed_time };
        if parsed.is_empty() {
            return Err(InvalidCron::Never { expression: expression.to_owned() });
        }
        Ok(parsed)
    }

    fn is_empty(&self) -> bool {
        self.times.is_empty() || !(CYCLE_START..CYCLE_START + CYCLE_DAYS).any(|day| self.matches_day(day))
    }

    /// Whether it follows elapsed time when the clock changes: it does if seconds, minutes or hours have a wildcard, or
    /// if it names every hour. Otherwise it names fixed times of the wall clock.
    pub fn follows_elapsed_time(&self) -> bool {
        self.follows_elapsed_time
    }

    /// Whether it names every hour of a day.
    pub(crate) fn has_every_hour(&self) -> bool {
        self.times.has_every_hour()
    }

    fn matches_day(&self, day: i64) -> bool {
        let Some(date) = date_of(day) else { return false };
        let (year, month, day) = calendar(date);
        let pattern = &self.cron.pattern;
        // The cheaper test first. Errors are dates that do not exist, which `date_of` does not give.
        pattern.month_match(month).unwrap_or(false)
            && pattern.day_match(year, month, day, weekday(date)).unwrap_or(false)
    }

    /// The first match at or after `from` and before `to`, both in seconds of the wall clock since 1970-01-01T00:00.
    pub(crate) fn first_between(&self, from: i64, to: i64) -> Option<i64> {
        let last_day = (to - 1).div_euclid(DAY_SECONDS).min(from.div_euclid(DAY_SECONDS) + CYCLE_DAYS);
        let mut day = from.div_euclid(DAY_SECONDS);
        let mut time = from.rem_euclid(DAY_SECONDS);
        while day <= last_day {
            if self.matches_day(day)
                && let Some(found) = self.times.first_from(time)
            {
                return Some(day * DAY_SECONDS + found).filter(|civil| *civil < to);
            }
            (day, time) = (day + 1, 0);
        }
        None
    }

    /// The last match at or after `from` and before `to`.
    pub(crate) fn last_between(&self, from: i64, to: i64) -> Option<i64> {
        let mut day = (to - 1).div_euclid(DAY_SECONDS);
        let mut time = (to - 1).rem_euclid(DAY_SECONDS);
        let first_day = from.div_euclid(DAY_SECONDS).max(day - CYCLE_DAYS);
        while day >= first_day {
            if self.matches_day(day)
                && let Some(found) = self.times.last_until(time)
            {
                return Some(day * DAY_SECONDS + found).filter(|civil| *civil >= from);
            }
            (day, time) = (day - 1, DAY_SECONDS - 1);
        }
        None
    }

    /// How many matches there are at or after `from` and before `to`. The work is that of the days, not of the matches.
    pub(crate) fn count_between(&self, from: i64, to: i64) -> u64 {
        if from >= to {
            return 0;
        }
        let (first_day, last_day) = (from.div_euclid(DAY_SECONDS), (to - 1).div_euclid(DAY_SECONDS));
        let mut count = 0;
        for day in first_day..=last_day {
            if self.matches_day(day) {
                let start = from.max(day * DAY_SECONDS) - day * DAY_SECONDS;
                let end = to.min((day + 1) * DAY_SECONDS) - day * DAY_SECONDS;
                count += self.times.count_before(end) - self.times.count_before(start);
            }
        }
        count
    }
}

fn without_nickname(expression: &str) -> Result<&str, InvalidCron> {
    let word = expression.trim();
    if !word.starts_with('@') {
        return Ok(word);
    }
    match word.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        _ => Err(InvalidCron::Nickname { expression: expression.to_owned() }),
    }
}

/// The parser passes over an empty part of a list, which is a slip of the writer.
fn check_lists(fields: &[&str]) -> Result<(), String> {
    match fields.iter().find(|field| field.split(',').any(str::is_empty)) {
        Some(field) => Err(format!("the list {field:?} has an empty part")),
        None => Ok(()),
    }
}

fn parsed(fields: &[&str]) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build().parse(&fields.join(" "))
}

/// The fields, and what they accept beside `*`, lists, ranges and steps.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day", "1 to 31, L or 15W"),
    ("month", "1 to 12 or jan to dec"),
    ("weekday", "0 to 7 or sun to sat, mon#2 or fri#L"),
];

/// Names the field at fault: the one that the parser refuses even if all others are `*`.
fn in_our_words(fields: &[&str], message: &str) -> String {
    let reason = without_prefix(message);
    let is_at_fault = |place: &usize| {
        let alone: Vec<&str> = (0..fields.len()).map(|at| if at == *place { fields[at] } else { "*" }).collect();
        parsed(&alone).is_err()
    };
    match (0..fields.len()).find(is_at_fault) {
        Some(place) => {
            let (name, expected) = FIELDS[place + FIELDS.len() - fields.len()];
            format!("the {name} {:?} is wrong ({reason}); expected {expected}", fields[place])
        }
        None => reason,
    }
}

fn without_prefix(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let message = ["Invalid pattern: ", "Pattern contains illegal characters: ", "Component error: "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .unwrap_or(message);
    let message = message.replace("CronPattern", "it");
    let mut letters = message.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => message,
    }
}

fn calendar(date: Date) -> (i32, u32, u32) {
    (i32::from(date.year()), u32::from(date.month().unsigned_abs()), u32::from(date.day().unsigned_abs()))
}

fn weekday(date: Date) -> Weekday {
    use jiff::civil::Weekday as Day;
    match date.weekday() {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}
