use std::fmt::Write;

use maud::{Markup, html};

/// How much of a payload, a traceback or a log a page shows.
pub(in crate::pages) const SHOWN_BYTES_MAX: usize = 64 * 1024;
/// How much of a message a row of a table shows.
const ROW_BYTES_MAX: usize = 300;

/// Text that a program or a user wrote, so that what is seen is what is there: control characters, terminal escapes and
/// characters that change the direction of the text or have no width are written as escapes. Line breaks and tabs stay.
/// Escaping HTML is the part of the template.
pub(in crate::pages) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => shown.push(letter),
            _ if is_hidden(letter) => {
                write!(shown, "\\u{{{:x}}}", u32::from(letter)).expect("a string takes all text");
            }
            _ => shown.push(letter),
        }
    }
    shown
}

/// The same in one line, cut to the length of a row.
pub(in crate::pages) fn line(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let (cut, is_cut) = cut(first.trim(), ROW_BYTES_MAX);
    let ellipsis = if is_cut { "…" } else { "" };
    format!("{}{ellipsis}", visible(cut).replace('\t', " "))
}

/// A sentence of ours, in which names are between backticks.
pub(crate) fn with_code(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A text of any size in a box, cut in its middle: errors begin with what failed and end with where.
pub(in crate::pages) fn boxed(text: &str) -> Markup {
    let half = SHOWN_BYTES_MAX / 2;
    if text.len() <= SHOWN_BYTES_MAX {
        return html! { pre.box tabindex="0" { (visible(text)) } };
    }
    let (head, _) = cut(text, half);
    let tail = tail(text, half);
    let left_out = text.len() - head.len() - tail.len();
    html! {
        pre.box tabindex="0" { (visible(head)) "\n\n… " (bytes(left_out as u64)) " are not shown …\n\n" (visible(tail)) }
    }
}

/// The beginning of a text, up to a number of bytes, and whether something is left out.
pub(in crate::pages) fn cut(text: &str, bytes_max: usize) -> (&str, bool) {
    if text.len() <= bytes_max {
        return (text, false);
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    (&text[..end], true)
}

/// The end of a text, up to a number of bytes.
pub(in crate::pages) fn tail(text: &str, bytes_max: usize) -> &str {
    let from = text.len().saturating_sub(bytes_max);
    let start = (from..=text.len()).find(|start| text.is_char_boundary(*start)).unwrap_or(text.len());
    &text[start..]
}

/// A number with commas between thousands.
pub(in crate::pages) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and its noun, which gets an s unless there is one of it.
pub(in crate::pages) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", number(count)) }
}

/// A size for people.
pub(in crate::pages) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => counted(bytes, "byte"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

fn is_hidden(letter: char) -> bool {
    let is_formatting = matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    letter.is_control() || is_formatting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_as_an_escape() {
        assert_eq!(visible("a\u{1b}[31mred\u{7}\u{0}"), "a\\u{1b}[31mred\\u{7}\\u{0}");
        assert_eq!(visible("user\u{202e}gpj.exe\u{200b}"), "user\\u{202e}gpj.exe\\u{200b}");
        assert_eq!(visible("\u{3164}"), "\\u{3164}");
        assert_eq!(visible("one\n\ttwo é 😀"), "one\n\ttwo é 😀");
    }

    #[test]
    fn a_row_shows_the_first_line_that_says_something() {
        assert_eq!(line("\n\n  boom\tnow\nmore"), "boom now");
        assert_eq!(line(""), "");
        let long = line(&"é".repeat(1000));
        assert!(long.ends_with("é…") && long.len() <= ROW_BYTES_MAX + '…'.len_utf8(), "{long}");
    }

    #[test]
    fn names_between_backticks_are_code() {
        let drawn = with_code("Only `tag`, such as `a<b`.").into_string();
        assert_eq!(drawn, "Only <code>tag</code>, such as <code>a&lt;b</code>.");
        assert_eq!(with_code("plain").into_string(), "plain");
    }

    #[test]
    fn megabytes_are_cut_between_characters() {
        let text = "é".repeat(SHOWN_BYTES_MAX);
        let shown = boxed(&text).into_string();
        assert!(shown.len() < SHOWN_BYTES_MAX + 200);
        assert!(shown.contains("64 KiB are not shown"), "{}", &shown[shown.len() / 2 - 100..shown.len() / 2 + 100]);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 2].map(|count| counted(count, "job")), ["0 jobs", "1 job", "2 jobs"]);
    }
}
