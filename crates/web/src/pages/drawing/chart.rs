use std::time::Duration;

use longshore_report::relative_time::short;
use maud::{Markup, PreEscaped, html};

use super::instant::Zone;
use super::series::{Ended, Series, Span};
use super::text::number;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 132.0;
/// Room for the numbers on the left and the times below.
const LEFT: f64 = 40.0;
const BOTTOM: f64 = 16.0;
const TOP: f64 = 6.0;
/// The part of its place that a bar fills.
const FILL: f64 = 0.78;

/// A part of a bar: its name, the class of its colour, its value.
type Part = (&'static str, &'static str, fn(&Ended) -> u64);

/// What a bar is made of, from below.
const PARTS: [Part; 4] = [
    ("completed", "fill-completed", |ended| ended.completed),
    ("retried", "fill-retried", |ended| ended.retried),
    ("given up", "fill-failed", |ended| ended.failed),
    ("cancelled", "fill-cancelled", |ended| ended.cancelled),
];

/// What ended over time, as stacked bars. Each bar says its numbers when it is pointed at.
pub(in crate::pages) fn throughput(series: &Series, zone: &Zone) -> Markup {
    let highest = series.bars.iter().map(Ended::total).max().unwrap_or(0);
    let top = rounded_up(highest);
    let step = (WIDTH - LEFT) / series.bars.len().max(1) as f64;
    let total = series.total();
    let spoken = format!(
        "In {}: {} completed, {} retried, {} given up, {} cancelled",
        series.span.in_words(),
        number(total.completed),
        number(total.retried),
        number(total.failed),
        number(total.cancelled)
    );
    html! {
        svg.chart viewBox=(view_box(WIDTH, HEIGHT)) role="img" aria-label=(spoken) {
            (axes(series, zone, &number(top), step))
            @for (place, bar) in series.bars.iter().enumerate().filter(|(_, bar)| bar.total() > 0) {
                (stack(bar, LEFT + place as f64 * step, step, top))
            }
            @for (place, bar) in series.bars.iter().enumerate() {
                rect.hit x=(coordinate(LEFT + place as f64 * step)) y=(TOP) width=(coordinate(step)) height=(HEIGHT - BOTTOM - TOP) {
                    title { (in_words(series, place, bar, zone)) }
                }
            }
        }
    }
}

/// How long attempts waited and ran on average, as two lines.
pub(in crate::pages) fn latency(series: &Series, zone: &Zone) -> Markup {
    let waited: Vec<Option<u64>> = series.bars.iter().map(Ended::waited_ms).collect();
    let ran: Vec<Option<u64>> = series.bars.iter().map(Ended::ran_ms).collect();
    let highest = waited.iter().chain(&ran).flatten().max().copied().unwrap_or(0);
    let top = rounded_up(highest);
    let step = (WIDTH - LEFT) / series.bars.len().max(1) as f64;
    let total = series.total();
    let average = |ms: Option<u64>| ms.map_or_else(|| "none".to_owned(), in_short);
    let spoken = format!(
        "In {}, attempts waited {} and ran {} on average",
        series.span.in_words(),
        average(total.waited_ms()),
        average(total.ran_ms())
    );
    html! {
        svg.chart viewBox=(view_box(WIDTH, HEIGHT)) role="img" aria-label=(spoken) {
            (axes(series, zone, &in_short(top), step))
            path.line-waited d=(path(&waited, step, top)) {}
            path.line-ran d=(path(&ran, step, top)) {}
            (dots(&waited, step, top, "dot-waited"))
            (dots(&ran, step, top, "dot-ran"))
            @for place in 0..series.bars.len() {
                @if let (Some(waited), Some(ran)) = (waited[place], ran[place]) {
                    rect.hit x=(coordinate(LEFT + place as f64 * step)) y=(TOP) width=(coordinate(step)) height=(HEIGHT - BOTTOM - TOP) {
                        title { (when(series, place, zone)) "\nwaited " (in_short(waited)) ", ran " (in_short(ran)) }
                    }
                }
            }
        }
    }
}

