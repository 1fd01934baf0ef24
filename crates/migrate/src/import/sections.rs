//! Cuts a file with an up and a down section in two.

use super::{
    adapt::closed,
    format::{Flag, Format},
    marker::{Mark, Marker, marker},
};
use crate::{
    files::migration::Direction,
    files::script::{Dialect, ScriptError, pieces_in},
};

/// The two halves of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) up: Section,
    pub(super) down: Section,
}

/// One half, as its own text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) text: String,
    /// Whether it must not run in a transaction.
    pub(super) is_bare: bool,
    is_there: bool,
}

/// Why a file cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CutError {
    #[error("it has no marker of an up section")]
    NoUp,
    #[error("line {line}: there is a statement before the up section, where {tool} does not run it")]
    BeforeUp { line: usize, tool: Format },
    #[error("line {line}: there is a second up section")]
    SecondUp { line: usize },
    #[error("line {line}: the down section is before the up section")]
    DownFirst { line: usize },
    #[error("line {line}: there is white space before the marker, so {tool} takes it for a comment")]
    Indented { line: usize, tool: Format },
    #[error("line {line}: this is a marker of {other}, and the others are of {tool}")]
    OtherTool { line: usize, other: Format, tool: Format },
    #[error(
        "line {line}: environment variables are put into the statements from here, and what they hold is not known"
    )]
    Substitution { line: usize },
    #[error("line {line}: StatementBegin and StatementEnd do not pair")]
    Unpaired { line: usize },
    #[error("{0}")]
    Script(#[from] ScriptError),
}

/// Which tool's sections the file has; the generic ones only where no tool's own are.
pub(super) fn tool_of(text: &str) -> Option<Format> {
    let tools = || text.lines().filter_map(marker).map(|marker| marker.tool);
    tools().find(|tool| *tool != Format::Sections).or_else(|| has_generic_down(text).then_some(Format::Sections))
}

fn has_generic_down(text: &str) -> bool {
    text.lines().filter_map(marker).any(|marker| marker.mark == Mark::Section(Direction::Down))
}

/// Whether a file that should hold one half of a migration holds both, so that it must not run as one: it has markers
/// of a tool, or statements are in a section of the other direction.
pub(crate) fn holds_both(dialect: Dialect, text: &str, direction: Direction) -> Option<Format> {
    let tool = text.lines().filter_map(marker).map(|marker| marker.tool).find(|tool| *tool != Format::Sections);
    if tool.is_some() {
        return tool;
    }
    let is_other =
        |line: &str| matches!(marker(line).map(|it| it.mark), Some(Mark::Section(found)) if found != direction);
    if !text.lines().any(is_other) {
        return None;
    }
    // A text that cannot be cut is refused for that.
    let pieces = pieces_in(dialect, text).ok()?;
    let mut current = direction;
    for (line, number) in text.lines().zip(1..) {
        if let Some(Marker { mark: Mark::Section(found), .. }) = marker(line) {
            current = found;
        }
        if current != direction && pieces.iter().any(|piece| piece.statement.line == number) {
            return Some(Format::Sections);
        }
    }
    None
}

/// Cuts `text` by the markers of `tool`.
pub(super) fn cut(dialect: Dialect, tool: Format, text: &str) -> Result<Sections, CutError> {
    let mut cutter = Cutter { dialect, tool, sections: Sections::default(), current: None, statement: None };
    for (line, number) in text.lines().zip(1..) {
        match marker(line).filter(|it| it.tool == tool || it.tool != Format::Sections) {
            Some(marker) => cutter.obey(&marker, number)?,
            None => cutter.take(line, number)?,
        }
    }
    cutter.end(text.lines().count())
}

struct Cutter {
    dialect: Dialect,
    tool: Format,
    sections: Sections,
    current: Option<Direction>,
    /// Where in the current half the statement between StatementBegin and StatementEnd begins.
    statement: Option<usize>,
}

impl Cutter {
    fn half(&mut self) -> &mut Section {
        match self.current {
            Some(Direction::Down) => &mut self.sections.down,
            _ => &mut self.sections.up,
        }
    }

