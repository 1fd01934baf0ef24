//! Turns the statements of another tool's file into those of ours: who begins the transaction, who closes statements.

use crate::files::script::{Dialect, Piece, ScriptError, Statement, pieces_in, tokens_in, with_lf};

/// Drizzle's mark between two statements.
pub(super) const BREAKPOINT: &str = "--> statement-breakpoint";

/// One half of a migration as it is in the other tool's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Half {
    pub(super) text: String,
    /// Whether the tool runs it outside a transaction.
    pub(super) is_bare: bool,
}

/// The text of our file, and what was changed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Adapted {
    pub(super) text: String,
    pub(super) notes: Vec<&'static str>,
}

/// Why a text cannot be one of our files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdaptError {
    #[error("{0}")]
    Script(#[from] ScriptError),
    #[error(
        "line {line}: `{word}` begins or ends a transaction, and not all of the file stands in that one; put what \
         belongs together into files of their own"
    )]
    Transaction { line: usize, word: String },
    #[error("line {line}: `{word}` refuses to run in a transaction, but the file switches foreign keys off for one")]
    RefusesTransaction { line: usize, word: String },
}

/// `None` where it has no statement.
///
/// Foreign keys that are switched off become `-- longshore: rebuild`, because the pragma does nothing inside our
/// transaction; a BEGIN and a COMMIT round everything are left out, because the runner has its own.
pub(super) fn adapt(dialect: Dialect, half: &Half) -> Result<Option<Adapted>, AdaptError> {
    let text = without_breakpoints(dialect, &with_lf(&half.text))?;
    let found = pieces_in(dialect, &text)?;
    let is_left_out = |piece: &&Piece| keys(&piece.statement).is_some() || control(&piece.statement).is_some();
    if found.iter().all(|piece| is_left_out(&piece)) {
        return Ok(None);
    }
    let has_own = has_own_transaction(&found)?;
    let suspends = found.iter().any(|piece| keys(&piece.statement) == Some(Keys::Off));
    let refuses = |piece: &&Piece| match dialect {
        Dialect::Sqlite => piece.statement.words().first().is_some_and(|word| word.is("vacuum")),
        Dialect::Postgres => dialect.is_outside_transactions(&piece.statement.text),
    };
    if let Some(piece) = found.iter().find(refuses).filter(|_| suspends || has_own) {
        let Statement { line, .. } = piece.statement;
        return Err(AdaptError::RefusesTransaction { line, word: piece.statement.in_short() });
    }
    let mut notes = Vec::new();
    let mut body = text.clone();
    for piece in found.iter().rev() {
        let is_dropped = has_own && control(&piece.statement).is_some()
            || suspends && (keys(&piece.statement).is_some() || defers(&piece.statement));
        if is_dropped {
            let comment = format!("-- {}", piece.statement.in_short());
            body.replace_range(piece.start..piece.end, &on_its_own_line(&body, piece, &comment));
        }
    }
    if has_own {
        notes.push("its BEGIN and COMMIT are comments now: the runner has a transaction of its own");
    }
    let header = if suspends {
        notes.push("its PRAGMA foreign_keys became `-- longshore: rebuild`");
        "-- longshore: rebuild\n"
    } else if dialect == Dialect::Postgres && !half.is_bare && found.iter().any(|piece| refuses(&piece)) {
        notes.push("a statement of it refuses to run in a transaction, so it became `-- longshore: no transaction`");
        "-- longshore: no transaction\n"
    } else if half.is_bare && !has_own && !body.starts_with("-- no-transaction") {
        "-- longshore: no transaction\n"
    } else {
        ""
    };
    let body = body.trim_matches('\n');
    Ok(Some(Adapted { text: format!("{header}{body}\n"), notes }))
}

/// The text with a semicolon behind its last statement.
pub(super) fn closed(dialect: Dialect, text: &str) -> Result<String, ScriptError> {
    let Some(last) = pieces_in(dialect, text)?.pop().filter(|piece| !piece.is_closed) else {
        return Ok(text.to_owned());
    };
    let mut end = last.start;
    let mut at = last.start;
    for token in tokens_in(dialect, &text[last.start..]) {
        at += token.text.len();
        if token.has_meaning() {
            end = at;
        }
    }
    Ok(format!("{};{}", &text[..end], &text[end..]))
}

