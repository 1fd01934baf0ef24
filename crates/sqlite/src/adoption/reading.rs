//! How the values of an old row are read, as SQL: whether each fits its column, and what it is there.

use std::collections::BTreeMap;

use super::{COLUMNS, ancestor::Ancestor, literal, quoted};

/// Which column of the old table holds what. A column that is not there is NULL.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    columns: BTreeMap<&'static str, String>,
    defaults: BTreeMap<&'static str, i64>,
}

/// Every status that 003 knows.
const STATUSES: &str =
    "'pending', 'running', 'completed', 'failed', 'cancelled', 'retrying', 'timeout', 'zombie', 'dead_letter'";
/// The failure types of log entry 068.
const FAILURE_TYPES: &str = "'network_error', 'timeout_error', 'resource_error', 'permission_error', 'config_error', \
    'validation_error', 'system_error', 'worker_error', 'unknown'";
const PRIORITIES: [(&str, i64); 5] = [("low", 0), ("normal", 5), ("high", 10), ("urgent", 15), ("critical", 20)];
/// Earlier instants than 1973 are no seconds since 1970, and smaller numbers than these no milliseconds.
const SECONDS_MIN: &str = "100000000";
const MILLISECONDS_MIN: &str = "100000000000";

impl Reading {
    /// Each value stands in the column of its name.
    pub(super) fn by_name(table: &Ancestor) -> Self {
        let named = COLUMNS.into_iter().filter(|name| table.has(name)).map(|name| (name, quoted(name)));
        Self { columns: named.collect(), defaults: defaults(table) }
    }

    /// Each value stands where the order of 001 and 002 has its column: `SELECT *` had copied the rows into another
    /// order. `None` where the table does not begin with just these columns.
    pub(super) fn by_position(table: &Ancestor) -> Option<Self> {
        table.other_order()?;
        let usual: Vec<&'static str> = COLUMNS.into_iter().filter(|name| table.has(name)).collect();
        let first: Vec<&str> = table.columns.iter().take(usual.len()).map(|column| column.name.as_str()).collect();
        let is_whole = usual.iter().all(|name| first.contains(name));
        let columns = usual.into_iter().zip(first).map(|(name, stands_in)| (name, quoted(stands_in))).collect();
        is_whole.then_some(Self { columns, defaults: defaults(table) })
    }

    /// Where a column's value stands.
    pub(super) fn place(&self, column: &str) -> Option<&str> {
        self.columns.get(column).map(String::as_str)
    }

    /// For each column that is there, a condition that holds if its value can be one of that column.
    pub(super) fn fits(&self) -> Vec<(&'static str, String)> {
        let condition = |column| Some((column, format!("coalesce({}, 0)", self.fit(column, self.place(column)?))));
        COLUMNS.into_iter().filter_map(condition).collect()
    }

    /// A condition that holds if every value of a row fits.
    pub(super) fn fits_whole(&self) -> String {
        let all: Vec<String> = self.fits().into_iter().map(|(_, condition)| condition).collect();
        format!("({})", all.join(" AND "))
    }

    /// A condition that holds if 003 takes every value of a row just as it stands.
    pub(super) fn is_plain(&self) -> String {
        let plain = |column| Some(format!("coalesce({}, 0)", plain(column, self.place(column)?)));
        let all: Vec<String> = COLUMNS.into_iter().filter_map(plain).collect();
        format!("({})", all.join(" AND "))
    }

    /// The value of a column in the queue's words.
    pub(super) fn value(&self, column: &str) -> String {
        let default = || self.defaults.get(column).map_or_else(|| "NULL".to_owned(), ToString::to_string);
        let Some(x) = self.place(column) else {
            return match column {
                "job_data" => "'{}'".to_owned(),
                "created_at" => "strftime('%Y-%m-%d %H:%M:%f', 'now')".to_owned(),
                _ => default(),
            };
        };
        match column {
            "created_at" => {
                let known = ["started_at", "completed_at"].into_iter().filter_map(|name| self.place(name).map(instant));
                let known: Vec<String> = known.collect();
                format!("coalesce({}, {}strftime('%Y-%m-%d %H:%M:%f', 'now'))", instant(x), with_commas(&known))
            }
            "started_at" | "completed_at" | "next_retry_at" | "moved_to_dead_letter_at" => instant(x),
            "priority" => {
                let names: Vec<String> =
                    PRIORITIES.iter().map(|(name, number)| format!("WHEN '{name}' THEN {number}")).collect();
                let names = names.join(" ");
                format!("coalesce(CASE lower(trim({x})) {names} ELSE CAST({x} AS INTEGER) END, {})", default())
            }
            "retry_count" | "max_retries" => format!("coalesce(CAST({x} AS INTEGER), {})", default()),
            "id" | "timeout_seconds" | "parent_job_id" => format!("CAST({x} AS INTEGER)"),
            "job_data" => format!("coalesce(CAST({x} AS TEXT), '{{}}')"),
            "job_type" => format!("coalesce(CAST({x} AS TEXT), '')"),
            "status" => format!("trim({x})"),
            _ => x.to_owned(),
        }
    }

