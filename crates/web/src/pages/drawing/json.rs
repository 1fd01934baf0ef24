use maud::{Markup, html};

use super::text::{SHOWN_BYTES_MAX, bytes, cut, visible};

/// How deep the indentation grows. A document may be a thousand levels deep.
const INDENT_MAX: usize = 20;

/// A JSON document with indentation and colours. No value is parsed: every number and every escape stays as it was
/// written, so an integer beyond 2^53 is shown exactly.
pub(in crate::pages) fn document(text: &str) -> Markup {
    let (shown, is_cut) = cut(text, SHOWN_BYTES_MAX);
    html! {
        pre.box tabindex="0" {
            @for Token { kind, text } in tokens(shown) {
                @match kind {
                    Kind::Key => span.key { (visible(&text)) },
                    Kind::String => span.string { (visible(&text)) },
                    Kind::Literal => span.literal { (visible(&text)) },
                    Kind::Plain => (visible(&text)),
                }
            }
            @if is_cut { "\n… " (bytes((text.len() - shown.len()) as u64)) " are not shown" }
        }
    }
}

/// The same as plain text, for a field in which it is edited.
pub(in crate::pages) fn indented(text: &str) -> String {
    tokens(text).into_iter().map(|token| token.text).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Token {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Key,
    String,
    /// A number, `true`, `false` or `null`.
    Literal,
    /// Brackets, commas and white space, and whatever is not JSON.
    Plain,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut plain = String::new();
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ if first.is_ascii_whitespace() => 1,
            _ => rest
                .find(|letter: char| "{}[],:\"".contains(letter) || letter.is_ascii_whitespace())
                .unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        let kind = match first {
            '"' if after.trim_start().starts_with(':') => Kind::Key,
            '"' => Kind::String,
            '{' | '[' => {
                plain.push(first);
                let closing = rest.trim_start();
                if closing.starts_with(['}', ']']) {
                    plain.push_str(&closing[..1]);
                    rest = &closing[1..];
                } else {
                    depth += 1;
                    break_line(&mut plain, depth);
                }
                continue;
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut plain, depth);
                plain.push(first);
                continue;
            }
            ',' => {
                plain.push(first);
                break_line(&mut plain, depth);
                continue;
            }
            ':' => {
                plain.push_str(": ");
                continue;
            }
            _ if first.is_ascii_whitespace() => continue,
            _ => Kind::Literal,
        };
        if !plain.is_empty() {
            tokens.push(Token { kind: Kind::Plain, text: std::mem::take(&mut plain) });
        }
        tokens.push(Token { kind, text: word.to_owned() });
    }
    if !plain.is_empty() {
        tokens.push(Token { kind: Kind::Plain, text: plain });
    }
    tokens
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth.min(INDENT_MAX)));
}

/// The bytes of a string with its quotes, up to the end of the text if it is not closed.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_indented_and_every_value_stays_as_it_was_written() {
        let text = r#"{"id":9007199254740993,"a":[1.10,{}, [ ]],"b \" {":"x\u0041,","c":null}"#;
        let expected = "{\n  \"id\": 9007199254740993,\n  \"a\": [\n    1.10,\n    {},\n    []\n  ],\n  \
                        \"b \\\" {\": \"x\\u0041,\",\n  \"c\": null\n}";
        assert_eq!(indented(text), expected);
    }

    #[test]
    fn keys_strings_and_literals_are_told_apart_and_markup_is_escaped() {
        let shown = document(r#"{"<b>":"</pre><script>alert(1)</script>","n":12345678901234567890}"#).into_string();
        assert!(shown.contains("<span class=\"key\">&quot;&lt;b&gt;&quot;</span>"), "{shown}");
        assert!(shown.contains("&lt;/pre&gt;&lt;script&gt;"), "{shown}");
        assert!(shown.contains("<span class=\"literal\">12345678901234567890</span>"), "{shown}");
        assert!(!shown.contains("<script"), "{shown}");
    }

    #[test]
    fn what_is_not_json_or_very_deep_is_shown_as_well() {
        assert_eq!(indented("\"open"), "\"open");
        assert_eq!(indented("}]:"), "\n}\n]: ");
        assert_eq!(indented("é💥"), "é💥");
        assert!(indented(&"[".repeat(1000)).len() < 1000 * (2 + 2 * INDENT_MAX));
        assert!(document(&format!("\"{}\"", "é".repeat(2_000_000))).into_string().len() < SHOWN_BYTES_MAX + 200);
    }
}
