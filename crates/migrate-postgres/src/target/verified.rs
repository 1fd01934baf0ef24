//! Remembers that a source was found in order, as one hash of everything that the finding depended on.
//!
//! Comparing the hash needs one look at the catalog and no replay. It is written in the transaction of a migrator that
//! has just compared everything; whatever changes afterwards changes the hash.

use longshore_migrate::{
    files::checksum::sha256_hex,
    ledger::OWN_TABLE,
    schema::ObjectName,
    target::{Session, TargetError, VerifiedSource},
};

use super::PostgresTarget;
use crate::wire::{Param, Query};

impl PostgresTarget {
    /// Whether nothing has changed since `source` was last found in order. Only reads.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_remembered(&mut self, source: &VerifiedSource) -> Result<bool, TargetError> {
        if !self.has_own_ledger()? {
            return Ok(false);
        }
        let sql = format!("SELECT fingerprint FROM {} WHERE source = $1", self.own(&format!("{OWN_TABLE}_verified")));
        let found = self.ask("reading what was verified", Query::new(sql, vec![Param::text(&source.name)]))?;
        let Some(remembered) = found.first().and_then(|row| row.try_get::<_, String>(0).ok()) else {
            return Ok(false);
        };
        Ok(remembered == self.fingerprint(source)?)
    }

    pub(super) fn remember(&mut self, source: &VerifiedSource) -> Result<(), TargetError> {
        if !self.has_own_ledger()? {
            return Ok(());
        }
        let fingerprint = self.fingerprint(source)?;
        let sql = format!(
            "INSERT INTO {} (source, fingerprint, at) VALUES ($1, $2, clock_timestamp())
             ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at",
            self.own(&format!("{OWN_TABLE}_verified"))
        );
        let params = vec![Param::text(&source.name), Param::text(fingerprint)];
        self.ask("remembering that the schema is in order", Query::new(sql, params)).map(|_| ())
    }

    /// Of the source's migrations, the ledger's rows, and everything that its tables mean. Other tables may come and go.
    fn fingerprint(&mut self, source: &VerifiedSource) -> Result<String, TargetError> {
        let sql = format!(
            "SELECT format('%s:%s:%s:%s', migration_number, rollback_at IS NULL, checksum, is_verified)
             FROM {} WHERE source = $1 ORDER BY migration_number",
            self.own(OWN_TABLE)
        );
        let rows = self.ask("reading the ledger", Query::new(sql, vec![Param::text(&source.name)]))?;
        let schema = self.observe()?;
        // A source that is in a schema of its own owns all of it, functions and types too.
        let own = format!("{}.", self.options.schema);
        let is_own = |name: &ObjectName| {
            name.owner().starts_with(&own) && source.tables.iter().any(|table| table.starts_with(&own))
        };
        let mut owners: Vec<&str> =
            schema.objects().map(|(name, _)| name).filter(|name| is_own(name)).map(ObjectName::owner).collect();
        owners.extend(source.tables.iter().map(String::as_str));
        owners.sort_unstable();
        owners.dedup();
        let mut text = format!("1\0{}\0", source.digest);
        for row in rows {
            text.push_str(&row.try_get::<_, String>(0).unwrap_or_default());
            text.push('\0');
        }
        text.push_str(&schema.only(owners).fingerprint());
        Ok(sha256_hex(text.as_bytes()))
    }
}
