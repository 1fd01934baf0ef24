use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use crate::crashed_queue::CrashedQueue;
use crate::crew::{Crew, Ended, WorkerProcess};
use crate::{PATIENCE, StopWhenDropped};

/// How many times the last worker may be killed by the jobs that it drains.
const DRAINS_MAX: usize = 200;

/// Keeps some workers alive, and kills and freezes them.
pub(crate) struct Workers<'a> {
    queue: &'a dyn CrashedQueue,
    crew: &'a Crew,
    random: Rng,
    places: Vec<WorkerProcess>,
    toll: &'a Toll,
}

/// What happened to the workers, for people.
#[derive(Debug, Default)]
pub(crate) struct Toll {
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    kills: u32,
    kills_by_jobs: u32,
    freezes: u32,
    starts_in_vain: u32,
    /// How long it took each time until others could claim the jobs of a killed worker.
    takeovers: Vec<Duration>,
}

impl<'a> Workers<'a> {
    pub(crate) fn start(
        queue: &'a dyn CrashedQueue,
        crew: &'a Crew,
        toll: &'a Toll,
        count: usize,
        mut random: Rng,
    ) -> Self {
        let places = (0..count).map(|place| queue.worker(place, &mut random)).collect();
        Self { queue, crew, random, places, toll }
    }

    pub(crate) fn replace_dead(&mut self) {
        for place in 0..self.places.len() {
            let Some(ended) = self.places[place].ended() else { continue };
            match ended {
                Ended::Killed => {
                    self.crew.note_killed(self.places[place].pid());
                    self.toll.figures().kills_by_jobs += 1;
                }
                Ended::NeverBegan => self.toll.figures().starts_in_vain += 1,
            }
            self.replace(place);
        }
    }

    pub(crate) fn kill_all(mut self) {
        for place in 0..self.places.len() {
            self.kill(place);
        }
    }

    pub(crate) fn kill_one(&mut self) {
        let place = self.any();
        let pid = self.places[place].pid();
        let orphans = self.queue.running_of(pid);
        self.kill(place);
        let killed = Instant::now();
        let orphans = Some(self.queue.running_of(pid)).filter(|held| !held.is_empty()).unwrap_or(orphans);
        self.replace(place);
        if orphans.is_empty() {
            return;
        }
        while self.queue.is_any_held(&orphans) {
            assert!(killed.elapsed() < PATIENCE, "nobody took over the jobs {orphans:?} of a dead worker");
            // A job may kill the workers that would take over.
            self.replace_dead();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.toll.figures().takeovers.push(killed.elapsed());
    }

    /// A worker is frozen for longer than its lease, as in a paused container.
    pub(crate) fn freeze_one(&mut self, span: Duration) {
        let worker = &self.places[self.random.usize(0..self.places.len())];
        self.crew.note_frozen(worker.pid());
        worker.signal(Signal::STOP);
        std::thread::sleep(span);
        worker.signal(Signal::CONT);
        self.toll.figures().freezes += 1;
    }

    fn any(&mut self) -> usize {
        self.random.usize(0..self.places.len())
    }

    fn replace(&mut self, place: usize) {
        self.places[place] = self.queue.worker(place, &mut self.random);
    }

    fn kill(&mut self, place: usize) {
        // Before the death, because another worker takes the jobs as soon as it finds them.
        self.crew.note_killed(self.places[place].pid());
        self.places[place].kill();
        self.toll.figures().kills += 1;
    }
}

impl Toll {
    pub(crate) fn print(&self) {
        let mut figures = self.figures();
        figures.takeovers.sort();
        let Figures { kills, kills_by_jobs, freezes, starts_in_vain, takeovers } = &*figures;
        println!("{kills} kills, {kills_by_jobs} by jobs, {freezes} frozen workers, {starts_in_vain} starts in vain");
        if let (Some(median), Some(longest)) = (takeovers.get(takeovers.len() / 2), takeovers.last()) {
            println!("from death to the takeover: median {median:?}, longest {longest:?}");
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap()
    }
}

/// Works until no job is left. A job that kills its worker may have to run several times.
pub(crate) fn drain(queue: &dyn CrashedQueue, crew: &Crew, toll: &Toll) {
    let is_drained = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| crew.watch(queue, &is_drained));
        let _stop = StopWhenDropped(&is_drained);
        for _ in 0..DRAINS_MAX {
            // Each, also after one that was killed.
            let are_done: Vec<bool> =
                queue.drains().into_iter().map(|one| drain_with(queue, crew, toll, one)).collect();
            if are_done.into_iter().all(|is_done| is_done) {
                return;
            }
        }
        panic!("{DRAINS_MAX} workers were killed by what was left: {}", queue.depths());
    });
}

/// Whether no job is left for this worker. Otherwise a job has killed it.
fn drain_with(queue: &dyn CrashedQueue, crew: &Crew, toll: &Toll, mut command: Command) -> bool {
    let mut worker = command.stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = worker.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > PATIENCE {
            worker.kill().unwrap();
            worker.wait().unwrap();
            panic!("jobs are left that never end: {}", queue.depths());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.signal() == Some(9) {
        crew.note_killed(worker.id());
        toll.figures().kills_by_jobs += 1;
        return false;
    }
    assert!(status.success(), "the last worker ended with {status}");
    true
}
