use longshore_core::{
    Action, Attempt, AttemptOutcome, ClaimNumber, FailureType, Job, JobDetail, JobId, LogEntry, QueueChange, Status,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::draw::{Palette, draw};
use super::state::{Change, Focus, JobPage, Mode, Notice, Request, Snapshot, States, Top, View};
use super::update::{Next, TopEvent};
use super::{JOB_EVERY, OVERVIEW_EVERY};
use crate::commands::jobs::list::tests::a_job;
use crate::commands::status::tests::{NOW, busy};

fn jobs() -> Vec<Job> {
    let failed = Job {
        error_message: Some("cannot reach mx.example.org: connection refused".to_owned()),
        job_type: "send_receipt".to_owned(),
        queue: "mail".to_owned(),
        retry_count: 2,
        ..a_job(11, Status::Retrying)
    };
    let dead =
        Job { dead_letter_reason: Some("expired: its deadline passed".to_owned()), ..a_job(9, Status::DeadLetter) };
    let running = Job { progress: Some(0.4), ..a_job(7, Status::Running) };
    let jobs = [running, a_job(12, Status::Pending), failed, dead, a_job(8, Status::Completed)];
    jobs.map(|job| Job { created_at: NOW, run_at: NOW, ..job }).into()
}

fn snapshot(jobs: Vec<Job>) -> TopEvent {
    TopEvent::Snapshot(Box::new(Snapshot { report: busy(), jobs, now: NOW }))
}

fn top() -> Top {
    let mut top = Top::new("jobs.db".to_owned());
    assert_eq!(top.update(snapshot(jobs())), Next::Draw);
    top
}

fn press(top: &mut Top, key: KeyCode) -> Next {
    top.update(TopEvent::Key(KeyEvent::new(key, KeyModifiers::NONE)))
}

/// Presses each letter; `>` is Enter, `<` is Escape, `|` is Tab. Returns what follows from the last one.
fn typed(top: &mut Top, keys: &str) -> Next {
    let code = |key: char| match key {
        '>' => KeyCode::Enter,
        '<' => KeyCode::Esc,
        '|' => KeyCode::Tab,
        letter => KeyCode::Char(letter),
    };
    keys.chars().map(|key| press(top, code(key))).last().unwrap_or(Next::Draw)
}

fn screen(top: &Top, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, top, Palette::Plain)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in buffer.content().chunks(usize::from(columns)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text += &format!("{}\n", line.trim_end());
    }
    text
}

fn detail(status: Status) -> JobDetail {
    let job = Job {
        error_message: Some("KeyError: 'file'".to_owned()),
        last_error_traceback: Some(
            "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'file'".to_owned(),
        ),
        failure_type: Some("worker_error".to_owned()),
        ..a_job(7, status)
    };
    let attempt = Attempt {
        attempt: 1,
        claim_number: ClaimNumber(1),
        worker_id: None,
        started_at: Some(NOW),
        finished_at: Some(NOW),
        outcome: AttemptOutcome::Retrying,
        failure_type: Some(FailureType::WorkerError),
        error_message: Some("KeyError: 'file'".to_owned()),
        traceback: None,
    };
    JobDetail {
        job,
        attempts: vec![attempt],
        checkpoints: Default::default(),
        place: Default::default(),
        dependencies: Vec::new(),
    }
}

fn log_entry(chunk_number: u32, text: &str) -> LogEntry {
    LogEntry {
        attempt: 1,
        claim_number: ClaimNumber(1),
        chunk_number,
        written_at: NOW,
        cut_bytes: 0,
        text: text.to_owned(),
    }
}

fn answer(status: Status, log: Vec<LogEntry>) -> TopEvent {
    TopEvent::Job { id: JobId(7), detail: Some(Box::new(detail(status))), log, now: NOW }
}

#[test]
fn the_overview_on_eighty_and_on_forty_five_columns() {
    for columns in [80, 45] {
        insta::assert_snapshot!(format!("top_{columns}"), screen(&top(), columns, 24));
    }
}

#[test]
fn a_job_and_the_keys_on_eighty_and_on_forty_five_columns() {
    for columns in [80, 45] {
        let mut top = top();
        assert_eq!(typed(&mut top, ">"), Next::Read);
        assert_eq!(top.next_read(), Request::Job { id: JobId(7), after: None });
        top.update(answer(Status::Running, Vec::new()));
        insta::assert_snapshot!(format!("top_job_{columns}"), screen(&top, columns, 24));
        typed(&mut top, "?");
        insta::assert_snapshot!(format!("top_keys_{columns}"), screen(&top, columns, 24));
        typed(&mut top, "x");
        assert_eq!(top.mode, Mode::Commands);
    }
}

