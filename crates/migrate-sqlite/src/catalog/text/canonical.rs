//! SQL text in canonical form: what means the same is written the same.
//!
//! It reads any sequence of tokens as expressions with keywords between them, which is enough for the bodies of
//! triggers and views as well, and writes them again with no more parentheses than the operators need. It knows
//! no statement, so a newer SQLite's syntax is compared too, and it never fails.

use std::collections::{BTreeSet, HashMap};

use super::keyword;
use super::literal;
use super::operator::{self, Operator, Strength};
use super::piece::{Piece, Sequence};
use super::token::{self, Token};

/// How deep expressions may nest before they are compared token by token instead. SQLite's own bound is 1000;
/// this one keeps the recursion inside the smallest stack that a thread has.
const DEPTH_MAX: usize = 200;

/// The names that a text in double quotes may stand for; anything else there is a string to SQLite.
#[derive(Default)]
pub(in crate::catalog) struct Names<'a> {
    own: BTreeSet<String>,
    of_schema: Option<&'a KnownNames>,
}

/// Every name that a table, a view, a column or an index of a schema has, with how many have it.
pub(in crate::catalog) type KnownNames = HashMap<String, usize>;

impl<'a> Names<'a> {
    pub(in crate::catalog) fn of_schema(names: &'a KnownNames) -> Self {
        Self { own: BTreeSet::new(), of_schema: Some(names) }
    }

    /// These and others.
    pub(in crate::catalog) fn with(&self, own: impl IntoIterator<Item = String>) -> Self {
        Self { own: self.own.iter().cloned().chain(own).collect(), of_schema: self.of_schema }
    }

    fn contains(&self, name: &str) -> bool {
        self.own.contains(name) || self.of_schema.is_some_and(|names| names.contains_key(name))
    }
}

impl FromIterator<String> for Names<'_> {
    fn from_iter<I: IntoIterator<Item = String>>(own: I) -> Self {
        Self { own: own.into_iter().collect(), of_schema: None }
    }
}

/// The canonical form of tokens, which is its own canonical form.
pub(in crate::catalog) fn canonical(tokens: &[Token<'_>], names: Option<&Names<'_>>) -> String {
    let mut writer = Writer::new(tokens, names);
    match writer.everything() {
        Ok(text) if writer.is_shallow() || is_readable(&text) => text,
        _ => writer.token_by_token(),
    }
}

// Parentheses that were written may nest too deep where the text without them did not.
fn is_readable(text: &str) -> bool {
    Writer::new(&token::tokens(text), None).everything().is_ok()
}

struct TooDeep;

struct Writer<'sql> {
    tokens: &'sql [Token<'sql>],
    at: usize,
    depth: usize,
    depth_reached: usize,
    names: Option<&'sql Names<'sql>>,
}

/// Whether `AS` is written before an alias. The type in a CAST needs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aliases {
    Bare,
    WithAs,
}