/// The names of the colours of [`throughput`] with their totals.
pub(in crate::pages) fn throughput_legend(total: &Ended) -> Markup {
    html! {
        div.legend {
            @for (name, class, value) in PARTS {
                span { svg viewBox="0 0 9 9" aria-hidden="true" { rect class=(class) width="9" height="9" rx="2" {} } (number(value(total))) " " (name) }
            }
        }
    }
}

/// The names of the lines of [`latency`] with their averages.
pub(in crate::pages) fn latency_legend(total: &Ended) -> Markup {
    let average = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), in_short);
    html! {
        div.legend {
            span { svg viewBox="0 0 9 9" aria-hidden="true" { path.line-waited d="M0 5h9" {} } "waited " (average(total.waited_ms())) }
            span { svg viewBox="0 0 9 9" aria-hidden="true" { path.line-ran d="M0 5h9" {} } "ran " (average(total.ran_ms())) }
        }
    }
}

/// A row of small bars: what completed in green, then what was cancelled in grey, and what failed in red on top.
pub(in crate::pages) fn sparkline(bars: &[Ended]) -> Markup {
    const BAR: f64 = 3.0;
    const TALL: f64 = 18.0;
    let highest = bars.iter().map(Ended::total).max().unwrap_or(0);
    let width = bars.len().max(1) as f64 * BAR;
    let all: u64 = bars.iter().map(Ended::total).sum();
    let failed: u64 = bars.iter().map(|bar| bar.failed + bar.retried).sum();
    let cancelled: u64 = bars.iter().map(|bar| bar.cancelled).sum();
    let spoken = format!("{} ended, {} of them failed, {} cancelled", number(all), number(failed), number(cancelled));
    html! {
        svg.spark viewBox=(view_box(width, TALL)) preserveAspectRatio="none" role="img" aria-label=(spoken) {
            rect.fill-idle x="0" y=(TALL - 1.0) width=(width) height="1" {}
            @for (place, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.total() > 0) {
                (spark(bar, place as f64 * BAR, highest, TALL))
            }
        }
    }
}

fn spark(bar: &Ended, left: f64, highest: u64, room: f64) -> Markup {
    let parts = [
        ("fill-completed", bar.completed),
        ("fill-cancelled", bar.cancelled),
        ("fill-failed", bar.failed + bar.retried),
    ];
    let mut base = room;
    html! {
        @for (class, value) in parts.into_iter().filter(|(_, value)| *value > 0) {
            @let high = tall(value, highest, room);
            @let () = base -= high.min(base);
            rect class=(class) x=(coordinate(left)) y=(coordinate(base)) width="2.4" height=(coordinate(high)) {}
        }
    }
}

/// Small bars of one value.
pub(in crate::pages) fn trend(values: &[u64], spoken: &str) -> Markup {
    const BAR: f64 = 4.0;
    const TALL: f64 = 18.0;
    let highest = values.iter().copied().max().unwrap_or(0);
    let width = values.len().max(1) as f64 * BAR;
    html! {
        svg.spark viewBox=(view_box(width, TALL)) preserveAspectRatio="none" role="img" aria-label=(spoken) {
            rect.fill-idle x="0" y=(TALL - 1.0) width=(width) height="1" {}
            @for (place, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
                @let high = tall(*value, highest, TALL);
                rect.fill-failed x=(coordinate(place as f64 * BAR)) y=(coordinate(TALL - high)) width="3.2" height=(coordinate(high)) {}
            }
        }
    }
}

/// How much of something is used.
pub(in crate::pages) fn meter(used: u64, of: u64, spoken: &str) -> Markup {
    let share = if of == 0 { 0.0 } else { (used.min(of) as f64 / of as f64) * 90.0 };
    html! {
        svg.meter viewBox="0 0 90 6" preserveAspectRatio="none" role="img" aria-label=(spoken) {
            rect.fill-idle width="90" height="6" {}
            rect.fill-running width=(coordinate(share)) height="6" {}
        }
    }
}

