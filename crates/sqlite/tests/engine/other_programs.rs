//! What other programs write into the tables.

mod defaults;
mod foreign;
mod plain_sql;
mod stuck;
mod without_triggers;
