//! The operators of SQLite's expressions and how tightly they bind.

use super::token::Token;

/// How tightly a piece of an expression holds together; what holds less than its neighbour needs parentheses.
/// The numbers follow the `%left` and `%right` lines of SQLite's parse.y.
pub(in crate::catalog) type Strength = u8;

pub(in crate::catalog) const ANYTHING: Strength = 0;
pub(in crate::catalog) const AND: Strength = 2;
pub(in crate::catalog) const OR: Strength = 1;
pub(in crate::catalog) const NOT: Strength = 3;
pub(in crate::catalog) const EQUALITY: Strength = 4;
pub(in crate::catalog) const SIGN: Strength = 12;
pub(in crate::catalog) const ATOM: Strength = 20;

/// What stands after an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::catalog) enum Operator {
    /// An operator between two operands.
    Between { text: &'static str, strength: Strength },
    /// `IS NULL` and `IS NOT NULL` in one word or two.
    After { text: &'static str },
    /// `COLLATE` and a name.
    Collate,
    /// `BETWEEN a AND b`.
    Range { text: &'static str },
    /// `IN` and a list, a query or a table.
    Membership { text: &'static str },
    /// `LIKE` and its kin, perhaps with `ESCAPE`.
    Pattern { text: &'static str },
}

impl Operator {
    pub(in crate::catalog) fn strength(self) -> Strength {
        match self {
            Self::Between { strength, .. } => strength,
            Self::Collate => 11,
            _ => EQUALITY,
        }
    }

    /// `a AND (b AND c)` is `a AND b AND c`; of `a - (b - c)` that is not true.
    pub(in crate::catalog) fn is_associative(self) -> bool {
        matches!(self, Self::Between { strength: AND | OR, .. })
    }

    /// The operator at the beginning of these tokens and how many of them it takes.
    pub(in crate::catalog) fn first(tokens: &[Token<'_>]) -> Option<(Self, usize)> {
        match tokens.first()? {
            Token::Mark(mark) => between(mark).map(|operator| (operator, 1)),
            Token::Word(word) => worded(&word.to_ascii_lowercase(), tokens),
            _ => None,
        }
    }
}

fn between(mark: &str) -> Option<Operator> {
    let (text, strength) = match mark {
        "||" => ("||", 10),
        "->" => ("->", 10),
        "->>" => ("->>", 10),
        "*" => ("*", 9),
        "/" => ("/", 9),
        "%" => ("%", 9),
        "+" => ("+", 8),
        "-" => ("-", 8),
        "&" => ("&", 7),
        "|" => ("|", 7),
        "<<" => ("<<", 7),
        ">>" => (">>", 7),
        "<" => ("<", 5),
        ">" => (">", 5),
        "<=" => ("<=", 5),
        ">=" => (">=", 5),
        "=" => ("=", EQUALITY),
        "<>" => ("<>", EQUALITY),
        _ => return None,
    };
    Some(Operator::Between { text, strength })
}

fn worded(word: &str, tokens: &[Token<'_>]) -> Option<(Operator, usize)> {
    let one = match word {
        "and" => Operator::Between { text: "AND", strength: AND },
        "or" => Operator::Between { text: "OR", strength: OR },
        "collate" => Operator::Collate,
        "isnull" => Operator::After { text: "IS NULL" },
        "notnull" => Operator::After { text: "IS NOT NULL" },
        "between" => Operator::Range { text: "BETWEEN" },
        "in" => Operator::Membership { text: "IN" },
        "like" => Operator::Pattern { text: "LIKE" },
        "glob" => Operator::Pattern { text: "GLOB" },
        "regexp" => Operator::Pattern { text: "REGEXP" },
        "match" => Operator::Pattern { text: "MATCH" },
        "is" => return Some(is(tokens)),
        "not" => return negated(tokens.get(1)?).map(|operator| (operator, 2)),
        _ => return None,
    };
    Some((one, 1))
}

// `IS [NOT] DISTINCT FROM` is `IS` turned round.
fn is(tokens: &[Token<'_>]) -> (Operator, usize) {
    let has = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    let not = usize::from(has(1, "not"));
    let is_distinct = has(1 + not, "distinct") && has(2 + not, "from");
    let text = if (not == 1) == is_distinct { "IS" } else { "IS NOT" };
    let length = 1 + not + if is_distinct { 2 } else { 0 };
    (Operator::Between { text, strength: EQUALITY }, length)
}

fn negated(next: &Token<'_>) -> Option<Operator> {
    let Token::Word(word) = next else {
        return None;
    };
    match word.to_ascii_lowercase().as_str() {
        "null" => Some(Operator::After { text: "IS NOT NULL" }),
        "between" => Some(Operator::Range { text: "NOT BETWEEN" }),
        "in" => Some(Operator::Membership { text: "NOT IN" }),
        "like" => Some(Operator::Pattern { text: "NOT LIKE" }),
        "glob" => Some(Operator::Pattern { text: "NOT GLOB" }),
        "regexp" => Some(Operator::Pattern { text: "NOT REGEXP" }),
        "match" => Some(Operator::Pattern { text: "NOT MATCH" }),
        _ => None,
    }
}