    fn fit(&self, column: &str, x: &str) -> String {
        match column {
            "id" => format!("typeof({x}) = 'integer' AND {x} BETWEEN 1 AND 9007199254740991"),
            "job_type" => {
                format!(
                    "({x} IS NULL OR typeof({x}) = 'text' AND NOT {} AND NOT {} AND NOT {})",
                    json(x),
                    date(x),
                    digits(x)
                )
            }
            "job_data" => format!(
                "({x} IS NULL OR NOT {} AND (typeof({x}) <> 'blob' OR json_valid(CAST({x} AS TEXT))))",
                short_date(x)
            ),
            "status" => {
                let job_type = self.place("job_type").unwrap_or("''");
                format!(
                    "typeof({x}) = 'text' AND trim({x}) <> '' AND lower({x}) NOT GLOB '*[^a-z_ -]*'
                     AND NOT (lower({job_type}) IN ({STATUSES}) AND lower({x}) NOT IN ({STATUSES}))"
                )
            }
            "priority" => {
                let names: Vec<String> = PRIORITIES.iter().map(|(name, _)| literal(name)).collect();
                format!("({x} IS NULL OR {} OR lower(trim({x})) IN ({}))", integer(x), names.join(", "))
            }
            "created_at" | "started_at" | "completed_at" | "next_retry_at" | "moved_to_dead_letter_at" => {
                format!("({x} IS NULL OR {})", is_instant(x))
            }
            "retry_count" | "max_retries" | "timeout_seconds" => {
                format!("({x} IS NULL OR {} AND CAST({x} AS INTEGER) >= 0)", integer(x))
            }
            "parent_job_id" => format!("({x} IS NULL OR {})", integer(x)),
            "worker_id" => format!("({x} IS NULL OR NOT {} AND NOT {})", date(x), json(x)),
            "log_file_path" | "failure_type" => {
                format!("({x} IS NULL OR NOT {} AND NOT {} AND NOT {})", date(x), json(x), digits(x))
            }
            "error_message" => {
                let failure = self.place("failure_type").unwrap_or("NULL");
                format!(
                    "({x} IS NULL OR NOT {} AND NOT ({x} IN ({FAILURE_TYPES}) AND {failure} IS NOT NULL
                     AND {failure} NOT IN ({FAILURE_TYPES})))",
                    short_date(x)
                )
            }
            _ => format!("({x} IS NULL OR NOT {} AND NOT {})", short_date(x), digits(x)),
        }
    }
}

fn defaults(table: &Ancestor) -> BTreeMap<&'static str, i64> {
    let ours = [("priority", 5), ("retry_count", 0), ("max_retries", 3)];
    ours.into_iter().map(|(column, usual)| (column, table.default_number(column).unwrap_or(usual))).collect()
}

fn with_commas(expressions: &[String]) -> String {
    expressions.iter().map(|one| format!("{one}, ")).collect()
}

fn plain(column: &str, x: &str) -> String {
    match column {
        "created_at" | "started_at" | "completed_at" | "next_retry_at" | "moved_to_dead_letter_at" => {
            let or_null = if column == "created_at" { String::new() } else { format!("{x} IS NULL OR ") };
            format!("({or_null}typeof({x}) = 'text' AND {} AND julianday({x}) IS NOT NULL)", date(x))
        }
        "id" | "priority" => format!("typeof({x}) = 'integer'"),
        "retry_count" | "max_retries" => format!("typeof({x}) = 'integer' AND {x} >= 0"),
        "timeout_seconds" | "parent_job_id" => format!("({x} IS NULL OR typeof({x}) = 'integer')"),
        "job_type" | "job_data" | "status" => format!("typeof({x}) = 'text'"),
        _ => "1".to_owned(),
    }
}

/// A date in front. What follows is for `julianday` to judge.
fn date(x: &str) -> String {
    format!("coalesce({x} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*', 0)")
}

/// An instant and nothing else: a message may well begin with one.
fn short_date(x: &str) -> String {
    format!("({} AND length({x}) <= 32)", date(x))
}

fn json(x: &str) -> String {
    format!("coalesce(substr(ltrim({x}), 1, 1) IN ('{{', '['), 0)")
}

fn digits(x: &str) -> String {
    format!("coalesce({x} <> '' AND {x} NOT GLOB '*[^0-9]*', 0)")
}

fn integer(x: &str) -> String {
    let unsigned = format!("ltrim(trim({x}), '-')");
    format!(
        "(typeof({x}) = 'integer' OR typeof({x}) = 'real' AND {x} = CAST({x} AS INTEGER)
          OR typeof({x}) = 'text' AND {unsigned} <> '' AND {unsigned} NOT GLOB '*[^0-9]*')"
    )
}

fn is_instant(x: &str) -> String {
    format!(
        "(typeof({x}) = 'text' AND (trim({x}) = '' OR {} AND julianday({x}) IS NOT NULL)
          OR typeof({x}) IN ('integer', 'real') AND {x} >= {SECONDS_MIN}
          OR typeof({x}) = 'text' AND {x} NOT GLOB '*[^0-9.]*' AND CAST({x} AS REAL) >= {SECONDS_MIN})",
        date(x)
    )
}

/// As text, which 003 reads without a guess.
fn instant(x: &str) -> String {
    format!(
        "CASE WHEN {x} IS NULL OR trim({x}) = '' THEN NULL
              WHEN {} THEN {x}
              WHEN CAST({x} AS REAL) < {MILLISECONDS_MIN} THEN strftime('%Y-%m-%d %H:%M:%f', CAST({x} AS REAL), 'unixepoch')
              ELSE strftime('%Y-%m-%d %H:%M:%f', CAST({x} AS REAL) / 1000.0, 'unixepoch') END",
        date(x)
    )
}
