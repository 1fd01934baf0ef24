use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use crate::StopWhenDropped;
use crate::crew::{Crew, LogReader, WorkerProcess};
use crate::harbour::{Harbour, PATIENCE};

const WORKERS: usize = 3;
/// How many times the last worker may be killed by the jobs that it drains.
const DRAINS_MAX: usize = 200;

/// Keeps some workers alive and causes one fault at a time.
pub(crate) struct Faults<'a> {
    harbour: &'a Harbour,
    seed: u64,
    crew: Crew,
    figures: Mutex<Figures>,
}

/// What happened, for people.
#[derive(Debug, Default)]
struct Figures {
    kills: u32,
    kills_by_jobs: u32,
    outages: u32,
    freezes: u32,
    /// How long it took each time until others could claim the jobs of a killed worker.
    takeovers: Vec<Duration>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(harbour: &'a Harbour, seed: u64) -> Self {
        Self { harbour, seed, crew: Crew::default(), figures: Mutex::default() }
    }

    pub(crate) const fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Kills more often than anything else, because a death needs the most cleanup.
    pub(crate) fn run(&self, span: Duration) {
        let mut random = Rng::with_seed(self.seed ^ 0xdead);
        let mut workers: Vec<WorkerProcess> = (0..WORKERS).map(|_| self.worker(&mut random)).collect();
        let begin = Instant::now();
        while begin.elapsed() < span {
            std::thread::sleep(Duration::from_millis(random.u64(200..900)));
            self.replace_dead(&mut workers, &mut random);
            let victim = random.usize(0..WORKERS);
            match random.u8(0..10) {
                0 => self.keep_from_writing(Duration::from_millis(random.u64(1200..4000))),
                1 => self.freeze(&workers[victim], Duration::from_millis(random.u64(1200..4000))),
                _ => self.kill_and_replace(&mut workers, victim, &mut random),
            }
        }
        for worker in &mut workers {
            self.kill(worker);
        }
    }

    fn worker(&self, random: &mut Rng) -> WorkerProcess {
        let reader = [LogReader::Null, LogReader::Full, LogReader::Leaves][random.usize(0..3)];
        WorkerProcess::spawn(self.harbour, 4, reader)
    }

    fn replace_dead(&self, workers: &mut [WorkerProcess], random: &mut Rng) {
        for worker in workers {
            if worker.is_dead() {
                self.crew.note_killed(worker.pid());
                self.figures().kills_by_jobs += 1;
                *worker = self.worker(random);
            }
        }
    }

    fn kill(&self, worker: &mut WorkerProcess) {
        // Before the death, because another worker takes the jobs as soon as it finds them.
        self.crew.note_killed(worker.pid());
        worker.kill();
        self.figures().kills += 1;
    }

    fn kill_and_replace(&self, workers: &mut [WorkerProcess], victim: usize, random: &mut Rng) {
        let pid = workers[victim].pid();
        self.kill(&mut workers[victim]);
        let killed = Instant::now();
        let orphans = self.running_of(pid);
        workers[victim] = self.worker(random);
        if orphans.is_empty() {
            return;
        }
        while self.is_any_left(&orphans) {
            assert!(killed.elapsed() < PATIENCE, "nobody took over the jobs {orphans:?} of a dead worker");
            // A job may kill the workers that would take over.
            self.replace_dead(workers, random);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.figures().takeovers.push(killed.elapsed());
    }

    /// Another program holds the write lock for longer than a lease.
    fn keep_from_writing(&self, span: Duration) {
        let other = self.harbour.other_program();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::thread::sleep(span);
        other.execute_batch("COMMIT").unwrap();
        self.figures().outages += 1;
    }

    /// The worker is frozen for longer than its lease, as in a paused container.
    fn freeze(&self, worker: &WorkerProcess, span: Duration) {
        self.crew.note_frozen(worker.pid());
        worker.signal(Signal::STOP);
        std::thread::sleep(span);
        worker.signal(Signal::CONT);
        self.figures().freezes += 1;
    }

    /// The jobs that a process holds, with their claim numbers.
    fn running_of(&self, pid: u32) -> Vec<(i64, i64)> {
        let database = self.harbour.database();
        let mut select = database
            .prepare(
                "SELECT id, claim_number FROM job_queue \
                 WHERE status = 'running' AND worker_id IN (SELECT worker_id FROM job_workers WHERE pid = ?1)",
            )
            .unwrap();
        select.query_map([pid], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    /// Whether one of these claims still belongs to its dead worker.
    fn is_any_left(&self, orphans: &[(i64, i64)]) -> bool {
        let database = self.harbour.database();
        let mut select =
            database.prepare("SELECT status = 'running' AND claim_number = ?2 FROM job_queue WHERE id = ?1").unwrap();
        orphans.iter().any(|(id, claim)| select.query_row([id, claim], |row| row.get(0)).unwrap())
    }

    /// Works until no job is left. A job that kills its worker may have to run several times.
    pub(crate) fn drain(&self) {
        let is_drained = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| self.crew.watch(self.harbour, &is_drained));
            let _stop = StopWhenDropped(&is_drained);
            for _ in 0..DRAINS_MAX {
                if self.drain_once() {
                    return;
                }
            }
            panic!("{DRAINS_MAX} workers were killed by what was left: {:?}", self.harbour.depths());
        });
    }

    /// Whether no job is left. Otherwise a job has killed the worker.
    fn drain_once(&self) -> bool {
        let mut command = self.harbour.command(&["work", "--concurrency", "16", "--drain"]);
        let mut worker = command.stdout(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = worker.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > PATIENCE {
                worker.kill().unwrap();
                worker.wait().unwrap();
                panic!("jobs are left that never end: {:?}", self.harbour.depths());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if status.signal() == Some(9) {
            self.crew.note_killed(worker.id());
            self.figures().kills_by_jobs += 1;
            return false;
        }
        assert!(status.success(), "the last worker ended with {status}");
        true
    }

    pub(crate) fn print(&self) {
        let mut figures = self.figures();
        figures.takeovers.sort();
        let Figures { kills, kills_by_jobs, outages, freezes, takeovers } = &*figures;
        println!("{kills} kills, {kills_by_jobs} by jobs, {outages} write outages, {freezes} frozen workers");
        if let (Some(median), Some(longest)) = (takeovers.get(takeovers.len() / 2), takeovers.last()) {
            println!("from death to the takeover: median {median:?}, longest {longest:?}");
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap()
    }
}