fn without_breakpoints(dialect: Dialect, text: &str) -> Result<String, ScriptError> {
    if !text.contains(BREAKPOINT) {
        return Ok(text.to_owned());
    }
    text.split(BREAKPOINT).map(|part| closed(dialect, part)).collect()
}

/// What follows on the same line must not become part of the comment.
fn on_its_own_line(body: &str, piece: &Piece, comment: &str) -> String {
    let rest = body[piece.end..].split('\n').next().unwrap_or_default();
    let is_followed = !rest.trim().is_empty() && !rest.trim_start().starts_with("--");
    format!("{comment}{}", if is_followed { "\n" } else { "" })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    On,
    Off,
}

fn pragma(statement: &Statement, wanted: &str) -> Option<String> {
    let words = statement.words();
    let at = if words.get(2).is_some_and(|word| word.text == ".") { 3 } else { 1 };
    let is_it = words.first()?.is("pragma") && words.get(at)?.name().eq_ignore_ascii_case(wanted);
    let sets = words.get(at + 1).is_some_and(|word| word.text == "=" || word.text == "(");
    (is_it && sets).then(|| words.get(at + 2).map(|word| word.name().to_lowercase()).unwrap_or_default())
}

fn keys(statement: &Statement) -> Option<Keys> {
    let value = pragma(statement, "foreign_keys")?;
    let is_off = ["off", "0", "false", "no"].contains(&value.as_str());
    Some(if is_off { Keys::Off } else { Keys::On })
}

fn defers(statement: &Statement) -> bool {
    pragma(statement, "defer_foreign_keys").is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Begin,
    Commit,
    Other,
}

fn control(statement: &Statement) -> Option<Control> {
    let words = statement.words();
    let first = words.first()?;
    if first.is("begin") || first.is("start") {
        return Some(Control::Begin);
    }
    if first.is("commit") || first.is("end") {
        return Some(Control::Commit);
    }
    ["rollback", "savepoint", "release", "abort"].iter().any(|word| first.is(word)).then_some(Control::Other)
}

