//! A worker on the in-memory store whose jobs go to a Python program.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longshore::backend::{Action, LogRequest, Selection, SystemClock};
use longshore::command::SupervisorProgram;
use longshore::program::{ProgramHandler, ProgramSpec};
use longshore::{Job, JobData, JobId, NewJob, Queue, Status, Worker};
use longshore_core::JobDetail;
use longshore_testkit::MemoryStore;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::processes::{eventually, marked};

/// The protocol, as few lines as possible. `mark(word)` leaves a file of that name.
const PRELUDE: &str = r#"
import json, os, signal, sys, time
def say(**words): print(json.dumps({"longshore": words}), flush=True)
def mark(word): open(os.path.join(os.environ["FOLDER"], word), "a").write("x")
def orders():
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        if "quit" in order: mark("quit"); return
        yield order
def jobs():
    say(ready=1)
    for order in orders():
        if "job" in order: yield order["job"]
mark("started")
"#;

/// A program that ends every job with its own process id.
pub(crate) const PID: &str = "for job in jobs(): say(job=job['id'], done=os.getpid())";

/// A program in Python and where it leaves its marks.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    pub(crate) spec: ProgramSpec,
    pub(crate) mark: String,
}

pub(crate) fn python(body: &str) -> Program {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.py");
    std::fs::write(&path, format!("{PRELUDE}{body}\n")).unwrap();
    program(folder, ["python3", "-u", path.to_str().unwrap()])
}

pub(crate) fn program<const N: usize>(folder: tempfile::TempDir, serve: [&str; N]) -> Program {
    let mark = format!("{:016x}", RandomState::new().hash_one(0));
    let mut spec = ProgramSpec::new(serve);
    spec.command.env.insert("LONGSHORE_TEST_MARK".to_owned(), mark.clone());
    spec.command.env.insert("FOLDER".to_owned(), folder.path().to_str().unwrap().to_owned());
    Program { folder, spec, mark }
}

impl Program {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How often the program has left a mark.
    pub(crate) fn marks(&self, word: &str) -> usize {
        std::fs::read(self.path().join(word)).map_or(0, |marks| marks.len())
    }

    pub(crate) fn until_marked(&self, word: &str) {
        eventually(word, || self.marks(word) > 0);
    }

    pub(crate) fn handler(&self) -> Arc<ProgramHandler> {
        let supervisor = SupervisorProgram::this_program().unwrap();
        Arc::new(ProgramHandler::new(self.spec.clone(), supervisor).unwrap())
    }

    pub(crate) fn until_nobody_is_left(&self) {
        eventually("nobody left", || marked(&self.mark).is_empty());
    }
}

/// A queue and the workers on it.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    pub(crate) queue: Queue,
}

/// A running worker.
pub(crate) struct Working {
    shutdown: Option<oneshot::Sender<()>>,
    immediate: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let queue = Queue::from_backend(Arc::new(MemoryStore::new(SystemClock::new())));
        Self { runtime, queue }
    }

    pub(crate) fn worker(&self, program: &Program) -> Worker {
        Worker::new(&self.queue).handler("resize", program.handler()).concurrency(1)
    }

    pub(crate) fn enqueue(&self, data: &str) -> JobId {
        self.enqueue_as(data, |job| job)
    }

    pub(crate) fn enqueue_as(&self, data: &str, change: impl FnOnce(NewJob) -> NewJob) -> JobId {
        let job = change(NewJob::new("resize", JobData::parse(data).unwrap()).max_retries(0));
        self.runtime.block_on(self.queue.enqueue_job(job)).unwrap().id
    }

    pub(crate) fn drain(&self, worker: Worker) {
        let drained = async { tokio::time::timeout(Duration::from_secs(60), worker.run_until_drained()).await };
        self.runtime.block_on(drained).expect("drained in time").unwrap();
    }

    pub(crate) fn start(&self, worker: Worker) -> Working {
        let (shutdown, shutdown_asked) = oneshot::channel();
        let (immediate, immediate_asked) = oneshot::channel();
        let asked = |asked: oneshot::Receiver<()>| async { drop(asked.await) };
        let run = worker.run_until(asked(shutdown_asked), asked(immediate_asked));
        let task = self.runtime.spawn(async { run.await.unwrap() });
        Working { shutdown: Some(shutdown), immediate: Some(immediate), task }
    }

    pub(crate) fn detail(&self, id: JobId) -> JobDetail {
        self.runtime.block_on(self.queue.job(id)).unwrap().unwrap()
    }

    pub(crate) fn job(&self, id: JobId) -> Job {
        self.detail(id).job
    }

    pub(crate) fn result(&self, id: JobId) -> Option<String> {
        let job = self.job(id);
        assert_eq!(job.status, Status::Completed, "{:?}", job.error_message);
        job.result.map(|result| result.as_str().to_owned())
    }

    /// The failure of a job that was given up.
    pub(crate) fn failure(&self, id: JobId) -> (String, String) {
        let job = self.job(id);
        assert_eq!(job.status, Status::DeadLetter);
        (job.failure_type.unwrap(), job.error_message.unwrap())
    }

    pub(crate) fn log(&self, id: JobId) -> String {
        let request = LogRequest { id, attempt: None, after: None };
        let page = self.runtime.block_on(self.queue.backend().log(request)).unwrap();
        page.entries.into_iter().map(|entry| entry.text).collect()
    }

    pub(crate) fn until(&self, id: JobId, status: Status) {
        eventually(status.as_str(), || self.job(id).status == status);
    }

    pub(crate) fn cancel(&self, id: JobId) {
        self.runtime.block_on(self.queue.backend().act(Selection::job(id), Action::Cancel)).unwrap();
    }

    pub(crate) fn join(&self, working: Working) {
        let joined = async { tokio::time::timeout(Duration::from_secs(60), working.task).await };
        self.runtime.block_on(joined).expect("ended in time").unwrap();
    }
}

impl Working {
    pub(crate) fn shut_down(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    pub(crate) fn end_at_once(&mut self) {
        self.immediate.take().unwrap().send(()).unwrap();
    }

    pub(crate) fn abort(&self) {
        self.task.abort();
    }
}