impl<'sql> Writer<'sql> {
    fn new(tokens: &'sql [Token<'sql>], names: Option<&'sql Names<'sql>>) -> Self {
        Self { tokens, at: 0, depth: 0, depth_reached: 0, names }
    }

    fn descend(&mut self) -> Result<(), TooDeep> {
        self.depth += 1;
        self.depth_reached = self.depth_reached.max(self.depth);
        if self.depth > DEPTH_MAX { Err(TooDeep) } else { Ok(()) }
    }

    // Each level is written with one pair of parentheses at most, which are two levels more.
    fn is_shallow(&self) -> bool {
        self.depth_reached * 3 < DEPTH_MAX
    }

    fn everything(&mut self) -> Result<String, TooDeep> {
        let mut whole = Sequence::default();
        while self.at < self.tokens.len() {
            let part = self.sequence(Aliases::Bare)?;
            if part.items > 0 {
                whole.push(&part.text, None);
            }
            if self.at < self.tokens.len() {
                self.at += 1;
                whole.push(")", None);
            }
        }
        Ok(whole.text)
    }

    fn token_by_token(&self) -> String {
        let mut whole = Sequence::default();
        for token in self.tokens {
            whole.push(&self.plain(token), None);
        }
        whole.text
    }

    fn sequence(&mut self, aliases: Aliases) -> Result<Sequence, TooDeep> {
        let mut sequence = Sequence::default();
        while let Some(token) = self.peek().filter(|token| !token.is_mark(")")) {
            if self.is_idle(token) || aliases == Aliases::Bare && self.is_idle_as() {
                self.at += 1;
            } else if self.is_operand(self.at) {
                let piece = self.expression(operator::ANYTHING)?;
                sequence.push(&piece.text, Some(piece.strength));
            } else {
                self.at += 1;
                sequence.push(&self.plain(token), None);
            }
        }
        Ok(sequence)
    }

    fn expression(&mut self, weakest: Strength) -> Result<Piece, TooDeep> {
        self.descend()?;
        let mut left = self.operand()?;
        while let Some((operator, length)) = self.operator(weakest) {
            self.at += length;
            left = self.operation(left, operator)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    // An operator counts only if an operand follows where it needs one; else it is a word like any other, as
    // the star in `count(*)` or the OR in `INSERT OR IGNORE`.
    fn operator(&self, weakest: Strength) -> Option<(Operator, usize)> {
        let (operator, length) = Operator::first(&self.tokens[self.at..])?;
        let is_complete = matches!(operator, Operator::After { .. }) || self.is_operand(self.at + length);
        (operator.strength() >= weakest && is_complete).then_some((operator, length))
    }

    // The left side grows in place, so that a chain of ten thousand terms is not copied ten thousand times.
    fn operation(&mut self, left: Piece, operator: Operator) -> Result<Piece, TooDeep> {
        let strength = operator.strength();
        let (word, right) = match operator {
            Operator::After { text } => (text, None),
            Operator::Collate => ("COLLATE", Some(self.collation())),
            Operator::Between { text, .. } => {
                let right = self.expression(strength + 1)?;
                let needed = if operator.is_associative() { strength } else { strength + 1 };
                (text, Some(right.within(needed)))
            }
            Operator::Range { text } => (text, Some(self.range()?)),
            Operator::Membership { text } => (text, Some(self.members()?)),
            Operator::Pattern { text } => (text, Some(self.pattern()?)),
        };
        let mut text = left.within(strength);
        for part in [Some(word), right.as_deref()].into_iter().flatten() {
            text.push(' ');
            text.push_str(part);
        }
        Ok(Piece { text, strength })
    }

    fn collation(&mut self) -> String {
        self.at += 1;
        token::written(&self.tokens[self.at - 1].name())
    }

    fn range(&mut self) -> Result<String, TooDeep> {
        let low = self.tight()?;
        if !self.peek().is_some_and(|token| token.is_word("and")) || !self.is_operand(self.at + 1) {
            return Ok(low);
        }
        self.at += 1;
        Ok(format!("{low} AND {}", self.tight()?))
    }

    fn pattern(&mut self) -> Result<String, TooDeep> {
        let pattern = self.tight()?;
        if !self.peek().is_some_and(|token| token.is_word("escape")) || !self.is_operand(self.at + 1) {
            return Ok(pattern);
        }
        self.at += 1;
        Ok(format!("{pattern} ESCAPE {}", self.tight()?))
    }

    // `x IN (y)` is a list of one, so that its parentheses are not idle.
    fn members(&mut self) -> Result<String, TooDeep> {
        if self.has_mark(self.at, "(") {
            return Ok(format!("({})", self.parenthesised(Aliases::Bare)?.text));
        }
        self.tight()
    }

    fn tight(&mut self) -> Result<String, TooDeep> {
        Ok(self.expression(operator::EQUALITY + 1)?.within(operator::EQUALITY + 1))
    }

    fn operand(&mut self) -> Result<Piece, TooDeep> {
        let Some(token) = self.peek() else {
            return Ok(Piece::atom(""));
        };
        match token {
            Token::Mark("(") => self.group(),
            Token::Mark(sign @ ("-" | "+" | "~")) => self.signed(sign),
            Token::Word(word) if word.eq_ignore_ascii_case("not") => self.negation(),
            Token::Word(word) if word.eq_ignore_ascii_case("case") => self.case(),
            Token::Word(_) | Token::Name(_) | Token::Doubtful(_) => self.named(token),
            _ => {
                self.at += 1;
                let text = self.plain(token);
                let strength = if text.starts_with('-') { operator::SIGN } else { operator::ATOM };
                Ok(Piece { text, strength })
            }
        }
    }

    // Parentheses round a single expression only group; round a query, a list or anything else they mean something.
    fn group(&mut self) -> Result<Piece, TooDeep> {
        let inner = self.parenthesised(Aliases::Bare)?;
        Ok(match inner.alone {
            Some(strength) => Piece { text: inner.text, strength },
            None => Piece::atom(format!("({})", inner.text)),
        })
    }

    fn parenthesised(&mut self, aliases: Aliases) -> Result<Sequence, TooDeep> {
        self.descend()?;
        self.at += 1;
        let inner = self.sequence(aliases)?;
        self.at = (self.at + 1).min(self.tokens.len());
        self.depth -= 1;
        Ok(inner)
    }

    // A plus before a number says nothing; before a column it takes away affinity and the use of an index.
    fn signed(&mut self, sign: &str) -> Result<Piece, TooDeep> {
        self.at += 1;
        let is_number = matches!(self.peek(), Some(Token::Number(_)));
        let operand = self.expression(operator::SIGN)?;
        if sign == "+" && is_number {
            return Ok(operand);
        }
        let text = operand.within(operator::SIGN);
        // Two minus signs in a row would begin a comment.
        let gap = if text.starts_with(sign) { " " } else { "" };
        Ok(Piece { text: format!("{sign}{gap}{text}"), strength: operator::SIGN })
    }

    fn negation(&mut self) -> Result<Piece, TooDeep> {
        self.at += 1;
        if !self.is_operand(self.at) {
            return Ok(Piece::atom("NOT"));
        }
        let operand = self.expression(operator::NOT)?;
        Ok(Piece { text: format!("NOT {}", operand.within(operator::NOT)), strength: operator::NOT })
    }

    fn case(&mut self) -> Result<Piece, TooDeep> {
        let mut parts = Sequence::default();
        self.at += 1;
        parts.push("CASE", None);
        while let Some(token) = self.peek().filter(|token| !token.is_mark(")")) {
            if self.is_operand(self.at) {
                parts.push(&self.expression(operator::ANYTHING)?.text, None);
                continue;
            }
            self.at += 1;
            parts.push(&self.plain(token), None);
            if token.is_word("end") {
                break;
            }
        }
        Ok(Piece::atom(parts.text))
    }

    // A name with its qualifiers, or a call.
    fn named(&mut self, token: &Token<'sql>) -> Result<Piece, TooDeep> {
        let is_alias = self.at > 0 && self.tokens[self.at - 1].is_word("as");
        self.at += 1;
        let is_certain = is_alias || self.has_mark(self.at, ".") || self.has_mark(self.at, "(");
        let mut text = if is_certain { name(token) } else { self.plain(token) };
        while self.has_mark(self.at, ".") && self.is_part(self.at + 1) {
            text.push('.');
            text.push_str(&part(&self.tokens[self.at + 1]));
            self.at += 2;
        }
        if self.has_mark(self.at, "(") {
            let aliases = if text == "cast" { Aliases::WithAs } else { Aliases::Bare };
            let arguments = self.parenthesised(aliases)?;
            return Ok(Piece::atom(format!("{text}({})", arguments.text)));
        }
        Ok(Piece::atom(text))
    }

    // Words that say what is so without them: ASC, and INNER and OUTER before JOIN.
    fn is_idle(&self, token: &Token<'_>) -> bool {
        let is_before_join = self.tokens.get(self.at + 1).is_some_and(|next| next.is_word("join"));
        token.is_word("asc") || is_before_join && (token.is_word("inner") || token.is_word("outer"))
    }

    // `AS` before an alias can be left out; before the query of a WITH it cannot.
    fn is_idle_as(&self) -> bool {
        let is_name = |at: usize| !self.tokens[at].is_mark("(") && self.is_operand(at);
        self.tokens[self.at].is_word("as") && self.at + 1 < self.tokens.len() && is_name(self.at + 1)
    }

    fn is_part(&self, at: usize) -> bool {
        let part = self.tokens.get(at);
        part.is_some_and(|part| {
            matches!(part, Token::Word(_) | Token::Name(_) | Token::Doubtful(_)) || part.is_mark("*")
        })
    }

    fn is_operand(&self, at: usize) -> bool {
        match self.tokens.get(at) {
            Some(Token::Mark(mark)) => matches!(*mark, "(" | "-" | "+" | "~"),
            Some(Token::Word(word)) => {
                let word = word.to_ascii_lowercase();
                keyword::is_operand(&word) || keyword::is_function(&word) && self.has_mark(at + 1, "(")
            }
            Some(_) => true,
            None => false,
        }
    }

    fn has_mark(&self, at: usize, mark: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_mark(mark))
    }

    fn plain(&self, token: &Token<'_>) -> String {
        match token {
            Token::Doubtful(text) if !self.is_known(text) => literal::text(text),
            Token::Word(_) | Token::Name(_) | Token::Doubtful(_) => name(token),
            Token::Text(text) => literal::closed(text),
            Token::Blob(text) => literal::closed(&text.to_ascii_lowercase()),
            Token::Number(text) => literal::number(text),
            Token::Variable(text) | Token::Mark(text) => (*text).to_owned(),
        }
    }

    fn is_known(&self, name: &str) -> bool {
        self.names.is_none_or(|names| names.contains(&name.to_ascii_lowercase()))
    }

    fn peek(&self) -> Option<&'sql Token<'sql>> {
        self.tokens.get(self.at)
    }
}

// Behind a dot stands a name, though it may read like a keyword.
fn part(token: &Token<'_>) -> String {
    if token.is_mark("*") { "*".to_owned() } else { token::written(&token.name()) }
}

fn name(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) if keyword::is_reserved(&word.to_ascii_lowercase()) => word.to_ascii_uppercase(),
        _ => token::written(&token.name()),
    }
}