/// How much of a whole is done, in parts: each has a name, the class of its colour, and a count.
pub(in crate::pages) fn progress(parts: &[(&str, &str, u64)], of: u64) -> Markup {
    const WIDE: f64 = 120.0;
    let told: Vec<String> = parts
        .iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(name, _, count)| format!("{} {name}", number(*count)))
        .collect();
    let told = if told.is_empty() { "none ended".to_owned() } else { told.join(", ") };
    let mut done = 0.0;
    html! {
        svg.meter.progress viewBox=(view_box(WIDE, 6.0)) preserveAspectRatio="none" role="img" aria-label={ "Of " (number(of)) ": " (told) } {
            rect.fill-idle width=(WIDE) height="6" {}
            @for (_, class, count) in parts.iter().filter(|(_, _, count)| *count > 0) {
                @let wide = (*count as f64 / of.max(1) as f64 * WIDE).clamp(1.5, WIDE);
                rect class=(class) x=(coordinate(done)) width=(coordinate(wide)) height="6" { title { (told) } }
                @let () = done += wide;
            }
        }
    }
}

fn axes(series: &Series, zone: &Zone, top: &str, step: f64) -> Markup {
    let base = HEIGHT - BOTTOM;
    let labels = 5.min(series.bars.len());
    html! {
        line.grid x1=(LEFT) x2=(WIDTH) y1=(base) y2=(base) {}
        line.grid x1=(LEFT) x2=(WIDTH) y1=(TOP) y2=(TOP) {}
        text x=(LEFT - 5.0) y=(TOP + 7.0) text-anchor="end" { (top) }
        text x=(LEFT - 5.0) y=(base) text-anchor="end" { "0" }
        @for label in 0..labels {
            @let place = label * series.bars.len() / labels;
            text x=(coordinate(LEFT + place as f64 * step)) y=(HEIGHT - 3.0) {
                @if series.span == Span::Week { (zone.day(series.at(place))) } @else { (zone.minute(series.at(place))) }
            }
        }
    }
}

fn stack(bar: &Ended, left: f64, step: f64, top: u64) -> Markup {
    let x = coordinate(left + step * (1.0 - FILL) / 2.0);
    let mut base = HEIGHT - BOTTOM;
    let mut rectangles = String::new();
    for (_, class, value) in PARTS {
        let high = height(value(bar), top);
        if high > 0.0 {
            base -= high;
            let (y, width) = (coordinate(base), coordinate(step * FILL));
            let rectangle = html! { rect class=(class) x=(x) y=(y) width=(width) height=(coordinate(high)) {} };
            rectangles.push_str(&rectangle.into_string());
        }
    }
    PreEscaped(rectangles)
}

fn path(values: &[Option<u64>], step: f64, top: u64) -> String {
    let mut path = String::new();
    let mut is_down = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            // A bar without an attempt has no average: the line stops.
            is_down = false;
            continue;
        };
        let (x, y) = point(place, *value, step, top);
        let command = if is_down { 'L' } else { 'M' };
        path.push_str(&format!("{command}{} {}", coordinate(x), coordinate(y)));
        is_down = true;
    }
    path
}

/// The values without a neighbour. No line goes through them, so each is a dot.
fn dots(values: &[Option<u64>], step: f64, top: u64, class: &str) -> Markup {
    let at = |place: Option<usize>| place.and_then(|place| values.get(place).copied().flatten());
    html! {
        @for (place, value) in values.iter().enumerate() {
            @if let (Some(value), None, None) = (value, at(place.checked_sub(1)), at(Some(place + 1))) {
                @let (x, y) = point(place, *value, step, top);
                circle class=(class) cx=(coordinate(x)) cy=(coordinate(y)) r="2.5" {}
            }
        }
    }
}

/// Where a value is in the chart.
fn point(place: usize, value: u64, step: f64, top: u64) -> (f64, f64) {
    (LEFT + (place as f64 + 0.5) * step, HEIGHT - BOTTOM - height(value, top))
}

fn in_words(series: &Series, place: usize, bar: &Ended, zone: &Zone) -> String {
    let told: Vec<String> = PARTS
        .into_iter()
        .map(|(name, _, value)| (name, value(bar)))
        .filter(|(_, value)| *value > 0)
        .map(|(name, value)| format!("{} {name}", number(value)))
        .collect();
    let told = if told.is_empty() { "nothing ended".to_owned() } else { told.join(", ") };
    format!("{}\n{told}", when(series, place, zone))
}

