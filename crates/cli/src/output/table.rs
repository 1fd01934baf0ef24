use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};

/// A table for people: aligned columns, no borders, control characters made visible.
#[derive(Debug)]
pub(crate) struct Table {
    inner: comfy_table::Table,
    cell_chars_max: usize,
}

impl Table {
    /// An empty table with these column heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(heads);
        for column in inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { inner, cell_chars_max: CELL_CHARS_MAX }
    }

    /// Aligns these columns to the right.
    #[must_use]
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        for column in columns {
            if let Some(column) = self.inner.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Does not truncate cells. For values that no other command shows.
    #[must_use]
    pub(crate) fn uncut(mut self) -> Self {
        self.cell_chars_max = usize::MAX;
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.inner.add_row(cells.iter().map(|cell| one_line(cell, self.cell_chars_max)));
    }

    /// The text. It ends with a line feed, and no line has trailing spaces.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for line in self.inner.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The maximum width of a cell. `show` prints the full value.
const CELL_CHARS_MAX: usize = 60;

/// A number of jobs, in words.
pub(crate) fn count_jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
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
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// Text of several lines, without control characters that move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_has_no_borders() {
        let mut table = Table::new(&["ID", "TYPE"]).right(&[0]);
        table.row(&["7".to_owned(), "mail".to_owned()]);
        table.row(&["12".to_owned(), "thumbnail".to_owned()]);
        assert_eq!(table.render(), "ID  TYPE\n 7  mail\n12  thumbnail\n");
    }

    #[test]
    fn what_a_job_says_cannot_move_the_cursor() {
        assert_eq!(one_line("a\x1b[2J\nb", 60), "a [2J b");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(printable("a\x1b[2J\nb"), "a\u{fffd}[2J\nb");
    }
}
