//! Which source a row belongs to that only says a number and a name. What it says and what the schema shows decide,
//! never the number alone: another manager numbers its own migrations.

use super::{Form, Ledger, Row, SharedRow};
use crate::{
    execution::replay::Chain,
    files::migration::{Migration, MigrationId},
    files::source::{APP, Elsewhere, Source},
    schema::{ObjectName, Presence, Schema},
};

/// What the schema shows, as far as attributing rows needs it.
pub struct Evidence<'a> {
    /// Whether a table of that name is there.
    pub has_table: &'a dyn Fn(&str) -> bool,
    /// Whether the schema contradicts that the migration ran.
    pub lacks: &'a dyn Fn(&MigrationId) -> bool,
}

impl Ledger {
    /// [`Ledger::attribute`] by what the real schema shows of each migration.
    pub fn attribute_by(&mut self, sources: &[Source], chain: &Chain, observed: &Schema) {
        let has_table = |name: &str| observed.contains(&ObjectName::table(name));
        let lacks = |id: &MigrationId| {
            let link = chain.link(id);
            link.is_some_and(|link| link.footprint.presence(observed) == Presence::Absent)
        };
        self.attribute(sources, &Evidence { has_table: &has_table, lacks: &lacks });
    }

    /// Gives every row without a source the one that it means, or to another manager.
    pub fn attribute(&mut self, sources: &[Source], evidence: &Evidence<'_>) {
        let (open, known): (Vec<Row>, Vec<Row>) = self.rows.drain(..).partition(|row| row.source.is_none());
        self.rows = known;
        for row in open {
            match sources.iter().find(|source| means(&row, source, evidence)) {
                Some(source) => self.add(row, source),
                // Whatever this program writes, it writes with a checksum or an author beside it.
                None => self.theirs.push(row),
            }
        }
        self.rows.sort_by(|a, b| (&a.source, a.number).cmp(&(&b.source, b.number)));
        self.theirs.sort_by_key(|row| row.number);
        self.marks = self.marks(sources, &|id| self.is_applied(id));
    }

    fn add(&mut self, row: Row, source: &Source) {
        let row = Row { source: Some(source.name().to_owned()), ..row };
        if source.name() == APP {
            return self.rows.push(row);
        }
        let is_same = |own: &Row| own.source == row.source && (self.form == Form::Current || own.number == row.number);
        // Where its own ledger speaks for that source, the row is only what the other manager continues to read.
        if !self.rows.iter().any(is_same) {
            self.rows.push(row.clone());
        }
        self.shared.push(row);
    }

    /// The rows by which another manager learns what has run of the migrations that it knows, too. Only for one that
    /// has recorded at least one of them; its other numbers are its own.
    pub fn marks(&self, sources: &[Source], is_applied: &dyn Fn(&MigrationId) -> bool) -> Vec<SharedRow> {
        let mut marks = Vec::new();
        for source in sources {
            let own = || self.shared.iter().filter(|row| row.source.as_deref() == Some(source.name()));
            let (Some(elsewhere), Some(sample)) = (source.elsewhere(), own().next()) else { continue };
            for number in elsewhere.numbers {
                let is_taken = self
                    .theirs
                    .iter()
                    .chain(&self.rows)
                    .any(|row| row.number == *number && row.source.as_deref().is_none_or(|name| name == APP));
                let Some(migration) = source.migration(*number).filter(|_| !is_taken) else { continue };
                if !is_applied(&migration.id) {
                    continue;
                }
                match own().find(|row| row.number == *number) {
                    Some(row) if row.is_applied() => {}
                    Some(row) => marks.push(SharedRow { rolled_back_at: None, ..row.shared() }),
                    None => marks.push(new_mark(sample, migration)),
                }
            }
        }
        marks
    }
}

/// A row in the style of the other manager's own: `Migration002` beside `Migration001`.
fn new_mark(sample: &Row, migration: &Migration) -> SharedRow {
    let digits = sample.name.len() - sample.name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let stem = &sample.name[..sample.name.len() - digits];
    let is_numbered = sample.name[stem.len()..].parse() == Ok(sample.number);
    let name = if is_numbered { format!("{stem}{:0digits$}", migration.id.number) } else { migration.name.clone() };
    SharedRow { number: migration.id.number, name, applied_at: None, rolled_back_at: None }
}

fn means(row: &Row, source: &Source, evidence: &Evidence<'_>) -> bool {
    let Some(migration) = source.migration(row.number) else { return false };
    if is_named(row, migration) {
        return true;
    }
    match source.elsewhere() {
        Some(elsewhere) => is_known_elsewhere(row, elsewhere, evidence),
        None if source.name() != APP => false,
        None => is_number_alone(&row.name) && !(evidence.lacks)(&migration.id),
    }
}

