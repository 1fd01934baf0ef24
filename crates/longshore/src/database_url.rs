use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// The database: `sqlite:PATH`, a bare path, or `postgres://…`.
///
/// After `//`, one slash belongs to the URL, as in SQLAlchemy and Django: `sqlite:///a.db` is relative and
/// `sqlite:////a.db` absolute. A bare path is used unchanged, whatever characters it contains.
///
/// `postgres:` and `postgresql:` are read as libpq reads them, with its environment variables and files. They need the
/// feature `postgres`.
///
/// ```
/// use longshore::DatabaseUrl;
///
/// let url: DatabaseUrl = "sqlite:////var/lib/app.db?mode=rwc".parse()?;
/// assert_eq!(url.path().and_then(|path| path.to_str()), Some("/var/lib/app.db"));
/// # Ok::<(), longshore::InvalidDatabaseUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(Box<longshore_postgres::PostgresUrl>),
}

/// The text names no database that this build supports.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDatabaseUrl {
    /// It is empty.
    #[error("the database has no name: expected sqlite:PATH, a path or postgres://…")]
    Empty,
    /// It names a PostgreSQL server, and this build has only SQLite.
    #[error("this build of longshore has no PostgreSQL")]
    WithoutPostgres,
    /// It names a file, and this build has only PostgreSQL.
    #[error("this build of longshore has no SQLite")]
    WithoutSqlite,
    /// It names a PostgreSQL server in a way that cannot be understood.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] longshore_postgres::InvalidPostgresUrl),
    /// The scheme is unknown.
    #[error("\"{scheme}:\" is not a supported kind of database: expected sqlite:PATH, a path or postgres://…")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// It names a database in memory, which would end with this process.
    #[error("a database in memory would end with this process")]
    Memory,
    /// It has parameters that are not supported.
    #[error("\"?{parameters}\" is not supported: expected only sqlite:PATH")]
    Parameters {
        /// The text after the question mark.
        parameters: String,
    },
    /// A percent sign is part of the path for some libraries, and an escape for others.
    #[error("\"{escape}\" could be a character or an escape: expected a path without percent escapes after sqlite:")]
    Escape {
        /// The first possible escape.
        escape: String,
    },
    /// It is not UTF-8.
    #[error("the database's path is not UTF-8")]
    NotUtf8,
    /// It has a user, a password or a host, which a file does not have. The error does not repeat them.
    #[error("a SQLite URL names a file, but this one has a user or a password before a host")]
    Credentials,
    /// It contains a NUL character, which no path can contain.
    #[error("the database's path has a NUL character")]
    Nul,
    /// It is a folder.
    #[error("{} is a folder, not a database file", .path.display())]
    Folder {
        /// The path.
        path: PathBuf,
    },
}

impl InvalidDatabaseUrl {
    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WithoutPostgres | Self::WithoutSqlite => "unsupported_database",
            _ => "invalid_database",
        }
    }

    /// What the user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "rename it, or name a symbolic link to it whose path is UTF-8",
            Self::WithoutPostgres => {
                "build it with the feature `postgres`, or name a file, such as sqlite:longshore.db"
            }
            Self::WithoutSqlite => {
                "build it with the feature `sqlite`, or name a server, such as postgres://localhost/app"
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => error.hint(),
            Self::Folder { .. } => "name a file in it, such as longshore.db",
            Self::Escape { .. } => "write only the path, without \"sqlite:\"; a path is used unchanged",
            _ => "such as sqlite:longshore.db",
        }
    }
}

/// Parameters in URLs of other libraries that ask for what Longshore does anyway.
const HARMLESS_PARAMETERS: [&str; 2] = ["mode=rwc", "mode=rw"];

/// The parameters that SQLite itself knows.
const SQLITE_PARAMETERS: [&str; 7] = ["cache", "immutable", "mode", "modeof", "nolock", "psow", "vfs"];

impl DatabaseUrl {
    /// The file; `None` if the database is on a server.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
        }
    }

    /// Whether both certainly name one database: the same file, under whatever names, or the same URL of a server. Two
    /// URLs that differ may still name one database of a server. It opens nothing.
    pub fn is_same_database(&self, other: &Self) -> bool {
        match (self.path(), other.path()) {
            (Some(path), Some(other)) => is_same_file(path, other),
            _ => self == other,
        }
    }
}

