//! What the rows of the old table hold: how many, in which states, and which values stand in the wrong columns.

use longshore_migrate::target::{Session, TargetError};

use super::{TABLE, ancestor::Ancestor, number, quoted, reading::Reading, text};

/// So many values are shown of each column.
const SHOWN_MAX: usize = 3;

/// The rows before anything is done.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// `(status, count)`, as written.
    pub(super) statuses: Vec<(String, i64)>,
    /// Rows with a value that does not fit its column.
    pub(super) misplaced: i64,
    /// The last of them: those up to it had been copied at once.
    pub(super) last_misplaced: i64,
    /// Some of the values, in words.
    pub(super) examples: Vec<String>,
    /// Whether all of those up to the last misplaced one can be read by position.
    pub(super) fit_by_position: bool,
    /// Whether 003 takes every row as it stands.
    pub(super) is_plain: bool,
    /// Ids that are no whole numbers from 1 on, or that are not unique.
    pub(super) unusable_ids: i64,
    /// Jobs whose parent is not there.
    pub(super) orphans: i64,
}

impl Rows {
    pub(super) fn read(session: &mut dyn Session, table: &Ancestor) -> Result<Self, TargetError> {
        let named = Reading::by_name(table);
        let mut rows = Self { unusable_ids: unusable_ids(session)?, ..Self::default() };
        let one = |session: &mut dyn Session, query: String| -> Result<Vec<i64>, TargetError> {
            Ok(session
                .query(&query)?
                .first()
                .map(|row| row.iter().map(|value| number(Some(value))).collect())
                .unwrap_or_default())
        };
        let fits = named.fits_whole();
        let query = format!(
            "SELECT count(*), coalesce(max(CAST(id AS INTEGER)), 0), (SELECT count(*) FROM {TABLE} WHERE NOT {})
             FROM {TABLE} WHERE NOT {fits}",
            named.is_plain()
        );
        let counts = one(session, query)?;
        rows.misplaced = counts.first().copied().unwrap_or_default();
        rows.last_misplaced = counts.get(1).copied().unwrap_or_default();
        rows.is_plain = counts.get(2) == Some(&0);
        let statuses = session.query(&format!(
            "SELECT status, count(*) FROM {TABLE} WHERE {fits} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
        ))?;
        rows.statuses =
            statuses.iter().map(|row| (text(row.first()).unwrap_or_default(), number(row.get(1)))).collect();
        if rows.misplaced > 0 {
            rows.examples = examples(session, &named)?;
            rows.fit_by_position = match Reading::by_position(table) {
                Some(positional) => {
                    let query = format!(
                        "SELECT count(*) FROM {TABLE} WHERE id <= {} AND NOT {}",
                        rows.last_misplaced,
                        positional.fits_whole()
                    );
                    one(session, query)?.first() == Some(&0)
                }
                None => false,
            };
        }
        if table.has("parent_job_id") {
            let query = format!(
                "SELECT count(*) FROM {TABLE} AS child WHERE {fits} AND child.parent_job_id IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM {TABLE} AS parent WHERE parent.id = child.parent_job_id)"
            );
            rows.orphans = one(session, query)?.first().copied().unwrap_or_default();
        }
        Ok(rows)
    }
}

fn unusable_ids(session: &mut dyn Session) -> Result<i64, TargetError> {
    let query = format!(
        "SELECT count(*) - count(DISTINCT CASE WHEN typeof(id) = 'integer' AND id BETWEEN 1 AND 9007199254740991 THEN id END)
         FROM {TABLE}"
    );
    Ok(session.query(&query)?.first().map_or(0, |row| number(row.first())))
}

/// `priority of job 1 is '2025-07-05 12:00:00'`, for each column with such values.
fn examples(session: &mut dyn Session, reading: &Reading) -> Result<Vec<String>, TargetError> {
    let mut examples = Vec::new();
    for (column, fits) in reading.fits() {
        let query = format!(
            "SELECT id, substr(quote({}), 1, 60) FROM {TABLE} WHERE NOT {fits} ORDER BY id LIMIT {SHOWN_MAX}",
            quoted(column)
        );
        for row in session.query(&query)? {
            let (id, value) = (text(row.first()).unwrap_or_default(), text(row.get(1)).unwrap_or_default());
            examples.push(format!("{column} of job {id} is {value}"));
        }
    }
    Ok(examples)
}
