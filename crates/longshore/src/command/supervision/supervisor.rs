use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::passed_file::PassedFile;
use super::protocol::{Cause, Exit, Input, News, OWN_VARIABLES, Order, PROCESS_NAME, SUBCOMMAND, Word};
use super::{descendants, passed_descriptor};

/// How long processes that a finished program left behind may take to end by themselves, such as a `tee` that is still
/// writing.
const LINGER: Duration = Duration::from_millis(250);

/// How long a command may clean up when its worker is gone. Its job may already run elsewhere.
const ABANDONED_GRACE_MAX: Duration = Duration::from_millis(500);

/// How long SIGKILL may take. A process that hangs in the kernel for longer is reported and left, so that its job does
/// not wait for ever.
const KILL_MAX: Duration = Duration::from_secs(30);

/// The pause between two rounds of SIGKILL: the first and the longest. The next round catches processes that were
/// forked during one.
const ROUND_FIRST: Duration = Duration::from_millis(5);
const ROUND_MAX: Duration = Duration::from_millis(500);

static IS_CALLED_BY_MAIN: AtomicBool = AtomicBool::new(false);

/// Becomes the supervisor of one command, if this process was started for that. Otherwise returns.
///
/// A program that runs command jobs must call this first in its `main`, because a worker starts its own program again
/// for each command.
pub fn supervise_if_asked() {
    IS_CALLED_BY_MAIN.store(true, Ordering::Release);
    if env::args_os().nth(1).is_some_and(|word| word == SUBCOMMAND) {
        supervise();
    }
}

/// Whether this program's `main` would become a supervisor when asked.
pub(crate) fn is_called_by_main() -> bool {
    IS_CALLED_BY_MAIN.load(Ordering::Acquire)
}