    fn obey(&mut self, marker: &Marker<'_>, line: usize) -> Result<(), CutError> {
        let tool = self.tool;
        if marker.tool != tool {
            return Err(CutError::OtherTool { line, other: marker.tool, tool });
        }
        if marker.is_indented && tool != Format::Sections {
            return Err(CutError::Indented { line, tool });
        }
        match marker.mark {
            Mark::Section(direction) => self.begin(direction, marker.options, line),
            Mark::StatementBegins if self.statement.is_none() => {
                self.statement = Some(self.half().text.len());
                Ok(())
            }
            Mark::StatementEnds => {
                let start = self.statement.take().ok_or(CutError::Unpaired { line })?;
                let dialect = self.dialect;
                let half = self.half();
                let statement = half.text.split_off(start);
                half.text.push_str(&closed(dialect, &statement)?);
                Ok(())
            }
            Mark::StatementBegins => Err(CutError::Unpaired { line }),
            Mark::NoTransaction => {
                self.sections.up.is_bare = true;
                self.sections.down.is_bare = true;
                Ok(())
            }
            Mark::Substitution => Err(CutError::Substitution { line }),
            Mark::Other => Ok(()),
        }
    }

    fn begin(&mut self, direction: Direction, options: &str, line: usize) -> Result<(), CutError> {
        if self.statement.is_some() {
            return Err(CutError::Unpaired { line });
        }
        // sql-migrate joins sections of one direction; the others know one of each, the up first.
        let is_strict = matches!(self.tool, Format::Goose | Format::Dbmate);
        if is_strict && direction == Direction::Up && self.sections.up.is_there {
            return Err(CutError::SecondUp { line });
        }
        if is_strict && direction == Direction::Down && !self.sections.up.is_there {
            return Err(CutError::DownFirst { line });
        }
        let Flag::Marker(flag) = self.tool.layout().flag else {
            return self.enter(direction, false);
        };
        let is_bare = options.split_whitespace().any(|option| option == flag);
        self.enter(direction, is_bare)
    }

    fn enter(&mut self, direction: Direction, is_bare: bool) -> Result<(), CutError> {
        // The last statement of a section may lack its semicolon.
        let dialect = self.dialect;
        let half = self.half();
        half.text = closed(dialect, &half.text)?;
        self.current = Some(direction);
        let half = self.half();
        half.is_there = true;
        half.is_bare |= is_bare;
        Ok(())
    }

    fn take(&mut self, line: &str, number: usize) -> Result<(), CutError> {
        let is_comment = line.trim().is_empty() || line.trim_start().starts_with("--");
        // The generic form may begin with the up itself, without a marker.
        if self.current.is_none() && !is_comment && self.tool != Format::Sections {
            return Err(CutError::BeforeUp { line: number, tool: self.tool });
        }
        let half = self.half();
        half.text.push_str(line);
        half.text.push('\n');
        Ok(())
    }

