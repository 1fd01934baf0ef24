//! Which source a row of an old ledger belongs to, which kept numbers alone.

use super::Ledger;
use crate::source::{APP, Source};

impl Ledger {
    /// Gives every row without a source the one that it must mean: the source whose migration of that number has the
    /// row's name, else the first one with that number, else the user's directory.
    pub fn assign(&mut self, sources: &[Source]) {
        for row in self.rows.iter_mut().filter(|row| row.source.is_none()) {
            let numbered = || sources.iter().filter(|source| source.migration(row.number).is_some());
            let has_name = |source: &&Source| source.migration(row.number).is_some_and(|found| found.name == row.name);
            let source = numbered().find(has_name).or_else(|| numbered().next());
            row.source = Some(source.map_or(APP, Source::name).to_owned());
        }
        self.rows.sort_by(|a, b| (&a.source, a.number).cmp(&(&b.source, b.number)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Form, Row, TABLE, Witness};

    fn row(number: i64, name: &str) -> Row {
        Row {
            source: None,
            number,
            name: name.to_owned(),
            applied_at: None,
            rolled_back_at: None,
            checksum: None,
            duration_ms: None,
            applied_by: None,
            witness: Witness::Shown,
        }
    }

    #[test]
    fn a_row_goes_to_the_source_that_has_its_name_else_its_number_else_app() {
        let sources = [
            Source::embedded("longshore", &[("001_jobs.up.sql", "SELECT 1"), ("002_more.up.sql", "SELECT 1")]),
            Source::embedded("app", &[("001_tracks.up.sql", "SELECT 1"), ("003_c.up.sql", "SELECT 1")]),
        ];
        let rows = vec![row(1, "tracks"), row(2, "Migration002"), row(3, "x"), row(9, "y")];
        let mut ledger = Ledger { table: TABLE.to_owned(), form: Form::Old, rows, foreign: Vec::new() };
        ledger.assign(&sources);
        let ids: Vec<_> = ledger.rows.iter().map(|row| row.id().to_string()).collect();
        assert_eq!(ids, ["app:1", "app:3", "app:9", "longshore:2"]);
    }
}
