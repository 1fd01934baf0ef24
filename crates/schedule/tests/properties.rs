//! Ticks are compared with a second, slow way to find them: each minute of the wall clock by itself.

#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not the functions that they share")]

use std::collections::BTreeSet;

use jiff::civil::date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use longshore_core::{Timestamp, Timing};
use longshore_schedule::{Ticks, find_time_zone};
use proptest::prelude::*;

const ZONES: &[(&str, i16, i8, i8)] = &[
    ("Europe/Berlin", 2024, 3, 29),
    ("Europe/Berlin", 2024, 10, 25),
    ("Australia/Lord_Howe", 2024, 4, 5),
    ("Australia/Lord_Howe", 2024, 10, 4),
    ("Pacific/Apia", 2011, 12, 28),
    ("Antarctica/Troll", 2024, 3, 29),
    ("Antarctica/Troll", 2024, 10, 25),
    ("America/Havana", 2024, 3, 8),
    ("America/Sao_Paulo", 2018, 11, 2),
    ("Africa/Casablanca", 2024, 4, 12),
    ("Pacific/Chatham", 2024, 4, 5),
    ("Asia/Pyongyang", 2015, 8, 13),
    ("Asia/Kolkata", 2024, 3, 29),
];

/// A field, as its text and the set of its values.
fn field(max: u8) -> impl Strategy<Value = (String, BTreeSet<i8>)> {
    let all = (0..=max.cast_signed()).collect::<BTreeSet<_>>();
    let every = all.clone();
    prop_oneof![
        1 => Just(("*".to_owned(), all)),
        2 => proptest::collection::btree_set(0..=max.cast_signed(), 1..4).prop_map(|set| {
            let words: Vec<String> = set.iter().map(ToString::to_string).collect();
            (words.join(","), set)
        }),
        1 => (1..=max.cast_signed()).prop_map(move |step| {
            (format!("*/{step}"), every.iter().copied().filter(|value| value % step == 0).collect())
        }),
        1 => (0..=max.cast_signed(), 0..=max.cast_signed()).prop_map(|(a, b)| {
            (format!("{}-{}", a.min(b), a.max(b)), (a.min(b)..=a.max(b)).collect())
        }),
    ]
}

/// All ticks of five days.
fn slowly(
    zone: &TimeZone,
    from: jiff::civil::Date,
    minutes: &BTreeSet<i8>,
    hours: &BTreeSet<i8>,
    is_fixed: bool,
) -> BTreeSet<i64> {
    let mut ticks = BTreeSet::new();
    let mut civil = from.at(0, 0, 0, 0);
    for _ in 0..5 * 24 * 60 {
        if minutes.contains(&civil.minute()) && hours.contains(&civil.hour()) {
            let instant = |offset: jiff::tz::Offset| offset.to_timestamp(civil).unwrap().as_second();
            match zone.to_ambiguous_timestamp(civil).offset() {
                AmbiguousOffset::Unambiguous { offset } => _ = ticks.insert(instant(offset)),
                AmbiguousOffset::Fold { before, after } => {
                    ticks.insert(instant(before));
                    if !is_fixed {
                        ticks.insert(instant(after));
                    }
                }
                AmbiguousOffset::Gap { before, after } if is_fixed => {
                    // The instants of both offsets stand on both sides of the change.
                    let near = instant(after);
                    let change = zone.following(jiff::Timestamp::from_second(near - 1).unwrap()).next().unwrap();
                    assert!(change.timestamp().as_second() <= instant(before));
                    ticks.insert(change.timestamp().as_second());
                }
                AmbiguousOffset::Gap { .. } => {}
            }
        }
        civil = civil.checked_add(jiff::Span::new().minutes(1)).unwrap();
    }
    ticks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ticks_are_those_of_the_slow_way_forwards_backwards_and_counted(
        (minute_word, minutes) in field(59),
        (hour_word, hours) in field(23),
        zone in 0..ZONES.len(),
        cut in 0_i64..5 * 86_400,
    ) {
        let (name, year, month, day) = ZONES[zone];
        let zone = find_time_zone(name).unwrap();
        let cron = format!("{minute_word} {hour_word} * * *");
        let is_fixed = !minute_word.contains('*') && !hour_word.contains('*') && hours.len() < 24;
        // Instants near the ends may belong to a day outside.
        let ends = slowly(&zone, date(year, month, day), &minutes, &hours, is_fixed);
        let start = zone.to_timestamp(date(year, month, day).at(0, 0, 0, 0)).unwrap().as_second();
        let end = zone.to_timestamp(date(year, month, day + 2).at(0, 0, 0, 0)).unwrap().as_second();
        let expected: Vec<i64> = ends.into_iter().filter(|at| (start..=end).contains(at)).collect();
        let ticks = Ticks::new(&Timing::Cron { cron: cron.clone(), time_zone: name.to_owned() }).unwrap();
        let ms = |seconds: i64| Timestamp::from_ms(seconds * 1000);

        let mut forwards = Vec::new();
        let mut at = ms(start - 1);
        while let Some(next) = ticks.next_after(at).filter(|next| *next <= ms(end)) {
            prop_assert!(next > at);
            forwards.push(next.as_ms() / 1000);
            at = next;
        }
        prop_assert_eq!(&forwards, &expected, "{} in {}", &cron, name);

        let mut backwards = Vec::new();
        let mut at = ms(end);
        while let Some(last) = ticks.last_until(at).filter(|last| *last >= ms(start)) {
            backwards.push(last.as_ms() / 1000);
            at = Timestamp::from_ms(last.as_ms() - 1);
        }
        backwards.reverse();
        prop_assert_eq!(&backwards, &expected, "{} in {}", &cron, name);

        // In two parts, wherever they are cut.
        let middle = (start + cut).min(end);
        let counted = ticks.count(ms(start - 1), ms(middle)) + ticks.count(ms(middle), ms(end));
        prop_assert_eq!(counted, expected.len() as u64, "{} in {} cut at {}", &cron, name, middle);
    }
}
