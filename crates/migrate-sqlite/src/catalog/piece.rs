//! Parts of canonical text while it is written.

use super::operator::{self, Strength};

/// A written expression and how tightly it holds together.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) strength: Strength,
}

impl Piece {
    pub(super) fn atom(text: impl Into<String>) -> Self {
        Self { text: text.into(), strength: operator::ATOM }
    }

    /// In parentheses if it holds together less than that.
    pub(super) fn within(self, strength: Strength) -> String {
        if self.strength < strength { format!("({})", self.text) } else { self.text }
    }
}

/// Expressions and the keywords between them.
#[derive(Default)]
pub(super) struct Sequence {
    pub(super) text: String,
    pub(super) items: usize,
    /// How tightly it holds together, if it is a single expression.
    pub(super) alone: Option<Strength>,
}

impl Sequence {
    pub(super) fn push(&mut self, text: &str, strength: Option<Strength>) {
        if !self.text.is_empty() && !matches!(text, "," | ";" | "") {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.items += 1;
        self.alone = strength.filter(|_| self.items == 1);
    }
}
