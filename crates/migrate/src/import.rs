//! Writes a directory of our format from another tool's.
//!
//! Everything that is known of other tools' files is here: [`LAYOUTS`] is the table of formats, `marker` reads the
//! comments that cut a file in two, `recognise` names what a stray file looks like, and [`import`] is the command. No
//! database is touched. Begin reading at [`import`].

mod adapt;
mod collect;
mod detect;
mod foreign;
mod format;
mod marker;
mod names;
mod number;
mod recognise;
mod sections;
mod skipped;
mod tree;
mod write;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub(crate) use recognise::{Guess, both_halves, recognise};
pub(crate) use sections::holds_both;
pub(crate) use skipped::why_skipped;
pub(crate) use tree::EntryKind;

pub use format::{Flag, Format, Halves, LAYOUTS, Layout, Order};
pub use skipped::Skipped;

use crate::{
    files::lint::is_gap,
    files::script::Dialect,
    files::source::{APP, Source, SourceError},
    report::finding::{Finding, FindingKind},
};
use adapt::{Adapted, Half, adapt};
use foreign::Foreign;
use tree::Tree;

/// What to import, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// The other tool's directory.
    pub source: PathBuf,
    /// Its format; found out where it is not given.
    pub format: Option<Format>,
    /// In whose words its statements are.
    pub dialect: Dialect,
    /// The new directory, which must not exist.
    pub target: PathBuf,
    /// Whether to write or only to show.
    pub mode: ImportMode,
}

/// Whether to write or only to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// Write.
    #[default]
    Write,
    /// Show what would be written.
    DryRun,
}

/// One migration that was imported, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportedMigration {
    /// Its file or directory in the other tool's directory.
    pub origin: String,
    /// The new up file.
    pub up: String,
    /// The new down file, where there is a down.
    pub down: Option<String>,
}

/// `migrate import`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Whether it was written or only shown.
    pub dry_run: bool,
    /// The format that was read.
    pub format: Format,
    /// The other tool's directory, which stays as it is.
    pub source: PathBuf,
    /// The new directory.
    pub directory: PathBuf,
    /// Each migration, in the order in which they run.
    pub migrations: Vec<ImportedMigration>,
    /// What is not as it was, in words.
    pub notes: Vec<String>,
    /// What was skipped.
    pub skipped: Vec<Skipped>,
}

/// Why nothing was imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The directory cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It holds nothing that can be imported.
    #[error("{} holds no migration that can be imported", directory.display())]
    Nothing {
        /// The directory.
        directory: PathBuf,
    },
    /// It is in our own format.
    #[error("{} is in Longshore's own format already", directory.display())]
    IsOurs {
        /// The directory.
        directory: PathBuf,
    },
    /// Several tools may have written it, and they read it differently.
    #[error("{} may be of {}, which read it differently", directory.display(), listed(candidates))]
    Ambiguous {
        /// The directory.
        directory: PathBuf,
        /// Which ones.
        candidates: Vec<Format>,
    },
    /// Files that cannot be imported.
    #[error("{}: {}{}", problems[0].subject, problems[0].message, more(problems.len()))]
    Unfit {
        /// Each of them, never empty.
        problems: Vec<Finding>,
    },
    /// Something has the name of the new directory.
    #[error("{} is there already", directory.display())]
    TargetExists {
        /// The new directory.
        directory: PathBuf,
    },
    /// The new directory would be one of the files to import.
    #[error("{} lies in the directory that is imported", directory.display())]
    TargetInside {
        /// The new directory.
        directory: PathBuf,
    },
    /// The new directory cannot be written.
    #[error("{} cannot be written: {source}", directory.display())]
    NotWritten {
        /// The new directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ImportError {
    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(_) => "source_unreadable",
            Self::Nothing { .. } => "nothing_to_import",
            Self::IsOurs { .. } => "own_format",
            Self::Ambiguous { .. } => "ambiguous_format",
            Self::Unfit { .. } => "not_importable",
            Self::TargetExists { .. } | Self::TargetInside { .. } => "target_exists",
            Self::NotWritten { .. } => "not_written",
        }
    }
}