/// Whether one BEGIN and one COMMIT stand round every statement but the pragmas of foreign keys.
fn has_own_transaction(found: &[Piece]) -> Result<bool, AdaptError> {
    let controls: Vec<&Piece> = found.iter().filter(|piece| control(&piece.statement).is_some()).collect();
    let Some(first) = controls.first() else {
        return Ok(false);
    };
    let refused = |piece: &Piece| {
        let word = piece.statement.in_short();
        Err(AdaptError::Transaction { line: piece.statement.line, word })
    };
    let kinds: Vec<Option<Control>> = controls.iter().map(|piece| control(&piece.statement)).collect();
    if kinds != [Some(Control::Begin), Some(Control::Commit)] {
        return refused(
            controls.iter().find(|piece| control(&piece.statement) == Some(Control::Other)).unwrap_or(first),
        );
    }
    let is_outside = |piece: &&Piece| piece.start < first.start || piece.start > controls[1].start;
    let is_idle = |piece: &Piece| keys(&piece.statement).is_some() || defers(&piece.statement);
    if found.iter().filter(is_outside).any(|piece| !is_idle(piece)) {
        return refused(first);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(text: &str, is_bare: bool) -> String {
        adapt(Dialect::Sqlite, &Half { text: text.to_owned(), is_bare }).unwrap().unwrap().text
    }

    #[test]
    fn plain_statements_stay_as_they_are() {
        assert_eq!(adapted("\n-- why\nCREATE TABLE a (b);\n\n", false), "-- why\nCREATE TABLE a (b);\n");
        assert_eq!(adapted("VACUUM;", true), "-- longshore: no transaction\nVACUUM;\n");
        assert_eq!(adapted("-- no-transaction\nVACUUM;", true), "-- no-transaction\nVACUUM;\n");
        assert_eq!(adapt(Dialect::Sqlite, &Half { text: "-- nothing\n".to_owned(), is_bare: false }), Ok(None));
    }

    #[test]
    fn foreign_keys_that_are_switched_off_become_a_rebuild() {
        let text = "PRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;\nDROP TABLE a;\nPRAGMA foreign_keys=ON;\n";
        let expected = "-- longshore: rebuild\n-- PRAGMA defer_foreign_keys = ON\n-- PRAGMA foreign_keys = OFF\n\
             DROP TABLE a;\n-- PRAGMA foreign_keys = ON\n";
        assert_eq!(adapted(text, true), expected);
        let of_drizzle = "PRAGMA foreign_keys=OFF;--> statement-breakpoint\nDROP TABLE a;--> statement-breakpoint\nPRAGMA foreign_keys=ON;";
        let expected =
            "-- longshore: rebuild\n-- PRAGMA foreign_keys = OFF\nDROP TABLE a;\n-- PRAGMA foreign_keys = ON\n";
        assert_eq!(adapted(of_drizzle, false), expected);
    }

    #[test]
    fn a_transaction_round_everything_is_the_runners() {
        let text = "PRAGMA foreign_keys = 0;\nBEGIN TRANSACTION;\nDROP TABLE a;\nCOMMIT;\nPRAGMA foreign_keys = 1;\n";
        let found = adapted(text, true);
        assert!(found.starts_with("-- longshore: rebuild\n"), "{found}");
        assert!(found.contains("\n-- BEGIN TRANSACTION\nDROP TABLE a;\n-- COMMIT\n"), "{found}");
        assert_eq!(adapted("BEGIN; DROP TABLE a; COMMIT;", true), "-- BEGIN\n DROP TABLE a; -- COMMIT\n");
    }

    #[test]
    fn what_would_change_its_meaning_is_refused() {
        let refused = |text: &str| {
            adapt(Dialect::Sqlite, &Half { text: text.to_owned(), is_bare: true }).unwrap_err().to_string()
        };
        assert!(refused("CREATE TABLE a (b);\nBEGIN;\nSELECT 1;\nCOMMIT;").starts_with("line 2: `BEGIN`"));
        assert!(refused("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;").starts_with("line 1"));
        assert!(refused("PRAGMA foreign_keys=OFF;\nVACUUM;").starts_with("line 2: `VACUUM`"));
    }

    #[test]
    fn a_statement_without_a_semicolon_is_closed_before_its_comment() {
        assert_eq!(closed(Dialect::Sqlite, "SELECT 1 -- one\n").unwrap(), "SELECT 1; -- one\n");
        assert_eq!(closed(Dialect::Sqlite, "SELECT 1;\n").unwrap(), "SELECT 1;\n");
        let text = "CREATE TABLE a (b)\n--> statement-breakpoint\nCREATE TABLE c (d)";
        assert_eq!(adapted(text, false), "CREATE TABLE a (b);\n\nCREATE TABLE c (d);\n");
    }

    #[test]
    fn files_for_postgres_are_read_by_its_own_rules() {
        let adapt = |text: &str| adapt(Dialect::Postgres, &Half { text: text.to_owned(), is_bare: false });
        let function = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN; COMMIT; END $body$;\n";
        assert_eq!(adapt(function).unwrap().unwrap().text, function);
        let index = adapt("CREATE INDEX CONCURRENTLY i ON a (b);").unwrap().unwrap();
        assert!(index.text.starts_with("-- longshore: no transaction\n") && index.notes.len() == 1, "{index:?}");
        let inside = adapt("BEGIN;\nCREATE INDEX CONCURRENTLY i ON a (b);\nCOMMIT;").unwrap_err().to_string();
        assert!(inside.starts_with("line 2: `CREATE INDEX CONCURRENTLY"), "{inside}");
        let dump = "CREATE TABLE a (b text);\nCOPY a (b) FROM stdin;\nit's one; row\n\\.\nSELECT 1;\n";
        assert!(adapt(dump).unwrap_err().to_string().starts_with("line 2: "), "{:?}", adapt(dump));
    }
}
