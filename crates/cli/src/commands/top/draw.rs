use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::lines::{body_rows, job_lines};
use super::state::{Focus, JobPage, JobView, Mode, Snapshot, States, Top, View};
use crate::commands::{jobs, queues};
use crate::output::table::{TableLine, Tone, one_line};
use crate::output::wrap::wrapped;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Coloured,
    Plain,
}

/// With fewer rows the averages are left out, so that there is room for jobs.
const ROWS_FOR_AVERAGES: u16 = 30;

const KEYS: [(&str, &str); 14] = [
    ("Tab", "move between queues and jobs"),
    ("j k, arrows", "select a row, or scroll"),
    ("Enter", "look into the job; list the jobs of the queue"),
    ("l", "follow the log of the job"),
    ("r", "retry the job now"),
    ("c", "cancel the job"),
    ("p", "pause or resume the queue"),
    ("s", "list the next status only"),
    ("/", "list only what contains a text; Esc lists all"),
    ("f, End", "follow the end of a log again"),
    ("Esc", "back"),
    ("?", "show the keys"),
    ("q, Ctrl-C", "quit"),
    ("", "cancelling, and running a completed job again, asks first"),
];

/// How many lines the worst finding may have.
const FINDING_LINES: usize = 2;

/// The width of the keys in the list of keys.
const KEY_WIDTH: usize = 13;

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, top: &Top, palette: Palette) {
    let area = frame.area();
    let width = usize::from(area.width);
    let mut lines = match (&top.view, &top.snapshot) {
        (View::Job(view), _) => job(top, view, area, palette),
        (View::Overview, Some(snapshot)) => overview(top, snapshot, area, palette),
        (View::Overview, None) => vec![head(top, &format!("{}: reading", top.database), width, palette)],
    };
    lines.resize(usize::from(area.height.saturating_sub(2)), Line::default());
    lines.push(notice(top, width, palette));
    lines.push(keys(top, width));
    frame.render_widget(Paragraph::new(lines), area);
    if top.mode == Mode::Help {
        help(frame, area);
    }
}

/// The first line: what is read, or that it cannot be read.
fn head(top: &Top, words: &str, width: usize, palette: Palette) -> Line<'static> {
    match &top.trouble {
        None => Line::styled(one_line(words, width), Modifier::BOLD),
        Some(trouble) => {
            let words = format!("cannot read: {trouble}; trying again");
            Line::styled(one_line(&words, width), colour(Tone::Bad, palette).add_modifier(Modifier::REVERSED))
        }
    }
}

fn overview(top: &Top, snapshot: &Snapshot, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let report = &snapshot.report;
    let mut lines = match wrapped(&report.head(), width).as_slice() {
        // Two lines on a narrow screen.
        [first, second, ..] if top.trouble.is_none() => {
            vec![head(top, first, width, palette), head(top, second, width, palette)]
        }
        _ => vec![head(top, &report.head(), width, palette)],
    };
    let activity = report.activity(width);
    let is_average = |line: &str| line.starts_with("  average") || line.starts_with("  rate");
    let is_shown = |line: &&str| area.height >= ROWS_FOR_AVERAGES || !is_average(line);
    lines.extend(activity.lines().filter(is_shown).map(|line| Line::raw(one_line(line, width))));
    if let Some(first) = report.findings.first() {
        let more = report.findings.len() - 1;
        let more = if more > 0 { format!(" (and {more} more, see longshore doctor)") } else { String::new() };
        let words = one_line(&format!("! {}{more}", first.message), usize::MAX);
        let told = wrapped(&words, width).into_iter().take(FINDING_LINES);
        lines.extend(told.map(|line| Line::styled(line, colour(Tone::Waiting, palette))));
    }
    let rows = usize::from(area.height).saturating_sub(lines.len() + 2);
    // A blank line above each list, and its heads.
    let queue_rows = report.queues.len().min(rows.saturating_sub(4) / 3).max(1);
    let job_rows = rows.saturating_sub(queue_rows + 4);
    lines.push(Line::default());
    let queues = queues::table(&report.queues).to_lines(width);
    lines.extend(list(&queues, top.queue.place, queue_rows, top.focus == Focus::Queues, palette));
    lines.push(Line::default());
    let listed: Vec<_> = top.jobs().into_iter().cloned().collect();
    let jobs = jobs::any_state(&listed, snapshot.now).to_lines(width);
    lines.extend(list(&jobs, top.job.place, job_rows, top.focus == Focus::Jobs, palette));
    if listed.is_empty() {
        lines.push(Line::raw("no job matches"));
    }
    lines
}

/// The heads of a table and those of its rows around the selected one that there is room for.
fn list(table: &[TableLine], place: usize, rows: usize, is_focus: bool, palette: Palette) -> Vec<Line<'static>> {
    let Some((heads, all)) = table.split_first() else { return Vec::new() };
    let first = place.saturating_sub(rows.saturating_sub(1)).min(all.len().saturating_sub(rows));
    let mut lines = vec![Line::styled(heads.text.clone(), Modifier::BOLD)];
    for (index, row) in all.iter().enumerate().skip(first).take(rows) {
        let line = coloured(row, palette);
        let is_selected = is_focus && index == place;
        lines.push(if is_selected { line.patch_style(Modifier::REVERSED) } else { line });
    }
    lines
}

