use std::time::Duration;

use jiff::civil::DateTime;
use longshore_core::Timestamp;

/// A duration for people: its two largest units.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", seconds / 86_400), ("h", seconds / 3600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let Some(first) = units.iter().position(|(_, number)| *number > 0) else {
        return format!("{} ms", duration.as_millis());
    };
    let shown = units[first..].iter().take(2).filter(|(_, number)| *number > 0);
    shown.map(|(unit, number)| format!("{number}{unit}")).collect::<Vec<_>>().join(" ")
}

/// An instant without fractions of a second, if it has none.
pub(crate) fn instant(at: Timestamp) -> String {
    at.to_string().replace(".000Z", "Z")
}

/// A wall-clock time, in seconds since 1970-01-01T00:00.
pub(crate) fn civil(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(at) => {
            let at: DateTime = jiff::tz::Offset::UTC.to_datetime(at);
            let word = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
            word.strip_suffix(":00").unwrap_or(&word).to_owned()
        }
        Err(_) => format!("{seconds} s"),
    }
}

/// "1 tick", "2 ticks".
pub(crate) fn ticks(count: u64) -> String {
    if count == 1 { "1 tick".to_owned() } else { format!("{count} ticks") }
}
