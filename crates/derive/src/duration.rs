use std::time::Duration;

/// The units that are accepted, in milliseconds.
const UNITS: [(&str, u64); 9] = [
    ("ms", 1),
    ("s", 1000),
    ("sec", 1000),
    ("m", 60_000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// The bounds of the times of a job. Ten years is the maximum of the store; a longer span is a mistake in the unit.
const MIN: Duration = Duration::from_millis(1);
const MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Parses a duration such as `90s` or `1h 30m`, as the configuration does. Err is the message.
pub(crate) fn parse(word: &str) -> Result<Duration, String> {
    let span = total_ms(word).ok_or_else(|| {
        format!("{word:?} is not a duration: expected one such as \"500ms\", \"30s\", \"10m\", \"2h\" or \"7d\"")
    })?;
    let span = Duration::from_millis(span);
    if !(MIN..=MAX).contains(&span) {
        return Err(format!("{word:?} is out of range: expected a duration from 1ms to ten years"));
    }
    Ok(span)
}

/// `None` if it is not a sequence of whole numbers with units, or too large.
fn total_ms(word: &str) -> Option<u64> {
    let mut rest = word.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(end(rest, |letter| letter.is_ascii_digit()));
        let (unit, after) = after.split_at(end(after, |letter| letter.is_ascii_alphabetic()));
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*unit_ms)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

/// Where the letters of this kind end.
fn end(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !is_part(letter)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        for (word, ms) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h 30min", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
        ] {
            assert_eq!(parse(word), Ok(Duration::from_millis(ms)), "{word}");
        }
    }

    #[test]
    fn what_is_not_one_is_named_with_examples() {
        for word in ["", " ", "5", "s", "soon", "5M", "1.5h", "-5s", "5 s", "99999999999999999999d", "5s!"] {
            let message = parse(word).unwrap_err();
            assert!(message.contains("is not a duration") && message.contains("30s"), "{word}: {message}");
        }
    }

    #[test]
    fn nothing_and_more_than_ten_years_are_out_of_range() {
        for word in ["0s", "0ms", "4000d"] {
            assert!(parse(word).unwrap_err().contains("out of range"), "{word}");
        }
    }
}
