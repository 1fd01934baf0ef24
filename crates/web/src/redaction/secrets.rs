use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use longshore_core::{JobData, LogEntry};

use super::scan::{decoded, leaves};
use super::{PLACEHOLDER, Redaction, is_json, scan};

/// The values of hidden fields that the texts of one job may repeat, to be hidden in its errors, logs and keys too.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// What is looked for within texts.
    needles: Vec<String>,
    /// What is hidden if it is a whole text, however short.
    whole: HashSet<String>,
    /// There are so many, or some are not known, so that texts are hidden as a whole.
    hides_whole_texts: bool,
}

impl Secrets {
    /// Shorter values are not looked for within texts, because they are parts of many words.
    const CHARS_MIN: usize = 4;
    /// How many values are looked for. It bounds the work for each text.
    const NEEDLES_MAX: usize = 1000;

    /// The values of the hidden fields of these documents.
    pub(crate) fn of<'a>(redaction: &Redaction, documents: impl IntoIterator<Item = &'a JobData>) -> Self {
        let mut secrets = Self::default();
        if redaction.is_empty() {
            return secrets;
        }
        for document in documents {
            let text = document.as_str();
            if is_json(text) {
                scan::values(redaction, text, |_, value| secrets.add(&text[value]));
            } else {
                secrets.insert(text.to_owned());
            }
        }
        secrets.settle();
        secrets
    }

    /// Where the values are not known: texts are hidden as a whole.
    pub(crate) fn unknown() -> Self {
        Self { hides_whole_texts: true, ..Self::default() }
    }

    /// Adds other values.
    pub(crate) fn join(&mut self, other: &Self) {
        self.needles.extend(other.needles.iter().cloned());
        self.whole.extend(other.whole.iter().cloned());
        self.hides_whole_texts |= other.hides_whole_texts;
        self.settle();
    }

    fn settle(&mut self) {
        // A value may be a part of another one.
        self.needles.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.needles.dedup();
        if self.needles.len() > Self::NEEDLES_MAX {
            self.needles.clear();
            self.hides_whole_texts = true;
        }
    }

    fn add(&mut self, value: &str) {
        for leaf in leaves(value) {
            if !leaf.starts_with('"') {
                // `true` and `null` are in many texts and say little.
                if !matches!(leaf, "true" | "false" | "null") {
                    self.insert(leaf.to_owned());
                }
                self.whole.insert(leaf.to_owned());
                continue;
            }
            let text = decoded(leaf);
            // A text may repeat the document, or print the value as JSON or Rust write it.
            self.insert(leaf[1..leaf.len().saturating_sub(1).max(1)].to_owned());
            if let Cow::Owned(text) = text {
                self.insert(text.escape_debug().to_string());
                self.insert(text);
            }
        }
    }

    fn insert(&mut self, text: String) {
        if text.is_empty() || text == PLACEHOLDER {
            return;
        }
        if text.chars().nth(Self::CHARS_MIN - 1).is_some() {
            self.needles.push(text.clone());
        }
        self.whole.insert(text);
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && !self.hides_whole_texts
    }

    /// The text without the values. A part of a value at its beginning or its end is hidden too, because texts are cut.
    pub(crate) fn mask(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        if self.hides_whole_texts || self.whole.contains(text) {
            return PLACEHOLDER.to_owned();
        }
        let ranges = self.ranges(text);
        part_without(text, &ranges, 0..text.len())
    }

    /// Hides the values in a text, if there is one.
    pub(crate) fn hide(&self, text: &mut Option<String>) {
        if let Some(text) = text.as_mut().filter(|_| !self.is_empty()) {
            *text = self.mask(text);
        }
    }

    /// Hides the values in a log, also where a piece ends within one.
    pub(crate) fn hide_in_log(&self, entries: &mut [LogEntry]) {
        if self.is_empty() {
            return;
        }
        let continues = |a: &LogEntry, b: &LogEntry| {
            a.claim_number == b.claim_number
                && a.chunk_number.checked_add(1) == Some(b.chunk_number)
                && a.cut_bytes == b.cut_bytes
        };
        for run in entries.chunk_by_mut(continues) {
            let whole: String = run.iter().map(|entry| entry.text.as_str()).collect();
            if self.hides_whole_texts {
                run.iter_mut().for_each(|entry| entry.text = PLACEHOLDER.to_owned());
                continue;
            }
            let ranges = self.ranges(&whole);
            let mut start = 0;
            for entry in run {
                let end = start + entry.text.len();
                entry.text = part_without(&whole, &ranges, start..end);
                start = end;
            }
        }
    }

    /// Where the values are, in order and apart from each other.
    fn ranges(&self, text: &str) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for needle in &self.needles {
            ranges.extend(text.match_indices(needle.as_str()).map(|(at, found)| at..at + found.len()));
            let begun = overlap(needle.as_bytes(), tail(text.as_bytes(), needle.len()));
            let ended = overlap(head(text.as_bytes(), needle.len()), needle.as_bytes());
            ranges.extend((begun >= Self::CHARS_MIN).then(|| text.len() - begun..text.len()));
            ranges.extend((ended >= Self::CHARS_MIN).then_some(0..ended));
        }
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }
}

