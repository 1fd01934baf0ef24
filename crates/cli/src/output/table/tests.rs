use super::*;

fn screen(width: usize) -> Screen {
    Screen { width, has_colour: false }
}

fn row(table: &mut Table, cells: &[&str]) {
    table.row(&cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
}

fn jobs() -> Table {
    let mut table =
        Table::new(&["ID", "TYPE", "STATUS", "QUEUE", "ABOUT"]).right(&[0]).text(&[1, 4]).optional(&[3]).state(2);
    row(&mut table, &["7", "mail", "retrying", "default", "cannot reach mx.example.org: connection refused"]);
    row(&mut table, &["12", "thumbnail", "dead_letter", "media", ""]);
    table
}

#[test]
fn without_a_terminal_cells_are_separated_by_tabs_and_nothing_is_cut() {
    let long = "x".repeat(300);
    let mut table = Table::new(&["ID", "ABOUT"]).right(&[0]).text(&[1]);
    row(&mut table, &["7", &long]);
    row(&mut table, &["12", "a\tb\nc"]);
    assert_eq!(table.to_tabs(), format!("ID\tABOUT\n7\t{long}\n12\ta b c\n"));
}

#[test]
fn a_table_is_aligned_and_has_no_borders() {
    let text = jobs().to_screen(screen(100));
    let expected = "\
ID  TYPE       STATUS       QUEUE    ABOUT
 7  mail       retrying     default  cannot reach mx.example.org: connection refused
12  thumbnail  dead_letter  media
";
    assert_eq!(text, expected);
}

#[test]
fn a_narrow_screen_cuts_text_between_words_and_leaves_columns_out() {
    let text = jobs().to_screen(screen(60));
    let expected = "\
ID  TYPE       STATUS       QUEUE    ABOUT
 7  mail       retrying     default  cannot reach…
12  thumbnail  dead_letter  media
";
    assert_eq!(text, expected);
    let text = jobs().to_screen(screen(45));
    let expected = "\
ID  TYPE       STATUS       ABOUT
 7  mail       retrying     cannot reach…
12  thumbnail  dead_letter
";
    assert_eq!(text, expected);
}

#[test]
fn no_line_is_wider_than_the_screen_down_to_forty_columns() {
    for width in 40..120 {
        let text = jobs().to_screen(screen(width));
        assert!(text.lines().all(|line| measure_text_width(line) <= width), "{width}:\n{text}");
    }
}

#[test]
fn what_is_equal_in_all_rows_is_told_once() {
    let mut table = Table::new(&["ID", "QUEUE", "RETRIES"]).optional(&[1, 2]);
    row(&mut table, &["1", "media", ""]);
    assert_eq!(table.to_screen(screen(80)), "ID  QUEUE  RETRIES\n1   media\n");
    row(&mut table, &["2", "media", ""]);
    assert_eq!(table.to_screen(screen(80)), "ID\n1\n2\nin all rows: queue media\n");
}

#[test]
fn a_wrapped_table_cuts_nothing() {
    let mut table = Table::new(&["ID", "WHY"]).text(&[1]).wrapped();
    row(&mut table, &["1", "the table was made by hand before"]);
    assert_eq!(table.to_screen(screen(24)), "ID  WHY\n1   the table was made\n    by hand before\n");
}

#[test]
fn only_the_state_and_the_heads_have_a_colour() {
    let text = jobs().to_screen(Screen { width: 100, has_colour: true });
    assert!(text.contains("\x1b[33mretrying\x1b[0m") && text.contains("\x1b[31mdead_letter\x1b[0m"), "{text:?}");
    assert!(text.starts_with("\x1b[1mID"), "{text:?}");
    let mut wide = Table::new(&["TYPE", "STATUS"]).state(1);
    row(&mut wide, &["写真", "running"]);
    assert!(wide.to_screen(Screen { width: 80, has_colour: true }).contains("写真  \x1b[36mrunning\x1b[0m"));
}

#[test]
fn what_a_job_says_cannot_move_the_cursor() {
    assert_eq!(one_line("a\x1b[2J\nb", 60), "a [2J b");
    assert_eq!(one_line("abcdef", 4), "abc…");
    assert_eq!(printable("a\x1b[2J\nb"), "a\u{fffd}[2J\nb");
}

#[test]
fn what_turns_the_order_of_letters_around_is_seen() {
    assert_eq!(one_line("user\u{202e}gpj.exe", 60), "user\u{fffd}gpj.exe");
    assert_eq!(printable("\u{2066}a\u{2069}\u{200f}\nב"), "\u{fffd}a\u{fffd}\u{fffd}\nב");
    let mut table = Table::new(&["QUEUE"]);
    row(&mut table, &["user\u{202e}gpj.exe"]);
    assert_eq!(table.to_tabs(), "QUEUE\nuser\u{fffd}gpj.exe\n");
}
