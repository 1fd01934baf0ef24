use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{ChildStderr, ChildStdout};

use super::ProgramSpec;
use super::listener::Listener;
use super::message::Message;
use crate::command::SupervisorProgram;
use crate::command::alarm::Alarm;
use crate::command::command_attempt::{DRAIN_MAX, FLUSH_AFTER, count};
use crate::command::exit;
use crate::command::lines::{Lines, Piece};
use crate::command::message::{MessageKind, Spoken, read_line};
use crate::command::output_stream::{Output, OutputStream};
use crate::command::supervision::protocol::{Cause, Exit, Input, News, Order, Word};
use crate::command::supervision::supervised::Supervised;
use crate::runtime::quiet;

/// How much of standard error is read at the end of a job. More is already of the time after it.
const STDERR_BYTES_MAX: usize = 256 * 1024;

/// A running program: its process, its pipes, and what it has not finished writing.
///
/// Dropping it kills the program and everything that it started.
pub(super) struct Process {
    supervised: Supervised,
    /// `None` once it is closed.
    stdin: Option<pipe::Sender>,
    /// What is still to be written, from `written` on.
    outgoing: Vec<u8>,
    written: usize,
    stdout: OutputStream<ChildStdout>,
    stderr: OutputStream<ChildStderr>,
    stdout_lines: Lines,
    stderr_lines: Lines,
    /// The output whose unfinished line is at the end of the log.
    unfinished: Option<Output>,
    flush: Alarm,
    /// Limits the reading of outputs that somebody else holds open.
    drain: Alarm,
    supervision: Supervision,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Supervision {
    Open,
    Done,
    Gone,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It could not be started.
    Refused { errno: i32 },
    /// It ended.
    Ended { exit: Exit, cause: Cause },
    /// Even SIGKILL did not end it.
    Unended,
    /// Its supervisor was killed.
    Abandoned,
}

impl End {
    /// In words that follow the name of the program.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Refused { errno } => format!("could not be started: {}", io::Error::from_raw_os_error(errno)),
            Self::Ended { exit, .. } => exit::describe(exit),
            Self::Unended => "could not be ended, even by SIGKILL".to_owned(),
            Self::Abandoned => "was ended, because its supervisor was killed".to_owned(),
        }
    }
}

/// What [`Process::go_on`] has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was read or written.
    Moved,
    /// Nothing of the program is left.
    Gone(End),
}

impl Process {
    /// Starts the program. Whether it could be started is known later.
    pub(super) async fn start(
        spec: &ProgramSpec,
        supervisor: &SupervisorProgram,
        grace: Duration,
        message_bytes_max: usize,
    ) -> io::Result<Self> {
        let (input, stdin) = io::pipe()?;
        let order = Order {
            run: spec.command.run.clone(),
            env: spec.command.env.clone(),
            directory: spec.command.directory.clone(),
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
            input: Input::Pipe,
            file: None,
        };
        let stdin = pipe::Sender::from_owned_fd(stdin.into())?;
        let (supervised, outputs) = Supervised::start_with_pipe(supervisor, order, input.as_fd()).await?;
        Ok(Self {
            supervised,
            stdin: Some(stdin),
            outgoing: Vec::new(),
            written: 0,
            stdout: OutputStream::new(outputs.stdout),
            stderr: OutputStream::new(outputs.stderr),
            stdout_lines: Lines::new(message_bytes_max),
            stderr_lines: Lines::new(0),
            unfinished: None,
            flush: Alarm::default(),
            drain: Alarm::default(),
            supervision: Supervision::Open,
            end: None,
        })
    }

    /// Adds a line for the program's standard input. It is written while the process goes on.
    pub(super) fn send(&mut self, line: &[u8]) {
        if self.stdin.is_some() {
            self.outgoing.extend_from_slice(line);
        }
    }

    /// Asks the supervisor to end the program.
    pub(super) fn say(&self, word: Word) {
        self.supervised.say(word);
    }

    /// Whether there is still something to be written.
    pub(super) const fn is_writing(&self) -> bool {
        self.written < self.outgoing.len()
    }