/// A part of a text, with a placeholder for each range that begins in it, and nothing of one that begins before it.
fn part_without(text: &str, ranges: &[Range<usize>], part: Range<usize>) -> String {
    let (mut shown, mut at) = (String::new(), part.start);
    for range in ranges.iter().filter(|range| range.end > part.start && range.start < part.end) {
        if range.start >= part.start {
            shown.push_str(&text[at..range.start]);
            shown.push_str(PLACEHOLDER);
        }
        at = range.end.min(part.end);
    }
    shown.push_str(&text[at..part.end]);
    shown
}

fn head(text: &[u8], bytes_max: usize) -> &[u8] {
    &text[..text.len().min(bytes_max)]
}

fn tail(text: &[u8], bytes_max: usize) -> &[u8] {
    &text[text.len().saturating_sub(bytes_max)..]
}

/// How many bytes at the beginning of one text are the end of another one; less than all of either. The algorithm of
/// Knuth, Morris and Pratt, so linear in both.
fn overlap(beginning: &[u8], end: &[u8]) -> usize {
    let mut borders = vec![0_usize; beginning.len()];
    let mut matched = 0;
    for at in 1..beginning.len() {
        while matched > 0 && beginning[at] != beginning[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(beginning[at] == beginning[matched]);
        borders[at] = matched;
    }
    matched = 0;
    for byte in end {
        if matched == beginning.len() {
            matched = borders.last().copied().unwrap_or(0);
        }
        while matched > 0 && *byte != beginning[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(beginning.get(matched) == Some(byte));
    }
    if matched == beginning.len() { borders.last().copied().unwrap_or(0) } else { matched }
}

#[cfg(test)]
mod tests {
    use longshore_core::{ClaimNumber, Timestamp};

    use super::*;

    fn secrets(document: &str) -> Secrets {
        Secrets::of(&Redaction::new(["key"]).unwrap(), [&JobData::parse(document).unwrap()])
    }

    #[test]
    fn a_value_is_hidden_wherever_a_text_repeats_it() {
        let secrets = secrets(r#"{"key": ["hunter2", {"name": "hunter22"}, 41111, 12, "abc", true]}"#);
        assert_eq!(secrets.mask("no hunter22 and hunter2: 41111"), "no [redacted] and [redacted]: [redacted]");
        assert_eq!(secrets.mask("12 abc true name"), "12 abc true name");
        assert_eq!((secrets.mask("abc"), secrets.mask("12")), (PLACEHOLDER.to_owned(), PLACEHOLDER.to_owned()));
    }

    #[test]
    fn a_value_is_hidden_as_json_and_rust_write_it() {
        let secrets = secrets(r#"{"key": "pass\"w\u00f6rd\n"}"#);
        let said = ["pass\"wörd\n", r#"pass\"w\u00f6rd\n"#, r#"pass\"wörd\n"#];
        assert_eq!(said.map(|text| secrets.mask(&format!("<{text}>"))), ["<[redacted]>"; 3].map(str::to_owned));
    }

    #[test]
    fn a_part_of_a_value_is_hidden_where_a_text_was_cut() {
        let secrets = secrets(r#"{"key": "tüp-secret"}"#);
        assert_eq!(secrets.mask("cret: it is tüp-s"), "[redacted]: it is [redacted]");
        assert_eq!(secrets.mask("ret: it is tü"), "ret: it is tü");
    }

    #[test]
    fn a_value_that_two_pieces_of_a_log_share_is_hidden_in_both() {
        let entry = |chunk_number, cut_bytes, text: &str| LogEntry {
            attempt: 1,
            claim_number: ClaimNumber(1),
            chunk_number,
            written_at: Timestamp::from_ms(0),
            cut_bytes,
            text: text.to_owned(),
        };
        let mut entries = [
            entry(0, 0, "a hun"),
            entry(1, 0, "t"),
            entry(2, 0, "er2 b hunte"),
            entry(7, 9, "ter2 c"),
            entry(8, 9, "d"),
        ];
        secrets(r#"{"key": "hunter2"}"#).hide_in_log(&mut entries);
        assert_eq!(entries.map(|entry| entry.text), ["a [redacted]", "", " b [redacted]", "[redacted] c", "d"]);
    }

    #[test]
    fn with_too_many_values_nothing_of_a_text_is_shown() {
        let many: Vec<String> = (1000..2001).map(|number| number.to_string()).collect();
        assert_eq!(secrets(&format!("{{\"key\": [{}]}}", many.join(","))).mask("plain"), PLACEHOLDER);
    }

    #[test]
    fn values_of_two_places_are_looked_for_together() {
        let mut both = secrets(r#"{"key": "hunter2"}"#);
        both.join(&secrets(r#"{"key": "my-hunter2-too"}"#));
        assert_eq!(both.mask("no my-hunter2-too, no hunter2"), "no [redacted], no [redacted]");
        both.join(&Secrets::unknown());
        assert_eq!(both.mask("plain"), PLACEHOLDER);
    }

    #[test]
    fn an_overlap_is_the_longest_one() {
        let of = |beginning: &str, end: &str| overlap(beginning.as_bytes(), end.as_bytes());
        assert_eq!(of("abab", "xxaba"), 3);
        assert_eq!(of("aaaa", "aaaa"), 3);
        assert_eq!(of("abc", "abcab"), 2);
        assert_eq!((of("", "abc"), of("abc", ""), of("abc", "xyz")), (0, 0, 0));
    }
}
