use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;

use super::protocol::{MARK_VARIABLE, News, Order, PROCESS_NAME, SUBCOMMAND, Word};
use super::supervisor_program::SupervisorProgram;
use super::{descendants, passed_descriptor};

/// How long to look for the orphans of a supervisor that was killed.
const ORPHANS_MAX: Duration = Duration::from_secs(5);
const ORPHANS_PAUSE: Duration = Duration::from_millis(5);

/// The worker's side of one supervised command.
///
/// Dropping it kills the command: the caller has waited long enough, or may not wait any longer, and the job may be
/// given to another worker at once. If this process dies instead, the supervisor sees the end of its stream. It then
/// sends SIGTERM, and SIGKILL after the grace period.
pub(crate) struct Supervised {
    supervisor: Child,
    news: Lines<BufReader<OwnedReadHalf>>,
    words: OwnedWriteHalf,
    mark: String,
    main: Option<Pid>,
}

/// The two outputs of a command. Read them until both end.
pub(crate) struct Outputs {
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Supervised {
    /// Starts a supervisor and sends it its order and the payload. The first report says whether the program started.
    pub(crate) async fn start(
        program: &SupervisorProgram,
        mut order: Order,
        payload: &[u8],
    ) -> io::Result<(Self, Outputs)> {
        let mark = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
        order.env.insert(MARK_VARIABLE.to_owned(), mark.clone());
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (read, words) = UnixStream::from_std(ours)?.into_split();
        let mut supervisor = spawn(program, theirs)?;
        let outputs = Outputs {
            stdout: supervisor.stdout.take().expect("standard output is piped"),
            stderr: supervisor.stderr.take().expect("standard error is piped"),
        };
        let news = BufReader::new(read).lines();
        let mut supervised = Self { supervisor, news, words, mark, main: None };
        supervised.send(&order, payload).await?;
        Ok((supervised, outputs))
    }

    /// The same for a program whose standard input is a pipe.
    pub(crate) async fn start_with_pipe(
        program: &SupervisorProgram,
        order: Order,
        input: BorrowedFd<'_>,
    ) -> io::Result<(Self, Outputs)> {
        let (supervised, outputs) = Self::start(program, order, b"").await?;
        loop {
            supervised.words.writable().await?;
            let socket = supervised.words.as_ref();
            match socket.try_io(Interest::WRITABLE, || passed_descriptor::send(socket, input)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map(|()| (supervised, outputs)),
            }
        }
    }

    /// The process of the program itself, once it has started.
    pub(crate) const fn main(&self) -> Option<Pid> {
        self.main
    }

    async fn send(&mut self, order: &Order, payload: &[u8]) -> io::Result<()> {
        self.words.write_all(&order.encode()?).await?;
        self.words.write_all(payload).await
    }

    /// The next report; `None` if the supervisor has ended. Cancellation safe.
    pub(crate) async fn next(&mut self) -> Option<News> {
        loop {
            let line = self.news.next_line().await.ok().flatten()?;
            let Some(news) = News::parse(&line) else { continue };
            if let News::Started { pid } = news {
                self.main = Pid::from_raw(pid);
            }
            return Some(news);
        }
    }

    /// Sends a byte to the supervisor. [`Supervised::next`] notices if the supervisor has ended.
    pub(crate) fn say(&self, word: Word) {
        // There is always room for a byte: nothing else is sent after the order.
        let _ = self.words.try_write(&[word.as_byte()]);
    }

    /// Waits until the supervisor itself has ended.
    pub(crate) async fn gone(&mut self) {
        let _ = self.supervisor.wait().await;
    }

    /// Ends what a killed supervisor left behind: the command's group, and every process with the mark of this attempt.
    pub(crate) async fn end_orphans(&self) {
        let (main, mark) = (self.main, format!("{MARK_VARIABLE}={}", self.mark));
        let (done, ended) = oneshot::channel();
        let (main_of_thread, mark_of_thread) = (main, mark.clone());
        // Not on the runtime's blocking pool, which the application's own work may fill.
        let thread = std::thread::Builder::new().name("longshore-orphans".to_owned()).spawn(move || {
            kill_orphans(main_of_thread, &mark_of_thread);
            let _ = done.send(());
        });
        match thread {
            Ok(_) => drop(ended.await),
            // No process may be left behind, even if this blocks the thread for a moment.
            Err(_) => kill_orphans(main, &mark),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.say(Word::Kill);
    }
}

fn spawn(program: &SupervisorProgram, theirs: StdUnixStream) -> io::Result<Child> {
    Command::new(program.path())
        .arg0(PROCESS_NAME)
        .arg(SUBCOMMAND)
        // Otherwise a Ctrl-C at the worker's terminal would reach the supervisor before it can block it.
        .process_group(0)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn kill_orphans(main: Option<Pid>, mark: &str) {
    if let Some(main) = main {
        let _ = kill_process_group(main, Signal::KILL);
    }
    let deadline = Instant::now() + ORPHANS_MAX;
    while descendants::signal_marked(mark, Signal::KILL) > 0 && Instant::now() < deadline {
        std::thread::sleep(ORPHANS_PAUSE);
    }
}