fn coloured(row: &TableLine, palette: Palette) -> Line<'static> {
    let Some(state) = row.state.clone() else { return Line::raw(row.text.clone()) };
    let (before, word, after) = (&row.text[..state.start], &row.text[state.clone()], &row.text[state.end..]);
    let style = colour(Tone::of(word), palette);
    Line::from(vec![Span::raw(before.to_owned()), Span::styled(word.to_owned(), style), Span::raw(after.to_owned())])
}

fn colour(tone: Tone, palette: Palette) -> Style {
    if palette == Palette::Plain {
        return Style::new();
    }
    match tone {
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Busy => Style::new().fg(Color::Cyan),
        Tone::Waiting => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
        Tone::Plain => Style::new(),
    }
}

fn job(top: &Top, view: &JobView, area: Rect, palette: Palette) -> Vec<Line<'static>> {
    let (width, rows) = (usize::from(area.width), body_rows(usize::from(area.height)));
    let words = match &view.detail {
        Some(detail) => format!("{} #{}: {}", detail.job.job_type, view.id, detail.job.status),
        None => format!("job {}: reading", view.id),
    };
    let words = if view.page == JobPage::Log { format!("log of {words}") } else { words };
    let all = job_lines(view, width, top.now);
    let last = all.len().saturating_sub(rows);
    let first = view.first_line.unwrap_or(last).min(last);
    let mut lines = vec![head(top, &words, width, palette)];
    lines.extend(all.into_iter().skip(first).take(rows).map(Line::raw));
    lines
}

/// The line above the keys: a question, the filter, or the result of the last key.
fn notice(top: &Top, width: usize, palette: Palette) -> Line<'static> {
    let (words, style) = match (&top.mode, &top.notice) {
        (Mode::Question(question), _) => {
            (format!("{} [y/N]", question.words), Style::new().add_modifier(Modifier::BOLD))
        }
        (Mode::Filter, _) => (format!("/{}_  (Enter keeps it, Esc lists all)", top.filter), Style::new()),
        (_, Some(notice)) if notice.is_error => (notice.words.clone(), colour(Tone::Bad, palette)),
        (_, Some(notice)) => (notice.words.clone(), Style::new()),
        (_, None) => (listed(top), colour(Tone::Faint, palette)),
    };
    Line::styled(one_line(&words, width), style)
}

/// Which jobs are listed, unless it is all.
fn listed(top: &Top) -> String {
    if matches!(top.view, View::Job(_)) {
        return String::new();
    }
    let states = match top.states {
        States::All => None,
        States::One(status) => Some(format!("only {status} jobs")),
    };
    let filter = (!top.filter.is_empty()).then(|| format!("only with \"{}\"", top.filter));
    states.into_iter().chain(filter).collect::<Vec<_>>().join(", ")
}

/// The keys that do something now; those at the end are left out where there is no room.
fn keys(top: &Top, width: usize) -> Line<'static> {
    let known: &[&str] = match (&top.mode, &top.view, top.focus) {
        (Mode::Help, ..) => &["any key: back"],
        (Mode::Question(_), ..) => &["y: yes", "any other key: no"],
        (Mode::Filter, ..) => &["Enter: keep", "Esc: list all"],
        (Mode::Commands, View::Job(view), _) if view.page == JobPage::Log => {
            &["? keys", "q quit", "Esc back", "l facts", "f follow", "r retry", "c cancel"]
        }
        (Mode::Commands, View::Job(_), _) => &["? keys", "q quit", "Esc back", "l log", "r retry", "c cancel"],
        (Mode::Commands, View::Overview, Focus::Queues) => {
            &["? keys", "q quit", "Tab jobs", "p pause/resume", "Enter its jobs", "s status", "/ filter"]
        }
        (Mode::Commands, View::Overview, Focus::Jobs) => {
            &["? keys", "q quit", "Tab queues", "Enter look", "l log", "r retry", "c cancel", "s status", "/ filter"]
        }
    };
    let mut text = String::new();
    for key in known {
        let next = if text.is_empty() { (*key).to_owned() } else { format!("{text}  {key}") };
        if next.chars().count() > width {
            break;
        }
        text = next;
    }
    Line::styled(text, Modifier::BOLD)
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let inner = usize::from(area.width.saturating_sub(2));
    let mut lines = Vec::new();
    for (key, meaning) in KEYS {
        let before = if key.is_empty() { 0 } else { KEY_WIDTH };
        for (index, text) in wrapped(meaning, inner.saturating_sub(before)).into_iter().enumerate() {
            let key = if index == 0 { key } else { "" };
            lines.push(Line::raw(format!("{key:<before$}{text}")));
        }
    }
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { x: area.x, y: area.y + (area.height - height) / 2, width: area.width.min(70), height };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("keys")), place);
}
