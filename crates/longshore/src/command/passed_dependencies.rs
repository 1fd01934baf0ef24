use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use longshore_core::{Failure, FailureType};

use super::supervision::passed_file::PassedFile;
use super::supervision::protocol::{DEPENDENCIES_FILE_VARIABLE, DEPENDENCIES_VARIABLE};
use crate::workflow::DependencyList;

/// Linux lets one variable have 128 KiB. With a longer one the program could not be started at all.
const VARIABLE_BYTES_MAX: usize = 120 * 1024;

/// How a program gets what its job waited for. Dropping it removes the file.
pub(super) enum PassedDependencies {
    /// The job waited for nothing.
    Nothing,
    Variable(String),
    /// It is too long for a variable.
    File(PassedFile),
}

impl PassedDependencies {
    /// Writes the file, if one is needed, into this folder.
    pub(super) fn new(dependencies: &DependencyList, folder: &Path) -> io::Result<Self> {
        if dependencies.is_empty() {
            return Ok(Self::Nothing);
        }
        let json = serde_json::to_string(dependencies).expect("strings, numbers and JSON always encode");
        Self::of_json(json, folder)
    }

    fn of_json(json: String, folder: &Path) -> io::Result<Self> {
        if json.len() <= VARIABLE_BYTES_MAX {
            return Ok(Self::Variable(json));
        }
        Ok(Self::File(PassedFile::make(folder, json.as_bytes())?))
    }

    /// The failure of an attempt whose file cannot be written.
    pub(super) fn failure(folder: &Path, error: &io::Error) -> Failure {
        let message = format!(
            "what the job waited for cannot be passed to its program, because no file can be written in {} ({error}): \
             check TMPDIR of the worker",
            folder.display()
        );
        Failure::new(FailureType::of_io(error.kind()), message)
    }

    /// Sets one of the two variables, whatever the job type sets.
    pub(super) fn set_variable(&self, env: &mut BTreeMap<String, String>) {
        env.remove(DEPENDENCIES_VARIABLE);
        env.remove(DEPENDENCIES_FILE_VARIABLE);
        let (name, value) = match self {
            Self::Nothing => return,
            Self::Variable(json) => (DEPENDENCIES_VARIABLE, json.clone()),
            Self::File(file) => (DEPENDENCIES_FILE_VARIABLE, file.path().to_string_lossy().into_owned()),
        };
        env.insert(name.to_owned(), value);
    }

    /// The path of the file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file.path()),
            Self::Nothing | Self::Variable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_variable_is_a_file() {
        let forged = || BTreeMap::from([(DEPENDENCIES_FILE_VARIABLE.to_owned(), "forged".to_owned())]);
        let (mut short, mut long) = (forged(), forged());
        let folder = tempfile::tempdir().unwrap();
        let passed = PassedDependencies::of_json("{}".to_owned(), folder.path()).unwrap();
        passed.set_variable(&mut short);
        assert_eq!(passed.path(), None);
        assert_eq!(short, BTreeMap::from([(DEPENDENCIES_VARIABLE.to_owned(), "{}".to_owned())]));

        let json = " ".repeat(VARIABLE_BYTES_MAX + 1);
        let passed = PassedDependencies::of_json(json.clone(), folder.path()).unwrap();
        passed.set_variable(&mut long);
        let path = passed.path().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), json);
        let path = path.to_str().unwrap().to_owned();
        assert_eq!(long, BTreeMap::from([(DEPENDENCIES_FILE_VARIABLE.to_owned(), path)]));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_failure_that_names_the_folder() {
        let folder = Path::new("/no/such/folder");
        let json = " ".repeat(VARIABLE_BYTES_MAX + 1);
        let error = PassedDependencies::of_json(json, folder).err().unwrap();
        let failure = PassedDependencies::failure(folder, &error);
        assert_eq!(failure.failure_type, FailureType::SystemError);
        assert!(failure.message.contains("no file can be written in /no/such/folder (No such file"), "{failure}");
        let full = PassedDependencies::failure(folder, &io::ErrorKind::StorageFull.into());
        assert_eq!(full.failure_type, FailureType::ResourceError);
    }
}