    /// Closes standard input.
    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
        self.outgoing.clear();
        self.written = 0;
    }

    /// How much memory the program itself uses, where that is known.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        let id = self.supervised.main()?.as_raw_pid();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// Whether the program has read nothing of a line of this length, which was sent last. `None` if that is unknown.
    ///
    /// What nobody has read stays in the pipe, also when the program has ended.
    pub(super) fn has_left(&self, line_bytes: usize) -> Option<bool> {
        let in_pipe = ioctl_fionread(self.stdin.as_ref()?).ok()?;
        let unwritten = u64::try_from(self.outgoing.len() - self.written).ok()?;
        Some(in_pipe + unwritten >= u64::try_from(line_bytes).ok()?)
    }

    /// Waits for the next thing that happens: output, which goes to the listener, room for input, or the end of the
    /// program. Cancellation safe.
    pub(super) async fn go_on(&mut self, listener: &mut dyn Listener) -> Step {
        tokio::select! {
            bytes = self.stdout.next(), if self.stdout.is_open() => {
                let pieces = if bytes.is_empty() { self.stdout_lines.finish() } else { self.stdout_lines.push(bytes) };
                self.pass_on(Output::Stdout, pieces, listener);
            }
            bytes = self.stderr.next(), if self.stderr.is_open() => {
                let pieces = if bytes.is_empty() { self.stderr_lines.finish() } else { self.stderr_lines.push(bytes) };
                self.pass_on(Output::Stderr, pieces, listener);
            }
            news = self.supervised.next(), if self.supervision != Supervision::Gone => self.learn(news).await,
            () = write(&mut self.stdin, &self.outgoing, &mut self.written), if self.written < self.outgoing.len() => {
                if self.written == self.outgoing.len() {
                    self.outgoing.clear();
                    self.written = 0;
                }
            }
            () = self.flush.rings() => {
                let pieces = self.stdout_lines.flush();
                self.pass_on(Output::Stdout, pieces, listener);
                let pieces = self.stderr_lines.flush();
                self.pass_on(Output::Stderr, pieces, listener);
            }
            () = self.drain.rings() => return Step::Gone(self.end.unwrap_or(End::Abandoned)),
        }
        if self.stdout_lines.is_waiting() || self.stderr_lines.is_waiting() {
            self.flush.set_once(FLUSH_AFTER);
        }
        let is_gone = self.supervision == Supervision::Gone && !self.stdout.is_open() && !self.stderr.is_open();
        if is_gone { Step::Gone(self.end.unwrap_or(End::Abandoned)) } else { Step::Moved }
    }

    /// Reads what is on standard error now. A job's end is read on standard output, and what the program wrote to
    /// standard error before it still belongs to the job.
    pub(super) fn read_stderr(&mut self, listener: &mut dyn Listener) {
        let mut total = 0;
        let mut buffer = [0; 8 * 1024];
        while total < STDERR_BYTES_MAX {
            let Some(count) = self.stderr.read_now(&mut buffer) else { break };
            total += count;
            let pieces = self.stderr_lines.push(&buffer[..count]);
            self.pass_on(Output::Stderr, pieces, listener);
        }
        let pieces = self.stderr_lines.flush();
        self.pass_on(Output::Stderr, pieces, listener);
        if self.unfinished.take().is_some() {
            listener.log(Output::Stderr, "\n");
        }
    }

    async fn learn(&mut self, news: Option<News>) {
        match news {
            Some(News::Started { .. }) => {}
            Some(News::Refused { errno }) => {
                self.end = Some(End::Refused { errno });
                self.finish_supervision();
            }
            Some(News::Ended { exit, cause }) => self.end = Some(End::Ended { exit, cause }),
            Some(News::Sweeping { processes }) => {
                quiet::info!("{} left running in the background, ending", count(processes));
            }
            Some(News::Done { left }) => {
                if left > 0 {
                    quiet::error!(processes = left, "processes of a program cannot be ended");
                }
                self.end = self.end.or(Some(End::Unended));
                self.finish_supervision();
            }
            None => {
                if self.supervision == Supervision::Open {
                    self.supervised.end_orphans().await;
                    self.finish_supervision();
                }
                self.supervised.gone().await;
                self.supervision = Supervision::Gone;
            }
        }
    }

    fn finish_supervision(&mut self) {
        self.supervision = Supervision::Done;
        self.drain.set_once(DRAIN_MAX);
    }

    fn pass_on(&mut self, output: Output, pieces: Vec<Piece>, listener: &mut dyn Listener) {
        for piece in pieces {
            match piece {
                Piece::Line(line) if output == Output::Stdout => self.pass_line(&line, listener),
                Piece::Line(line) => self.log_line(output, &line, listener),
                Piece::Part(part) => {
                    if self.unfinished != Some(output) {
                        self.begin_line(output, listener);
                    }
                    listener.log(output, &part);
                    self.unfinished = Some(output);
                }
                Piece::PartsEnd if self.unfinished == Some(output) => self.begin_line(output, listener),
                Piece::PartsEnd => {}
                Piece::Oversized => listener.note_oversized(),
            }
        }
    }

    /// Passes on a line of standard output. One that was not understood stays in the log, and a note follows it.
    fn pass_line(&mut self, line: &str, listener: &mut dyn Listener) {
        match read_line::<Message>(line) {
            Spoken::Line => self.log_line(Output::Stdout, line, listener),
            Spoken::Message { message, note: None } => listener.hear(message),
            Spoken::Message { message, note: Some(note) } => {
                self.log_line(Output::Stdout, line, listener);
                listener.note_unknown(&note);
                if message.says_something() {
                    listener.hear(message);
                }
            }
            Spoken::Fault(fault) => {
                self.log_line(Output::Stdout, line, listener);
                // The last line of a program that died may be cut off: its death says why the job failed.
                if self.stdout.is_open() {
                    listener.note_fault(fault);
                }
            }
        }
    }

    fn log_line(&mut self, output: Output, line: &str, listener: &mut dyn Listener) {
        self.begin_line(output, listener);
        listener.log(output, &format!("{line}\n"));
    }

    /// Both outputs share a log: an unfinished line of one is ended before the other continues.
    fn begin_line(&mut self, output: Output, listener: &mut dyn Listener) {
        if self.unfinished.take().is_some() {
            listener.log(output, "\n");
        }
    }
}

/// Writes a part of what is left. Cancellation safe. If nobody reads any more, the rest is dropped: the program is
/// ending, or can get no job.
async fn write(stdin: &mut Option<pipe::Sender>, outgoing: &[u8], written: &mut usize) {
    let Some(pipe) = stdin else {
        *written = outgoing.len();
        return;
    };
    match pipe.write(&outgoing[*written..]).await {
        Ok(count) if count > 0 => *written += count,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => {}
        _ => std::future::pending().await,
    }
}
