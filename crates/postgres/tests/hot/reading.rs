//! What a page of jobs looks at where no index knows its filter, and what an overview counts.

use super::plans::{HotStatement, hot};

const LOOK: &str = "bigint, bigint, text[], text[], text[], bigint";

macro_rules! look {
    ($name:literal, $values:literal) => {
        HotStatement {
            name: concat!("reading/", $name, ", newest"),
            text: concat!(
                include_str!(concat!("../../src/sql/reading/", $name, ".sql")),
                "  AND id < $1\n  AND id >= $6\nORDER BY id DESC\nLIMIT $2\n"
            ),
            types: LOOK,
            values: $values,
        }
    };
}

/// The filters mean no job, so each look goes on to its end.
pub(super) const HOT: [HotStatement; 7] = [
    look!("ids_of_all", "320001, 50, '{rare}', '{rare}', NULL, 319900"),
    look!("ids_of_completed", "200001, 50, '{rare}', NULL, NULL, 199900"),
    look!("ids_of_delayed", "300001, 50, '{rare}', '{rare}', NULL, 299900"),
    hot!("upkeep/select_pairs", "bigint", "1000"),
    hot!("upkeep/select_timed", "bigint", "10"),
    hot!("upkeep/count_backlog", "text[], text[], bigint", "'{work}', '{default}', 200"),
    look!("ids_of_failed", "120001, 50, NULL, NULL, '{config_error}', 119900"),
];
