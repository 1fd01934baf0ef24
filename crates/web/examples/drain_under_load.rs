//! How fast a worker drains jobs while 200 event streams are open and 500 requests a second come, beside without them.
//!
//! `cargo run --release -p longshore-web --example drain_under_load [URL]`; without a URL, on SQLite in a new folder. The
//! worker, the server and its clients share the machine and the process, so the clients are part of the cost.

#![expect(clippy::print_stdout, reason = "what was measured is the result of the program")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use longshore::{HandlerError, NewJob, Queue, Worker};
use longshore_web::{ServeOptions, Web};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

const JOBS: usize = 50_000;
const ROUNDS: usize = 3;
const STREAMS: usize = 200;
/// Each sends a request every [`PAUSE`]: together 500 a second.
const CLIENTS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// What the clients ask, in turn.
const PATHS: [&str; 5] =
    ["/api/v1/jobs/1", "/api/v1/jobs?limit=20", "/api/v1/queues", "/api/v1/workers", "/api/v1/jobs?status=pending"];
/// A drain that takes longer has failed.
const DRAIN_MAX: Duration = Duration::from_secs(60);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(longshore::Job, Serialize, Deserialize)]
#[job(name = "nothing")]
struct Nothing {}

/// What the clients got.
#[derive(Default)]
struct Got {
    answers: AtomicU64,
    /// In bytes.
    events: AtomicU64,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| folder.path().join("queue.db").display().to_string());
    let queue = Queue::open(url).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let web = Web::new(&queue).open_to_everyone();
    let server = tokio::spawn(web.serve(listener, ServeOptions::default(), std::future::pending()));
    let mut ratios = Vec::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let alone = drain(&queue).await?;
        let got = Arc::new(Got::default());
        let load = begin_load(address, &got).await?;
        let begun = Instant::now();
        let loaded = drain(&queue).await?;
        let requests = got.answers.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
        let events = got.events.load(Ordering::Relaxed);
        end_load(load).await?;
        println!(
            "alone {alone:.0}/s, with {STREAMS} streams ({events} bytes) and {requests:.0} requests/s {loaded:.0}/s ({:.2})",
            loaded / alone
        );
        if round > 0 {
            ratios.push(loaded / alone);
        }
    }
    server.abort();
    ratios.sort_by(f64::total_cmp);
    println!("median {:.2}", ratios[ratios.len() / 2]);
    Ok(())
}

/// Jobs a second.
async fn drain(queue: &Queue) -> Outcome<f64> {
    for _ in 0..JOBS / 1000 {
        let jobs = (0..1000).map(|_| NewJob::encode("nothing", &Nothing {})).collect::<Result<Vec<_>, _>>()?;
        queue.enqueue_all(jobs).await?;
    }
    let begun = Instant::now();
    let nothing = |_: Nothing, _| async { Ok::<(), HandlerError>(()) };
    timeout(DRAIN_MAX, Worker::new(queue).handle(nothing).run_until_drained()).await??;
    Ok(JOBS as f64 / begun.elapsed().as_secs_f64())
}

/// Opens the streams, waits for the first event of each, and begins the requests.
async fn begin_load(address: SocketAddr, got: &Arc<Got>) -> Outcome<JoinSet<Outcome<()>>> {
    let mut load = JoinSet::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await?;
        if &begin != b"HTTP/1.1 200" {
            return Err("an event stream was not opened".into());
        }
        load.spawn(follow(stream, Arc::clone(got)));
    }
    for client in 0..CLIENTS {
        load.spawn(ask(address, client, Arc::clone(got)));
    }
    Ok(load)
}

/// Ends the clients. One that has failed before makes the measurement worthless.
async fn end_load(mut load: JoinSet<Outcome<()>>) -> Outcome<()> {
    while let Some(ended) = load.try_join_next() {
        ended??;
    }
    load.shutdown().await;
    Ok(())
}

async fn follow(mut stream: TcpStream, got: Arc<Got>) -> Outcome<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Err("an event stream has ended".into()),
            bytes => got.events.fetch_add(bytes as u64, Ordering::Relaxed),
        };
    }
}

async fn ask(address: SocketAddr, client: usize, got: Arc<Got>) -> Outcome<()> {
    // The clients do not send at the same instant.
    tokio::time::sleep(PAUSE * u32::try_from(client)? / u32::try_from(CLIENTS)?).await;
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut pause, mut answer) = (interval(PAUSE), Vec::new());
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for path in PATHS.iter().cycle().skip(client) {
        pause.tick().await;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
        read_answer(&mut stream, &mut answer).await?;
        got.answers.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads one answer with a content length.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Outcome<()> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the server has hung up".into());
        }
        let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&answer[..head])?;
        if !text.starts_with("HTTP/1.1 200") {
            return Err(text.to_owned().into());
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
        if answer.len() >= head + 4 + length.parse::<usize>()? {
            return Ok(());
        }
    }
}
