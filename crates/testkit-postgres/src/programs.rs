use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the server binaries.
#[derive(Debug, Clone)]
pub(crate) struct ServerPrograms {
    folder: PathBuf,
}

impl ServerPrograms {
    /// `LONGSHORE_TEST_POSTGRES_BIN`, else the newest version in `/usr/lib/postgresql`, else a folder in `PATH`.
    pub(crate) fn find() -> Self {
        if let Some(folder) = std::env::var_os("LONGSHORE_TEST_POSTGRES_BIN") {
            let folder = PathBuf::from(folder);
            assert!(
                folder.join("initdb").is_file(),
                "LONGSHORE_TEST_POSTGRES_BIN is {}, which has no initdb: name the folder of the server binaries",
                folder.display()
            );
            return Self { folder };
        }
        let folder = newest_of_debian().or_else(|| folder_in_path("initdb"));
        Self {
            folder: folder.expect("no PostgreSQL server found: install Debian's package postgresql, or set LONGSHORE_TEST_POSTGRES_BIN to the folder of initdb"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Where a program of `PATH` or of the system's folders is.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    let folder = folder_in_path(name).or_else(|| {
        let system = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
        system.into_iter().find(|folder| folder.join(name).is_file())
    });
    let folder = folder.unwrap_or_else(|| panic!("the program {name} is missing: install Debian's package {package}"));
    folder.join(name)
}

/// Runs a command to its end; a failure is a panic with all that it printed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let folder = entry.ok()?;
            let version: u32 = folder.file_name().to_str()?.parse().ok()?;
            let bin = folder.path().join("bin");
            bin.join("initdb").is_file().then_some((version, bin))
        })
        .max()
        .map(|(_, bin)| bin)
}

fn folder_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let program = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())?;
    // Beside a link there may be no other programs of the server.
    let program = program.canonicalize().ok()?;
    program.parent().map(Path::to_path_buf)
}
