use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::error_report::command_error::CommandError;

/// Variables of the process, then those of a `.env` file. The process environment is never changed: `.env` only helps
/// to find the database and is not passed to command jobs.
pub(crate) struct Environment<P> {
    process: P,
    dotenv: HashMap<String, String>,
}

impl<P: Fn(&str) -> Option<OsString>> Environment<P> {
    /// Reads the `.env` file at `path`, if there is one.
    pub(crate) fn read(process: P, path: &Path) -> Result<Self, CommandError> {
        let dotenv = match dotenvy::from_path_iter(path) {
            Ok(lines) => lines.collect::<Result<_, _>>().map_err(|source| CommandError::Dotenv { source })?,
            Err(dotenvy::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(source) => return Err(CommandError::Dotenv { source }),
        };
        Ok(Self { process, dotenv })
    }

    /// The variable's value, unless it is unset or empty.
    pub(crate) fn var(&self, name: &str) -> Option<OsString> {
        let set = |word: &OsString| !word.is_empty();
        (self.process)(name).filter(set).or_else(|| self.dotenv.get(name).map(OsString::from).filter(set))
    }
}

/// A variable of this process, unless it is unset or empty. A value that is not UTF-8 is returned, so that the caller
/// can report it instead of using another value.
pub(crate) fn process_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|word| !word.is_empty())
}

/// The W3C trace context of whoever runs this program, which jobs are enqueued with.
pub(crate) fn traceparent() -> Option<String> {
    process_variable("TRACEPARENT")?.into_string().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_heard_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        std::fs::write(&path, "A=file\nB='from the file'\nC=\n").unwrap();
        let process = |name: &str| (name == "A").then(|| "process".into());
        let environment = Environment::read(process, &path).unwrap();
        assert_eq!(environment.var("A"), Some("process".into()));
        assert_eq!(environment.var("B"), Some("from the file".into()));
        assert_eq!((environment.var("C"), environment.var("D")), (None, None));
    }

    #[test]
    fn no_file_is_no_error_and_a_broken_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        assert!(Environment::read(|_: &str| None::<OsString>, &path).is_ok());
        std::fs::write(&path, "this is no assignment\n").unwrap();
        assert!(matches!(Environment::read(|_: &str| None::<OsString>, &path), Err(CommandError::Dotenv { .. })));
    }
}
