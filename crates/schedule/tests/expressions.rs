//! Which expressions are accepted, and what is said about the others.

#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use longshore_core::{Timestamp, Timing};
use longshore_schedule::{CronExpression, InvalidTiming, Ticks, find_time_zone};

fn next(expression: &str, count: usize) -> Vec<String> {
    let timing = Timing::Cron { cron: expression.to_owned(), time_zone: "UTC".to_owned() };
    let ticks = Ticks::new(&timing).unwrap_or_else(|error| panic!("{error}"));
    let mut at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    (0..count)
        .map(|_| {
            at = ticks.next_after(at).unwrap();
            at.to_string().replace(":00.000Z", "").replace(".000Z", "")
        })
        .collect()
}

#[test]
fn lists_ranges_steps_names_and_seconds_are_understood() {
    for (expression, expected) in [
        ("30 2 * * mon-fri", ["2026-01-01T02:30", "2026-01-02T02:30", "2026-01-05T02:30"]),
        ("0 0 1 JAN,jul *", ["2026-07-01T00:00", "2027-01-01T00:00", "2027-07-01T00:00"]),
        ("*/15 8-9 * * *", ["2026-01-01T08:00", "2026-01-01T08:15", "2026-01-01T08:30"]),
        ("5-20/10 0 * * *", ["2026-01-01T00:05", "2026-01-01T00:15", "2026-01-02T00:05"]),
        ("15 30 6 * * *", ["2026-01-01T06:30:15", "2026-01-02T06:30:15", "2026-01-03T06:30:15"]),
        ("  0   12\t* *  * ", ["2026-01-01T12:00", "2026-01-02T12:00", "2026-01-03T12:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("0 0 L * *", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]),
        ("0 0 15W * *", ["2026-01-15T00:00", "2026-02-16T00:00", "2026-03-16T00:00"]),
        ("0 0 * * mon#2", ["2026-01-12T00:00", "2026-02-09T00:00", "2026-03-09T00:00"]),
        ("0 0 * * fri#L", ["2026-01-30T00:00", "2026-02-27T00:00", "2026-03-27T00:00"]),
        ("0 0 13 * fri", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00"]),
        ("0 0 13 * +fri", ["2026-02-13T00:00", "2026-03-13T00:00", "2026-11-13T00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("0 0 29 2 +mon", ["2044-02-29T00:00", "2072-02-29T00:00", "2112-02-29T00:00"]),
        ("@daily", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@Weekly", ["2026-01-04T00:00", "2026-01-11T00:00", "2026-01-18T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
        ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]),
    ] {
        assert_eq!(next(expression, 3), expected, "{expression}");
    }
}

#[test]
fn an_expression_that_never_matches_is_refused() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 feb *", "0 0 30 2 +mon", "0 0 L 2 +mon#1"] {
        let error = CronExpression::parse(expression).unwrap_err().to_string();
        assert_eq!(error, format!("the cron expression {expression:?} never matches: no such date exists"));
    }
    // These do, although rarely.
    for expression in ["0 0 29 2 +sun", "0 0 31 * *", "0 0 29 feb *"] {
        assert!(CronExpression::parse(expression).is_ok(), "{expression}");
    }
}

#[test]
fn a_mistake_is_one_sentence_that_names_the_expression() {
    for expression in [
        "",
        " ",
        "*",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "a b c d e",
        "1,,2 * * * *",
        ",1 * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "*/-1 * * * *",
        "1-2-3 * * * *",
        "* * * foo *",
        "@reboot",
        "@every 5m",
        "@dayly",
        "0 0 * * * @daily",
        "0 0 L L L",
        "0 2 * * mon#6",
        "0 2 * * #2",
        "é * * * *",
        "99999999999999999999 * * * *",
        "*/99999999999 * * * *",
        "0 0 40W * *",
        "1/2/3 * * * *",
        "- * * * *",
        "/ * * * *",
        "\0 * * * *",
        "0 0 * * ∞",
    ] {
        match CronExpression::parse(expression) {
            Ok(parsed) => panic!("{expression:?} is accepted as {parsed:?}"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.starts_with("the cron expression "), "{error}");
                assert!(error.contains(&format!("{expression:?}")), "{error}");
                assert!(!error.ends_with('.'), "{error}");
            }
        }
    }
}

#[test]
fn the_field_at_fault_is_named_with_what_it_accepts() {
    for (expression, words) in [
        ("61 * * * *", "the minute \"61\" is wrong"),
        ("* 24 * * *", "the hour \"24\" is wrong"),
        ("0 0 * * 9", "expected 0 to 7 or sun to sat, mon#2 or fri#L"),
        ("75 0 0 * * *", "the second \"75\" is wrong"),
        ("0 0 0 32 * *", "the day \"32\" is wrong"),
    ] {
        let error = CronExpression::parse(expression).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_hostile_expression_is_refused_before_it_is_parsed() {
    let hostile = [
        "*".repeat(1 << 20),
        "0,".repeat(1 << 20) + "0 * * * *",
        "0 0 ".to_owned() + &"1-31,".repeat(100_000) + "1 * *",
        "@".repeat(300),
    ];
    for expression in hostile {
        let error = CronExpression::parse(&expression).unwrap_err().to_string();
        assert!(error.len() < 200, "{}", error.len());
    }
}

#[test]
fn an_unknown_time_zone_is_refused_with_a_suggestion() {
    for (name, suggestion) in [
        ("Europe/Berln", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("europe/berlinn", "Europe/Berlin"),
    ] {
        let error = find_time_zone(name).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "the time zone {name:?} is not known: expected an IANA name such as Europe/Berlin; did you mean {suggestion}?"
            )
        );
    }
    for name in ["", "../../etc/passwd", "/etc/localtime", "+02:00", "Europe/Berlin\0", &"a".repeat(100_000)] {
        let error = find_time_zone(name).unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
    }
    for name in ["UTC", "utc", "Europe/Berlin", "US/Pacific", "Etc/GMT+5", "America/Argentina/Buenos_Aires"] {
        assert!(find_time_zone(name).is_ok(), "{name}");
    }
}

#[test]
fn every_is_from_a_second_to_ten_years() {
    for (every_ms, is_valid) in
        [(0, false), (999, false), (1000, true), (1500, true), (315_360_000_000, true), (u64::MAX, false)]
    {
        let ticks = Ticks::new(&Timing::Every { every_ms, time_zone: "UTC".to_owned() });
        assert_eq!(ticks.is_ok(), is_valid, "{every_ms}");
        assert!(is_valid || matches!(ticks, Err(InvalidTiming::Every { .. })));
    }
}

#[test]
fn ticks_end_with_the_calendar() {
    for timing in [
        Timing::Cron { cron: "0 0 1 1 *".to_owned(), time_zone: "Europe/Berlin".to_owned() },
        Timing::Every { every_ms: 86_400_000, time_zone: "UTC".to_owned() },
    ] {
        let ticks = Ticks::new(&timing).unwrap();
        assert_eq!(ticks.next_after(Timestamp::MAX), None);
        assert_eq!(ticks.next_after(Timestamp::from_ms(i64::MAX)), None);
        assert!(ticks.next_after(Timestamp::from_ms(i64::MIN)).is_some());
        assert_eq!(ticks.last_until(Timestamp::from_ms(i64::MIN)), None);
        assert!(ticks.last_until(Timestamp::from_ms(i64::MAX)).is_some());
        assert!(ticks.count(Timestamp::MIN, Timestamp::MAX) > 0);
        assert_eq!(ticks.count(Timestamp::MAX, Timestamp::MIN), 0);
    }
}