/// Whether Drizzle's mark between statements is in the text.
pub(crate) fn has_breakpoints(text: &str) -> bool {
    text.contains(adapt::BREAKPOINT)
}

fn listed(formats: &[Format]) -> String {
    formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// Writes the migrations of `request.source` as a new directory. It keeps their order and their transaction bounds, and
/// their numbers where these say that order. After an error nothing is written; no database is touched in any case.
pub fn import(request: &ImportRequest) -> Result<ImportReport, ImportError> {
    refuse_target(request)?;
    let tree = Tree::read(&request.source, request.dialect)?;
    let format = match request.format {
        Some(format) => format,
        None => detect(&request.source, &tree)?,
    };
    let mut collection = collect::collect(format, &tree);
    let migrations = ordered(std::mem::take(&mut collection.migrations), &mut collection.problems);
    let notes = std::mem::take(&mut collection.notes);
    let mut draft = Draft { dialect: request.dialect, notes, ..Draft::default() };
    for migration in migrations {
        draft.add(migration, &mut collection.problems);
    }
    if !collection.problems.is_empty() {
        return Err(ImportError::Unfit { problems: collection.problems });
    }
    if draft.migrations.is_empty() {
        return Err(ImportError::Nothing { directory: request.source.clone() });
    }
    let files = draft.name_files(format)?;
    refuse_unreadable(request.dialect, &files)?;
    if request.mode == ImportMode::Write {
        write::write_directory(&request.target, &files).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => ImportError::TargetExists { directory: request.target.clone() },
            _ => ImportError::NotWritten { directory: request.target.clone(), source },
        })?;
    }
    Ok(ImportReport {
        dry_run: request.mode == ImportMode::DryRun,
        format,
        source: request.source.clone(),
        directory: request.target.clone(),
        migrations: draft.imported,
        notes: draft.notes,
        skipped: tree.skipped.into_iter().filter(|skipped| !is_read(&skipped.name, format)).collect(),
    })
}

/// What is skipped elsewhere is read by these two.
fn is_read(name: &str, format: Format) -> bool {
    matches!((name, format), ("meta", Format::Drizzle) | ("migration_lock.toml", Format::Prisma))
}

fn refuse_target(request: &ImportRequest) -> Result<(), ImportError> {
    let directory = request.target.clone();
    if fs::symlink_metadata(&directory).is_ok() {
        return Err(ImportError::TargetExists { directory });
    }
    let parent = directory.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = |path: &Path| fs::canonicalize(path).ok();
    if let (Some(parent), Some(source)) = (whole(parent), whole(&request.source))
        && parent.starts_with(source)
    {
        return Err(ImportError::TargetInside { directory });
    }
    Ok(())
}

fn detect(directory: &Path, tree: &Tree) -> Result<Format, ImportError> {
    let candidates: Vec<Format> = detect::candidates(tree).into_iter().collect();
    if let [format] = candidates[..] {
        // Whatever we read as it is needs no import, whichever tool wrote it.
        let has_pairs = matches!(format, Format::GolangMigrate | Format::Sqlx);
        if has_pairs && Source::directory_in(tree.dialect, APP, directory)?.findings().is_empty() {
            return Err(ImportError::IsOurs { directory: directory.to_owned() });
        }
        return Ok(format);
    }
    if !candidates.is_empty() {
        return Err(ImportError::Ambiguous { directory: directory.to_owned(), candidates });
    }
    let problems: Vec<Finding> = Source::directory_in(tree.dialect, APP, directory)?.findings().to_vec();
    if problems.is_empty() {
        return Err(ImportError::Nothing { directory: directory.to_owned() });
    }
    Err(ImportError::Unfit { problems })
}

