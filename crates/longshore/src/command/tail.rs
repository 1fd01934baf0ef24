use std::collections::VecDeque;

/// How much of standard error is kept for the traceback.
const TRACEBACK_BYTES_MAX: usize = 16 * 1024;

/// The maximum length of the message.
const MESSAGE_CHARS_MAX: usize = 1000;

/// The end of what a program wrote to standard error.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(TRACEBACK_BYTES_MAX)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(TRACEBACK_BYTES_MAX);
        self.is_cut |= over > 0 || kept.len() < bytes.len();
        self.bytes.drain(..over);
        self.bytes.extend(kept);
    }

    /// The whole tail, starting at a line if possible. `None` if it is blank.
    pub(crate) fn traceback(&self) -> Option<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let first_line_end = bytes.iter().position(|byte| *byte == b'\n').filter(|end| end + 1 < bytes.len());
        let whole = match first_line_end {
            Some(end) if self.is_cut => &bytes[end + 1..],
            _ => &bytes[..],
        };
        // NUL cannot be displayed, and some databases cannot store it.
        let text = String::from_utf8_lossy(whole).replace('\0', "\u{fffd}");
        let text = text.trim_end();
        (!text.trim().is_empty()).then(|| text.to_owned())
    }

    /// The last line that is not blank, at most the first 1000 characters of it. A carriage return also begins a line,
    /// because programs overwrite a progress bar with one.
    pub(crate) fn message(&self) -> Option<String> {
        let text = self.traceback()?;
        let last = text.rsplit(['\n', '\r']).map(str::trim).find(|line| !line.is_empty())?;
        Some(last.chars().take(MESSAGE_CHARS_MAX).collect())
    }

    /// The last lines that are not blank, at most so many, and at most the first 1000 characters of each.
    #[cfg(unix)]
    pub(crate) fn last_lines(&self, most: usize) -> Vec<String> {
        let text = self.traceback().unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(most)..];
        last.iter().map(|line| line.chars().take(MESSAGE_CHARS_MAX).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(pushes: &[&[u8]]) -> Tail {
        let mut tail = Tail::default();
        for bytes in pushes {
            tail.push(bytes);
        }
        tail
    }

    #[test]
    fn the_message_is_the_last_line_that_is_not_blank_and_the_traceback_is_all() {
        let lines = tail(&[b"1\n2\n\n  \n  5", b"5\r\n \n\n"]);
        assert_eq!(lines.message().unwrap(), "55");
        assert_eq!(lines.traceback().unwrap(), "1\n2\n\n  \n  55");
        assert_eq!(tail(&[b"10 %\r20 %\rno space left\r\n"]).message().unwrap(), "no space left");
    }

    #[cfg(unix)]
    #[test]
    fn the_last_lines_are_as_many_as_wanted_without_blanks() {
        let lines = tail(&[b"1\n  2\n\n  \n3\n"]);
        assert_eq!(lines.last_lines(2), ["  2", "3"]);
        assert_eq!(lines.last_lines(9), ["1", "  2", "3"]);
        assert!(tail(&[b"\n"]).last_lines(9).is_empty());
    }

    #[test]
    fn silence_and_blanks_are_no_message() {
        assert_eq!(tail(&[]).message(), None);
        assert_eq!(tail(&[b" \n\n\t\n"]).traceback(), None);
    }

    #[test]
    fn a_flood_is_held_at_its_end_and_begins_with_a_whole_line() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let traceback = tail.traceback().unwrap();
        assert!(traceback.len() <= TRACEBACK_BYTES_MAX && traceback.starts_with("line "), "{}", &traceback[..20]);
        assert!(traceback.ends_with("line 9999"));
    }

    #[test]
    fn one_endless_line_and_bytes_that_are_no_text_stay_bounded() {
        let tail = tail(&[&[b'x'; 100_000], &[0xff, 0]]);
        assert_eq!(tail.message().unwrap().chars().count(), MESSAGE_CHARS_MAX);
        assert!(tail.traceback().unwrap().ends_with("x\u{fffd}\u{fffd}"));
    }
}
