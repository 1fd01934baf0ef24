//! Ticks around changes of the clock, checked by hand against the history of each zone.

#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use longshore_core::{Timestamp, Timing};
use longshore_schedule::Ticks;

fn cron(cron: &str, time_zone: &str) -> Ticks {
    Ticks::new(&Timing::Cron { cron: cron.to_owned(), time_zone: time_zone.to_owned() }).unwrap()
}

fn at(word: &str) -> Timestamp {
    format!("{word}:00Z").parse().unwrap_or_else(|error| panic!("{word}: {error}"))
}

/// Zone, expression, and the ticks after an hour before the first of them, in UTC.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// Fixed times of the wall clock.
const FIXED: &[Case] = &[
    // The hour from 02:00 is left out, or repeats.
    ("Europe/Berlin", "30 2 * * *", &["2024-03-30T01:30", "2024-03-31T01:00", "2024-04-01T00:30"]),
    ("Europe/Berlin", "30 2 * * *", &["2024-10-26T00:30", "2024-10-27T00:30", "2024-10-28T01:30"]),
    ("Europe/Berlin", "30 2,14 * * *", &["2024-03-31T01:00", "2024-03-31T12:30", "2024-04-01T00:30"]),
    ("Europe/Berlin", "30 2,14 * * *", &["2024-10-27T00:30", "2024-10-27T13:30", "2024-10-28T01:30"]),
    // Several times in one gap are one tick; a time at its end is not a second one.
    ("Europe/Berlin", "0,20,40 2 * * *", &["2024-03-30T01:40", "2024-03-31T01:00", "2024-04-01T00:00"]),
    ("Europe/Berlin", "30 2,3 * * *", &["2024-03-31T01:00", "2024-03-31T01:30", "2024-04-01T00:30"]),
    ("Europe/Berlin", "0 2,3 * * *", &["2024-03-30T02:00", "2024-03-31T01:00", "2024-04-01T00:00"]),
    ("America/New_York", "30 2 * * *", &["2024-03-09T07:30", "2024-03-10T07:00", "2024-03-11T06:30"]),
    ("America/New_York", "30 1 * * *", &["2024-11-03T05:30", "2024-11-04T06:30"]),
    // Half an hour.
    ("Australia/Lord_Howe", "15 2 * * *", &["2024-10-04T15:45", "2024-10-05T15:30", "2024-10-06T15:15"]),
    ("Australia/Lord_Howe", "45 1 * * *", &["2024-04-06T14:45", "2024-04-07T15:15"]),
    ("Australia/Sydney", "30 2 * * *", &["2024-10-04T16:30", "2024-10-05T16:00", "2024-10-06T15:30"]),
    // A day that was left out: from -10 to +14, from -11 to +13, from -12 to +12.
    ("Pacific/Apia", "0 12 * * *", &["2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"]),
    ("Pacific/Fakaofo", "0 12 * * *", &["2011-12-29T23:00", "2011-12-30T11:00", "2011-12-30T23:00"]),
    ("Pacific/Kwajalein", "0 12 * * *", &["1993-08-21T00:00", "1993-08-21T12:00", "1993-08-22T00:00"]),
    // Two hours.
    ("Antarctica/Troll", "30 2 * * *", &["2024-03-30T02:30", "2024-03-31T01:00", "2024-04-01T00:30"]),
    ("Antarctica/Troll", "30 1 * * *", &["2024-10-26T23:30", "2024-10-28T01:30"]),
    // Midnight is left out, or repeats.
    ("America/Havana", "30 0 * * *", &["2024-03-09T05:30", "2024-03-10T05:00", "2024-03-11T04:30"]),
    ("America/Havana", "30 0 * * *", &["2024-11-03T04:30", "2024-11-04T05:30"]),
    ("Africa/Cairo", "30 0 * * *", &["2024-04-24T22:30", "2024-04-25T22:00", "2024-04-26T21:30"]),
    ("America/Sao_Paulo", "0 0 * * *", &["2018-11-03T03:00", "2018-11-04T03:00", "2018-11-05T02:00"]),
    ("America/Asuncion", "15 0 * * *", &["2023-09-30T04:15", "2023-10-01T04:00", "2023-10-02T03:15"]),
    ("Asia/Tehran", "30 0 * * *", &["2022-03-20T21:00", "2022-03-21T20:30", "2022-03-22T20:00"]),
    ("Asia/Beirut", "30 0 * * *", &["2024-03-29T22:30", "2024-03-30T22:00", "2024-03-31T21:30"]),
    // Ramadan: back in March, forward in April.
    ("Africa/Casablanca", "30 2 * * *", &["2024-03-09T01:30", "2024-03-10T01:30", "2024-03-11T02:30"]),
    ("Africa/Casablanca", "30 2 * * *", &["2024-04-13T02:30", "2024-04-14T02:00", "2024-04-15T01:30"]),
    // Summer is its standard time.
    ("Europe/Dublin", "30 1 * * *", &["2024-03-30T01:30", "2024-03-31T01:00", "2024-04-01T00:30"]),
    ("Europe/Dublin", "30 1 * * *", &["2024-10-27T00:30", "2024-10-28T01:30"]),
    // Offsets that are not whole hours.
    ("Pacific/Chatham", "0 3 * * *", &["2024-09-27T14:15", "2024-09-28T14:00", "2024-09-29T13:15"]),
    ("America/St_Johns", "30 2 * * *", &["2024-03-09T06:00", "2024-03-10T05:30", "2024-03-11T05:00"]),
    ("Asia/Kathmandu", "10 0 * * *", &["1985-12-30T18:40", "1985-12-31T18:30", "1986-01-01T18:25"]),
    ("Asia/Kolkata", "30 2 * * *", &["2024-03-30T21:00", "2024-03-31T21:00"]),
    // Changes of the law.
    ("Asia/Pyongyang", "45 23 * * *", &["2015-08-14T14:45", "2015-08-15T15:15"]),
    ("Asia/Pyongyang", "45 23 * * *", &["2018-05-03T15:15", "2018-05-04T15:00", "2018-05-05T14:45"]),
    ("America/Caracas", "45 2 * * *", &["2016-04-30T07:15", "2016-05-01T07:00", "2016-05-02T06:45"]),
    ("Europe/Volgograd", "30 1 * * *", &["2020-12-26T21:30", "2020-12-27T22:30"]),
    ("Europe/Istanbul", "30 3 * * *", &["2016-03-26T01:30", "2016-03-27T01:00", "2016-03-28T00:30"]),
    ("Africa/Juba", "30 23 * * *", &["2021-01-31T20:30", "2021-02-01T21:30"]),
    ("America/Nuuk", "30 22 * * *", &["2023-03-25T01:30", "2023-03-26T01:00", "2023-03-27T00:30"]),
    ("Asia/Almaty", "30 23 * * *", &["2024-02-29T17:30", "2024-03-01T18:30"]),
    ("UTC", "30 2 * * *", &["2024-03-31T02:30", "2024-04-01T02:30"]),
];

