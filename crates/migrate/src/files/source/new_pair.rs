//! The next empty up/down pair of a directory.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Source, SourceError};
use crate::files::migration::Direction;

/// Numbers at or above this are timestamps (the first second of the year 1900 as `YYYYMMDDHHMMSS`).
const FIRST_TIMESTAMP: i64 = 19_000_101_000_000;

/// What a new up file holds.
const UP: &str = "-- What this migration does. The pair is skipped until it has a statement.\n";
/// What a new down file holds.
const DOWN: &str = "-- What undoes it.\n";
/// Why such a file is skipped.
pub(crate) const BLANK: &str = "a new migration without a statement yet";

/// Whether a file is just as [`NewPair::create`] made it.
pub(super) fn is_blank(bytes: &[u8], direction: Direction) -> bool {
    let text = match direction {
        Direction::Up => UP,
        Direction::Down => DOWN,
    };
    bytes.trim_ascii() == text.trim().as_bytes()
}

/// The two files that were made. They hold a comment each, and are skipped until they have a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPair {
    /// The number that was given.
    pub number: i64,
    /// The up file.
    pub up: PathBuf,
    /// The down file.
    pub down: PathBuf,
}

impl NewPair {
    /// Makes the pair after the last one in `directory`, which is created if need be. Numbers continue as they are
    /// there: one more, of the same width, or a timestamp. Nothing that exists is overwritten.
    pub fn create(directory: &Path, name: &str, now: Timestamp) -> Result<Self, SourceError> {
        let unreadable = |source: io::Error| SourceError::Unreadable { path: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(unreadable)?;
        let source = Source::directory(super::APP, directory)?;
        let number = next_number(directory, &source, now)?;
        let digits = width(&source);
        let stem = format!("{number:0digits$}_{}", snake_case(name));
        let pair = Self {
            number,
            up: directory.join(format!("{stem}.up.sql")),
            down: directory.join(format!("{stem}.down.sql")),
        };
        write_new(&pair.up, UP).map_err(unreadable)?;
        write_new(&pair.down, DOWN).map_err(unreadable)?;
        Ok(pair)
    }
}

/// Pairs that are still empty count too, or a second `new` would give their number again.
fn next_number(directory: &Path, source: &Source, now: Timestamp) -> Result<i64, SourceError> {
    let entries =
        fs::read_dir(directory).map_err(|source| SourceError::Unreadable { path: directory.to_owned(), source })?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let files = names.filter_map(|name| super::file_name::FileName::parse(&name)).map(|name| name.number);
    let last = files.chain(source.migrations().iter().map(|migration| migration.id.number)).max().unwrap_or(0);
    if last < FIRST_TIMESTAMP {
        return Ok(last + 1);
    }
    let stamp = now.strftime("%Y%m%d%H%M%S").to_string();
    Ok(stamp.parse::<i64>().map_or(last + 1, |stamp| stamp.max(last + 1)))
}

fn width(source: &Source) -> usize {
    let digits = |origin: &str| origin.bytes().take_while(u8::is_ascii_digit).count();
    source.migrations().last().map_or(3, |migration| digits(&migration.origin))
}

fn snake_case(name: &str) -> String {
    let mut found = String::new();
    for letter in name.trim().chars() {
        if letter.is_alphanumeric() {
            found.extend(letter.to_lowercase());
        } else if !found.ends_with('_') && !found.is_empty() {
            found.push('_');
        }
    }
    let found = found.trim_end_matches('_');
    if found.is_empty() { "migration".to_owned() } else { found.to_owned() }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
