//! Where names are looked for: stand-ins of real schemas, and the rest of the path.

use longshore_migrate::target::TargetError;

use super::Scratch;
use crate::{
    catalog::{Reach, quoted},
    target::rewrite::{path, target_schema},
    wire::{Param, Query},
};

impl Scratch {
    /// The rest of the search_path, and where extensions have their types and functions.
    pub(super) fn read_path(&mut self, current: &str) -> Result<(), TargetError> {
        let query = "SELECT nspname::text FROM (
                SELECT 1 AS rank, place, nspname
                FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (nspname, place)
                UNION ALL
                SELECT 2, 0, n.nspname
                FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            ) AS every WHERE nspname <> 'pg_catalog' ORDER BY rank, place, nspname";
        let extended = "SELECT DISTINCT n.nspname::text AS nspname
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace";
        let asked = self.wire.queries(vec![Query::new(query, Vec::new()), Query::new(extended, Vec::new())]);
        let answers = asked.map_err(|fault| self.failures.told("reading search_path", fault))?;
        let schemas = |at: usize| answers[at].iter().filter_map(|row| row.try_get::<_, String>(0).ok());
        let extended: Vec<String> = schemas(1).collect();
        for schema in schemas(0) {
            let is_own = schema == current || schema == self.names.queue();
            if is_own && !extended.contains(&schema) || self.rest_of_path.contains(&schema) {
                continue;
            }
            if is_own {
                self.guarded.push(schema.clone());
            }
            self.rest_of_path.push(schema);
        }
        Ok(())
    }

    pub(super) fn set_path(&mut self) -> Result<(), TargetError> {
        let current = self.names.in_database(self.names.current()).map(str::to_owned);
        let schemas: Vec<String> = current.into_iter().chain(self.rest_of_path.clone()).collect();
        self.run(format!("SET LOCAL search_path TO {}", path(&schemas)))
    }

    /// Makes the stand-in of a real schema.
    pub(super) fn stand_in(&mut self, real: &str) -> Result<(), TargetError> {
        if self.names.in_database(real).is_some() {
            return Ok(());
        }
        let name = format!("{}_{}x", self.prefix, self.count);
        self.count += 1;
        self.run(format!("CREATE SCHEMA {}", quoted(&name)))?;
        self.names.stand_in(&name, real);
        self.known.add(real);
        self.reach = Reach::Everything;
        Ok(())
    }

    /// A schema that is in the database although no migration made it: what migrations make in it is theirs.
    pub(super) fn stand_in_for_target(&mut self, statement: &str) -> Result<(), TargetError> {
        let Some(schema) = target_schema(statement) else { return Ok(()) };
        let is_system = schema.starts_with("pg_") || schema == "information_schema";
        if is_system || self.names.in_database(&schema).is_some() || self.names.schemas().contains(&schema) {
            return Ok(());
        }
        let query = Query::new("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", vec![Param::text(&schema)]);
        let found = self.wire.query(query).map_err(|fault| self.failures.told("reading schemas", fault))?;
        if found.is_empty() { Ok(()) } else { self.stand_in(&schema) }
    }
}
