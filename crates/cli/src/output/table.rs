use std::fmt::Write;
use std::ops::Range;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Width};
use console::{measure_text_width, style};

/// A table for people. On a terminal it fits the width; elsewhere its cells are separated by tabs and nothing is cut.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
    text: Vec<usize>,
    optional: Vec<usize>,
    state: Option<usize>,
    is_wrapped: bool,
}

/// The terminal that a table is printed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// The number of characters in a line.
    pub(crate) width: usize,
    /// Whether to colour heads and states.
    pub(crate) has_colour: bool,
}

/// Spaces between two columns.
const GAP: usize = 2;
/// A text column is not made narrower than this while another column can be left out.
const TEXT_MIN: usize = 14;
/// A text column is never narrower than this.
const TEXT_LEAST: usize = 6;
/// The maximum number of characters in a cell; `jobs show` prints the full text.
const CELL_CHARS_MAX: usize = 500;

impl Table {
    /// An empty table with these column heads.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
            right: Vec::new(),
            text: Vec::new(),
            optional: Vec::new(),
            state: None,
            is_wrapped: false,
        }
    }

    /// Aligns these number columns to the right.
    #[must_use]
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Columns that are cut if a line would be too long.
    #[must_use]
    pub(crate) fn text(mut self, columns: &[usize]) -> Self {
        self.text = columns.to_vec();
        self
    }

    /// Columns that are left out: the first ones if a line would be too long, and any with equal values in all rows.
    #[must_use]
    pub(crate) fn optional(mut self, columns: &[usize]) -> Self {
        self.optional = columns.to_vec();
        self
    }

    /// The column with a status, which gets a colour.
    #[must_use]
    pub(crate) fn state(mut self, column: usize) -> Self {
        self.state = Some(column);
        self
    }

    /// Continues long text on the next line instead of cutting it. For values that no other command shows.
    #[must_use]
    pub(crate) fn wrapped(mut self) -> Self {
        self.is_wrapped = true;
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        let chars_max = if self.is_wrapped { usize::MAX } else { CELL_CHARS_MAX };
        self.rows.push(cells.iter().map(|cell| one_line(cell, chars_max)).collect());
    }

    /// One line for each row with its cells separated by tabs; the heads first.
    pub(crate) fn to_tabs(&self) -> String {
        let mut text = self.heads.join("\t") + "\n";
        for row in &self.rows {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", row.join("\t"));
        }
        text
    }

    /// Aligned columns within the screen's width.
    pub(crate) fn to_screen(&self, screen: Screen) -> String {
        let equal = self.equal_columns();
        let shown = self.shown_columns(screen.width, &equal);
        let widths = self.widths(&shown, screen.width);
        let mut text = String::new();
        for (index, line) in self.lay_out(&shown, &widths).lines().enumerate() {
            let line = line.trim_end();
            let line = match screen.has_colour {
                true if index == 0 => style(line).bold().force_styling(true).to_string(),
                true => self.colour(line, &shown, &widths),
                false => line.to_owned(),
            };
            let _ = writeln!(text, "{line}");
        }
        for line in self.in_all_rows(&equal, screen.width) {
            let _ = writeln!(text, "{}", style(line).dim().force_styling(screen.has_colour));
        }
        text
    }

    /// The heads and the rows as lines within this width. A column with equal values stays, so that a table that is
    /// drawn again and again keeps its columns.
    pub(crate) fn to_lines(&self, width: usize) -> Vec<TableLine> {
        let shown = self.shown_columns(width, &[]);
        let widths = self.widths(&shown, width);
        let text = self.lay_out(&shown, &widths);
        let line = |(index, text): (usize, &str)| {
            let text = text.trim_end().to_owned();
            let state = if index == 0 { None } else { self.state_within(&text, &shown, &widths) };
            TableLine { text, state }
        };
        text.lines().enumerate().map(line).collect()
    }

    /// The optional columns with equal values in all rows. None if there is only one row.
    fn equal_columns(&self) -> Vec<usize> {
        let Some((first, others)) = self.rows.split_first().filter(|(_, others)| !others.is_empty()) else {
            return Vec::new();
        };
        let mut equal: Vec<usize> = self.optional.clone();
        equal.retain(|column| others.iter().all(|row| row[*column] == first[*column]));
        equal.sort_unstable();
        equal
    }

    /// The values of the columns that are equal in all rows, in lines that fit.
    fn in_all_rows(&self, equal: &[usize], width: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for column in equal.iter().filter(|column| !matches!(self.rows[0][**column].as_str(), "" | "-")) {
            let fact = format!("{} {}", self.heads[*column].to_lowercase(), self.rows[0][*column]);
            match lines.last_mut() {
                Some(line) if measure_text_width(line) + measure_text_width(&fact) + GAP <= width => {
                    let _ = write!(line, ", {fact}");
                }
                _ => lines.push(one_line(&format!("in all rows: {fact}"), width)),
            }
        }
        lines
    }

    /// The shown columns, in order.
    fn shown_columns(&self, width: usize, equal: &[usize]) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.heads.len()).filter(|column| !equal.contains(column)).collect();
        for column in &self.optional {
            let least = shown.iter().map(|column| self.least_width(*column, TEXT_MIN) + GAP).sum::<usize>();
            if least <= width + GAP {
                break;
            }
            shown.retain(|kept| kept != column);
        }
        shown
    }

    fn least_width(&self, column: usize, text: usize) -> usize {
        let whole = self.whole_width(column);
        if self.text.contains(&column) { whole.min(text.max(self.heads[column].len())) } else { whole }
    }

    fn whole_width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
        cells.max(self.heads[column].len())
    }

    /// The width of each shown column: that of its content. If that is too much, the widest text column is made
    /// narrower.
    fn widths(&self, shown: &[usize], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = shown.iter().map(|column| self.whole_width(*column)).collect();
        let room = width.saturating_sub(GAP * shown.len().saturating_sub(1));
        loop {
            let excess = widths.iter().sum::<usize>().saturating_sub(room);
            let least = |index: &usize| self.least_width(shown[*index], TEXT_LEAST);
            let widest =
                (0..shown.len()).filter(|index| widths[*index] > least(index)).max_by_key(|index| widths[*index]);
            let (1.., Some(widest)) = (excess, widest) else {
                return widths;
            };
            widths[widest] -= 1;
        }
    }

    fn lay_out(&self, shown: &[usize], widths: &[usize]) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(shown.iter().map(|column| self.heads[*column]));
        for row in &self.rows {
            let mut row = Row::from(shown.iter().map(|column| row[*column].as_str()));
            if !self.is_wrapped {
                row.max_height(1);
            }
            table.add_row(row);
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            let gap = if index + 1 == shown.len() { 0 } else { GAP };
            column.set_padding((0, u16::try_from(gap).unwrap_or(u16::MAX)));
            let width = u16::try_from(widths[index] + gap).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            if self.right.contains(&shown[index]) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    /// The line with a coloured status.
    fn colour(&self, line: &str, shown: &[usize], widths: &[usize]) -> String {
        let Some(Range { start, end }) = self.state_within(line, shown, widths) else {
            return line.to_owned();
        };
        format!("{}{}{}", &line[..start], colour_of(&line[start..end]), &line[end..])
    }

    /// The bytes of the line that are the status.
    fn state_within(&self, line: &str, shown: &[usize], widths: &[usize]) -> Option<Range<usize>> {
        let place = self.state.and_then(|state| shown.iter().position(|column| *column == state))?;
        let before: usize = widths[..place].iter().map(|width| width + GAP).sum();
        let (head, rest) = split_at_width(line, before);
        Some(head.len()..head.len() + rest.find(' ').unwrap_or(rest.len()))
    }
}

