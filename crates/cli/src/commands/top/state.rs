use longshore_core::{Action, Job, JobDetail, JobId, LogEntry, QueueChange, Status, Timestamp};

use crate::commands::status::Report;

/// What is on the screen. Changed only by `update`, read only by `draw`.
#[derive(Debug)]
pub(super) struct Top {
    /// The database, as its errors name it.
    pub(super) database: String,
    pub(super) snapshot: Option<Snapshot>,
    /// Why the last read failed. What is shown is older then.
    pub(super) trouble: Option<String>,
    pub(super) view: View,
    pub(super) focus: Focus,
    pub(super) queue: Selected<String>,
    pub(super) job: Selected<JobId>,
    /// Which states are listed.
    pub(super) states: States,
    /// Only jobs whose id, type or queue contains this text.
    pub(super) filter: String,
    pub(super) mode: Mode,
    pub(super) notice: Option<Notice>,
    /// When the database was read.
    pub(super) now: Timestamp,
    /// Columns and rows, to know how far one can scroll.
    pub(super) size: (u16, u16),
}

/// One state of the database.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: Report,
    /// The listed jobs: running ones first, then newest first.
    pub(super) jobs: Vec<Job>,
    pub(super) now: Timestamp,
}

/// What the screen shows.
#[derive(Debug)]
pub(super) enum View {
    Overview,
    Job(Box<JobView>),
}

/// One job, or its log.
#[derive(Debug)]
pub(super) struct JobView {
    pub(super) id: JobId,
    pub(super) detail: Option<JobDetail>,
    pub(super) page: JobPage,
    pub(super) log: JobLog,
    /// The first line that is shown. `None` follows the end.
    pub(super) first_line: Option<usize>,
}

/// Which part of a job is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobPage {
    Facts,
    Log,
}

/// The end of a job's log.
#[derive(Debug, Default)]
pub(super) struct JobLog {
    pub(super) lines: Vec<String>,
    is_within_line: bool,
    /// The claim of the newest attempt in it: numbers of attempts come again.
    claim_number: Option<longshore_core::ClaimNumber>,
    cut_bytes: u64,
    /// The position to read from.
    pub(super) after: Option<(longshore_core::ClaimNumber, u32)>,
}

/// Which list the keys move in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Queues,
    Jobs,
}

/// What a key means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is a command.
    Commands,
    /// It is a letter of the filter.
    Filter,
    /// It closes the list of keys.
    Help,
    /// It answers a question.
    Question(Question),
}

/// A question before an action that loses something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) words: String,
    pub(super) change: Change,
}

/// A change that a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Queue { queue: String, change: QueueChange },
    Job { id: JobId, action: Action },
}

/// What the store has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Overview { states: States },
    Job { id: JobId, after: Option<(longshore_core::ClaimNumber, u32)> },
    Change(Change),
}

/// The jobs that are listed, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum States {
    /// All; running ones first.
    All,
    One(Status),
}

impl States {
    /// The next choice.
    pub(super) fn next(self) -> Self {
        const ORDER: [Status; 7] = [
            Status::Running,
            Status::Retrying,
            Status::DeadLetter,
            Status::Pending,
            Status::Blocked,
            Status::Completed,
            Status::Cancelled,
        ];
        match self {
            Self::All => Self::One(ORDER[0]),
            Self::One(status) => {
                let at = ORDER.iter().position(|known| *known == status).unwrap_or(0);
                ORDER.get(at + 1).map_or(Self::All, |next| Self::One(*next))
            }
        }
    }
}

/// A line below the lists: the result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) words: String,
    pub(super) is_error: bool,
}

/// The selected row of a list whose rows come and go: the same thing if it is still there, else the same place.
#[derive(Debug)]
pub(super) struct Selected<K> {
    pub(super) place: usize,
    key: Option<K>,
}

impl<K> Default for Selected<K> {
    fn default() -> Self {
        Self { place: 0, key: None }
    }
}

