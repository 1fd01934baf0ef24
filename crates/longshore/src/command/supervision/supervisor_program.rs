use std::path::{Path, PathBuf};

use thiserror::Error;

/// The program that is started as the supervisor of each command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorProgram {
    path: PathBuf,
}

/// This program would start itself again instead of a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this program cannot supervise commands: call longshore::command::supervise_if_asked() as the first thing in \
     its main function"
)]
pub struct UnsupervisedProgram;

impl SupervisorProgram {
    /// This program itself, whose `main` has called [`supervise_if_asked`](super::supervise_if_asked).
    ///
    /// On Linux this works even if its file was replaced in the meantime; the supervisor has the same version as the
    /// worker.
    pub fn this_program() -> Result<Self, UnsupervisedProgram> {
        #[cfg(unix)]
        if !super::supervisor::is_called_by_main() {
            return Err(UnsupervisedProgram);
        }
        let own = Path::new("/proc/self/exe");
        if own.exists() {
            return Ok(Self { path: own.to_owned() });
        }
        std::env::current_exe().map(|path| Self { path }).map_err(|_| UnsupervisedProgram)
    }

    /// Another program whose `main` calls [`supervise_if_asked`](super::supervise_if_asked).
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
