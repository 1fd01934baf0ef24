//! Comments with which other tools cut one file into an up and a down.

use super::format::Format;
use crate::files::migration::Direction;

/// What a line says to its tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A section begins.
    Section(Direction),
    /// What follows is one statement, whatever semicolons are in it.
    StatementBegins,
    /// Such a statement ends.
    StatementEnds,
    /// No transaction for the whole file.
    NoTransaction,
    /// Environment variables are put in place of `$NAME` from here.
    Substitution,
    /// Another word for the tool.
    Other,
}

/// A line that is for a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker<'a> {
    pub(crate) tool: Format,
    pub(crate) mark: Mark,
    /// What is after the section's name.
    pub(crate) options: &'a str,
    /// Whether white space is before it, so that its tool takes it for a comment.
    pub(crate) is_indented: bool,
}

/// The marker in one line of a file.
pub(crate) fn marker(line: &str) -> Option<Marker<'_>> {
    let trimmed = line.trim();
    let comment = trimmed.strip_prefix("--").or_else(|| trimmed.strip_prefix('#'))?;
    let is_indented = line.starts_with(char::is_whitespace);
    let text = comment.trim_start();
    let found = goose(text).or_else(|| sql_migrate(text)).or_else(|| dbmate(text)).or_else(|| any_other(comment))?;
    Some(Marker { is_indented, ..found })
}

fn found(tool: Format, mark: Mark, options: &str) -> Marker<'_> {
    Marker { tool, mark, options, is_indented: false }
}

fn goose(text: &str) -> Option<Marker<'_>> {
    let rest = without_prefix(text, "+goose")?;
    let mark = match rest.trim().to_ascii_lowercase().as_str() {
        "up" => Mark::Section(Direction::Up),
        "down" => Mark::Section(Direction::Down),
        "statementbegin" => Mark::StatementBegins,
        "statementend" => Mark::StatementEnds,
        "no transaction" => Mark::NoTransaction,
        word if word.starts_with("envsub") && word.ends_with("on") => Mark::Substitution,
        _ => Mark::Other,
    };
    Some(found(Format::Goose, mark, ""))
}

fn sql_migrate(text: &str) -> Option<Marker<'_>> {
    let rest = text.strip_prefix("+migrate")?.trim();
    let (word, options) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mark = match word {
        "Up" => Mark::Section(Direction::Up),
        "Down" => Mark::Section(Direction::Down),
        "StatementBegin" => Mark::StatementBegins,
        "StatementEnd" => Mark::StatementEnds,
        _ => Mark::Other,
    };
    Some(found(Format::SqlMigrate, mark, options))
}

fn dbmate(text: &str) -> Option<Marker<'_>> {
    let rest = text.strip_prefix("migrate:")?;
    let (word, options) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let direction = match word.trim_end() {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    Some(found(Format::Dbmate, Mark::Section(direction), options))
}

/// Words that stand before or behind `up` and `down` in the markers of some tool.
const AROUND: [&str; 13] = [
    "migrate",
    "migration",
    "migrations",
    "section",
    "script",
    "sql",
    "part",
    "begin",
    "rambler",
    "micrate",
    "goose",
    "dbmate",
    "step",
];

/// `-- Up`, `-- DOWN:`, `---- Down Migration ----`, `# --- !Ups`, `-- //@UNDO`, `-- rambler down` and their like: a
/// comment of nothing but the direction and words that say that it is one.
fn any_other(comment: &str) -> Option<Marker<'_>> {
    let words: Vec<String> = comment
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words == ["create", "above", "drop", "below"] {
        return Some(found(Format::Sections, Mark::Section(Direction::Down), ""));
    }
    let mut directions = words.iter().filter_map(|word| match *word {
        "up" | "ups" => Some(Direction::Up),
        "down" | "downs" | "undo" | "rollback" => Some(Direction::Down),
        _ => None,
    });
    let direction = directions.next()?;
    let is_alone = directions.next().is_none();
    let others = words.iter().filter(|word| !["up", "ups", "down", "downs", "undo", "rollback"].contains(*word));
    let is_marker = is_alone && words.len() <= 3 && others.into_iter().all(|word| AROUND.contains(word));
    is_marker.then(|| found(Format::Sections, Mark::Section(direction), ""))
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_marks_its_sections_in_its_own_way() {
        let (up, down) = (Direction::Up, Direction::Down);
        let table = [
            ("-- +goose Up", Format::Goose, up),
            ("-- +goose down", Format::Goose, down),
            ("-- migrate:up transaction:false", Format::Dbmate, up),
            ("--migrate:down", Format::Dbmate, down),
            ("-- +migrate Up notransaction", Format::SqlMigrate, up),
            ("-- Up", Format::Sections, up),
            ("-- DOWN:", Format::Sections, down),
            ("-- Up Migration", Format::Sections, up),
            ("-- Migration: Down", Format::Sections, down),
            ("---- Down ----", Format::Sections, down),
            ("# --- !Ups", Format::Sections, up),
            ("# --- !Downs", Format::Sections, down),
            ("-- //@UNDO", Format::Sections, down),
            ("-- rambler down", Format::Sections, down),
            ("-- +micrate Up", Format::Sections, up),
            ("---- create above / drop below ----", Format::Sections, down),
            ("-- ==== UP ====", Format::Sections, up),
        ];
        for (line, tool, direction) in table {
            let marker = marker(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((marker.tool, marker.mark), (tool, Mark::Section(direction)), "{line}");
        }
        assert_eq!(marker("-- migrate:up transaction:false").unwrap().options, "transaction:false");
    }

    #[test]
    fn a_sentence_is_no_marker() {
        for line in [
            "-- count up and down",
            "-- clean up the rows",
            "-- set up",
            "SELECT 1 -- Down",
            "-- roll it back",
            "--",
            "up",
        ] {
            assert_eq!(marker(line), None, "{line}");
        }
    }
}
