//! What a person would run, where a repair does not.

use longshore_migrate::{
    alterer::AlterRequest,
    schema::{Difference, DifferenceKind, ObjectKind},
};

use super::{
    PostgresAlterer, part, types,
    work::{Limit, Work},
};
use crate::catalog::quoted;

pub(super) fn by_hand(
    alterer: &PostgresAlterer,
    difference: &Difference,
    request: &AlterRequest<'_>,
) -> Option<String> {
    let work = Work::new(alterer, request, Limit::Quick);
    let object = &difference.object;
    if difference.expected.is_none() {
        let statement = match object.kind {
            ObjectKind::Column => {
                format!("ALTER TABLE {} DROP COLUMN {}", work.sql(object.owner()), quoted(&object.name))
            }
            _ => part::drop_statement(&work, object, alterer.made(object).unwrap_or_default()),
        };
        return Some(format!("write a migration that makes it, or run by hand what takes it away: {statement}"));
    }
    if difference.kind == DifferenceKind::PartitionKey {
        let how =
            "PostgreSQL cannot divide a table otherwise: make a new one with that key, copy the rows and rename it";
        return Some(how.to_owned());
    }
    if let Some(statement) = types::renamed(&work, object) {
        return Some(format!("it seems to have another name now; if so, run by hand: {statement}"));
    }
    let statements: Vec<String> =
        Work::new(alterer, request, Limit::None).plan().into_iter().map(|one| one.sql).collect();
    if !statements.is_empty() {
        let large = if Work::new(alterer, request, Limit::Quick).plan().is_empty() {
            "the table is large, and the statement keeps everybody waiting while it goes through the rows; when \
             nothing else uses it, run by hand: "
        } else {
            "run by hand: "
        };
        return Some(format!("{large}{}", statements.join("; ")));
    }
    let found = difference.found.as_deref().unwrap_or_default();
    let name = work.sql(&object.name);
    match object.kind {
        ObjectKind::Type if found.starts_with("ENUM") => Some(format!(
            "PostgreSQL takes no value from an enum: ALTER TYPE {name} RENAME TO a name that is free, make the type \
             again, and convert each column with ALTER TABLE … ALTER COLUMN … TYPE {name} USING …::text::{name}"
        )),
        ObjectKind::Type => {
            Some(format!("look whether the values are needed, then ALTER TYPE {name} DROP ATTRIBUTE …"))
        }
        _ => None,
    }
}
