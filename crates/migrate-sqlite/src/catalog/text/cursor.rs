//! A walk over tokens that takes what it expects.

use super::token::Token;

/// A place in a list of tokens.
pub(in crate::catalog) struct Cursor<'text, 'sql> {
    rest: &'text [Token<'sql>],
}

impl<'text, 'sql> Cursor<'text, 'sql> {
    pub(in crate::catalog) fn new(tokens: &'text [Token<'sql>]) -> Self {
        Self { rest: tokens }
    }

    pub(in crate::catalog) fn peek(&self) -> Option<&'text Token<'sql>> {
        self.rest.first()
    }

    pub(in crate::catalog) fn rest(&self) -> &'text [Token<'sql>] {
        self.rest
    }

    pub(in crate::catalog) fn is_at(&self, words: &[&str]) -> bool {
        self.rest.len() >= words.len() && words.iter().zip(self.rest).all(|(word, token)| token.is_word(word))
    }

    /// Steps over these keywords if they all come next.
    pub(in crate::catalog) fn take(&mut self, words: &[&str]) -> bool {
        let is_there = self.is_at(words);
        if is_there {
            self.rest = &self.rest[words.len()..];
        }
        is_there
    }

    pub(in crate::catalog) fn next(&mut self) -> Option<&'text Token<'sql>> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub(in crate::catalog) fn next_name(&mut self) -> String {
        self.next().map(Token::name).unwrap_or_default()
    }

    /// What is in the parentheses that come next, without them; `None` if none do.
    pub(in crate::catalog) fn take_group(&mut self) -> Option<&'text [Token<'sql>]> {
        if !self.peek()?.is_mark("(") {
            return None;
        }
        let end = group_length(self.rest);
        let inner = &self.rest[1..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(inner)
    }

    /// Steps to the first of these keywords outside parentheses, or to the end.
    pub(in crate::catalog) fn skip_to(&mut self, words: &[&str]) {
        while let Some(token) = self.peek() {
            if words.iter().any(|word| token.is_word(word)) {
                return;
            }
            if self.take_group().is_some() {
                continue;
            }
            // Behind a dot stands a name, though it may read like a keyword.
            if self.next().is_some_and(|token| token.is_mark(".")) {
                self.next();
            }
        }
    }
}

/// Parts between the commas that stand outside parentheses.
pub(in crate::catalog) fn comma_separated<'text, 'sql>(tokens: &'text [Token<'sql>]) -> Vec<&'text [Token<'sql>]> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < tokens.len() {
        if tokens[at].is_mark(",") {
            parts.push(&tokens[start..at]);
            start = at + 1;
        } else if tokens[at].is_mark("(") {
            at += group_length(&tokens[at..]);
        }
        at += 1;
    }
    parts.push(&tokens[start.min(tokens.len())..]);
    parts
}

// Where the parenthesis that opens these tokens is closed, or how many they are if it is not.
fn group_length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_mark("(") {
            depth += 1;
        } else if token.is_mark(")") {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}