/// A line of a table, and where its status is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableLine {
    /// The line, without colours.
    pub(crate) text: String,
    /// The bytes of the status.
    pub(crate) state: Option<Range<usize>>,
}

fn split_at_width(line: &str, width: usize) -> (&str, &str) {
    let mut ends = line.char_indices().map(|(at, c)| at + c.len_utf8());
    let at = if width == 0 { Some(0) } else { ends.find(|end| measure_text_width(&line[..*end]) >= width) };
    line.split_at(at.unwrap_or(line.len()))
}

/// What a status means to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Good; green.
    Good,
    /// In progress; cyan.
    Busy,
    /// Waits for a retry or a person; yellow.
    Waiting,
    /// Needs a person; red.
    Bad,
    /// Of little interest; dim.
    Faint,
    /// Anything else.
    Plain,
}

impl Tone {
    /// The tone of a status.
    pub(crate) fn of(state: &str) -> Self {
        match state {
            "completed" | "applied" | "alive" | "open" => Self::Good,
            "running" => Self::Busy,
            "retrying" | "paused" | "changed" => Self::Waiting,
            "dead_letter" | "dead" | "missing" | "crashed" | "failed" => Self::Bad,
            "cancelled" | "blocked" | "rolled_back" => Self::Faint,
            _ => Self::Plain,
        }
    }
}

fn colour_of(state: &str) -> String {
    let styled = style(state).force_styling(true);
    match Tone::of(state) {
        Tone::Good => styled.green(),
        Tone::Busy => styled.cyan(),
        Tone::Waiting => styled.yellow(),
        Tone::Bad => styled.red(),
        Tone::Faint => styled.dim(),
        Tone::Plain => styled,
    }
    .to_string()
}

/// A number of jobs, in words.
pub(crate) fn count_jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// Whether the character turns the order of the text after it around, so that a name could look like another one.
pub(crate) const fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text on one line of at most `chars_max` characters, without control characters.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            line.pop();
            line.push('…');
            break;
        }
        line.push(match c {
            c if c.is_control() => ' ',
            c if is_bidi_control(c) => '\u{fffd}',
            c => c,
        });
    }
    line
}

/// Text of several lines, without control characters that move the cursor.
pub(crate) fn printable(text: &str) -> String {
    let is_hidden = |c: char| is_bidi_control(c) || c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
