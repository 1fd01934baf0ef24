//! Cuts SQL into tokens that, joined, are the text again. Never fails: what is left open is a token of its own kind.

use super::Dialect;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// White space.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A keyword, a bare name or a number.
    Word,
    /// A text or a name in quotes, brackets, backticks or dollar tags.
    Quoted,
    /// One character of anything else.
    Symbol,
    /// A quote that the end of the text cuts off.
    UnclosedQuote,
    /// A block comment that the end of the text cuts off.
    UnclosedComment,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Just as written.
    pub text: &'a str,
}

impl Token<'_> {
    /// Whether it is more than white space or a comment.
    pub fn has_meaning(&self) -> bool {
        !matches!(self.kind, TokenKind::Space | TokenKind::Comment)
    }

    /// Whether it is this bare word, in any case.
    pub fn is(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it spells, out of its quotes.
    pub fn name(&self) -> String {
        if self.kind != TokenKind::Quoted || self.text.len() < 2 {
            return self.text.to_owned();
        }
        let inner = &self.text[1..self.text.len() - 1];
        match self.text.as_bytes()[0] {
            b'"' => inner.replace("\"\"", "\""),
            b'`' => inner.replace("``", "`"),
            b'\'' => inner.replace("''", "'"),
            _ => inner.to_owned(),
        }
    }
}

/// Every token of `text` in SQLite's words, in order, nothing left out.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    tokens_in(Dialect::Sqlite, text)
}

/// Every token of `text`, in order, nothing left out.
pub fn tokens_in(dialect: Dialect, text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match dialect {
            Dialect::Sqlite => next(rest, first),
            Dialect::Postgres => next_of_postgres(rest, first),
        };
        found.push(Token { kind, text: &rest[..length] });
        rest = &rest[length..];
    }
    found
}

fn next(rest: &str, first: char) -> (TokenKind, usize) {
    if is_space(first) {
        return (TokenKind::Space, run(rest, is_space));
    }
    if rest.starts_with("--") {
        return (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return closed(rest, 2, "*/", TokenKind::Comment, TokenKind::UnclosedComment);
    }
    match first {
        '\'' | '"' | '`' => doubled_quote(rest, first),
        '[' => closed(rest, 1, "]", TokenKind::Quoted, TokenKind::UnclosedQuote),
        '$' => dollar(rest),
        _ if is_word(first) => (TokenKind::Word, run(rest, is_in_word)),
        _ => (TokenKind::Symbol, first.len_utf8()),
    }
}

/// What PostgreSQL reads otherwise: brackets and backticks quote nothing, comments nest, `E'…'` has backslashes.
fn next_of_postgres(rest: &str, first: char) -> (TokenKind, usize) {
    match first {
        '[' | '`' => (TokenKind::Symbol, 1),
        '/' if rest.starts_with("/*") => nested_comment(rest),
        'e' | 'E' if rest[1..].starts_with('\'') => escaped_quote(rest),
        '$' if rest[1..].starts_with(|letter: char| letter.is_ascii_digit()) => (TokenKind::Symbol, 1),
        _ => next(rest, first),
    }
}

fn nested_comment(rest: &str) -> (TokenKind, usize) {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let bytes = &rest.as_bytes()[at..];
        if bytes.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return (TokenKind::Comment, at);
            }
        } else {
            at += 1;
        }
    }
    (TokenKind::UnclosedComment, rest.len())
}

/// A text in which a backslash takes away the meaning of the quote behind it.
fn escaped_quote(rest: &str) -> (TokenKind, usize) {
    let bytes = rest.as_bytes();
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return (TokenKind::Quoted, at + 1),
            _ => at += 1,
        }
    }
    (TokenKind::UnclosedQuote, rest.len())
}

/// A byte-order mark before a word is a space to SQLite, as where two files were joined; inside one it is a letter.
fn is_space(letter: char) -> bool {
    (letter.is_ascii() && letter.is_whitespace()) || letter == '\u{feff}'
}

