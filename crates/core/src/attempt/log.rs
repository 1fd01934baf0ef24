use std::ops::Range;

/// A piece of an attempt's log as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Its position in the attempt's log; the first is 0.
    pub number: u32,
    /// The text. It ends at a line end, unless a line is very long.
    pub text: String,
    /// The number of bytes cut from the middle of the log when this chunk was written. Zero in the head.
    pub cut_bytes: u64,
    /// The chunks of the same attempt that this one replaces.
    pub replaces: Range<u32>,
}

/// What [`LogBuffer::resume`] must know of a stored piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPiece {
    /// Its position in the attempt's log.
    pub number: u32,
    /// Its length.
    pub bytes: usize,
    /// The number of bytes that had been cut when it was written.
    pub cut_bytes: u64,
}

/// How much of an attempt's log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes kept from the beginning.
    pub head_bytes: usize,
    /// Bytes kept from the end.
    pub tail_bytes: usize,
}

impl Default for LogLimits {
    /// 64 KiB of the beginning and 64 KiB of the end.
    fn default() -> Self {
        Self { head_bytes: 64 * 1024, tail_bytes: 64 * 1024 }
    }
}

/// Cuts an attempt's log into chunks and keeps it within its limits: the head, then a moving tail. Holds at most
/// `tail_bytes` in memory, plus the text that was not taken yet.
#[derive(Debug)]
pub struct LogBuffer {
    limits: LogLimits,
    waiting: String,
    head_left: usize,
    next_number: u32,
    /// The chunks of the tail that the store has, oldest first, with their lengths.
    tail: std::collections::VecDeque<(u32, usize)>,
    tail_bytes: usize,
    cut_bytes: u64,
}

impl LogBuffer {
    /// An empty log.
    pub fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            waiting: String::new(),
            head_left: limits.head_bytes,
            next_number: 0,
            tail: std::collections::VecDeque::new(),
            tail_bytes: 0,
            cut_bytes: 0,
        }
    }

    /// The log of an attempt of which the store has these pieces, in order. It goes on behind them.
    pub fn resume(limits: LogLimits, stored: impl IntoIterator<Item = StoredPiece>) -> Self {
        let mut log = Self::new(limits);
        for StoredPiece { number, bytes, cut_bytes } in stored {
            log.next_number = number.saturating_add(1);
            log.cut_bytes = log.cut_bytes.max(cut_bytes);
            if log.tail.is_empty() && cut_bytes == 0 && bytes <= log.head_left {
                log.head_left -= bytes;
            } else {
                log.head_left = 0;
                log.tail_bytes += bytes;
                log.tail.push_back((number, bytes));
            }
        }
        log
    }

    /// Adds text. Text beyond the limit that was not taken yet is cut.
    pub fn push(&mut self, text: &str) {
        self.waiting.push_str(text);
        let most = self.head_left + 2 * self.limits.tail_bytes;
        if self.waiting.len() > most {
            let keep_from = floor_char(&self.waiting, self.waiting.len() - self.limits.tail_bytes);
            let head_end = floor_char(&self.waiting, self.head_left);
            self.cut_bytes += (keep_from - head_end) as u64;
            self.waiting.replace_range(head_end..keep_from, "");
        }
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The chunks that the store must write to hold everything pushed so far, within the limits.
    pub fn take(&mut self) -> Vec<LogChunk> {
        let mut chunks = Vec::new();
        let text = std::mem::take(&mut self.waiting);
        let head_end = floor_char(&text, self.head_left);
        if head_end > 0 {
            self.head_left -= head_end;
            chunks.push(self.chunk(text[..head_end].to_owned(), 0, 0..0));
        }
        if head_end < text.len() {
            // The head ends when the tail begins. Otherwise later text could come before earlier text.
            self.head_left = 0;
            chunks.push(self.tail_chunk(&text[head_end..]));
        }
        chunks
    }

    fn tail_chunk(&mut self, text: &str) -> LogChunk {
        let from = floor_char(text, text.len().saturating_sub(self.limits.tail_bytes));
        self.cut_bytes += from as u64;
        let kept = &text[from..];
        let first_dropped = self.tail.front().map_or(self.next_number, |(number, _)| *number);
        let mut end_dropped = first_dropped;
        while self.tail_bytes + kept.len() > self.limits.tail_bytes {
            let Some((number, bytes)) = self.tail.pop_front() else { break };
            self.tail_bytes -= bytes;
            self.cut_bytes += bytes as u64;
            end_dropped = number + 1;
        }
        self.tail_bytes += kept.len();
        self.tail.push_back((self.next_number, kept.len()));
        let cut_bytes = self.cut_bytes;
        self.chunk(kept.to_owned(), cut_bytes, first_dropped..end_dropped)
    }

    fn chunk(&mut self, text: String, cut_bytes: u64, replaces: Range<u32>) -> LogChunk {
        let number = self.next_number;
        self.next_number += 1;
        LogChunk { number, text, cut_bytes, replaces }
    }
}