fn ordered(migrations: Vec<Foreign>, problems: &mut Vec<Finding>) -> Vec<Foreign> {
    foreign::ordered(migrations).unwrap_or_else(|origins| {
        let message = "it depends on a migration that is not there, or on itself by way of others";
        problems.extend(origins.into_iter().map(|origin| Finding::new(FindingKind::UnrecognisedFile, origin, message)));
        Vec::new()
    })
}

/// The migrations with their texts, before they have names.
#[derive(Default)]
struct Draft {
    dialect: Dialect,
    migrations: Vec<Foreign>,
    texts: Vec<(String, Option<String>)>,
    imported: Vec<ImportedMigration>,
    notes: Vec<String>,
}

impl Draft {
    fn add(&mut self, migration: Foreign, problems: &mut Vec<Finding>) {
        let mut adapted = |half: &Half, what: &str| {
            adapt(self.dialect, half).unwrap_or_else(|error| {
                let message = format!("its {what}: {error}");
                problems.push(Finding::new(FindingKind::UnreadableScript, &migration.origin, message));
                None
            })
        };
        let up = adapted(&migration.up, "up");
        let down = migration.down.as_ref().and_then(|half| adapted(half, "down"));
        let notes = [&up, &down].into_iter().flatten().flat_map(|adapted: &Adapted| adapted.notes.iter());
        for note in notes.collect::<std::collections::BTreeSet<_>>() {
            self.notes.push(format!("{}: {note}", migration.origin));
        }
        match (up, down) {
            (Some(up), down) => {
                self.texts.push((up.text, down.map(|down| down.text)));
                self.migrations.push(migration);
            }
            (None, None) => self.notes.push(format!("{}: left out, because it has no statement", migration.origin)),
            (None, Some(_)) => {
                let message = "it has a down, but its up has no statement";
                problems.push(Finding::new(FindingKind::EmptyMigration, &migration.origin, message));
            }
        }
    }

    fn name_files(&mut self, format: Format) -> Result<Vec<(String, String)>, ImportError> {
        let numbers = number::number(format, &self.migrations).map_err(|(first, second)| {
            let message = format!("it has the same number as {first}");
            ImportError::Unfit { problems: vec![Finding::new(FindingKind::DuplicateNumber, second, message)] }
        })?;
        self.notes.extend(numbers.why_new.map(|why| format!("the numbers are new, because {why}")));
        let mut files = Vec::new();
        let mut before: Option<i64> = None;
        for ((migration, digits), (mut up, down)) in
            self.migrations.iter().zip(&numbers.digits).zip(self.texts.drain(..))
        {
            let number: Option<i64> = digits.parse().ok();
            if let (Some(before), Some(number)) = (before, number)
                && is_gap(before, number)
            {
                up = following(&up, before);
                let note = format!(
                    "{}: there is no number between {before} and {number}; its file declares that",
                    migration.origin
                );
                self.notes.push(note);
            }
            before = number;
            let stem = format!("{digits}_{}", names::fitting(&migration.name));
            let name = |half: &str| format!("{stem}.{half}.sql");
            self.imported.push(ImportedMigration {
                origin: migration.origin.clone(),
                up: name("up"),
                down: down.as_ref().map(|_| name("down")),
            });
            files.push((name("up"), up));
            files.extend(down.map(|text| (name("down"), text)));
        }
        Ok(files)
    }
}

/// The text with the directive that says which number comes before. sqlx looks for its own at the very beginning.
fn following(text: &str, before: i64) -> String {
    let directive = format!("-- longshore: follows {before}\n");
    match text.split_once('\n') {
        Some((first, rest)) if first == "-- no-transaction" => format!("{first}\n{directive}{rest}"),
        _ => format!("{directive}{text}"),
    }
}

/// The new directory is read as it would be from the disk: what we refuse there is refused before it is written.
fn refuse_unreadable(dialect: Dialect, files: &[(String, String)]) -> Result<(), ImportError> {
    let texts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let problems = Source::embedded_in(dialect, APP, &texts).findings().to_vec();
    if problems.is_empty() { Ok(()) } else { Err(ImportError::Unfit { problems }) }
}
