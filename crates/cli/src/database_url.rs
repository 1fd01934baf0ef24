use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// Where the jobs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    path: PathBuf,
}

/// Words that name no database that this program can use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum InvalidDatabaseUrl {
    /// It names nothing.
    #[error("the database has no name: expected sqlite:PATH or a path")]
    Empty,
    /// It is on a server that this program cannot speak to.
    #[error("this build of longshore has no PostgreSQL yet")]
    Postgres,
    /// It is of a kind that no build knows.
    #[error("\"{scheme}:\" is no database that longshore knows: expected sqlite:PATH or a path")]
    Scheme {
        /// The kind.
        scheme: String,
    },
    /// It would end with this process.
    #[error("a database in memory would end with this command")]
    Memory,
    /// It has parameters that we do not know.
    #[error("\"?{parameters}\" is not understood: expected sqlite:PATH alone")]
    Parameters {
        /// What follows the question mark.
        parameters: String,
    },
    /// It has a NUL, which no path has.
    #[error("the database's path has a NUL character")]
    Nul,
    /// It is to be made in a folder that is not there.
    #[error("there is no folder {} for the database", .folder.display())]
    NoFolder {
        /// Which one.
        folder: PathBuf,
    },
    /// It is a folder.
    #[error("{} is a folder, not a database file", .path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
    },
}

impl InvalidDatabaseUrl {
    /// A stable word for scripts.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Postgres => "unsupported_database",
            _ => "invalid_database",
        }
    }

    /// What to do next.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Postgres => "name a SQLite file, such as --database sqlite:longshore.db",
            Self::NoFolder { .. } => "create the folder, or check the path given with --database",
            Self::Folder { .. } => "name a file in it, such as longshore.db",
            _ => "such as --database sqlite:longshore.db",
        }
    }
}

/// What sqlx writes into its URLs, which changes nothing for us.
const HARMLESS_PARAMETERS: [&str; 2] = ["mode=rwc", "mode=rw"];

impl DatabaseUrl {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file could be made: SQLite makes files, but no folders.
    pub(crate) fn check_folder(&self) -> Result<(), InvalidDatabaseUrl> {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(InvalidDatabaseUrl::NoFolder { folder: folder.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(word: &str) -> Result<Self, InvalidDatabaseUrl> {
        let path = match word.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => sqlite_path(scheme, rest)?,
            _ => word,
        };
        if path == ":memory:" || path.starts_with("file:") {
            return Err(InvalidDatabaseUrl::Memory);
        }
        if path.is_empty() {
            return Err(InvalidDatabaseUrl::Empty);
        }
        if path.contains('\0') {
            return Err(InvalidDatabaseUrl::Nul);
        }
        let path = PathBuf::from(path);
        if path.is_dir() {
            return Err(InvalidDatabaseUrl::Folder { path });
        }
        Ok(Self { path })
    }
}

fn sqlite_path<'a>(scheme: &str, rest: &'a str) -> Result<&'a str, InvalidDatabaseUrl> {
    match scheme {
        "sqlite" | "sqlite3" => {}
        "postgres" | "postgresql" => return Err(InvalidDatabaseUrl::Postgres),
        _ => return Err(InvalidDatabaseUrl::Scheme { scheme: scheme.to_owned() }),
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path.split_once('?') {
        None => Ok(path),
        Some((path, parameters)) if HARMLESS_PARAMETERS.contains(&parameters) => Ok(path),
        Some((_, parameters)) => Err(InvalidDatabaseUrl::Parameters { parameters: parameters.to_owned() }),
    }
}

/// A scheme has two letters or more, so that `C:\jobs.db` is a path.
fn is_scheme(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) && !word.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_a_bare_path_name_the_same_file() {
        for word in ["sqlite:jobs.db", "sqlite://jobs.db", "jobs.db", "sqlite://jobs.db?mode=rwc"] {
            assert_eq!(word.parse::<DatabaseUrl>().unwrap().path(), Path::new("jobs.db"), "{word}");
        }
        assert_eq!("sqlite:///a/jobs.db".parse::<DatabaseUrl>().unwrap().path(), Path::new("/a/jobs.db"));
        assert_eq!("odd:name.db".parse::<DatabaseUrl>(), Err(InvalidDatabaseUrl::Scheme { scheme: "odd".to_owned() }));
        assert_eq!("./odd:name.db".parse::<DatabaseUrl>().unwrap().path(), Path::new("./odd:name.db"));
    }

    #[test]
    fn what_this_program_cannot_use_is_refused_before_anything_is_opened() {
        let refused = [
            ("postgres://localhost/jobs", InvalidDatabaseUrl::Postgres),
            ("postgresql://localhost/jobs", InvalidDatabaseUrl::Postgres),
            ("mysql://localhost/jobs", InvalidDatabaseUrl::Scheme { scheme: "mysql".to_owned() }),
            ("", InvalidDatabaseUrl::Empty),
            ("sqlite:", InvalidDatabaseUrl::Empty),
            (":memory:", InvalidDatabaseUrl::Memory),
            ("sqlite::memory:", InvalidDatabaseUrl::Memory),
            ("sqlite:a.db?cache=shared", InvalidDatabaseUrl::Parameters { parameters: "cache=shared".to_owned() }),
            ("/", InvalidDatabaseUrl::Folder { path: PathBuf::from("/") }),
        ];
        for (word, expected) in refused {
            assert_eq!(word.parse::<DatabaseUrl>(), Err(expected), "{word}");
        }
    }
}
