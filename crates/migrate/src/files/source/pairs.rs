//! Puts the files of a directory together into migrations; everything else becomes a finding.

use std::collections::BTreeMap;

use super::{Content, RawFile, file_name::FileName, new_pair};
use crate::{
    files::migration::{Body, Direction, Migration, MigrationId},
    files::script::{Dialect, Script, ScriptError},
    import,
    import::{Guess, Skipped, why_skipped},
    report::finding::{Finding, FindingKind},
};

pub(super) struct Read {
    pub(super) migrations: Vec<Migration>,
    pub(super) unrecognised: Vec<String>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) findings: Vec<Finding>,
}

/// A half of a pair that was read.
struct Half {
    file: String,
    name: String,
    script: Script,
}

pub(super) fn read(dialect: Dialect, source: &str, files: Vec<RawFile>) -> Read {
    let mut read = Read { migrations: Vec::new(), unrecognised: Vec::new(), skipped: Vec::new(), findings: Vec::new() };
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut ups: Vec<(i64, Half)> = Vec::new();
    let mut downs: BTreeMap<i64, Vec<Half>> = BTreeMap::new();
    for file in files {
        if let Some(reason) = reason_to_skip(&file) {
            read.skipped.push(Skipped { name: file.name, reason });
            continue;
        }
        match half(dialect, &file, &names) {
            Ok((name, half)) if name.direction == Direction::Up => ups.push((name.number, half)),
            Ok((name, half)) => downs.entry(name.number).or_default().push(half),
            Err(finding) => {
                if finding.kind == FindingKind::UnrecognisedFile {
                    read.unrecognised.push(file.name.clone());
                }
                read.findings.push(*finding);
            }
        }
    }
    ups.sort_by_key(|(number, _)| *number);
    for (number, up) in ups {
        let down = downs.get_mut(&number).and_then(|halves| {
            let at = halves.iter().position(|half| half.name == up.name)?;
            Some(halves.remove(at).script)
        });
        read.migrations.push(Migration {
            id: MigrationId::new(source, number),
            name: up.name,
            origin: up.file,
            body: Body::Sql { up: up.script, down },
        });
    }
    read.findings.extend(duplicates(&read.migrations));
    read.findings.extend(downs.into_values().flatten().map(|half| alone(&half)));
    read
}

/// One finding for each number that two migrations share.
pub(super) fn duplicates(migrations: &[Migration]) -> Vec<Finding> {
    migrations
        .windows(2)
        .filter(|pair| pair[0].id == pair[1].id)
        .map(|pair| {
            let message =
                format!("{} and {} both have the number {}", pair[0].origin, pair[1].origin, pair[1].id.number);
            Finding::new(FindingKind::DuplicateNumber, pair[1].id.to_string(), message)
                .hint("give one of them a number of its own, at the place where it is to run")
        })
        .collect()
}

fn alone(half: &Half) -> Finding {
    Finding::new(FindingKind::UnpairedFile, &half.file, "this down has no up of the same number and name")
        .hint(format!("add {}", half.file.replace(".down.sql", ".up.sql")))
}

/// A pair as `new` made it, which nobody has filled yet, is skipped as well: it must not block the others.
fn reason_to_skip(file: &RawFile) -> Option<&'static str> {
    if let Some(reason) = why_skipped(&file.name) {
        return Some(reason);
    }
    let name = FileName::parse(&file.name);
    match (&file.content, name) {
        (Content::Special, None) => Some("no file, so it was not opened"),
        (Content::Bytes(bytes), Some(name)) if new_pair::is_blank(bytes, name.direction) => Some(new_pair::BLANK),
        _ => None,
    }
}

fn half(dialect: Dialect, file: &RawFile, others: &[&str]) -> Result<(FileName, Half), Box<Finding>> {
    let finding = |Guess { message, hint, remedy }| {
        Box::new(Finding::new(FindingKind::UnrecognisedFile, &file.name, message).hint(hint).remedy(remedy))
    };
    let unrecognised = || finding(import::recognise(file, others));
    let Content::Bytes(bytes) = &file.content else {
        return Err(unrecognised());
    };
    let Some(name) = FileName::parse(&file.name) else {
        return Err(unrecognised());
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        let finding = Finding::new(FindingKind::UnreadableScript, &file.name, "it is not UTF-8 text");
        return Err(Box::new(finding.hint(format!("save {} as UTF-8", file.name))));
    };
    // Our name round another tool's content would run its down section with its up.
    if let Some(tool) = import::holds_both(dialect, text, name.direction) {
        return Err(finding(import::both_halves(tool, &file.name)));
    }
    if import::has_breakpoints(text) {
        return Err(unrecognised());
    }
    let script = Script::parse_in(dialect, text).map_err(|error| Box::new(unreadable(&file.name, &error)))?;
    let half = Half { file: file.name.clone(), name: name.name.clone(), script };
    Ok((name, half))
}

fn unreadable(file: &str, error: &ScriptError) -> Finding {
    let kind = match error {
        ScriptError::Empty => FindingKind::EmptyMigration,
        _ => FindingKind::UnreadableScript,
    };
    let hint = match error {
        ScriptError::Empty => format!("write a statement into {file}, or delete it"),
        ScriptError::UnknownDirective { line, .. } | ScriptError::MisplacedDirective { line, .. } => {
            format!("correct line {line} of {file}")
        }
        ScriptError::OtherFiles { .. } => {
            format!("delete it, or say `-- longshore: other files` in {file} if it is meant")
        }
        ScriptError::NoRebuild { line } => format!("delete line {line} of {file}"),
        ScriptError::NeedsNoTransaction { .. } => {
            format!("put it into a file of its own that begins with `-- longshore: no transaction` ({file} does not)")
        }
        ScriptError::ClientCommand { .. } => {
            format!("delete it from {file}, and write rows as INSERT statements")
        }
        ScriptError::BeyondDatabase { .. } => format!("delete it from {file}"),
        ScriptError::Unclosed { .. } => format!("close it in {file}"),
        ScriptError::Zero { .. } => format!("save {file} as UTF-8"),
        ScriptError::TransactionControl { .. } => {
            format!(
                "delete it from {file}; begin the file with `-- longshore: no transaction` if it must not run in one"
            )
        }
    };
    Finding::new(kind, file, error.to_string()).hint(hint)
}
