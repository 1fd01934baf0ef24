//! Parts of canonical text while it is written.

use super::operator::{self, Strength};

/// A written expression and how tightly it holds together.
pub(in crate::catalog) struct Piece {
    pub(in crate::catalog) text: String,
    pub(in crate::catalog) strength: Strength,
}

impl Piece {
    pub(in crate::catalog) fn atom(text: impl Into<String>) -> Self {
        Self { text: text.into(), strength: operator::ATOM }
    }

    /// In parentheses if it holds together less than that.
    pub(in crate::catalog) fn within(self, strength: Strength) -> String {
        if self.strength < strength { format!("({})", self.text) } else { self.text }
    }
}

/// Expressions and the keywords between them.
#[derive(Default)]
pub(in crate::catalog) struct Sequence {
    pub(in crate::catalog) text: String,
    pub(in crate::catalog) items: usize,
    /// How tightly it holds together, if it is a single expression.
    pub(in crate::catalog) alone: Option<Strength>,
}

impl Sequence {
    pub(in crate::catalog) fn push(&mut self, text: &str, strength: Option<Strength>) {
        if !self.text.is_empty() && !matches!(text, "," | ";" | "") {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.items += 1;
        self.alone = strength.filter(|_| self.items == 1);
    }
}
