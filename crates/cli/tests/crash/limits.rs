//! Several worker processes under limits, some of which are killed. The programs of their jobs write down when they begin
//! and end, and the database is looked at all the time: never do more jobs hold a lease than a limit allows, and
//! everything ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use longshore::backend::{Filter, JobPageRequest, Selection};
use longshore::{JobData, NewJob, Queue, Status};
use longshore_testkit_postgres::Cluster;
use tokio::runtime::Runtime;

use crate::PATIENCE;

/// The jobs of each phase, their keys, and the limits.
const JOBS: usize = 120;
const KEYS: usize = 6;
const OF_TYPE: usize = 5;
const OF_KEY: usize = 2;
/// How many processes work at once, and how often one of them is killed.
const WORKERS: usize = 4;
const KILLS: usize = 6;

/// A database, and the folder of the configuration and of the marks.
struct Site {
    url: String,
    folder: PathBuf,
    queue: Queue,
    runtime: Runtime,
}

/// The worker processes, which end with the test.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // Both calls fail if it has ended.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

pub(crate) fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("queue.db").display().to_string(), folder.path());
}

pub(crate) fn on_postgres() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Cluster::shared().database());
    run(&database.url(), folder.path());
}

fn run(url: &str, folder: &Path) {
    let site = Site::new(url, folder);
    let mut workers = Workers((0..WORKERS).map(|_| site.work()).collect());
    site.enqueue();
    site.watch_until_ended(JOBS, |_| {});
    // Nobody has died, so the programs themselves kept to the limits, too.
    site.assert_programs_kept_to_the_limits();
    let (mut random, mut kills) = (Rng::with_seed(68), 0);
    site.enqueue();
    site.watch_until_ended(2 * JOBS, |ended| {
        if kills < KILLS && ended >= JOBS + kills * JOBS / (KILLS + 1) {
            kills += 1;
            let victim = &mut workers.0[random.usize(..WORKERS)];
            victim.kill().unwrap();
            victim.wait().unwrap();
            *victim = site.work();
        }
    });
    assert_eq!(kills, KILLS, "workers were killed while jobs waited");
}

impl Site {
    fn new(url: &str, folder: &Path) -> Self {
        // Each line is one write, so that lines never mix.
        let script = r#"key=$(tr -dc 0-9); echo "begin $key" >> marks; sleep 0.05; echo "end $key" >> marks"#;
        let config = format!(
            "[jobs.sync]\nrun = [\"sh\", \"-c\", '''{script}''']\nconcurrency = {OF_TYPE}\nkey = \"/key\"\n\
             key_concurrency = {OF_KEY}\n[worker]\nlease = \"5s\"\n"
        );
        std::fs::write(folder.join("longshore.toml"), config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let queue = runtime.block_on(Queue::open(url)).unwrap();
        Self { url: url.to_owned(), folder: folder.to_owned(), queue, runtime }
    }

    fn work(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(["work", "--concurrency", "8", "--database", &self.url]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Half of the jobs have one key.
    fn enqueue(&self) {
        for number in 0..JOBS {
            let key = if number % 2 == 0 { 0 } else { number / 2 % KEYS };
            let data = JobData::parse(format!(r#"{{"key":{key}}}"#)).unwrap();
            self.runtime.block_on(self.queue.enqueue_job(NewJob::new("sync", data))).unwrap();
        }
    }

    /// Looks at the leases until so many jobs have completed; `act` is told how many have so far.
    fn watch_until_ended(&self, jobs: usize, mut act: impl FnMut(usize)) {
        let begun = Instant::now();
        let (mut most, mut looks) = (0, 0);
        loop {
            let running = self.running();
            looks += 1;
            most = most.max(running.values().sum::<usize>());
            assert!(running.values().sum::<usize>() <= OF_TYPE, "more leases than the type may have: {running:?}");
            assert!(running.values().all(|count| *count <= OF_KEY), "more leases than a key may have: {running:?}");
            let ended = self.count(Status::Completed);
            if ended == jobs {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{ended} of {jobs} jobs have completed");
            act(ended);
            sleep(Duration::from_millis(5));
        }
        println!("{looks} looks, at most {most} of {OF_TYPE} leases");
        assert_eq!(most, OF_TYPE, "as many as the limit allows ran while enough waited");
    }

    /// How many jobs of each key hold a lease, as one snapshot of the database says it.
    fn running(&self) -> BTreeMap<String, usize> {
        let request =
            JobPageRequest { selection: selection(Status::Running), after: None, limit: 1000, looked_max: None };
        let page = self.runtime.block_on(self.queue.backend().jobs(request));
        let mut running = BTreeMap::new();
        for job in page.unwrap().jobs {
            *running.entry(job.job_data.as_str().to_owned()).or_default() += 1;
        }
        running
    }

    fn count(&self, status: Status) -> usize {
        let count = self.runtime.block_on(self.queue.backend().count(selection(status))).unwrap();
        usize::try_from(count).unwrap()
    }

    fn assert_programs_kept_to_the_limits(&self) {
        let marks = std::fs::read_to_string(self.folder.join("marks")).unwrap();
        let mut running = BTreeMap::<&str, usize>::new();
        for line in marks.lines() {
            let (what, key) = line.split_once(' ').unwrap();
            let count = running.entry(key).or_default();
            match what {
                "begin" => *count += 1,
                _ => *count -= 1,
            }
            assert!(*count <= OF_KEY, "{count} programs of the key {key} ran at once");
            assert!(running.values().sum::<usize>() <= OF_TYPE, "too many programs ran at once: {running:?}");
        }
        assert_eq!(marks.lines().count(), 2 * JOBS, "every job ran once");
    }
}

fn selection(status: Status) -> Selection {
    Selection::Matching(Filter::all().statuses([status]))
}
