//! What a migration may do beside the database that it is for. SQLite asks for each part of a statement.

use rusqlite::hooks::{AuthAction, Authorization};

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confinement {
    /// On the scratch database, which opens no file of any kind.
    Scratch,
    /// On the real database.
    Database {
        /// Whether the file declares that it reaches other files.
        other_files: bool,
    },
}

/// Pragmas that write the schema table, load code or say where SQLite opens files, for the whole process even.
const NEVER: [&str; 10] = [
    "writable_schema",
    "temp_store_directory",
    "data_store_directory",
    "lock_proxy_file",
    "activate_extensions",
    "key",
    "rekey",
    "hexkey",
    "hexrekey",
    "textkey",
];

/// Pragmas that would let the scratch database write a temporary file, or that bound the memory of the whole process.
const IDLE_ON_SCRATCH: [&str; 5] = ["temp_store", "mmap_size", "cache_spill", "soft_heap_limit", "hard_heap_limit"];

/// Functions that reach into the process or the file system. Only the first is compiled in; the others are those of
/// SQLite's shell and of well-known extensions, which an application may have registered for all its connections.
const FUNCTIONS: [&str; 6] = ["load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "lsdir"];

impl Confinement {
    pub(super) fn judge(self, action: &AuthAction<'_>) -> Authorization {
        match action {
            // An expression in place of the file's name, which SQLite knows only when the statement runs.
            AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => {
                self.judge_file(action)
            }
            AuthAction::Function { function_name } if is_one_of(&FUNCTIONS, function_name) => Authorization::Deny,
            AuthAction::Pragma { pragma_name, .. } => self.judge_pragma(pragma_name),
            _ => Authorization::Allow,
        }
    }

    fn judge_file(self, action: &AuthAction<'_>) -> Authorization {
        let Self::Database { other_files } = self else {
            return Authorization::Deny;
        };
        // VACUUM attaches a temporary database without a name.
        let is_of_vacuum = match action {
            AuthAction::Attach { filename } => filename.is_empty(),
            AuthAction::Detach { database_name } => database_name.starts_with("vacuum_"),
            _ => false,
        };
        if other_files || is_of_vacuum { Authorization::Allow } else { Authorization::Deny }
    }

    fn judge_pragma(self, pragma: &str) -> Authorization {
        if is_one_of(&NEVER, pragma) {
            return Authorization::Deny;
        }
        if self == Self::Scratch && is_one_of(&IDLE_ON_SCRATCH, pragma) {
            return Authorization::Ignore;
        }
        Authorization::Allow
    }
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}
