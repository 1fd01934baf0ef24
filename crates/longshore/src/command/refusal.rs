use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use longshore_core::{Failure, FailureType};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::CommandSpec;

/// The longest first line that Linux reads.
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Whether the cause may pass: files, processes or memory are short, or the program file is being written.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    let passes = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY];
    Errno::from_io_error(error).is_some_and(|errno| passes.contains(&errno))
}

/// The failure for a program that cannot be started.
///
/// `key` is the setting that names it.
pub(crate) fn failure(spec: &CommandSpec, key: &str, error: &io::Error) -> Failure {
    let program = spec.run.first().map_or("", String::as_str);
    if let Some(failure) = spec.directory.as_deref().and_then(directory_failure) {
        return failure;
    }
    let interpreter = located(spec, program).and_then(|path| interpreter_of(&path).map(|found| (path, found)));
    match (error.kind(), interpreter) {
        (ErrorKind::NotFound, Some((path, interpreter))) => missing_interpreter(&path, interpreter),
        (ErrorKind::NotFound, None) => {
            let message = format!("{program} was not found: check `{key}` of the job type");
            Failure::new(FailureType::ConfigError, message)
        }
        (ErrorKind::PermissionDenied, Some((path, Interpreter::Named(interpreter)))) if may_be_executed(&path) => {
            let message = format!(
                "{} cannot be started: its first line names {interpreter:?}, which cannot be executed ({error})",
                path.display()
            );
            Failure::new(FailureType::PermissionError, message)
        }
        (ErrorKind::PermissionDenied, _) => not_executable(program, error),
        _ if Errno::from_io_error(error) == Some(Errno::NOEXEC) => not_executable(program, error),
        (kind, _) => Failure::new(FailureType::of_io(kind), format!("{program} cannot be started: {error}")),
    }
}

fn not_executable(program: &str, error: &io::Error) -> Failure {
    let message = format!("{program} cannot be executed ({error}): check its permissions and its first line");
    Failure::new(FailureType::PermissionError, message)
}

fn directory_failure(directory: &Path) -> Option<Failure> {
    let named = "check `directory` of the job type";
    match std::fs::metadata(directory) {
        Ok(found) if !found.is_dir() => {}
        Ok(_) => {
            let error = io::Error::from(access(directory, Access::EXEC_OK).err()?);
            let message = format!("{} cannot be entered ({error}): {named}", directory.display());
            return Some(Failure::new(FailureType::PermissionError, message));
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let message = format!("{} cannot be reached ({error}): {named}", directory.display());
            return Some(Failure::new(FailureType::PermissionError, message));
        }
        Err(_) => {}
    }
    let message = format!("{} is not a directory: {named}", directory.display());
    Some(Failure::new(FailureType::ConfigError, message))
}

/// What an existing program file needs to be started.
enum Interpreter {
    /// The interpreter that its first line names.
    Named(String),
    /// It is machine code, which names its loader inside.
    Loader,
}

fn missing_interpreter(path: &Path, interpreter: Interpreter) -> Failure {
    let path = path.display();
    let message = match interpreter {
        Interpreter::Named(name) if name.ends_with('\r') => format!(
            "{path} cannot be started: its first line names the interpreter {name:?}, because its lines end as on \
             Windows: save it with Unix line ends"
        ),
        Interpreter::Named(name) => format!(
            "{path} cannot be started: its first line names the interpreter {name:?}, which was not found: install \
             it, or correct that line"
        ),
        Interpreter::Loader => format!(
            "{path} exists, but the loader or library that it needs was not found: it was built for another system"
        ),
    };
    Failure::new(FailureType::ConfigError, message)
}

/// The file that the operating system tried to run, if it exists.
fn located(spec: &CommandSpec, program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        let path = spec.directory.as_deref().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        return path.is_file().then_some(path);
    }
    let variable = spec.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"))?;
    std::env::split_paths(&variable).map(|folder| folder.join(program)).find(|path| may_be_executed(path))
}

fn may_be_executed(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn interpreter_of(path: &Path) -> Option<Interpreter> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let Some(line) = bytes.strip_prefix(b"#!") else { return Some(Interpreter::Loader) };
    let line = line.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    // The kernel treats a carriage return as part of the name, not as a blank.
    let word = line.trim_matches([' ', '\t']).split([' ', '\t']).next()?;
    Some(Interpreter::Named(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn refused(run: &str, directory: Option<&Path>, errno: Errno) -> Failure {
        let spec = CommandSpec { directory: directory.map(Path::to_owned), ..CommandSpec::new([run]) };
        failure(&spec, "run", &errno.into())
    }

    #[test]
    fn a_program_that_cannot_be_started_is_told_apart() {
        let missing = refused("nothing-of-that-name", None, Errno::NOENT);
        assert_eq!(missing.failure_type, FailureType::ConfigError);
        assert!(missing.message.contains("`run` of the job type"), "{missing}");
        let denied = refused("/etc/passwd", None, Errno::ACCESS);
        assert_eq!(denied.failure_type, FailureType::PermissionError);
        let lost = refused("true", Some("/no/such/place".as_ref()), Errno::NOENT);
        assert_eq!(lost.message, "/no/such/place is not a directory: check `directory` of the job type");
    }

    #[test]
    fn what_passes_is_told_apart_from_what_somebody_has_to_mend() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::TXTBSY] {
            assert!(is_passing(&errno.into()), "{errno}");
        }
        for errno in
            [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::PERM, Errno::NOTDIR, Errno::LOOP, Errno::TOOBIG]
        {
            assert!(!is_passing(&errno.into()), "{errno}");
            let failure = refused("report", None, errno);
            assert!(failure.message.contains(": "), "it says what to correct: {failure}");
        }
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_is_named_with_the_interpreter() {
        let place = tempfile::tempdir().unwrap();
        let table = [
            ("#!/no/such/python3 -u\n", "\"/no/such/python3\", which was not found"),
            ("#! /bin/sh\r\n", "\"/bin/sh\\r\", because its lines end as on Windows"),
            ("\x7fELF", "the loader or library that it needs was not found"),
        ];
        for (text, expected) in table {
            let script = place.path().join("script");
            std::fs::write(&script, text).unwrap();
            std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
            for (run, directory) in [(script.to_str().unwrap(), None), ("./script", Some(place.path()))] {
                let failure = refused(run, directory, Errno::NOENT);
                assert_eq!(failure.failure_type, FailureType::ConfigError);
                assert!(failure.message.contains(expected) && failure.message.contains("/script"), "{failure}");
            }
        }
    }
}
