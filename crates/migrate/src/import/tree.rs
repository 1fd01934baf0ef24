//! Reads the whole directory of another tool. Opens regular files only.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::skipped::{Skipped, why_skipped};
use crate::{
    files::script::Dialect,
    files::source::SourceError,
    report::finding::{Finding, FindingKind},
};

/// How deep directories are read.
const DEPTH_MAX: usize = 6;
/// How many files are read.
const FILES_MAX: usize = 100_000;
/// Files that set something for others, read although they are no migrations.
const SETTINGS: [&str; 2] = ["meta/_journal.json", "migration_lock.toml"];

/// What an entry of a directory is, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Directory,
    /// A link to what is not there.
    Dangling,
    /// A pipe, a socket or a device: to open it may wait forever.
    Special,
}

impl EntryKind {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => Ok(Self::File),
            Ok(found) if found.is_dir() => Ok(Self::Directory),
            Ok(_) => Ok(Self::Special),
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => Ok(Self::Dangling),
            Err(error) => Err(error),
        }
    }
}

/// A file with its path inside the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Parts with `/` between.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// The last part of its path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The directory that it is in, as a path; empty at the top.
    pub(super) fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// Everything in a directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) dialect: Dialect,
    /// By path.
    pub(super) files: Vec<File>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) skipped: Vec<Skipped>,
    /// What cannot be read as text.
    pub(super) problems: Vec<Finding>,
}

impl Tree {
    pub(super) fn read(directory: &Path, dialect: Dialect) -> Result<Self, SourceError> {
        let mut tree = Self { dialect, ..Self::default() };
        tree.read_into(directory, "", 0)?;
        for name in SETTINGS {
            let path = directory.join(name);
            if matches!(EntryKind::of(&path), Ok(EntryKind::File)) {
                let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
                tree.settings.insert(name.to_owned(), text);
            }
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.skipped.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tree)
    }

    fn read_into(&mut self, directory: &Path, prefix: &str, depth: usize) -> Result<(), SourceError> {
        for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
            let entry = entry.map_err(unreadable(directory))?.path();
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if let Some(reason) = why_skipped(&name) {
                self.skipped.push(Skipped { name: path, reason });
                continue;
            }
            match EntryKind::of(&entry).map_err(unreadable(&entry))? {
                EntryKind::Directory if depth + 1 < DEPTH_MAX => {
                    self.read_into(&entry, &format!("{path}/"), depth + 1)?;
                }
                EntryKind::Directory => self.refuse(&path, "it lies too deep"),
                EntryKind::Dangling => self.refuse(&path, "it is a link to a file that is not there"),
                EntryKind::Special => {
                    self.skipped.push(Skipped { name: path, reason: "no file, so it was not opened" });
                }
                EntryKind::File => self.read_file(&entry, path)?,
            }
        }
        Ok(())
    }

    fn read_file(&mut self, entry: &Path, path: String) -> Result<(), SourceError> {
        if self.files.len() == FILES_MAX {
            self.refuse(&path, "there are more files than are read");
            return Ok(());
        }
        match String::from_utf8(fs::read(entry).map_err(unreadable(entry))?) {
            Ok(text) => self.files.push(File { path, text }),
            Err(_) => self.refuse(&path, "it is not UTF-8 text"),
        }
        Ok(())
    }

    fn refuse(&mut self, path: &str, message: &str) {
        if self.problems.len() < 100 {
            self.problems.push(Finding::new(FindingKind::UnrecognisedFile, path, message));
        }
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> SourceError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| SourceError::Unreadable { path, source }
}
