//! What a file says of itself in comments of the form `-- longshore: …`.

use std::fmt;

use serde::Serialize;

use super::{Bounds, Dialect, ScriptError, Token, TokenKind, tokens, tokens_in};
use crate::schema::{ObjectKind, ObjectName};

/// Everything that the directives of one file say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Directives {
    pub(super) bounds: Bounds,
    pub(super) intended: Vec<IntendedLoss>,
    pub(super) other_files: bool,
    pub(super) follows: Option<i64>,
}

/// `-- longshore: loses NAME`: an object whose rows, values or definition the migration loses on purpose.
///
/// The name of a table stands for its rows, its columns, its counter, its indexes and its triggers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IntendedLoss {
    /// A table, an index, a trigger or a view, in lower case.
    pub name: String,
    /// One column of that table, in lower case, where only its values are lost.
    pub column: Option<String>,
}

impl IntendedLoss {
    /// Reads `TABLE` or `TABLE.COLUMN`, each perhaps in quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<Token<'_>> = tokens(text).into_iter().filter(Token::has_meaning).collect();
        let name = |token: &Token<'_>| {
            matches!(token.kind, TokenKind::Word | TokenKind::Quoted).then(|| token.name().to_lowercase())
        };
        match words.as_slice() {
            [table] => Some(Self { name: name(table)?, column: None }),
            [table, dot, column] if dot.text == "." => Some(Self { name: name(table)?, column: Some(name(column)?) }),
            [schema, one, table, other, column] if one.text == "." && other.text == "." => {
                Some(Self { name: format!("{}.{}", name(schema)?, name(table)?), column: Some(name(column)?) })
            }
            _ => None,
        }
    }

    /// Whether it speaks of that object.
    pub fn covers(&self, object: &ObjectName) -> bool {
        let owner = object.owner().to_lowercase();
        let name = object.name.to_lowercase();
        match &self.column {
            // The first part may be the schema of a table.
            Some(column) if owner == format!("{}.{column}", self.name) => true,
            Some(column) => object.kind == ObjectKind::Column && owner == self.name && name == *column,
            None => owner == self.name || object.kind != ObjectKind::Column && name == self.name,
        }
    }
}

impl fmt::Display for IntendedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}.{column}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Reads every directive of `text`. How the statements are bounded is said before the first of them; the rest may
/// stand anywhere, on its own line.
pub(super) fn read(dialect: Dialect, text: &str) -> Result<Directives, ScriptError> {
    let mut found = Directives::default();
    let mut line = 1;
    let mut is_head = true;
    let mut is_line_start = true;
    for token in tokens_in(dialect, text) {
        if token.kind == TokenKind::Comment && is_line_start {
            found.see(dialect, &token, line, is_head)?;
        }
        is_head &= !token.has_meaning();
        line += token.text.matches('\n').count();
        is_line_start = match token.kind {
            TokenKind::Space => token.text.contains('\n') || is_line_start,
            _ => token.text.ends_with('\n'),
        };
    }
    Ok(found)
}

impl Directives {
    fn see(&mut self, dialect: Dialect, comment: &Token<'_>, line: usize, is_head: bool) -> Result<(), ScriptError> {
        let Some(text) = comment.text.strip_prefix("--").map(str::trim) else {
            return Ok(());
        };
        // sqlx's own spelling, which it looks for at the very beginning: its files are read as they are.
        let bounds = if text == "no-transaction" && line == 1 { Some("no transaction") } else { None };
        let Some(directive) = bounds.or_else(|| text.strip_prefix("longshore:").map(str::trim)) else {
            return Ok(());
        };
        match directive {
            "rebuild" if dialect == Dialect::Postgres => Err(ScriptError::NoRebuild { line }),
            "rebuild" => self.bound(Bounds::Rebuild, directive, line, is_head),
            "no transaction" | "no-transaction" => self.bound(Bounds::Statements, directive, line, is_head),
            "other files" => {
                self.other_files = true;
                Ok(())
            }
            _ if directive.starts_with("follows") => self.follow(directive, line),
            _ => self.intend(directive, line),
        }
    }

