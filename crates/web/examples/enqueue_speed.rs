//! How fast 64 clients enqueue one job at a time over HTTP, beside 64 tasks that do it by the library, and beside the same
//! clients and a server that enqueues nothing: no server over HTTP is faster here.
//!
//! `cargo run --release -p longshore-web --example enqueue_speed [URL]`; without a URL, on SQLite in a new folder. Clients
//! and server share the machine and the process, so the clients are part of the cost.

#![expect(clippy::print_stdout, reason = "what was measured is the result of the program")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use longshore::{NewJob, Queue};
use longshore_web::{ServeOptions, Web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
const SPAN: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let url = std::env::args().nth(1).unwrap_or_else(|| folder.path().join("queue.db").display().to_string());
    let queue = Queue::open(url).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let web = Web::new(&queue).open_to_everyone();
    let server = tokio::spawn(web.serve(listener, ServeOptions::default(), std::future::pending()));
    let bare = TcpListener::bind("127.0.0.1:0").await?;
    let bare_address = bare.local_addr()?;
    let bare = tokio::spawn(answer_at_once(bare));
    for _ in 0..ROUNDS {
        let own = by_library(&queue).await?;
        let minimal = by_http(address, "prefer: return=minimal\r\n").await?;
        let whole = by_http(address, "").await?;
        let nothing = by_http(bare_address, "").await?;
        println!(
            "library {own:.0}/s, HTTP {minimal:.0}/s ({:.2}), with the whole job in the answer {whole:.0}/s ({:.2}), HTTP that enqueues nothing {nothing:.0}/s ({:.2})",
            minimal / own,
            whole / own,
            nothing / own
        );
    }
    server.abort();
    bare.abort();
    Ok(())
}

/// Reads each request to its end, and answers.
async fn answer_at_once(listener: TcpListener) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(async |request: Request<Incoming>| {
            request.into_body().collect().await?;
            let answer = Full::new(Bytes::from_static(br#"{"id":1}"#));
            let mut response = Response::new(answer);
            *response.status_mut() = StatusCode::CREATED;
            Ok::<_, hyper::Error>(response)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn by_library(queue: &Queue) -> Outcome<f64> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let queue = queue.clone();
        tasks.spawn(async move {
            let mut made = 0_u32;
            while begun.elapsed() < SPAN {
                queue.enqueue_job(NewJob::encode("mail", &serde_json::json!({ "to": "ada" }))?).await?;
                made += 1;
            }
            Outcome::Ok(made)
        });
    }
    rate(tasks, begun).await
}

async fn by_http(address: SocketAddr, header: &str) -> Outcome<f64> {
    let body = r#"{"job_type": "mail", "job_data": {"to": "ada"}}"#;
    let request = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{header}content-length: {}\r\n\
         \r\n{body}",
        body.len()
    );
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let request = request.clone();
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut made, mut answer) = (0_u32, Vec::new());
            while begun.elapsed() < SPAN {
                stream.write_all(request.as_bytes()).await?;
                read_answer(&mut stream, &mut answer).await?;
                made += 1;
            }
            Outcome::Ok(made)
        });
    }
    rate(tasks, begun).await
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
        if !text.starts_with("HTTP/1.1 201") {
            return Err(text.to_owned().into());
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("no length")?;
        if answer.len() >= head + 4 + length.parse::<usize>()? {
            return Ok(());
        }
    }
}

async fn rate(mut tasks: JoinSet<Outcome<u32>>, begun: Instant) -> Outcome<f64> {
    let mut made = 0.0;
    while let Some(ended) = tasks.join_next().await {
        made += f64::from(ended??);
    }
    Ok(made / begun.elapsed().as_secs_f64())
}
