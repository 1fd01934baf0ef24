use longshore_core::{Action, Job, JobDetail, JobId, LogEntry, QueueChange, Status, Timestamp};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::lines::{body_rows, job_lines};
use super::state::{Change, Focus, JobPage, JobView, Mode, Notice, Question, Snapshot, Top, View};

/// Something that changes what is on the screen.
#[derive(Debug)]
pub(super) enum TopEvent {
    /// A key.
    Key(KeyEvent),
    /// The size of the screen, now.
    Resized { columns: u16, rows: u16 },
    /// The overview was read.
    Snapshot(Box<Snapshot>),
    /// A job and the next part of its log were read. `None` if the job does not exist any more.
    Job { id: JobId, detail: Option<Box<JobDetail>>, log: Vec<LogEntry>, now: Timestamp },
    /// A change was made or refused.
    Changed(Notice),
    /// The database could not be read.
    Unreadable(String),
    /// The terminal was closed.
    TerminalGone,
}

/// What follows from an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing but drawing.
    Draw,
    /// Read again at once.
    Read,
    /// Make a change.
    Change(Change),
    /// End.
    Quit,
}

/// How far Page Up and Page Down move.
const PAGE: isize = 10;

impl Top {
    /// Takes an event. Pure: the same events lead to the same screen.
    pub(super) fn update(&mut self, event: TopEvent) -> Next {
        match event {
            TopEvent::Key(key) => return self.press(key),
            TopEvent::Resized { columns, rows } => self.size = (columns, rows),
            TopEvent::Snapshot(snapshot) => {
                self.trouble = None;
                self.now = snapshot.now;
                self.snapshot = Some(*snapshot);
                self.settle();
            }
            TopEvent::Job { id, detail, log, now } => {
                self.trouble = None;
                self.now = now;
                self.show_job(id, detail.map(|detail| *detail), &log);
            }
            TopEvent::Changed(notice) => {
                self.notice = Some(notice);
                return Next::Read;
            }
            TopEvent::Unreadable(words) => self.trouble = Some(words),
            TopEvent::TerminalGone => return Next::Quit,
        }
        Next::Draw
    }

    fn show_job(&mut self, id: JobId, detail: Option<JobDetail>, log: &[LogEntry]) {
        let View::Job(view) = &mut self.view else { return };
        if view.id != id {
            return;
        }
        if detail.is_none() {
            self.notice = Some(Notice { words: format!("job {id} does not exist any more"), is_error: true });
            self.view = View::Overview;
            return;
        }
        view.detail = detail;
        view.log.add(log);
    }

    /// Finds the selected rows again.
    fn settle(&mut self) {
        let (queues, jobs) = (self.queue_names(), self.job_ids());
        self.queue.settle(&queues);
        self.job.settle(&jobs);
    }

    fn queue_names(&self) -> Vec<String> {
        let queues = self.snapshot.iter().flat_map(|snapshot| &snapshot.report.queues);
        queues.map(|queue| queue.stats.queue.clone()).collect()
    }

    fn job_ids(&self) -> Vec<JobId> {
        self.jobs().into_iter().map(|job| job.id).collect()
    }