/// Another manager may have run the very same migration under the same number, and say no more of it.
fn is_known_elsewhere(row: &Row, elsewhere: &Elsewhere, evidence: &Evidence<'_>) -> bool {
    elsewhere.numbers.contains(&row.number) && is_number_alone(&row.name) && (evidence.has_table)(elsewhere.table)
}

/// `Migration001` and `001` say no more than the number.
fn is_number_alone(name: &str) -> bool {
    words(name).is_empty()
}

/// Whether the row's name is the migration's, in any style: `create_job_queue`, `001_create_job_queue`,
/// `CreateJobQueue`, `migration_001_create_job_queue`.
fn is_named(row: &Row, migration: &Migration) -> bool {
    row.name == migration.name || (!is_number_alone(&row.name) && words(&row.name) == words(&migration.name))
}

/// The letters and digits of a name without `migration` and the number in front.
fn words(name: &str) -> String {
    let plain: String = name.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    let rest = plain.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let rest = rest.strip_prefix("migration").unwrap_or(rest);
    rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Witness;

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

    fn sources() -> [Source; 2] {
        let queue = [("001_create_jobs.up.sql", "SELECT 1"), ("004_add_logs.up.sql", "SELECT 1")];
        let app = [("001_tracks.up.sql", "SELECT 1"), ("003_c.up.sql", "SELECT 1"), ("005_e.up.sql", "SELECT 1")];
        [
            Source::embedded("longshore", &queue).known_elsewhere(Elsewhere { numbers: &[1, 2], table: "jobs" }),
            Source::embedded("app", &app),
        ]
    }

    fn attributed(rows: Vec<Row>, has_jobs: bool) -> (Vec<String>, Vec<i64>) {
        let mut ledger = Ledger { form: Form::Old, rows, ..Ledger::default() };
        let evidence = Evidence { has_table: &|_| has_jobs, lacks: &|id| id.number == 5 };
        ledger.attribute(&sources(), &evidence);
        let ids = ledger.rows.iter().map(|row| row.id().to_string()).collect();
        (ids, ledger.theirs.iter().map(|row| row.number).collect())
    }

    #[test]
    fn a_name_decides_whatever_its_style() {
        let rows = vec![row(1, "tracks"), row(3, "migration_003_c"), row(4, "AddLogs")];
        assert_eq!(attributed(rows, true).0, ["app:1", "app:3", "longshore:4"]);
    }

    #[test]
    fn a_number_alone_is_the_queues_only_where_its_table_is_there_and_others_knew_the_number() {
        let rows = || vec![row(1, "Migration001"), row(4, "Migration004")];
        assert_eq!(attributed(rows(), true), (vec!["longshore:1".to_owned()], vec![4]));
        assert_eq!(attributed(rows(), false), (vec!["app:1".to_owned()], vec![4]));
    }

    #[test]
    fn a_number_alone_is_the_applications_unless_the_schema_says_otherwise() {
        let rows = vec![row(3, "Migration003"), row(5, "Migration005"), row(5, "something else")];
        assert_eq!(attributed(rows, true), (vec!["app:3".to_owned()], vec![5, 5]));
    }

    #[test]
    fn a_source_with_rows_of_its_own_takes_none_from_the_other_manager() {
        let own = Row { source: Some("longshore".to_owned()), ..row(1, "create_jobs") };
        let rows = vec![own, row(1, "Migration001")];
        let mut ledger = Ledger { form: Form::Current, rows, ..Ledger::default() };
        ledger.attribute(&sources(), &Evidence { has_table: &|_| true, lacks: &|_| false });
        assert_eq!((ledger.rows.len(), ledger.shared.len(), ledger.theirs.len()), (1, 1, 0));
    }

    #[test]
    fn the_other_manager_is_told_what_has_run_in_its_own_style() {
        let rolled_back = Row { rolled_back_at: Some("yesterday".to_owned()), ..row(1, "Migration001") };
        let mut ledger = Ledger { rows: vec![rolled_back], ..Ledger::default() };
        let source = [("001_create_jobs.up.sql", "SELECT 1"), ("002_more.up.sql", "SELECT 1")];
        let source = Source::embedded("longshore", &source);
        let sources = [source.known_elsewhere(Elsewhere { numbers: &[1, 2], table: "jobs" })];
        ledger.attribute(&sources, &Evidence { has_table: &|_| true, lacks: &|_| false });
        let marks = ledger.marks(&sources, &|_| true);
        let told: Vec<_> = marks.iter().map(|row| (row.number, row.name.as_str(), &row.rolled_back_at)).collect();
        assert_eq!(told, [(1, "Migration001", &None), (2, "Migration002", &None)]);
        assert_eq!(ledger.marks(&sources, &|_| false), []);
    }
}
