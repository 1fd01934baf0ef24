//! The tables that a virtual table keeps its content in. Its module makes and drops them.

/// The parts of each module that SQLite itself brings. Another module's tables are taken for tables of their own.
const PARTS: [(&[&str], &[&str]); 3] = [
    (&["fts5"], &["data", "idx", "content", "docsize", "config"]),
    (&["fts3", "fts4"], &["content", "segments", "segdir", "docsize", "stat"]),
    (&["rtree", "rtree_i32", "geopoly"], &["node", "rowid", "parent"]),
];

/// Whether `name`, without the name of the virtual table before it, is a part of that module's table.
pub(super) fn is_part(module: &str, name: &str) -> bool {
    PARTS.iter().any(|(modules, parts)| modules.contains(&module) && parts.contains(&name))
}
