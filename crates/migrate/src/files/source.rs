//! Where migrations come from: a directory, files in the binary, or code.

mod file_name;
mod new_pair;
mod pairs;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) use new_pair::BLANK;
pub use new_pair::NewPair;

use crate::{
    adoption::Adopter,
    files::checksum::sha256_hex,
    files::migration::{Body, CodeMigration, Direction, Migration, MigrationId},
    files::script::{Dialect, IntendedLoss, Script},
    import::{EntryKind, Skipped, why_skipped},
    report::finding::Finding,
};

/// The name of the built-in source, the queue's own tables.
pub const LONGSHORE: &str = "longshore";
/// The name of the user's directory.
pub const APP: &str = "app";

/// Under which numbers another manager may have run the very same migrations, before this program was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// The numbers.
    pub numbers: &'static [i64],
    /// The table that shows that it did.
    pub table: &'static str,
}

/// The migrations of one source in the order of their numbers, and what could not be read as one.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    directory: Option<PathBuf>,
    migrations: Vec<Migration>,
    unrecognised: Vec<String>,
    skipped: Vec<Skipped>,
    findings: Vec<Finding>,
    elsewhere: Option<Elsewhere>,
    adopter: Option<Arc<dyn Adopter>>,
}

/// Why a source cannot be looked at, at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The directory or a file in it cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The directory or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One file as it is in the directory, or an entry that is a directory itself.
#[derive(Debug, Clone)]
pub(crate) struct RawFile {
    pub(crate) name: String,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// A directory with the names of its entries.
    Directory(Vec<String>),
    /// A link to what is not there.
    Dangling,
    /// A pipe, a socket or a device, never opened.
    Special,
}

impl Source {
    /// Reads every entry of `path`, in SQLite's words. Whatever is not a migration is a finding, never a skip; only an
    /// unreadable directory or file is an error.
    pub fn directory(name: impl Into<String>, path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        Self::directory_in(Dialect::Sqlite, name, path)
    }

    /// [`Source::directory`] in those words.
    pub fn directory_in(
        dialect: Dialect,
        name: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Result<Self, SourceError> {
        let path = path.into();
        let files = read_directory(&path)?;
        let mut source = Self::from_files(dialect, name.into(), files);
        source.findings = source.findings.into_iter().map(|finding| finding.found_in(&path)).collect();
        source.directory = Some(path);
        Ok(source)
    }

    /// A source out of the binary, in SQLite's words: `(file name, text)`, named as they would be in a directory.
    pub fn embedded(name: impl Into<String>, files: &[(&str, &str)]) -> Self {
        Self::embedded_in(Dialect::Sqlite, name, files)
    }

    /// [`Source::embedded`] in those words.
    pub fn embedded_in(dialect: Dialect, name: impl Into<String>, files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(file, text)| RawFile { name: (*file).to_owned(), content: Content::Bytes(text.as_bytes().to_vec()) })
            .collect();
        Self::from_files(dialect, name.into(), files)
    }

    /// The same source with what one of its migrations loses on purpose, for a released file that cannot say so itself
    /// any more. `names` are as behind `-- longshore: loses`; one that is none is skipped.
    #[must_use]
    pub fn intending(mut self, number: i64, direction: Direction, names: &[&str]) -> Self {
        let migration = self.migrations.iter_mut().find(|migration| migration.id.number == number);
        if let Some(Body::Sql { up, down }) = migration.map(|migration| &mut migration.body) {
            let script = if direction == Direction::Up { Some(up) } else { down.as_mut() };
            if let Some(script) = script {
                script.intend(names.iter().filter_map(|name| IntendedLoss::parse(name)));
            }
        }
        self
    }

    /// A source of code migrations, sorted by number.
    pub fn code(name: impl Into<String>, migrations: Vec<Arc<dyn CodeMigration>>) -> Self {
        let name = name.into();
        let mut source = Self::from_files(Dialect::Sqlite, name.clone(), Vec::new());
        source.migrations = migrations
            .into_iter()
            .map(|code| Migration {
                id: MigrationId::new(&name, code.number()),
                name: code.name().to_owned(),
                origin: code.name().to_owned(),
                body: Body::Code(code),
            })
            .collect();
        source.migrations.sort_by_key(|migration| migration.id.number);
        source.findings = pairs::duplicates(&source.migrations);
        source
    }

    /// The same source, of which another manager may have run some migrations.
    #[must_use]
    pub fn known_elsewhere(mut self, elsewhere: Elsewhere) -> Self {
        self.elsewhere = Some(elsewhere);
        self
    }

    /// What another manager may have run of it.
    pub fn elsewhere(&self) -> Option<&Elsewhere> {
        self.elsewhere.as_ref()
    }

    /// The same source, whose tables another program may have made.
    #[must_use]
    pub fn adopting(mut self, adopter: Arc<dyn Adopter>) -> Self {
        self.adopter = Some(adopter);
        self
    }

    /// What knows the ancestors of its tables.
    pub fn adopter(&self) -> Option<&Arc<dyn Adopter>> {
        self.adopter.as_ref()
    }

    /// The source's name, the part of an id before the colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory it was read from.
    pub fn path(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Its migrations, by number.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// The migration of that number.
    pub fn migration(&self, number: i64) -> Option<&Migration> {
        let at = self.migrations.partition_point(|migration| migration.id.number < number);
        self.migrations.get(at).filter(|migration| migration.id.number == number)
    }

    /// Names of files that are not recognised; what each looks like is in its finding.
    pub fn unrecognised(&self) -> &[String] {
        &self.unrecognised
    }

    /// What is beside the migrations and is skipped, with the reason.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Everything that is wrong with the source itself; each one breaks the history.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A text that changes whenever one of its files does; none with code, whose text is not available.
    pub fn digest(&self) -> Option<String> {
        let mut text = String::new();
        for migration in &self.migrations {
            let Body::Sql { up, down } = &migration.body else { return None };
            let down = down.as_ref().map_or("", Script::text);
            for part in [&migration.id.number.to_string(), &migration.name, up.text(), down] {
                text.push_str(part);
                text.push('\0');
            }
        }
        Some(sha256_hex(text.as_bytes()))
    }

    fn from_files(dialect: Dialect, name: String, files: Vec<RawFile>) -> Self {
        let read = pairs::read(dialect, &name, files);
        Self {
            name,
            directory: None,
            migrations: read.migrations,
            unrecognised: read.unrecognised,
            skipped: read.skipped,
            findings: read.findings,
            elsewhere: None,
            adopter: None,
        }
    }
}

fn read_directory(path: &Path) -> Result<Vec<RawFile>, SourceError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| SourceError::Unreadable { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable(path))? {
        let entry = entry.map_err(unreadable(path))?.path();
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = content(&name, &entry).map_err(unreadable(&entry))?;
        files.push(RawFile { name, content });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// What is skipped by its name is not opened either: an editor's lock is a link to nowhere.
fn content(name: &str, entry: &Path) -> io::Result<Content> {
    if why_skipped(name).is_some() {
        return Ok(Content::Bytes(Vec::new()));
    }
    Ok(match EntryKind::of(entry)? {
        EntryKind::File => Content::Bytes(fs::read(entry)?),
        EntryKind::Directory => {
            let inside = fs::read_dir(entry)?;
            Content::Directory(
                inside.filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned())).collect(),
            )
        }
        EntryKind::Dangling => Content::Dangling,
        EntryKind::Special => Content::Special,
    })
}
