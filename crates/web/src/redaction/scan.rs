use std::borrow::Cow;
use std::ops::Range;

use super::Redaction;

/// An object or an array that the scan is in.
#[derive(Debug)]
pub(super) struct Level {
    /// Where it begins.
    pub(super) start: usize,
    /// Of an array, the element that the scan is at; none for an object.
    pub(super) index: Option<usize>,
    /// Of an object, the name that the scan is at.
    pub(super) key: String,
    /// The pointers whose beginning leads here.
    pointers: Vec<usize>,
    is_at_value: bool,
}

/// Finds the values that are hidden in a document of valid JSON, from the beginning to the end, with the levels that lead
/// to each. Linear in the length of the document, and not recursive.
pub(super) fn values(redaction: &Redaction, text: &str, mut found: impl FnMut(&[Level], Range<usize>)) {
    let bytes = text.as_bytes();
    let (mut levels, mut at): (Vec<Level>, usize) = (Vec::new(), 0);
    let mut pointers: Vec<usize> = (0..redaction.pointers.len()).collect();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b':' => at += 1,
            b',' => {
                if let Some(level) = levels.last_mut() {
                    level.index = level.index.map(|index| index + 1);
                    level.is_at_value = level.index.is_some();
                }
                at += 1;
            }
            b'}' | b']' => {
                levels.pop();
                at += 1;
            }
            b'"' if levels.last().is_some_and(|level| !level.is_at_value) => {
                let end = string_end(bytes, at);
                let level = levels.last_mut().expect("a name is in an object");
                level.key = decoded(&text[at..end]).into_owned();
                level.is_at_value = true;
                at = end;
            }
            _ => {
                if levels.last().is_some() {
                    let depth = levels.len() - 1;
                    let level = levels.last().expect("it is not empty");
                    let next = redaction.next(level, depth);
                    if next.is_hidden {
                        let end = value_end(bytes, at);
                        found(&levels, at..end);
                        at = end;
                        continue;
                    }
                    pointers = next.pointers;
                }
                match byte {
                    b'{' | b'[' => {
                        let index = (*byte == b'[').then_some(0);
                        let pointers = std::mem::take(&mut pointers);
                        let is_at_value = index.is_some();
                        levels.push(Level { start: at, index, key: String::new(), pointers, is_at_value });
                        at += 1;
                    }
                    _ => at = value_end(bytes, at),
                }
            }
        }
    }
}

struct Next {
    is_hidden: bool,
    pointers: Vec<usize>,
}

impl Redaction {
    /// What holds of the value that a level is at.
    fn next(&self, level: &Level, depth: usize) -> Next {
        let token: Cow<'_, str> = match level.index {
            Some(index) => index.to_string().into(),
            None => level.key.as_str().into(),
        };
        let leads = |pointer: &usize| self.pointers[*pointer].get(depth).is_some_and(|known| *known == token);
        let pointers: Vec<usize> = level.pointers.iter().copied().filter(leads).collect();
        let ends = pointers.iter().any(|pointer| self.pointers[*pointer].len() == depth + 1);
        Next { is_hidden: ends || level.index.is_none() && self.has_name(&token), pointers }
    }
}

/// The strings and numbers of a value as they are written. Names of fields are left out.
pub(super) fn leaves(value: &str) -> Vec<&str> {
    let bytes = value.as_bytes();
    let (mut leaves, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' => string_end(bytes, at),
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            _ => scalar_end(bytes, at),
        };
        let is_name = bytes[end..].trim_ascii_start().first() == Some(&b':');
        if !is_name {
            leaves.push(&value[at..end]);
        }
        at = end;
    }
    leaves
}

/// A document without white space between its parts.
pub(super) fn compact(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut compact, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let end = if *byte == b'"' { string_end(bytes, at) } else { at + 1 };
        if !byte.is_ascii_whitespace() {
            // Bytes that begin no string are plain ASCII, unless the text is no JSON.
            compact.push_str(text.get(at..end).unwrap_or_default());
        }
        at = end;
    }
    compact
}

/// Where the value of a member of the object begins that begins here; that of the last one of this name, which readers
/// take.
pub(super) fn member(text: &str, object: usize, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.get(object) != Some(&b'{') {
        return None;
    }
    let (mut found, mut at) = (None, blank_end(bytes, object + 1));
    while bytes.get(at) == Some(&b'"') {
        let end = string_end(bytes, at);
        let value = blank_end(bytes, blank_end(bytes, end) + 1);
        if decoded(&text[at..end]) == name {
            found = Some(value);
        }
        // Behind the comma.
        at = blank_end(bytes, blank_end(bytes, value_end(bytes, value)) + 1);
    }
    found
}

/// Behind the white space that begins here.
pub(super) fn blank_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The text of a string with its quotes. One that holds half a surrogate pair stays as it is written.
pub(super) fn decoded(string: &str) -> Cow<'_, str> {
    let inner = string.trim_start_matches('"').strip_suffix('"').unwrap_or(string);
    if !string.contains('\\') {
        return string.get(1..string.len().saturating_sub(1)).unwrap_or_default().into();
    }
    serde_json::from_str(string).map_or(Cow::Borrowed(inner), |text: String| Cow::Owned(text))
}

/// Where the value that begins here ends.
pub(super) fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => string_end(bytes, start),
        Some(b'{' | b'[') => container_end(bytes, start),
        _ => scalar_end(bytes, start),
    }
}

fn container_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
    // At least one byte, so that a scan goes on whatever the text is.
    bytes[start..].iter().skip(1).position(is_end).map_or(bytes.len(), |length| start + 1 + length)
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_the_values_and_not_the_names() {
        let text = r#"{"a" : "x\"y", "b":[1.50,true,{"c":null}], "d":"e"}"#;
        assert_eq!(leaves(text), [r#""x\"y""#, "1.50", "true", "null", "\"e\""]);
        assert_eq!(leaves("12"), ["12"]);
    }

    #[test]
    fn white_space_in_strings_is_kept() {
        assert_eq!(compact("{ \"a b\" : [ 1 , \"ü \\\" x\" ] }\n"), "{\"a b\":[1,\"ü \\\" x\"]}");
    }

    #[test]
    fn a_string_is_decoded() {
        assert_eq!(decoded(r#""a\u0062\n""#), "ab\n");
        assert_eq!(decoded(r#""""#), "");
        assert_eq!(decoded(r#""\ud800""#), r"\ud800");
    }
}