    fn bound(&mut self, bounds: Bounds, directive: &str, line: usize, is_head: bool) -> Result<(), ScriptError> {
        let is_second = self.bounds != Bounds::Transaction && self.bounds != bounds;
        if !is_head || is_second {
            return Err(ScriptError::MisplacedDirective { line, directive: directive.to_owned() });
        }
        self.bounds = bounds;
        Ok(())
    }

    fn follow(&mut self, directive: &str, line: usize) -> Result<(), ScriptError> {
        let number = directive.strip_prefix("follows").and_then(|number| number.trim().parse().ok());
        if number.is_none() {
            return Err(ScriptError::UnknownDirective { line, directive: directive.to_owned() });
        }
        self.follows = number;
        Ok(())
    }

    fn intend(&mut self, directive: &str, line: usize) -> Result<(), ScriptError> {
        let unknown = || ScriptError::UnknownDirective { line, directive: directive.to_owned() };
        let names = directive.strip_prefix("loses").filter(|rest| rest.starts_with(char::is_whitespace));
        for name in names.ok_or_else(unknown)?.split(',') {
            self.intended.push(IntendedLoss::parse(name).ok_or_else(unknown)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intended(text: &str) -> Vec<String> {
        read(Dialect::Sqlite, text).unwrap().intended.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_intended_loss_stands_anywhere_on_a_line_of_its_own() {
        let text =
            "-- longshore: rebuild\n-- longshore: loses Notes, \"Odd Name\".b\nSELECT 1;\n  -- longshore: loses c.d\n";
        assert_eq!(intended(text), ["notes", "odd name.b", "c.d"]);
        assert_eq!(intended("SELECT 1; -- longshore: loses a\nSELECT '\n-- longshore: loses b\n'"), [""; 0]);
    }

    #[test]
    fn what_is_no_directive_is_an_error_wherever_it_stands() {
        for text in ["-- longshore: magic\nSELECT 1", "SELECT 1;\n-- longshore: loose a\n", "-- longshore: loses a b\n"]
        {
            assert!(matches!(read(Dialect::Sqlite, text), Err(ScriptError::UnknownDirective { .. })), "{text}");
        }
    }

    #[test]
    fn a_file_may_name_the_number_that_it_follows() {
        assert_eq!(read(Dialect::Sqlite, "-- longshore: follows 7\nSELECT 1").unwrap().follows, Some(7));
        assert!(read(Dialect::Sqlite, "-- longshore: follows it\nSELECT 1").is_err());
    }

    #[test]
    fn the_bounds_are_said_once_and_before_the_first_statement() {
        assert_eq!(read(Dialect::Sqlite, "-- why\n\n-- longshore: rebuild\nSELECT 1").unwrap().bounds, Bounds::Rebuild);
        for text in ["SELECT 1;\n-- longshore: rebuild\n", "-- longshore: rebuild\n-- longshore: no transaction\n"] {
            assert!(
                matches!(read(Dialect::Sqlite, text), Err(ScriptError::MisplacedDirective { line: 2, .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_table_stands_for_what_belongs_to_it_and_a_column_for_itself() {
        let table = IntendedLoss::parse("a").unwrap();
        let column = IntendedLoss::parse("a.b").unwrap();
        let b = ObjectName::on(ObjectKind::Column, "a", "b");
        assert!(table.covers(&ObjectName::table("a")) && table.covers(&b) && column.covers(&b));
        assert!(!column.covers(&ObjectName::table("a")));
        assert!(!table.covers(&ObjectName::on(ObjectKind::Column, "c", "a")));
        assert!(IntendedLoss::parse("i").unwrap().covers(&ObjectName::on(ObjectKind::Index, "a", "i")));
    }
}
