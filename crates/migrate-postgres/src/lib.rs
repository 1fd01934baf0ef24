//! The target of migrations on PostgreSQL.
