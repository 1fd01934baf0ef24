//! Statements that reach beyond the one database that a migration is for.

use super::{Script, Statement, Token};

/// What a statement reaches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Another file: ATTACH, DETACH, VACUUM INTO.
    OtherFiles,
    /// What no replay can follow and no file can declare: the schema table itself, the directories in which SQLite
    /// opens files, a library.
    Never,
}

/// What `statement` reaches for, by its words.
pub(crate) fn reach(statement: &Statement) -> Option<Reach> {
    let words = statement.words();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|token| token.is(word));
    let has = |word: &str| words.iter().any(|token| token.is(word));
    if is(0, "attach") || is(0, "detach") || is(0, "vacuum") && has("into") {
        return Some(Reach::OtherFiles);
    }
    let never = ["writable_schema", "temp_store_directory", "data_store_directory", "lock_proxy_file"];
    let calls = |pair: &[Token<'_>]| pair[0].name().eq_ignore_ascii_case("load_extension") && pair[1].text == "(";
    if is(0, "pragma") && never.iter().any(|pragma| has(pragma)) || words.windows(2).any(calls) {
        return Some(Reach::Never);
    }
    None
}

impl Script {
    /// The statements that a replay runs: without those that reach for another file, or that name a database which
    /// the file attaches. They make nothing in the database that the migration is for.
    pub fn replayed(&self) -> Vec<&Statement> {
        // Nothing reaches another file that does not say so.
        if !self.reaches_other_files() {
            return self.statements().iter().collect();
        }
        let attached: Vec<String> = self.statements().iter().filter_map(attached_name).collect();
        let is_elsewhere = |statement: &Statement| {
            let words = statement.words();
            let names = |pair: &[Token<'_>]| pair[1].text == "." && attached.contains(&pair[0].name().to_lowercase());
            reach(statement) == Some(Reach::OtherFiles) || words.windows(2).any(names)
        };
        self.statements().iter().filter(|statement| !is_elsewhere(statement)).collect()
    }
}

fn attached_name(statement: &Statement) -> Option<String> {
    let words = statement.words();
    let (last, before) = words.split_last()?;
    let is_attach = words.first()?.is("attach") && before.last()?.is("as");
    is_attach.then(|| last.name().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(text: &str) -> Option<Reach> {
        reach(&Statement::alone(crate::files::script::Dialect::Sqlite, text))
    }

    #[test]
    fn every_way_to_another_file_is_known_by_its_words() {
        for text in ["ATTACH 'a' AS b", "/**/ attach DATABASE x AS y", "detach b", "VACUUM main INTO 'x'"] {
            assert_eq!(reached(text), Some(Reach::OtherFiles), "{text}");
        }
        for text in ["PRAGMA main.writable_schema = ON", "SELECT \"load_extension\"('x')"] {
            assert_eq!(reached(text), Some(Reach::Never), "{text}");
        }
        for text in ["VACUUM", "INSERT INTO attach VALUES ('load_extension(')", "PRAGMA foreign_keys"] {
            assert_eq!(reached(text), None, "{text}");
        }
    }

    #[test]
    fn a_replay_leaves_out_what_names_an_attached_database() {
        let text = "-- longshore: other files\nATTACH 'x.db' AS old; CREATE TABLE a (b); INSERT INTO a SELECT b FROM \"OLD\".a; DETACH old;";
        let script = Script::parse(text).unwrap();
        let replayed: Vec<_> = script.replayed().iter().map(|statement| statement.text.as_str()).collect();
        assert_eq!(replayed, ["CREATE TABLE a (b)"]);
    }
}