impl<K: Clone + PartialEq> Selected<K> {
    /// Finds the row again after the list has changed.
    pub(super) fn settle(&mut self, keys: &[K]) {
        let same = self.key.as_ref().and_then(|key| keys.iter().position(|known| known == key));
        self.place = same.unwrap_or_else(|| self.place.min(keys.len().saturating_sub(1)));
        self.key = keys.get(self.place).cloned();
    }

    /// Moves by some rows.
    pub(super) fn step(&mut self, keys: &[K], by: isize) {
        self.place = self.place.saturating_add_signed(by).min(keys.len().saturating_sub(1));
        self.key = keys.get(self.place).cloned();
    }

    /// What is selected.
    pub(super) fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }
}

impl Top {
    /// An empty screen.
    pub(super) fn new(database: String) -> Self {
        Self {
            database,
            snapshot: None,
            trouble: None,
            view: View::Overview,
            focus: Focus::Jobs,
            queue: Selected::default(),
            job: Selected::default(),
            states: States::All,
            filter: String::new(),
            mode: Mode::Commands,
            notice: None,
            now: Timestamp::from_ms(0),
            size: (80, 24),
        }
    }

    /// What to read next.
    pub(super) fn next_read(&self) -> Request {
        match &self.view {
            View::Overview => Request::Overview { states: self.states },
            View::Job(view) => Request::Job { id: view.id, after: view.log.after },
        }
    }

    /// The listed jobs that match the filter.
    pub(super) fn jobs(&self) -> Vec<&Job> {
        let jobs = self.snapshot.as_ref().map(|snapshot| snapshot.jobs.as_slice()).unwrap_or_default();
        jobs.iter().filter(|job| self.matches(job)).collect()
    }

    fn matches(&self, job: &Job) -> bool {
        let word = self.filter.to_lowercase();
        word.is_empty()
            || job.job_type.to_lowercase().contains(&word)
            || job.queue.to_lowercase().contains(&word)
            || job.id.to_string().contains(&word)
    }

    /// The selected job: the one that is looked into, or the selected row.
    pub(super) fn selected_job(&self) -> Option<&Job> {
        match &self.view {
            View::Job(view) => view.detail.as_ref().map(|detail| &detail.job),
            View::Overview => self.jobs().into_iter().find(|job| Some(&job.id) == self.job.key()),
        }
    }
}

impl JobView {
    /// A job that was not read yet.
    pub(super) fn new(id: JobId, page: JobPage) -> Self {
        let first_line = if page == JobPage::Log { None } else { Some(0) };
        Self { id, detail: None, page, log: JobLog::default(), first_line }
    }
}

/// How many lines of a log are kept.
const LOG_LINES_MAX: usize = 5_000;

impl JobLog {
    /// Adds pieces, in order. An attempt and a cut begin with a line of ours.
    pub(super) fn add(&mut self, entries: &[LogEntry]) {
        for entry in entries {
            if self.claim_number != Some(entry.claim_number) {
                if self.claim_number.is_some() {
                    self.mark(format!("--- attempt {} ---", entry.attempt));
                }
                (self.claim_number, self.cut_bytes) = (Some(entry.claim_number), 0);
            }
            if entry.cut_bytes > self.cut_bytes {
                self.mark(format!("--- {} bytes are missing here ---", entry.cut_bytes - self.cut_bytes));
                self.cut_bytes = entry.cut_bytes;
            }
            for piece in entry.text.split_inclusive('\n') {
                self.add_piece(piece);
            }
            self.after = Some((entry.claim_number, entry.chunk_number));
        }
        let over = self.lines.len().saturating_sub(LOG_LINES_MAX);
        self.lines.drain(..over);
    }

    fn add_piece(&mut self, piece: &str) {
        let text = piece.trim_end_matches(['\n', '\r']);
        match self.lines.last_mut() {
            Some(last) if self.is_within_line => last.push_str(text),
            _ => self.lines.push(text.to_owned()),
        }
        self.is_within_line = !piece.ends_with('\n');
    }

    fn mark(&mut self, words: String) {
        self.lines.push(words);
        self.is_within_line = false;
    }
}