fn when(series: &Series, place: usize, zone: &Zone) -> String {
    zone.full(series.at(place)).replace(":00.000", "")
}

fn in_short(ms: u64) -> String {
    short(Duration::from_millis(ms))
}

fn height(value: u64, top: u64) -> f64 {
    tall(value, top, HEIGHT - BOTTOM - TOP)
}

/// The height of a value. What is not zero can be seen.
fn tall(value: u64, highest: u64, room: f64) -> f64 {
    if value == 0 || highest == 0 {
        return 0.0;
    }
    (value as f64 / highest as f64 * room).clamp(1.0, room)
}

/// The next number that is easy to read: 1, 2 or 5 and zeros.
fn rounded_up(value: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let candidate = unit.saturating_mul(step);
            if candidate >= value {
                return candidate;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

fn view_box(width: f64, height: f64) -> String {
    format!("0 0 {width} {height}")
}

/// Short numbers keep a page small.
fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use longshore_core::{MinuteStats, Timestamp};

    use super::*;

    fn series(completed: u64, failed: u64) -> Series {
        let now: Timestamp = "2026-11-26T20:22:30Z".parse().unwrap();
        let minute = MinuteStats {
            minute: now,
            queue: "q".to_owned(),
            completed,
            failed,
            retried: 0,
            cancelled: 0,
            waited_ms: 100,
            ran_ms: 4000,
        };
        Series::new([&minute], Span::Hour, now)
    }

    #[test]
    fn a_chart_says_its_numbers_without_being_seen() {
        let drawn = throughput(&series(1200, 1), &Zone::utc()).into_string();
        assert!(drawn.contains("In the last hour: 1,200 completed, 0 retried, 1 given up, 0 cancelled"), "{drawn}");
        assert!(drawn.contains("2026-11-26 20:22 UTC\n1,200 completed, 1 given up"), "{drawn}");
        assert!(!drawn.contains("style="), "{drawn}");
    }

    #[test]
    fn one_dead_letter_beside_thousands_can_be_seen() {
        let drawn = throughput(&series(100_000, 1), &Zone::utc()).into_string();
        let bar = drawn.split("fill-failed").nth(1).expect("there is a bar");
        let height: f64 = bar.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!(height >= 1.0, "{bar}");
    }

    #[test]
    fn the_scale_ends_at_a_number_that_is_easy_to_read() {
        assert_eq!([0, 1, 3, 7, 11, 1201].map(rounded_up), [1, 1, 5, 10, 20, 2000]);
        assert_eq!(rounded_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_line_stops_where_nothing_ended() {
        assert_eq!(path(&[Some(1), Some(2), None, Some(2)], 10.0, 2), "M45 61L55 6M75 6");
    }

    #[test]
    fn a_value_without_a_neighbour_is_a_dot() {
        let drawn = dots(&[Some(1), Some(2), None, Some(2)], 10.0, 2, "dot-ran").into_string();
        assert_eq!(drawn, r#"<circle class="dot-ran" cx="75" cy="6" r="2.5"></circle>"#);
        assert_eq!(dots(&[Some(0), Some(1)], 10.0, 2, "dot-ran").into_string(), "");
    }

    #[test]
    fn what_was_cancelled_is_not_drawn_as_completed() {
        let of = |completed, cancelled| {
            let now: Timestamp = "2026-11-26T20:22:30Z".parse().unwrap();
            let minute = MinuteStats {
                minute: now,
                queue: "q".to_owned(),
                completed,
                failed: 0,
                retried: 0,
                cancelled,
                waited_ms: 0,
                ran_ms: 0,
            };
            sparkline(&Series::new([&minute], Span::Hour, now).bars).into_string()
        };
        let cancelled = of(0, 1);
        assert!(cancelled.contains("fill-cancelled") && !cancelled.contains("fill-completed"), "{cancelled}");
        assert!(cancelled.contains("1 ended, 0 of them failed, 1 cancelled"), "{cancelled}");
        let completed = of(1, 0);
        assert!(completed.contains("fill-completed") && !completed.contains("fill-cancelled"), "{completed}");
    }
}