/// Runs one command as ordered by the worker on standard input. Ends when the command and all its descendants have
/// ended.
///
/// It is single-threaded and synchronous, so that it starts fast and can wait only in its own poll.
pub fn supervise() -> ! {
    let status = match Supervisor::start() {
        Ok(Some(mut supervisor)) => supervisor.run(),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = status {
        // If standard error is closed, nobody can read the message.
        let _ = writeln!(io::stderr(), "{PROCESS_NAME}: {error}; it is started by workers and by nobody else");
        process::exit(70);
    }
    process::exit(0);
}

struct Supervisor {
    /// The worker; `None` once it is gone.
    worker: Option<UnixStream>,
    /// Readable when a child has ended.
    deaths: UnixStream,
    main: Pid,
    main_state: MainState,
    phase: Phase,
    grace: Duration,
    /// Removed when the supervisor ends.
    _file: Option<PassedFile>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MainState {
    Running,
    Ended,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The program is running.
    Running,
    /// The program has ended. Processes that it left behind may still end by themselves.
    Lingering { until: Instant },
    /// Every process got SIGTERM.
    Terminating { until: Instant },
    /// Every process gets SIGKILL until none is left.
    Killing { until: Instant, next: Instant, pause: Duration },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Remaining {
    Some,
    Nothing,
}

impl Supervisor {
    /// Starts the program. `None` if there is nothing to supervise: it did not start, or the worker is gone.
    fn start() -> io::Result<Option<Self>> {
        outlive_signals()?;
        leave_the_workers_group();
        let mut worker = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let (order, payload) = match Order::read(&mut worker) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let file = order.file.clone().map(PassedFile::made_at);
        let (deaths, main) = match begin(&worker, &order, &payload) {
            Ok(begun) => begun,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
                tell(&mut Some(worker), News::Refused { errno });
                return Ok(None);
            }
        };
        worker.set_nonblocking(true)?;
        let mut worker = Some(worker);
        tell(&mut worker, News::Started { pid: main.as_raw_pid() });
        let grace = Duration::from_millis(order.grace_ms);
        let (main_state, phase) = (MainState::Running, Phase::Running);
        Ok(Some(Self { worker, deaths, main, main_state, phase, grace, _file: file }))
    }

    fn run(&mut self) -> io::Result<()> {
        let mut left = 0;
        while self.reap()? == Remaining::Some {
            if let Phase::Killing { until, .. } = self.phase
                && Instant::now() >= until
            {
                left = descendants::signal_all(self.main, Signal::KILL);
                break;
            }
            self.advance();
            self.wait()?;
            self.listen();
        }
        tell(&mut self.worker, News::Done { left });
        Ok(())
    }

    /// Waits for every child that has ended.
    fn reap(&mut self) -> io::Result<Remaining> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((id, status))) if id == self.main => self.note_end(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(Remaining::Some),
                Err(Errno::CHILD) => return Ok(beyond_children(self.main)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn note_end(&mut self, status: WaitStatus) {
        let exit = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => return,
        };
        self.main_state = MainState::Ended;
        let cause = match self.phase {
            Phase::Running | Phase::Lingering { .. } => {
                self.phase = Phase::Lingering { until: Instant::now() + LINGER };
                Cause::Itself
            }
            Phase::Terminating { .. } | Phase::Killing { .. } => Cause::Asked,
        };
        tell(&mut self.worker, News::Ended { exit, cause });
    }

    /// Changes the state if its time has come.
    fn advance(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Lingering { until } if now >= until => {
                let processes = self.terminate(now);
                tell(&mut self.worker, News::Sweeping { processes });
            }
            Phase::Terminating { until } if now >= until => self.kill(now),
            Phase::Killing { until, next, pause } if now >= next => {
                descendants::signal_all(self.main, Signal::KILL);
                self.phase = Phase::Killing { until, next: now + pause, pause: (pause * 2).min(ROUND_MAX) };
            }
            _ => {}
        }
    }

    fn terminate(&mut self, now: Instant) -> usize {
        self.phase = Phase::Terminating { until: now + self.grace };
        let processes = descendants::signal_all(self.main, Signal::TERM);
        // A stopped process handles SIGTERM only when it continues.
        descendants::signal_all(self.main, Signal::CONT);
        processes
    }

    fn kill(&mut self, now: Instant) {
        descendants::signal_all(self.main, Signal::KILL);
        self.phase = Phase::Killing { until: now + KILL_MAX, next: now + ROUND_FIRST, pause: ROUND_FIRST };
    }

    /// Sleeps until the worker sends a byte, a child ends, or a time has come.
    fn wait(&self) -> io::Result<()> {
        let deadline = match self.phase {
            Phase::Running => None,
            Phase::Lingering { until } | Phase::Terminating { until } | Phase::Killing { next: until, .. } => {
                Some(until)
            }
        };
        let span = deadline.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = span.and_then(|span| Timespec::try_from(span).ok());
        let mut sources = vec![PollFd::new(&self.deaths, PollFlags::IN)];
        sources.extend(self.worker.as_ref().map(|worker| PollFd::new(worker, PollFlags::IN)));
        match poll(&mut sources, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what the worker sent.
    fn listen(&mut self) {
        let mut bytes = [0; 64];
        while matches!((&self.deaths).read(&mut bytes), Ok(1..)) {}
        let Some(worker) = &mut self.worker else { return };
        match worker.read(&mut bytes) {
            Ok(0) => self.abandon(),
            Ok(count) => bytes[..count].iter().for_each(|byte| self.obey(Word::of_byte(*byte))),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.abandon(),
        }
    }

    /// Ends what a dead worker has left, even before a long grace period is over.
    fn abandon(&mut self) {
        self.worker = None;
        self.grace = self.grace.min(ABANDONED_GRACE_MAX);
        self.obey(Word::Stop);
        if let Phase::Terminating { until } = self.phase {
            self.phase = Phase::Terminating { until: until.min(Instant::now() + self.grace) };
        }
    }

    fn obey(&mut self, word: Word) {
        let now = Instant::now();
        match (word, self.phase) {
            (Word::Stop, Phase::Running | Phase::Lingering { .. }) => {
                self.terminate(now);
            }
            (Word::Kill, Phase::Running | Phase::Lingering { .. } | Phase::Terminating { .. }) => self.kill(now),
            (Word::Stop, Phase::Terminating { .. }) | (_, Phase::Killing { .. }) => {}
        }
    }
}

/// What may be left when no child is. On Linux orphans become children of their supervisor, so nothing is left. On
/// other systems, the command's process group can outlive it.
fn beyond_children(main: Pid) -> Remaining {
    if cfg!(target_os = "linux") || rustix::process::test_kill_process_group(main).is_err() {
        return Remaining::Nothing;
    }
    Remaining::Some
}

/// Sends a report. If the worker is gone, [`Supervisor::listen`] notices it.
fn tell(worker: &mut Option<UnixStream>, news: News) {
    if let Some(worker) = worker {
        let _ = worker.write_all(&news.encode());
    }
}

/// Handlers, because the command would inherit ignored signals.
fn outlive_signals() -> io::Result<()> {
    static IGNORED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let ignored = IGNORED.get_or_init(Arc::default);
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::clone(ignored))?;
    }
    Ok(())
}

/// Leaves the worker's process group, terminal and name.
///
/// The worker started this process as the leader of its own group, so that an earlier Ctrl-C does not reach it. A group
/// leader cannot start a session, so it first joins another group. Each step is optional and may fail.
fn leave_the_workers_group() {
    if let Ok(group) = rustix::process::getpgid(rustix::process::getppid()) {
        let _ = rustix::process::setpgid(None, Some(group));
    }
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let _ = rustix::thread::set_name(&std::ffi::CString::new(PROCESS_NAME).unwrap_or_default());
    }
}

/// Starts the program, and returns a stream that shows its death.
fn begin(worker: &UnixStream, order: &Order, payload: &[u8]) -> io::Result<(UnixStream, Pid)> {
    let (deaths, on_death) = UnixStream::pair()?;
    deaths.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, on_death)?;
    let input = match order.input {
        Input::Payload { .. } => payload_file(payload)?.into(),
        Input::Pipe => passed_descriptor::receive(worker)?,
    };
    Ok((deaths, spawn(order, input)?))
}

fn spawn(order: &Order, input: OwnedFd) -> io::Result<Pid> {
    let (program, arguments) = order.run.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    for name in OWN_VARIABLES {
        command.env_remove(name);
    }
    command.args(arguments).envs(&order.env).process_group(0).stdin(input);
    if let Some(directory) = &order.directory {
        command.current_dir(directory);
    }
    let child = command.spawn()?;
    // This child is waited for together with the orphans. A second waiter would take its status away.
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(id.expect("a process id is a positive number of 32 bits"))
}

/// The payload as an unnamed file: a program that does not read it blocks nothing, and one that does finds its end.
fn payload_file(payload: &[u8]) -> io::Result<File> {
    let mut file = File::from(nameless_file()?);
    file.write_all(payload)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn nameless_file() -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("job_data", MemfdFlags::CLOEXEC)?)
}

#[cfg(not(target_os = "linux"))]
fn nameless_file() -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = env::temp_dir().join(format!("longshore-{}-{:016x}", process::id(), fastrand::u64(..)));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file.into())
}
