//! Times and durations for people, as commands and pages print them.

use std::time::Duration;

use longshore_core::Timestamp;

/// A time for people: `3m ago`, `in 5s`, `now`.
pub fn relative(instant: Timestamp, now: Timestamp) -> String {
    if instant > now {
        return format!("in {}", span(instant.since(now)));
    }
    let since = now.since(instant);
    if since < Duration::from_secs(1) {
        return "now".to_owned();
    }
    format!("{} ago", span(since))
}

/// A relative time, or a dash.
pub fn relative_or_dash(instant: Option<Timestamp>, now: Timestamp) -> String {
    instant.map_or_else(|| "-".to_owned(), |instant| relative(instant, now))
}

/// A duration for people in its largest unit, rounded down. Below ten of a unit, the next smaller unit is added.
pub fn span(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = span.as_secs();
    if seconds == 0 {
        return format!("{}ms", span.as_millis());
    }
    let at = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[at];
    let count = seconds / unit;
    match UNITS.get(at + 1) {
        Some((smaller, name_of_smaller)) if count < 10 && seconds % unit >= *smaller => {
            format!("{count}{name}{}{name_of_smaller}", seconds % unit / smaller)
        }
        _ => format!("{count}{name}"),
    }
}

/// How long something took, or will take, for people: `12 ms`, `0.8 s`, `4 s`, `1m5s`.
pub fn short(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms < 100 => format!("{ms} ms"),
        ms if ms < 10_000 => {
            let seconds = format!("{:.1}", duration.as_secs_f64());
            format!("{} s", seconds.trim_end_matches(".0"))
        }
        ms if ms < 60_000 => format!("{} s", duration.as_secs()),
        _ => span(duration),
    }
}

/// How long something took, with two or three digits that count: `12 ms`, `812 ms`, `1.23 s`, `42.9 s`, `1m5s`.
pub fn measured(duration: Duration) -> String {
    // Rounded down, so that 9.999 s is not ten seconds with two decimals.
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        10_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => span(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_has_one_decimal() {
        let said = [0, 12, 99, 100, 812, 4_000, 4_049, 9_949, 9_960, 42_900, 65_000]
            .map(|ms| short(Duration::from_millis(ms)));
        assert_eq!(said, ["0 ms", "12 ms", "99 ms", "0.1 s", "0.8 s", "4 s", "4 s", "9.9 s", "10 s", "42 s", "1m5s"]);
    }

    #[test]
    fn a_measured_time_has_two_or_three_digits_that_count() {
        let said = [0, 12, 100, 149, 999, 1_000, 1_234, 9_999, 10_000, 42_987, 65_000]
            .map(|ms| measured(Duration::from_millis(ms)));
        let expected =
            ["0 ms", "12 ms", "100 ms", "149 ms", "999 ms", "1.00 s", "1.23 s", "9.99 s", "10.0 s", "42.9 s", "1m5s"];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_span_is_said_in_its_largest_unit() {
        let said = [0, 5, 59, 60, 61, 599, 600, 3_600, 90_000, 864_000].map(|s| span(Duration::from_secs(s)));
        assert_eq!(said, ["0ms", "5s", "59s", "1m", "1m1s", "9m59s", "10m", "1h", "1d1h", "10d"]);
        assert_eq!(span(Duration::from_millis(250)), "250ms");
    }

    #[test]
    fn what_was_and_what_will_be_are_told_apart() {
        let now = Timestamp::from_ms(100_000);
        assert_eq!(relative(Timestamp::from_ms(40_000), now), "1m ago");
        assert_eq!(relative(Timestamp::from_ms(105_000), now), "in 5s");
        assert_eq!(relative(now, now), "now");
    }
}
