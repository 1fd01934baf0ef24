//! What other programs write into the tables.

mod foreign;
mod plain_sql;
mod stuck;