/// By its place too, because a file that is still to be created has no identity.
fn is_same_file(path: &Path, other: &Path) -> bool {
    place_of(path) == place_of(other) || has_same_identity(path, other)
}

fn place_of(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(unix)]
fn has_same_identity(path: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    identity(path).is_some_and(|found| identity(other) == Some(found))
}

#[cfg(not(unix))]
fn has_same_identity(_path: &Path, _other: &Path) -> bool {
    false
}

impl fmt::Display for DatabaseUrl {
    /// The path, or the server and the database without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if is_postgres(text) {
            return postgres(text);
        }
        let path = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => sqlite_path(scheme, rest)?,
            _ => text,
        };
        if path == ":memory:" {
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
        Ok(Self::Sqlite(path))
    }
}

/// Whether the scheme is `postgres` or `postgresql`, perhaps with a driver as in `postgresql+psycopg`.
fn is_postgres(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| matches!(scheme.split('+').next(), Some("postgres" | "postgresql")))
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    Ok(DatabaseUrl::Postgres(Box::new(text.parse()?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
    Err(InvalidDatabaseUrl::WithoutPostgres)
}

fn sqlite_path<'a>(scheme: &str, rest: &'a str) -> Result<&'a str, InvalidDatabaseUrl> {
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" | "sqlite3" => {}
        _ => return Err(InvalidDatabaseUrl::Scheme { scheme: scheme.to_owned() }),
    }
    let (path, parameters) = rest.split_once('?').map_or((rest, None), |(path, rest)| (path, Some(rest)));
    if let Some(parameters) = parameters
        && !parameters.split('&').all(|parameter| HARMLESS_PARAMETERS.contains(&parameter))
    {
        return Err(InvalidDatabaseUrl::Parameters { parameters: without_secrets(parameters) });
    }
    if has_credentials(rest) {
        return Err(InvalidDatabaseUrl::Credentials);
    }
    let path = match path.strip_prefix("//") {
        Some(path) => path.strip_prefix('/').unwrap_or(path),
        None => path,
    };
    if path.starts_with("file:") {
        return Err(InvalidDatabaseUrl::Scheme { scheme: "file".to_owned() });
    }
    match escape(path) {
        Some(escape) => Err(InvalidDatabaseUrl::Escape { escape: escape.to_owned() }),
        None => Ok(path),
    }
}

/// Whether the text has `USER:PASSWORD@` where other URLs have it.
fn has_credentials(rest: &str) -> bool {
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split('/').next());
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'))
}

/// The parameters, with the values only of those that SQLite knows. Any other value may be a secret.
fn without_secrets(parameters: &str) -> String {
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if !SQLITE_PARAMETERS.contains(&name) => format!("{name}=…"),
        _ => parameter.to_owned(),
    };
    parameters.split('&').map(shown).collect::<Vec<_>>().join("&")
}

/// The first percent sign followed by two hexadecimal digits.
fn escape(path: &str) -> Option<&str> {
    path.match_indices('%').find_map(|(at, _)| {
        let escape = path.get(at..at + 3)?;
        escape[1..].bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(escape)
    })
}

