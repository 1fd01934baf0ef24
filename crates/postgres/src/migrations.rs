//! The queue's own migrations on PostgreSQL, built in as the source `longshore`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use longshore_migrate::files::script::Dialect;
use longshore_migrate::files::source::LONGSHORE;
use longshore_migrate::{Source, target::VerifiedSource};

use crate::session::sql::in_schema;

macro_rules! pair {
    ($stem:literal) => {
        [
            (concat!($stem, ".up.sql"), include_str!(concat!("../migrations/", $stem, ".up.sql"))),
            (concat!($stem, ".down.sql"), include_str!(concat!("../migrations/", $stem, ".down.sql"))),
        ]
    };
}

const FILES: [[(&str, &str); 2]; 11] = [
    pair!("001_create_jobs"),
    pair!("002_create_workers"),
    pair!("003_create_job_queue"),
    pair!("004_add_checkpoints"),
    pair!("005_keep_schedules"),
    pair!("006_store_arrays_plain"),
    pair!("007_add_workflows"),
    pair!("008_add_limits"),
    pair!("009_keep_tokens"),
    pair!("010_keep_audit_trail"),
    pair!("011_find_ready_jobs_by_id"),
];

/// A table of the source. The other objects of its schema belong to it, too.
const TABLE: &str = "job";

/// The source `longshore`, with its tables in this schema. Its files are parsed once for each schema.
pub fn longshore(schema: &str) -> Source {
    static PARSED: Mutex<BTreeMap<String, Source>> = Mutex::new(BTreeMap::new());
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    parsed.entry(schema.to_owned()).or_insert_with(|| parse(schema)).clone()
}

fn parse(schema: &str) -> Source {
    let files: Vec<_> = FILES.as_flattened().iter().map(|(name, text)| (*name, in_schema(text, schema))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    Source::embedded_in(Dialect::Postgres, LONGSHORE, &files)
}

/// What is remembered of the source when all of it is in order.
pub(crate) fn when_verified(schema: &str) -> VerifiedSource {
    VerifiedSource {
        name: LONGSHORE.to_owned(),
        digest: longshore(schema).digest().expect("these migrations are files"),
        tables: vec![format!("{schema}.{TABLE}")],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_migration_file_is_built_in() {
        let mut found: Vec<String> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").file_name().into_string().expect("names are ASCII"))
            .collect();
        found.sort();
        let mut built_in: Vec<String> = FILES.as_flattened().iter().map(|(name, _)| (*name).to_owned()).collect();
        built_in.sort();
        assert_eq!(found, built_in);
        assert_eq!(longshore("longshore").findings(), []);
        assert_eq!(longshore("other_jobs").findings(), []);
    }
}