    fn press(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c')) {
            return Next::Quit;
        }
        self.notice = None;
        match std::mem::replace(&mut self.mode, Mode::Commands) {
            Mode::Help => Next::Draw,
            Mode::Question(question) => self.answer(question, key.code),
            Mode::Filter => self.type_filter(key.code),
            Mode::Commands => self.command(key.code),
        }
    }

    /// Only `y` confirms.
    fn answer(&mut self, question: Question, key: KeyCode) -> Next {
        if matches!(key, KeyCode::Char('y' | 'Y')) {
            return Next::Change(question.change);
        }
        self.notice = Some(Notice { words: "nothing was changed".to_owned(), is_error: false });
        Next::Draw
    }

    fn type_filter(&mut self, key: KeyCode) -> Next {
        match key {
            KeyCode::Enter => return Next::Draw,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Backspace => {
                self.filter.pop();
                self.mode = Mode::Filter;
            }
            KeyCode::Char(letter) => {
                self.filter.push(letter);
                self.mode = Mode::Filter;
            }
            _ => self.mode = Mode::Filter,
        }
        self.settle();
        Next::Draw
    }

    fn command(&mut self, key: KeyCode) -> Next {
        match key {
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('r') => return self.ask_or_change(Action::Retry),
            KeyCode::Char('c') => return self.ask_or_change(Action::Cancel),
            _ => {
                return match self.view {
                    View::Overview => self.command_of_overview(key),
                    View::Job(_) => self.command_of_job(key),
                };
            }
        }
        Next::Draw
    }

    fn command_of_overview(&mut self, key: KeyCode) -> Next {
        match key {
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Left | KeyCode::Right => {
                self.focus = if self.focus == Focus::Jobs { Focus::Queues } else { Focus::Jobs };
            }
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => {
                self.filter.clear();
                self.settle();
            }
            KeyCode::Char('s') => {
                self.states = self.states.next();
                return Next::Read;
            }
            KeyCode::Char('p') => return self.pause_or_resume(),
            KeyCode::Enter if self.focus == Focus::Queues => {
                self.filter = self.queue.key().cloned().unwrap_or_default();
                self.focus = Focus::Jobs;
                self.settle();
            }
            KeyCode::Enter => return self.look_into(JobPage::Facts),
            KeyCode::Char('l') => return self.look_into(JobPage::Log),
            key => {
                if let Some(by) = step_of(key) {
                    self.step(by);
                }
            }
        }
        Next::Draw
    }

    fn step(&mut self, by: isize) {
        match self.focus {
            Focus::Queues => {
                let queues = self.queue_names();
                self.queue.step(&queues, by);
            }
            Focus::Jobs => {
                let jobs = self.job_ids();
                self.job.step(&jobs, by);
            }
        }
    }

    fn look_into(&mut self, page: JobPage) -> Next {
        let Some(id) = self.job.key().copied() else { return Next::Draw };
        self.view = View::Job(Box::new(JobView::new(id, page)));
        Next::Read
    }

    fn command_of_job(&mut self, key: KeyCode) -> Next {
        let View::Job(view) = &mut self.view else { return Next::Draw };
        match key {
            KeyCode::Esc | KeyCode::Backspace => {
                self.view = View::Overview;
                return Next::Read;
            }
            KeyCode::Char('l') | KeyCode::Tab | KeyCode::Enter => {
                view.page = if view.page == JobPage::Log { JobPage::Facts } else { JobPage::Log };
                view.first_line = if view.page == JobPage::Log { None } else { Some(0) };
            }
            KeyCode::End | KeyCode::Char('G' | 'f') => view.first_line = None,
            key => {
                if let Some(by) = step_of(key) {
                    self.scroll(by);
                }
            }
        }
        Next::Draw
    }

    /// Scrolls within what there is. The end of a log is followed.
    fn scroll(&mut self, by: isize) {
        let (columns, rows) = self.size;
        let View::Job(view) = &mut self.view else { return };
        let lines = job_lines(view, usize::from(columns), self.now).len();
        let last = lines.saturating_sub(body_rows(usize::from(rows)));
        let first = view.first_line.unwrap_or(last).min(last).saturating_add_signed(by).min(last);
        let is_followed = view.page == JobPage::Log && first == last;
        view.first_line = if is_followed { None } else { Some(first) };
    }

    fn pause_or_resume(&mut self) -> Next {
        let snapshot = self.snapshot.as_ref().filter(|_| self.focus == Focus::Queues);
        let selected = snapshot.and_then(|snapshot| {
            snapshot.report.queues.iter().find(|queue| Some(&queue.stats.queue) == self.queue.key())
        });
        let Some(queue) = selected else {
            self.notice = Some(Notice { words: "select a queue first: press Tab".to_owned(), is_error: true });
            return Next::Draw;
        };
        let change = if queue.stats.paused_at.is_some() { QueueChange::Resume } else { QueueChange::Pause };
        Next::Change(Change::Queue { queue: queue.stats.queue.clone(), change })
    }

    /// Asks before a job loses its work, or does it a second time.
    fn ask_or_change(&mut self, action: Action) -> Next {
        if matches!(self.view, View::Overview) && self.focus == Focus::Queues {
            self.notice = Some(Notice { words: "select a job first: press Tab".to_owned(), is_error: true });
            return Next::Draw;
        }
        let Some(job) = self.selected_job() else { return Next::Draw };
        let change = Change::Job { id: job.id, action };
        match question(job, action) {
            None => Next::Change(change),
            Some(words) => {
                self.mode = Mode::Question(Question { words, change });
                Next::Draw
            }
        }
    }
}

/// The question before an action. `None` if it loses nothing, or if the store refuses it anyway.
fn question(job: &Job, action: Action) -> Option<String> {
    let name = format!("{} #{}", job.job_type, job.id);
    match (action, job.status) {
        (Action::Cancel, Status::Running) => Some(format!("stop and cancel {name}?")),
        (Action::Cancel, status) if !status.is_ended() => Some(format!("cancel {name}?")),
        (Action::Retry, Status::Completed) => Some(format!("{name} has completed; run it again?")),
        _ => None,
    }
}

/// How many rows a key moves.
const fn step_of(key: KeyCode) -> Option<isize> {
    match key {
        KeyCode::Up | KeyCode::Char('k') => Some(-1),
        KeyCode::Down | KeyCode::Char('j') => Some(1),
        KeyCode::PageUp => Some(-PAGE),
        KeyCode::PageDown | KeyCode::Char(' ') => Some(PAGE),
        KeyCode::Home | KeyCode::Char('g') => Some(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => Some(isize::MAX),
        _ => None,
    }
}
