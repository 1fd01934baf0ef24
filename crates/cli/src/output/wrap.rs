use console::measure_text_width;

/// The text in lines of at most this width, cut between words where possible.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = text.replace('\t', "    ");
    let mut lines = Vec::new();
    let mut rest = text.as_str();
    while measure_text_width(rest) > width.max(1) {
        let at = cut_at(rest, width.max(1));
        lines.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start_matches(' ');
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// Where to cut: after the last space in the second half of the line, else at its end; at least after one letter.
fn cut_at(text: &str, width: usize) -> usize {
    let mut columns = 0;
    let mut end = 0;
    let mut space = None;
    for (index, letter) in text.char_indices() {
        columns += measure_text_width(letter.encode_utf8(&mut [0; 4]));
        if columns > width && end > 0 {
            break;
        }
        end = index + letter.len_utf8();
        if letter == ' ' && columns > width / 2 {
            space = Some(end);
        }
    }
    space.unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_continues_on_the_next_line_between_words() {
        assert_eq!(wrapped("cannot reach mx.example.org", 20), ["cannot reach", "mx.example.org"]);
        assert_eq!(wrapped(&"x".repeat(25), 10), ["x".repeat(10), "x".repeat(10), "x".repeat(5)]);
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("写真写真写真", 5), ["写真", "写真", "写真"]);
        assert_eq!(wrapped("写真", 1), ["写", "真"]);
    }
}
