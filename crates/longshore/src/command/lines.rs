/// A line up to this length is passed on whole. A longer line is passed on in pieces of about this length.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// The start of a line that may be a message. Such a line is kept whole up to a larger limit.
const MESSAGE_KEY: &[u8] = b"\"longshore\"";

/// A piece of a program's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole line without its line end.
    Line(String),
    /// A part of a line that is too long, or was unfinished for too long.
    Part(String),
    /// The end of a line that was passed on in parts.
    PartsEnd,
    /// A line that starts like a message and was dropped because it is too long for one.
    Oversized,
}

/// Splits a stream of bytes into lines in bounded memory.
#[derive(Debug)]
pub(crate) struct Lines {
    waiting: Vec<u8>,
    state: State,
    message_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a line, or inside a line that is completely in `waiting`.
    Whole,
    /// Inside a line whose beginning was passed on.
    Parted,
    /// Inside a line that is dropped up to its end.
    Dropped,
}

impl Lines {
    /// Lines that look like messages are kept whole up to `message_bytes_max`.
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self { waiting: Vec::new(), state: State::Whole, message_bytes_max }
    }

    /// Takes bytes and returns the pieces that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(rest) => {
                    self.add(rest, &mut pieces);
                    self.end_line(&mut pieces);
                }
                None => self.add(part, &mut pieces),
            }
        }
        pieces
    }

    /// Returns the unfinished line when the stream has ended.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.waiting.is_empty() || self.state != State::Whole {
            self.end_line(&mut pieces);
        }
        pieces
    }

    /// Returns an unfinished line that has waited long enough, unless it may become a message.
    pub(crate) fn flush(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if self.is_waiting() {
            self.part(&mut pieces);
        }
        pieces
    }

    /// Whether there is an unfinished line.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() && !may_be_message(&self.waiting)
    }

    fn add(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        if self.state == State::Dropped {
            return;
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() <= LINE_BYTES_MAX {
            return;
        }
        if self.state == State::Parted || !may_be_message(&self.waiting) {
            self.part(pieces);
        } else if self.waiting.len() > self.message_bytes_max {
            self.waiting = Vec::new();
            self.state = State::Dropped;
            pieces.push(Piece::Oversized);
        }
    }

    fn end_line(&mut self, pieces: &mut Vec<Piece>) {
        let line = std::mem::take(&mut self.waiting);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match self.state {
            State::Whole => pieces.push(Piece::Line(text(line))),
            State::Parted => {
                if !line.is_empty() {
                    pieces.push(Piece::Part(text(line)));
                }
                pieces.push(Piece::PartsEnd);
            }
            State::Dropped => {}
        }
        self.state = State::Whole;
    }

    /// Passes on the waiting bytes, except for an incomplete character at the end.
    fn part(&mut self, pieces: &mut Vec<Piece>) {
        let end = whole_characters(&self.waiting);
        let rest = self.waiting.split_off(end);
        let part = std::mem::replace(&mut self.waiting, rest);
        if !part.is_empty() {
            pieces.push(Piece::Part(text(&part)));
            self.state = State::Parted;
        }
    }
}

/// Whether a line with this beginning is, or may become, a message.
fn may_be_message(line: &[u8]) -> bool {
    let Some(inside) = line.trim_ascii_start().strip_prefix(b"{") else {
        return line.trim_ascii_start().is_empty() && line.len() <= LINE_BYTES_MAX;
    };
    let inside = inside.trim_ascii_start();
    inside.starts_with(MESSAGE_KEY) || (MESSAGE_KEY.starts_with(inside) && line.len() <= LINE_BYTES_MAX)
}

/// The length of `bytes` without an incomplete character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => bytes.len() - unfinished(bytes),
        Ok(_) => bytes.len(),
    }
}

/// The number of bytes at the end that belong to an incomplete character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.len().min(3);
    (1..=last).find(|back| matches!(str::from_utf8(&bytes[bytes.len() - back..]), Err(error) if error.error_len().is_none() && error.valid_up_to() == 0)).unwrap_or(0)
}

/// The bytes as text. Invalid UTF-8 and NUL, which some databases cannot store, are replaced.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pushes: &[&[u8]]) -> Vec<Piece> {
        let mut lines = Lines::new(20_000);
        let mut pieces: Vec<Piece> = pushes.iter().flat_map(|bytes| lines.push(bytes)).collect();
        pieces.extend(lines.finish());
        pieces
    }

    fn whole(lines: &[&str]) -> Vec<Piece> {
        lines.iter().map(|line| Piece::Line((*line).to_owned())).collect()
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(cut(&[b"a", b"b\nc\r\n\n", b"d"]), whole(&["ab", "c", "", "d"]));
        assert_eq!(cut(&[b"\xc3", b"\xa4\n"]), whole(&["ä"]));
        assert_eq!(cut(&[b"\xff\x00\n"]), whole(&["\u{fffd}\u{fffd}"]));
    }

    #[test]
    fn a_line_without_end_is_passed_on_in_pieces_and_never_held() {
        let mut lines = Lines::new(20_000);
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000]);
            assert!(lines.waiting.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(lines.push(b"\n").last(), Some(&Piece::PartsEnd));
        assert_eq!(lines.push(b"next\n"), whole(&["next"]));
    }

    #[test]
    fn a_character_is_not_torn_where_a_long_line_is() {
        let long = "ä".repeat(LINE_BYTES_MAX);
        let (first, second) = long.as_bytes().split_at(LINE_BYTES_MAX + 1);
        let joined: String = cut(&[first, second])
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Part(text) => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(joined, long);
    }

    #[test]
    fn a_message_is_kept_whole_up_to_its_own_limit() {
        let message = format!("{{ \"longshore\": {{\"result\": \"{}\"}}}}", "x".repeat(15_000));
        let (first, second) = message.as_bytes().split_at(9_000);
        assert_eq!(cut(&[first, second, b"\n"]), whole(&[&message]));
        let huge = format!("{{\"longshore\":{{\"result\":\"{}\"}}}}\nafter\n", "x".repeat(30_000));
        assert_eq!(cut(&[huge.as_bytes()]), [vec![Piece::Oversized], whole(&["after"])].concat());
    }

    #[test]
    fn a_prompt_is_flushed_and_the_beginning_of_a_message_is_not() {
        let mut lines = Lines::new(20_000);
        lines.push(b"working...");
        assert_eq!(lines.flush(), [Piece::Part("working...".to_owned())]);
        assert_eq!(lines.push(b" done\n"), [Piece::Part(" done".to_owned()), Piece::PartsEnd]);
        assert_eq!(lines.push(b"{\"longsho"), []);
        assert_eq!(lines.flush(), []);
        assert_eq!(lines.push(b"re\": 1}\n"), whole(&["{\"longshore\": 1}"]));
    }
}