/// Beyond ASCII everything is a letter to SQLite and to PostgreSQL, wide spaces too.
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || !letter.is_ascii()
}

/// A dollar inside a name belongs to it and opens no quote.
fn is_in_word(letter: char) -> bool {
    is_word(letter) || letter == '$'
}

fn run(rest: &str, belongs: fn(char) -> bool) -> usize {
    rest.find(|letter: char| !belongs(letter)).unwrap_or(rest.len())
}

fn closed(rest: &str, skip: usize, end: &str, kind: TokenKind, unclosed: TokenKind) -> (TokenKind, usize) {
    match rest[skip..].find(end) {
        Some(at) => (kind, skip + at + end.len()),
        None => (unclosed, rest.len()),
    }
}

/// A doubled quote inside stands for itself.
fn doubled_quote(rest: &str, quote: char) -> (TokenKind, usize) {
    let mut at = 1;
    while let Some(found) = rest[at..].find(quote) {
        at += found + 1;
        if !rest[at..].starts_with(quote) {
            return (TokenKind::Quoted, at);
        }
        at += 1;
    }
    (TokenKind::UnclosedQuote, rest.len())
}

/// PostgreSQL's `$tag$ … $tag$`; anything else that begins with a dollar is a symbol.
fn dollar(rest: &str) -> (TokenKind, usize) {
    let tag_length = 1 + run(&rest[1..], is_word);
    if !rest[tag_length..].starts_with('$') {
        return (TokenKind::Symbol, 1);
    }
    let tag = &rest[..=tag_length];
    closed(rest, tag.len(), tag, TokenKind::Quoted, TokenKind::UnclosedQuote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_joined_are_the_text_again() {
        for text in ["", "a'b''c'd", "$x$ ; $x$ $1", "/* -- */ -- /*\n'", "é\u{feff}\"\"\"", "[a", "$é$"] {
            assert_eq!(tokens(text).iter().map(|token| token.text).collect::<String>(), text);
        }
    }

    #[test]
    fn postgres_nests_comments_escapes_quotes_and_subscripts_with_brackets() {
        fn found(text: &str) -> Vec<&str> {
            tokens_in(Dialect::Postgres, text).iter().map(|token| token.text).collect()
        }
        assert_eq!(found("/* a /* b */ ; */;"), ["/* a /* b */ ; */", ";"]);
        assert_eq!(found(r"E'it\'s; '';';"), [r"E'it\'s; '';'", ";"]);
        assert_eq!(found("a['x]']"), ["a", "[", "'x]'", "]"]);
        assert_eq!(found("$1$;"), ["$", "1$", ";"]);
        for text in ["/* /* */", r"e'\'", "`[", "$a$ é", "é/*é*/"] {
            assert_eq!(found(text).concat(), text);
        }
    }

    #[test]
    fn a_dollar_inside_a_name_opens_no_quote() {
        let found: Vec<_> = tokens("price$usd$ $a$b$a$").iter().map(|token| (token.kind, token.text)).collect();
        let quoted = (TokenKind::Quoted, "$a$b$a$");
        assert_eq!(found, [(TokenKind::Word, "price$usd$"), (TokenKind::Space, " "), quoted]);
    }

    #[test]
    fn letters_beyond_ascii_belong_to_the_name_and_a_byte_order_mark_before_it_does_not() {
        let found: Vec<_> = tokens("\u{feff}a\u{feff}$b$\u{a0}é;").iter().map(|token| token.text).collect();
        assert_eq!(found, ["\u{feff}", "a\u{feff}$b$\u{a0}é", ";"]);
    }

    #[test]
    fn a_name_comes_out_of_its_quotes() {
        let names: Vec<_> = tokens("\"a\"\"b\"[c]`d`e").iter().map(Token::name).collect();
        assert_eq!(names, ["a\"b", "c", "d", "e"]);
    }
}