/// A scheme has at least two letters, so that `C:\jobs.db` is a path. It has no dot, so that `a.b:c` is one.
fn is_scheme(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PathBuf {
        text.parse::<DatabaseUrl>().unwrap_or_else(|error| panic!("{text}: {error}")).path().expect("a file").to_owned()
    }

    #[test]
    fn a_url_and_a_bare_path_name_the_same_file() {
        let relative = ["jobs.db", "sqlite:jobs.db", "sqlite://jobs.db", "sqlite:///jobs.db", "SQLite:jobs.db"];
        for text in relative {
            assert_eq!(path(text), Path::new("jobs.db"), "{text}");
            if text.contains(':') {
                assert_eq!(path(&format!("{text}?mode=rwc")), Path::new("jobs.db"), "{text}");
                assert_eq!(path(&format!("{text}?mode=rw")), Path::new("jobs.db"), "{text}");
            }
        }
        for text in ["/a/jobs.db", "sqlite:/a/jobs.db", "sqlite:////a/jobs.db", "sqlite:////a/jobs.db?mode=rwc"] {
            assert_eq!(path(text), Path::new("/a/jobs.db"), "{text}");
        }
    }

    #[test]
    fn a_file_is_the_same_database_under_each_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| DatabaseUrl::Sqlite(folder.path().join(name));
        // Before the file exists.
        assert!(url("a.db").is_same_database(&url("./a.db")));
        assert!(!url("a.db").is_same_database(&url("b.db")));
        std::fs::write(folder.path().join("a.db"), "").unwrap();
        assert!(url("a.db").is_same_database(&url("./a.db")));
        assert!(!url("a.db").is_same_database(&url("b.db")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("a.db"), folder.path().join("link.db")).unwrap();
            assert!(url("a.db").is_same_database(&url("link.db")));
        }
    }

    #[test]
    fn a_bare_path_is_taken_as_it_is() {
        for text in ["./odd:name.db", "a.b:c", "what?mode=rwc", "50%25.db", "100%.db", "C:\\jobs.db"] {
            assert_eq!(path(text), Path::new(text), "{text}");
        }
        assert_eq!(path("sqlite:100%.db"), Path::new("100%.db"));
    }

    #[test]
    fn a_password_is_never_repeated() {
        for text in [
            "postgres://user:se/cret@host/db",
            "mysql://user:secret@host/db",
            "sqlite://user:secret@host/db",
            "sqlite://user:secret@host",
            "sqlite://user:se%20cret@host/db",
            "sqlite:///a.db?password=secret",
            "sqlite:a.db?mode=rwc&key=secret",
            "user:secret@host/db",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err();
            assert!(!error.to_string().contains("cret") && !format!("{error:?}").contains("cret"), "{text}: {error}");
        }
        assert_eq!(path("sqlite://jobs@home.db"), Path::new("jobs@home.db"));
    }

    #[test]
    fn what_this_build_cannot_use_is_refused_before_anything_is_opened() {
        let scheme = |scheme: &str| InvalidDatabaseUrl::Scheme { scheme: scheme.to_owned() };
        let parameters = |text: &str| InvalidDatabaseUrl::Parameters { parameters: text.to_owned() };
        let refused = [
            ("mysql://localhost/jobs", scheme("mysql")),
            ("odd:name.db", scheme("odd")),
            ("file:app.db", scheme("file")),
            ("file::memory:", scheme("file")),
            ("sqlite:file:app.db", scheme("file")),
            ("", InvalidDatabaseUrl::Empty),
            ("sqlite:", InvalidDatabaseUrl::Empty),
            ("sqlite://", InvalidDatabaseUrl::Empty),
            ("sqlite:?mode=rwc", InvalidDatabaseUrl::Empty),
            (":memory:", InvalidDatabaseUrl::Memory),
            ("sqlite::memory:", InvalidDatabaseUrl::Memory),
            ("sqlite://:memory:", InvalidDatabaseUrl::Memory),
            ("sqlite:///:memory:", InvalidDatabaseUrl::Memory),
            ("sqlite:a.db?cache=shared", parameters("cache=shared")),
            ("sqlite:a.db?mode=ro", parameters("mode=ro")),
            ("sqlite:a.db?mode=memory", parameters("mode=memory")),
            ("sqlite:a.db?mode=rwc&cache=shared", parameters("mode=rwc&cache=shared")),
            ("sqlite:a.db?", parameters("")),
            ("sqlite:a%20b.db", InvalidDatabaseUrl::Escape { escape: "%20".to_owned() }),
            ("a\0b", InvalidDatabaseUrl::Nul),
            ("/", InvalidDatabaseUrl::Folder { path: PathBuf::from("/") }),
            ("sqlite:////", InvalidDatabaseUrl::Folder { path: PathBuf::from("/") }),
        ];
        for (text, expected) in refused {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(expected), "{text}");
        }
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_server_is_named_as_for_libpq_and_shown_without_its_password() {
        let driver = "postgresql+psycopg://user:secret@host:7/jobs";
        for text in ["postgres://user:secret@host:7/jobs", driver, "postgres:host=host port=7 dbname=jobs"] {
            let url: DatabaseUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.to_string().as_str(), url.path()), ("postgres://host:7/jobs", None), "{text}");
            assert!(!format!("{url:?}").contains("secret"), "{text}");
        }
        let unknown = "postgres://host/jobs?schema=a".parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(unknown.code(), "invalid_database");
        assert!(unknown.to_string().contains("\"schema\""), "{unknown}");
    }

    #[test]
    #[cfg(not(feature = "postgres"))]
    fn a_server_needs_the_feature() {
        for text in ["postgres://localhost/jobs", "postgresql://localhost/jobs", "postgres:app"] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(InvalidDatabaseUrl::WithoutPostgres), "{text}");
        }
    }
}
