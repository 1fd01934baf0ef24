use std::time::{Duration, SystemTime};

use crate::handler::handler_error::{SLOW_DOWN_MAX, SLOW_DOWN_MIN};

/// How long to wait, by the header `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). At least a second, at most a
/// day. `None` if the header has another form.
///
/// A date is compared with the other side's own time, if it sent one: its clock may differ from ours.
pub(super) fn delay(retry_after: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let text = retry_after.trim();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they are no number are more than a day.
        text.parse().map_or(SLOW_DOWN_MAX, Duration::from_secs)
    } else {
        let at = httpdate::parse_http_date(text).ok()?;
        let now = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
        at.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(delay.clamp(SLOW_DOWN_MIN, SLOW_DOWN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn seconds(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let now = httpdate::parse_http_date(NOW).unwrap();
        delay(retry_after, date, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let table = [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("999999", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(1)),
            ("Sat, 06 Nov 2094 08:00:00 GMT", Some(86_400)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (text, expected) in table {
            assert_eq!(seconds(text, None), expected, "{text:?}");
        }
    }

    #[test]
    fn a_date_is_compared_with_the_clock_of_the_other_side() {
        let theirs = Some("Sun, 06 Nov 1994 10:00:00 GMT");
        assert_eq!(seconds("Sun, 06 Nov 1994 10:00:30 GMT", theirs), Some(30));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT", Some("yesterday")), Some(60));
    }
}
