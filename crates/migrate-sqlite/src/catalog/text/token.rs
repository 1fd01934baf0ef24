//! SQL text as tokens, without what carries no meaning: white space, comments, the quotes of names.
//!
//! Accepts any text, valid SQL or not, and never fails: a byte that cannot begin a token becomes one, and an unclosed
//! token ends with the text.

use std::borrow::Cow;

use super::keyword;

/// One token of SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalog) enum Token<'sql> {
    /// A word without quotes: a keyword or a name.
    Word(&'sql str),
    /// A name in `[brackets]` or backquotes, without them.
    Name(Cow<'sql, str>),
    /// A name in double quotes, which SQLite takes for a string where there is no such name.
    Doubtful(Cow<'sql, str>),
    /// A string with its quotes, exactly as written.
    Text(&'sql str),
    /// A blob literal, `x'…'`.
    Blob(&'sql str),
    /// A number as written.
    Number(&'sql str),
    /// A bound parameter.
    Variable(&'sql str),
    /// An operator or a mark of punctuation, in its usual form: `<>` for `!=`, `=` for `==`.
    Mark(&'sql str),
}

impl Token<'_> {
    /// Whether it is this keyword, without quotes and in any case.
    pub(in crate::catalog) fn is_word(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether it is this operator or mark.
    pub(in crate::catalog) fn is_mark(&self, text: &str) -> bool {
        matches!(self, Self::Mark(mark) if *mark == text)
    }

    /// The name that it stands for where a name is expected: in lower case, as SQLite compares it.
    pub(in crate::catalog) fn name(&self) -> String {
        match self {
            Self::Word(text) | Self::Number(text) | Self::Variable(text) | Self::Mark(text) | Self::Blob(text) => {
                text.to_ascii_lowercase()
            }
            Self::Name(text) | Self::Doubtful(text) => text.to_ascii_lowercase(),
            Self::Text(text) => text.trim_matches('\'').replace("''", "'").to_ascii_lowercase(),
        }
    }
}

/// A name as it is in canonical text: bare and in lower case where that reads back as the same name.
pub(in crate::catalog) fn written(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let is_bare = lower.bytes().all(is_word_byte)
        && lower.bytes().next().is_some_and(|first| !first.is_ascii_digit() && first != b'$')
        && !keyword::is_reserved(&lower);
    if is_bare { lower } else { format!("`{}`", lower.replace('`', "``")) }
}

/// Splits text into tokens.
pub(in crate::catalog) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut rest = sql;
    let mut found = Vec::new();
    loop {
        rest = after_blank(rest);
        if rest.is_empty() {
            return found;
        }
        let (token, length) = first(rest);
        found.push(token);
        rest = &rest[length..];
    }
}

fn after_blank(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\x0c', '\r', '\u{feff}']);
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.find("*/").map_or("", |end| &comment[end + 2..]);
        } else {
            return rest;
        }
    }
}

fn first(sql: &str) -> (Token<'_>, usize) {
    let bytes = sql.as_bytes();
    let next = bytes.get(1).copied().unwrap_or(0);
    match bytes[0] {
        b'\'' => text(sql),
        b'"' => quoted(sql, '"', Token::Doubtful),
        b'`' => quoted(sql, '`', Token::Name),
        b'[' => bracketed(sql),
        b'x' | b'X' if next == b'\'' => blob(sql),
        b'0'..=b'9' => number(sql),
        b'.' if next.is_ascii_digit() => number(sql),
        b'?' | b'@' | b'#' | b':' | b'$' => variable(sql),
        byte if is_word_byte(byte) => {
            let length = word_length(bytes);
            (Token::Word(&sql[..length]), length)
        }
        _ => mark(sql),
    }
}

// Length of a literal whose quote is doubled inside, both quotes counted.
fn literal_length(sql: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = sql[at..].find(quote) {
        at += end + 1;
        if !sql[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    sql.len()
}

fn text(sql: &str) -> (Token<'_>, usize) {
    let length = literal_length(sql, '\'');
    (Token::Text(&sql[..length]), length)
}

fn quoted<'sql>(
    sql: &'sql str,
    quote: char,
    token: impl FnOnce(Cow<'sql, str>) -> Token<'sql>,
) -> (Token<'sql>, usize) {
    let length = literal_length(sql, quote);
    let inner = sql[1..length].strip_suffix(quote).unwrap_or(&sql[1..length]);
    let doubled = [quote, quote].iter().collect::<String>();
    let name = if inner.contains(&doubled) {
        Cow::Owned(inner.replace(&doubled, &quote.to_string()))
    } else {
        Cow::Borrowed(inner)
    };
    (token(name), length)
}

fn bracketed(sql: &str) -> (Token<'_>, usize) {
    let end = sql.find(']').unwrap_or(sql.len());
    (Token::Name(Cow::Borrowed(&sql[1..end])), (end + 1).min(sql.len()))
}

fn blob(sql: &str) -> (Token<'_>, usize) {
    let length = sql[2..].find('\'').map_or(sql.len(), |end| end + 3);
    (Token::Blob(&sql[..length]), length)
}

fn number(sql: &str) -> (Token<'_>, usize) {
    let bytes = sql.as_bytes();
    let is_hex = bytes.len() > 2 && bytes[0] == b'0' && bytes[1] | 32 == b'x';
    let mut length = 1;
    while let Some(&byte) = bytes.get(length) {
        let is_exponent_sign = matches!(byte, b'+' | b'-') && !is_hex && bytes[length - 1] | 32 == b'e';
        if !is_word_byte(byte) && byte != b'.' && !is_exponent_sign {
            break;
        }
        length += 1;
    }
    (Token::Number(&sql[..length]), length)
}

fn variable(sql: &str) -> (Token<'_>, usize) {
    let length = 1 + word_length(&sql.as_bytes()[1..]);
    (Token::Variable(&sql[..length]), length)
}

fn mark(sql: &str) -> (Token<'_>, usize) {
    const LONG: [(&str, &str); 11] = [
        ("->>", "->>"),
        ("->", "->"),
        ("<=", "<="),
        ("<>", "<>"),
        ("<<", "<<"),
        (">=", ">="),
        (">>", ">>"),
        ("||", "||"),
        ("==", "="),
        ("!=", "<>"),
        ("::", "::"),
    ];
    if let Some((written, usual)) = LONG.iter().find(|(written, _)| sql.starts_with(written)) {
        return (Token::Mark(usual), written.len());
    }
    let length = sql.chars().next().map_or(1, char::len_utf8);
    (Token::Mark(&sql[..length]), length)
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word_byte(**byte)).count()
}

// SQLite takes every byte beyond ASCII for a letter, so a word never ends inside a character.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte > 0x7f
}
