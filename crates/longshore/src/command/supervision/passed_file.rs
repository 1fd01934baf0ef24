use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

/// A file for a program, which exists as long as its attempt.
///
/// Dropping it removes the file. Both sides hold one: the supervisor removes the file although the worker was killed,
/// and the worker although the supervisor was killed. The file stays only if both were killed, or the worker before the
/// supervisor had its order.
#[derive(Debug)]
pub(crate) struct PassedFile {
    path: PathBuf,
}

impl PassedFile {
    /// Makes the file in a folder, under a name that no other attempt has. Only the user of this process can read it.
    ///
    /// After an error there is no file.
    pub(crate) fn make(folder: &Path, content: &[u8]) -> io::Result<Self> {
        let name = format!("longshore-dependencies-{}-{:016x}", process::id(), fastrand::u64(..));
        // The program may have another working directory.
        let path = std::path::absolute(folder.join(name))?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let made = Self { path };
        file.write_all(content)?;
        Ok(made)
    }

    /// The file that the other side has made.
    pub(crate) const fn made_at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PassedFile {
    fn drop(&mut self) {
        // The other side may have removed it already.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_for_one_user_alone_and_gone_with_either_side() {
        let folder = tempfile::tempdir().unwrap();
        let made = PassedFile::make(folder.path(), b"{}").unwrap();
        let path = made.path().to_owned();
        assert!(path.is_absolute() && path.starts_with(folder.path()), "{}", path.display());
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(PassedFile::made_at(path.clone()));
        assert!(!path.exists());

        let other = PassedFile::make(folder.path(), b"{}").unwrap();
        assert_ne!(other.path(), path, "every attempt has its own");
        drop((made, other));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = PassedFile::make(&folder.path().join("missing"), b"{}").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