/// The last character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Chunks = BTreeMap<u32, LogChunk>;

    /// Puts what is to be stored into the chunks, as every backend does.
    fn store(buffer: &mut LogBuffer, chunks: &mut Chunks) {
        for chunk in buffer.take() {
            chunks.retain(|number, _| !chunk.replaces.contains(number));
            chunks.insert(chunk.number, chunk);
        }
    }

    /// The text, and how many bytes are cut.
    fn read(chunks: Chunks) -> (String, u64) {
        let cut = chunks.values().map(|chunk| chunk.cut_bytes).max().unwrap_or(0);
        (chunks.into_values().map(|chunk| chunk.text).collect(), cut)
    }

    fn stored(pushes: &[&str], limits: LogLimits) -> (String, u64) {
        let (mut buffer, mut chunks) = (LogBuffer::new(limits), Chunks::new());
        for text in pushes {
            buffer.push(text);
            store(&mut buffer, &mut chunks);
        }
        read(chunks)
    }

    const SMALL: LogLimits = LogLimits { head_bytes: 4, tail_bytes: 4 };

    #[test]
    fn a_short_log_is_kept_whole() {
        assert_eq!(stored(&["abc", "def"], SMALL), ("abcdef".to_owned(), 0));
    }

    #[test]
    fn of_a_long_log_the_head_and_the_tail_are_kept_and_the_cut_is_counted() {
        assert_eq!(stored(&["abcdefghijklmnop"], SMALL), ("abcdmnop".to_owned(), 8));
        let (text, cut) = stored(&["ab", "cd", "ef", "gh", "ij", "kl"], SMALL);
        assert_eq!((text.as_str(), cut), ("abcdijkl", 4));
    }

    /// As `stored`, with a new buffer for each push.
    fn stored_by_many(pushes: &[&str], limits: LogLimits) -> (String, u64) {
        let mut chunks = Chunks::new();
        for text in pushes {
            let pieces = chunks.values().map(|chunk| StoredPiece {
                number: chunk.number,
                bytes: chunk.text.len(),
                cut_bytes: chunk.cut_bytes,
            });
            let mut buffer = LogBuffer::resume(limits, pieces);
            buffer.push(text);
            store(&mut buffer, &mut chunks);
        }
        read(chunks)
    }

    #[test]
    fn a_log_goes_on_in_another_process_as_in_the_first_one() {
        for pushes in
            [&["abc", "def"][..], &["ab", "cd", "ef", "gh", "ij", "kl"], &["abcdefghijklmnop", "qr", "st", "uv"]]
        {
            assert_eq!(stored_by_many(pushes, SMALL), stored(pushes, SMALL), "{pushes:?}");
        }
    }

    #[test]
    fn a_character_is_never_cut_in_two() {
        let (text, _) = stored(&["äöüßäöüßäöü", "ß€€€€"], SMALL);
        assert!(text.starts_with("äö") && text.ends_with('€'), "{text}");
    }

    #[test]
    fn what_nobody_takes_stays_bounded() {
        let mut buffer = LogBuffer::new(SMALL);
        for _ in 0..10_000 {
            buffer.push("0123456789");
        }
        assert!(buffer.waiting.len() <= 12);
    }
}