/// Wildcards follow elapsed time.
const ELAPSED: &[Case] = &[
    ("Europe/Berlin", "30 * * * *", &["2024-03-31T00:30", "2024-03-31T01:30", "2024-03-31T02:30"]),
    ("Europe/Berlin", "30 * * * *", &["2024-10-26T23:30", "2024-10-27T00:30", "2024-10-27T01:30", "2024-10-27T02:30"]),
    (
        "Europe/Berlin",
        "*/30 2 * * *",
        &["2024-10-27T00:00", "2024-10-27T00:30", "2024-10-27T01:00", "2024-10-27T01:30"],
    ),
    ("Europe/Berlin", "*/30 2 * * *", &["2024-03-30T01:30", "2024-04-01T00:00"]),
    ("Europe/Berlin", "30 0-23 * * *", &["2024-10-27T00:30", "2024-10-27T01:30", "2024-10-27T02:30"]),
    ("Australia/Lord_Howe", "*/30 * * * *", &["2024-10-05T15:00", "2024-10-05T15:30", "2024-10-05T16:00"]),
    ("Australia/Lord_Howe", "45 * * * *", &["2024-04-06T14:45", "2024-04-06T15:15", "2024-04-06T16:15"]),
    ("Antarctica/Troll", "0 * * * *", &["2024-03-31T00:00", "2024-03-31T01:00", "2024-03-31T02:00"]),
    ("Pacific/Apia", "0 * * * *", &["2011-12-30T09:00", "2011-12-30T10:00", "2011-12-30T11:00"]),
];

fn holds(cases: &[Case]) {
    for (zone, expression, expected) in cases {
        let ticks = cron(expression, zone);
        let mut from = Timestamp::from_ms(at(expected[0]).as_ms() - 1);
        for word in *expected {
            let next = ticks.next_after(from).unwrap();
            assert_eq!(next, at(word), "{zone}: {expression} after {from}");
            from = next;
        }
        let mut until = from;
        for word in expected.iter().rev() {
            let last = ticks.last_until(until).unwrap();
            assert_eq!(last, at(word), "{zone}: {expression} until {until}");
            until = Timestamp::from_ms(last.as_ms() - 1);
        }
        assert_eq!(ticks.count(until, from), expected.len() as u64, "{zone}: {expression}");
    }
}

#[test]
fn a_fixed_time_runs_once_at_the_end_of_a_gap_and_once_the_first_time_in_an_overlap() {
    holds(FIXED);
    let zones: std::collections::BTreeSet<_> = FIXED.iter().map(|(zone, ..)| zone).collect();
    assert!(zones.len() >= 20, "{}", zones.len());
}

#[test]
fn wildcards_follow_elapsed_time() {
    holds(ELAPSED);
}

#[test]
fn ticks_that_a_gap_left_out_without_a_run_in_their_place_are_named() {
    let lost = |expression: &str| {
        let lost = cron(expression, "Europe/Berlin").lost(at("2024-03-01T00:00"), at("2024-12-01T00:00"));
        lost.iter().map(|lost| (lost.at, lost.ticks)).collect::<Vec<_>>()
    };
    assert_eq!(lost("*/30 2 * * *"), [(at("2024-03-31T01:00"), 2)]);
    assert_eq!(lost("0 */2 * * *"), [(at("2024-03-31T01:00"), 1)]);
    for expression in ["30 2 * * *", "*/30 * * * *", "*/30 2,3 * * *", "*/30 5 * * *"] {
        assert_eq!(lost(expression), [], "{expression}");
    }
}

#[test]
fn every_follows_elapsed_time_in_each_zone() {
    let every = Timing::Every { every_ms: 900_000, time_zone: "Europe/Berlin".to_owned() };
    let ticks = Ticks::new(&every).unwrap();
    let mut from = at("2024-10-27T00:00");
    for _ in 0..12 {
        let next = ticks.next_after(from).unwrap();
        assert_eq!(next.as_ms() - from.as_ms(), 900_000);
        from = next;
    }
    assert_eq!(ticks.last_until(from), Some(from));
}
