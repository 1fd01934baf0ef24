use std::sync::mpsc;
use std::time::{Duration, Instant};

use longshore_core::{Store, WorkerId};
use longshore_sqlite::SqliteStore;
use longshore_sqlite::rusqlite::Connection;

use crate::rounds::median;
use crate::store::{File, register, request};

const SAMPLES: usize = 300;

/// From the commit of a foreign INSERT, and from an acknowledged enqueue, to the claimed lease.
pub(crate) async fn latency() {
    let file = File::new();
    let store = file.store();
    let worker_id = register(&store).await;
    let (sender, receiver) = mpsc::channel();
    let path = file.path();
    std::thread::spawn(move || {
        let connection = Connection::open(path).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        for sample in 0..SAMPLES {
            std::thread::sleep(Duration::from_micros(20_000 + (sample as u64 * 7919) % 10_000));
            connection.execute("INSERT INTO job_queue (job_type, job_data) VALUES ('noop', '{}')", []).unwrap();
            sender.send(Instant::now()).unwrap();
        }
    });
    let mut waited = await_jobs(&store, &worker_id, &receiver).await;
    print("from a foreign commit to its claim", &mut waited);

    let (sender, receiver) = mpsc::channel();
    let producer = store.clone();
    tokio::spawn(async move {
        for _ in 0..SAMPLES {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let job = longshore_core::NewJob::new("noop", longshore_core::JobData::default());
            producer.enqueue(vec![job]).await.unwrap();
            sender.send(Instant::now()).unwrap();
        }
    });
    let mut waited = await_jobs(&store, &worker_id, &receiver).await;
    print("from an acknowledged enqueue to its claim", &mut waited);
}

async fn await_jobs(store: &SqliteStore, worker_id: &WorkerId, receiver: &mpsc::Receiver<Instant>) -> Vec<f64> {
    let mut wakeups = store.wakeups();
    let mut waited = Vec::with_capacity(SAMPLES);
    while waited.len() < SAMPLES {
        let claimed = store.claim(request(worker_id, 1)).await.unwrap();
        if claimed.leases.is_empty() {
            wakeups.changed().await;
            continue;
        }
        let now = Instant::now();
        let committed = receiver.recv().unwrap();
        waited.push(now.saturating_duration_since(committed).as_secs_f64() * 1000.0);
    }
    waited
}

fn print(name: &str, waited: &mut Vec<f64>) {
    waited.sort_by(f64::total_cmp);
    let p99 = waited[waited.len() * 99 / 100];
    println!("{name:<42} p50 {:.3} ms, p99 {p99:.3} ms", median(std::mem::take(waited)));
}

/// The processor time and the memory of a process whose one worker waits.
pub(crate) async fn cost() {
    let file = File::new();
    let store = file.store();
    let _worker = register(&store).await;
    let _wakeups = store.wakeups();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (begun, before) = (Instant::now(), processor_ns());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let share = (processor_ns() - before) as f64 / begun.elapsed().as_nanos() as f64;
    println!("{:<42} {:.2} % of a core, {:.1} MiB resident", "an idle worker", share * 100.0, resident_mib());
}

fn processor_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("schedstat")).ok())
        .filter_map(|line| line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()))
        .sum()
}

fn resident_mib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096.0 / 1024.0 / 1024.0
}