#[test]
fn every_size_is_drawn() {
    let mut top = top();
    for (columns, rows) in [(1, 1), (2, 3), (20, 5), (40, 10), (45, 60), (250, 80)] {
        top.update(TopEvent::Resized { columns, rows });
        screen(&top, columns, rows);
        typed(&mut top, "?");
        screen(&top, columns, rows);
        typed(&mut top, "?l");
        screen(&top, columns, rows);
        typed(&mut top, "G<");
    }
}

#[test]
fn cancelling_asks_and_only_yes_does_it() {
    let cancel = Next::Change(Change::Job { id: JobId(7), action: Action::Cancel });
    let mut top = top();
    assert_eq!(typed(&mut top, "c"), Next::Draw);
    assert!(screen(&top, 80, 24).contains("stop and cancel thumbnail #7? [y/N]"));
    assert_eq!(typed(&mut top, "n"), Next::Draw);
    assert!(screen(&top, 80, 24).contains("nothing was changed"));
    assert_eq!(typed(&mut top, "c>"), Next::Draw);
    assert_eq!(typed(&mut top, "cy"), cancel);
    assert_eq!(top.mode, Mode::Commands);
}

#[test]
fn the_question_keeps_its_job_when_the_rows_move() {
    let mut top = top();
    typed(&mut top, "c");
    top.update(snapshot(jobs().split_off(1)));
    assert_eq!(typed(&mut top, "y"), Next::Change(Change::Job { id: JobId(7), action: Action::Cancel }));
}

#[test]
fn a_failed_job_is_retried_at_once_and_a_completed_one_after_a_question() {
    let retry = |id| Next::Change(Change::Job { id: JobId(id), action: Action::Retry });
    let mut top = top();
    assert_eq!(typed(&mut top, "jjr"), retry(11));
    assert_eq!(typed(&mut top, "jr"), retry(9));
    assert_eq!(typed(&mut top, "jr"), Next::Draw);
    assert!(screen(&top, 80, 24).contains("thumbnail #8 has completed; run it again? [y/N]"));
    assert_eq!(typed(&mut top, "y"), retry(8));
    assert_eq!(top.update(TopEvent::Changed(Notice { words: "done".to_owned(), is_error: false })), Next::Read);
}

#[test]
fn a_queue_is_paused_and_resumed_where_the_queues_are_selected() {
    let change = |queue: &str, change| Next::Change(Change::Queue { queue: queue.to_owned(), change });
    let mut top = top();
    assert_eq!(typed(&mut top, "p"), Next::Draw);
    assert!(screen(&top, 80, 24).contains("select a queue first"));
    assert_eq!(typed(&mut top, "|p"), change("mail", QueueChange::Pause));
    assert_eq!(typed(&mut top, "jp"), change("thumbnails-of-large-pictures", QueueChange::Resume));
    assert_eq!(typed(&mut top, "r"), Next::Draw);
    assert!(screen(&top, 80, 24).contains("select a job first"));
}

#[test]
fn the_filter_lists_what_contains_its_text() {
    let ids = |top: &Top| top.jobs().iter().map(|job| job.id.0).collect::<Vec<_>>();
    let mut top = top();
    typed(&mut top, "/RECEIPT");
    assert_eq!((ids(&top), top.job.key()), (vec![11], Some(&JobId(11))));
    assert!(screen(&top, 80, 24).contains("/RECEIPT_"));
    typed(&mut top, ">");
    assert!(screen(&top, 80, 24).contains("only with \"RECEIPT\""));
    typed(&mut top, "<|>");
    assert_eq!((ids(&top), top.focus), (vec![11], Focus::Jobs), "Enter on the queue mail lists its jobs");
    typed(&mut top, "/x");
    press(&mut top, KeyCode::Backspace);
    assert_eq!(top.filter, "mail");
    typed(&mut top, "zzz");
    assert!(screen(&top, 80, 24).contains("no job matches"));
}

#[test]
fn the_status_that_is_listed_goes_round() {
    let mut top = top();
    assert_eq!(typed(&mut top, "s"), Next::Read);
    assert_eq!(top.next_read(), Request::Overview { states: States::One(Status::Running) });
    assert!(screen(&top, 80, 24).contains("only running jobs"));
    assert_eq!(typed(&mut top, "sssssss"), Next::Read);
    assert_eq!(top.states, States::All);
}