    fn end(self, line: usize) -> Result<Sections, CutError> {
        if self.statement.is_some() {
            return Err(CutError::Unpaired { line });
        }
        if !self.sections.up.is_there && self.tool != Format::Sections {
            return Err(CutError::NoUp);
        }
        Ok(self.sections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(tool: Format, text: &str) -> (String, String) {
        let sections = cut(Dialect::Sqlite, tool, text).unwrap();
        (sections.up.text, sections.down.text)
    }

    #[test]
    fn goose_sections_are_cut_and_statements_closed() {
        let text = "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\nCREATE TABLE a (b) -- c\n\
             -- +goose StatementEnd\nCREATE TABLE d (e);\n-- +goose Down\nDROP TABLE a;\n";
        let sections = cut(Dialect::Sqlite, Format::Goose, text).unwrap();
        assert_eq!(sections.up.text, "CREATE TABLE a (b); -- c\nCREATE TABLE d (e);\n");
        assert_eq!(sections.down.text, "DROP TABLE a;\n");
        assert!(sections.up.is_bare && sections.down.is_bare);
    }

    #[test]
    fn each_section_of_dbmate_and_sql_migrate_has_its_own_flag() {
        let sections = cut(
            Dialect::Sqlite,
            Format::Dbmate,
            "-- migrate:up transaction:false\nVACUUM;\n-- migrate:down\nSELECT 1;\n",
        )
        .unwrap();
        assert!(sections.up.is_bare && !sections.down.is_bare);
        let sections = cut(
            Dialect::Sqlite,
            Format::SqlMigrate,
            "-- +migrate Up\nSELECT 1;\n-- +migrate Down notransaction\nVACUUM;\n",
        )
        .unwrap();
        assert!(!sections.up.is_bare && sections.down.is_bare);
    }

    #[test]
    fn the_generic_form_needs_no_marker_of_the_up() {
        let (up, down) =
            halves(Format::Sections, "CREATE TABLE a (b);\n---- create above / drop below ----\nDROP TABLE a;\n");
        assert_eq!((up.as_str(), down.as_str()), ("CREATE TABLE a (b);\n", "DROP TABLE a;\n"));
        let (up, down) = halves(Format::Sections, "-- Up\nCREATE TABLE a (b);\n-- Down\nDROP TABLE a;");
        assert_eq!((up.as_str(), down.as_str()), ("CREATE TABLE a (b);\n", "DROP TABLE a;\n"));
    }

    #[test]
    fn what_its_tool_would_read_otherwise_is_refused() {
        let refused = |tool, text: &str| cut(Dialect::Sqlite, tool, text).unwrap_err().to_string();
        assert!(
            refused(Format::Goose, "SELECT 1;\n-- +goose Up\nSELECT 2;")
                .contains("line 1: there is a statement before")
        );
        assert!(refused(Format::Goose, "-- +goose Up\nSELECT 2;\n  -- +goose Down\nSELECT 3;").contains("white space"));
        assert!(refused(Format::Goose, "-- +goose Up\n-- +goose Up\n").contains("second up"));
        assert!(refused(Format::Goose, "-- +goose Up\n-- +goose ENVSUB ON\n").contains("environment"));
        assert!(refused(Format::Goose, "-- +goose Up\n-- +goose StatementBegin\nSELECT 1").contains("do not pair"));
        assert!(refused(Format::Dbmate, "-- migrate:down\n-- migrate:up\n").contains("before the up"));
        assert!(refused(Format::Goose, "-- +goose Up\n-- migrate:down\n").contains("marker of dbmate"));
    }

    #[test]
    fn both_halves_in_one_file_are_noticed_and_a_heading_is_not_taken_for_them() {
        let up = |text| holds_both(Dialect::Sqlite, text, Direction::Up);
        assert_eq!(up("-- Up\nCREATE TABLE a (b);\n-- Down\nDROP TABLE a;"), Some(Format::Sections));
        assert_eq!(up("CREATE TABLE a (b);\n-- //@UNDO\nDROP TABLE a;"), Some(Format::Sections));
        assert_eq!(up("-- +migrate Up\nCREATE TABLE a (b);\n"), Some(Format::SqlMigrate));
        assert_eq!(up("-- Up\nCREATE TABLE a (b);\n-- Down\n-- DROP TABLE a;\n"), None);
        assert_eq!(up("-- Up\nCREATE TABLE a (b);\n"), None);
        assert_eq!(holds_both(Dialect::Sqlite, "-- Down\nDROP TABLE a;\n", Direction::Down), None);
        assert_eq!(
            holds_both(Dialect::Sqlite, "-- Up\nSELECT 1;\n-- Down\nDROP TABLE a;\n", Direction::Down),
            Some(Format::Sections)
        );
    }

    #[test]
    fn statements_of_postgres_are_cut_by_its_own_rules() {
        let text = "-- migrate:up\nCREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END\n\
             -- migrate:down\nDO $do$ BEGIN PERFORM E'it\\'s; -- no'; /* a /* b */ ; */ END $do$\n";
        let sections = cut(Dialect::Postgres, Format::Dbmate, text).unwrap();
        assert!(sections.up.text.ends_with("SELECT 2; END;\n"), "{}", sections.up.text);
        let both = "-- Up\nDO $$ BEGIN END $$;\n-- Down\nDROP TABLE a;\n";
        assert_eq!(holds_both(Dialect::Postgres, both, Direction::Up), Some(Format::Sections));
    }
}
