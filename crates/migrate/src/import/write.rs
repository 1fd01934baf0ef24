//! Writes a new directory, whole or not at all.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

/// Writes `files` as the directory `target`, which must not exist. They are written beside it and renamed, so that a
/// process that is killed leaves no half of it under its name.
pub(super) fn write_directory(target: &Path, files: &[(String, String)]) -> io::Result<()> {
    let parent = target.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = parent.join(format!(".{name}.unfinished-{}", process::id()));
    fs::create_dir(&unfinished)?;
    let result = fill(&unfinished, files).and_then(|()| put_in_place(&unfinished, target));
    if result.is_err() {
        // The error is what must reach the user; what cannot be removed is hidden and harmless.
        let _ = fs::remove_dir_all(&unfinished);
    }
    result
}

fn fill(directory: &Path, files: &[(String, String)]) -> io::Result<()> {
    for (name, text) in files {
        let path: PathBuf = directory.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

fn put_in_place(from: &Path, target: &Path) -> io::Result<()> {
    // A rename replaces an empty directory without a word, and nothing else.
    if fs::symlink_metadata(target).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, target)
}