#[test]
fn the_selected_row_stays_with_its_job() {
    let mut top = top();
    typed(&mut top, "jj");
    assert_eq!(top.job.key(), Some(&JobId(11)));
    top.update(snapshot(jobs().split_off(2)));
    assert_eq!((top.job.key(), top.job.place), (Some(&JobId(11)), 0));
    top.update(snapshot(jobs().split_off(3)));
    assert_eq!((top.job.key(), top.job.place), (Some(&JobId(9)), 0));
    top.update(snapshot(Vec::new()));
    assert_eq!(top.job.key(), None);
    assert_eq!(typed(&mut top, ">lrcG"), Next::Draw);
}

#[test]
fn a_log_is_followed_until_somebody_scrolls_up() {
    let mut top = top();
    assert_eq!(typed(&mut top, "l"), Next::Read);
    let lines = |from: u32, to: u32| (from..to).map(|n| format!("line {n}\n")).collect::<String>();
    top.update(answer(Status::Running, vec![log_entry(0, &lines(0, 50)), log_entry(1, "half")]));
    assert_eq!(top.next_read(), Request::Job { id: JobId(7), after: Some((ClaimNumber(1), 1)) });
    top.update(answer(Status::Running, vec![log_entry(2, " and half\n")]));
    let shown = screen(&top, 80, 24);
    assert!(
        shown.contains("half and half\n") && shown.contains("line 49\n") && !shown.contains("line 29\n"),
        "{shown}"
    );

    typed(&mut top, "kk");
    top.update(answer(Status::Running, vec![log_entry(3, &lines(50, 60))]));
    let shown = screen(&top, 80, 24);
    assert!(shown.contains("line 28\n") && !shown.contains("line 50\n"), "{shown}");
    typed(&mut top, "g");
    assert!(screen(&top, 80, 24).contains("line 0\n"));
    typed(&mut top, "f");
    assert!(screen(&top, 80, 24).contains("line 59\n"));
    assert_eq!(typed(&mut top, "<"), Next::Read);
    assert!(matches!(top.view, View::Overview));
}

#[test]
fn what_a_job_logs_cannot_change_the_terminal() {
    let mut top = top();
    typed(&mut top, "l");
    top.update(answer(Status::Running, vec![log_entry(0, "\x1b[2J\x07red\n")]));
    assert!(screen(&top, 80, 24).contains("\u{fffd}[2J\u{fffd}red"));
}

#[test]
fn a_job_that_is_gone_leads_back_to_the_overview() {
    let mut top = top();
    typed(&mut top, ">");
    top.update(TopEvent::Job { id: JobId(7), detail: None, log: Vec::new(), now: NOW });
    assert!(matches!(top.view, View::Overview));
    assert!(screen(&top, 80, 24).contains("job 7 does not exist any more"));
}

#[test]
fn an_answer_about_another_job_is_ignored() {
    let mut top = top();
    typed(&mut top, ">");
    let event =
        TopEvent::Job { id: JobId(8), detail: Some(Box::new(detail(Status::Completed))), log: Vec::new(), now: NOW };
    top.update(event);
    assert!(matches!(&top.view, View::Job(view) if view.detail.is_none() && view.page == JobPage::Facts));
}

#[test]
fn a_database_that_cannot_be_read_is_told_until_it_can_be_read_again() {
    let mut top = top();
    top.update(TopEvent::Unreadable("jobs.db is not there any more".to_owned()));
    let shown = screen(&top, 80, 24);
    assert!(shown.starts_with("cannot read: jobs.db is not there any more; trying again\n"), "{shown}");
    assert!(shown.contains("send_receipt"), "what was read before stays");
    top.update(snapshot(jobs()));
    assert!(!screen(&top, 80, 24).contains("cannot read"));
}

#[test]
fn q_and_control_c_end_it_from_everywhere_and_so_does_a_closed_terminal() {
    for keys in ["", ">", "l", "|"] {
        let mut top = top();
        typed(&mut top, keys);
        assert_eq!(typed(&mut top, "q"), Next::Quit);
    }
    for keys in ["", "/mail", "?", "c", ">"] {
        let mut top = top();
        typed(&mut top, keys);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(top.update(TopEvent::Key(interrupt)), Next::Quit);
    }
    assert_eq!(top().update(TopEvent::TerminalGone), Next::Quit);
}

#[test]
fn there_are_about_two_reads_a_second() {
    assert!(4.2 / OVERVIEW_EVERY.as_secs_f64() < 2.5);
    assert!(2.0 / JOB_EVERY.as_secs_f64() < 2.5);
}
