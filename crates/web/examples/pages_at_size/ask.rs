use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What every page is to keep at p95.
const GOAL: Duration = Duration::from_millis(50);
/// An answer that takes longer is measured once.
const HOPELESS: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS_MAX: usize = 1000;

/// Asks for every page and list, one at a time, and prints how long the answers took.
pub(super) async fn ask(address: SocketAddr, rounds: usize) -> Result<(), Box<dyn Error>> {
    if !address.ip().is_loopback() || !(1..=ROUNDS_MAX).contains(&rounds) {
        return Err(format!("the server is one of this machine, and there are 1 to {ROUNDS_MAX} rounds").into());
    }
    let paths = paths(address).await?;
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); paths.len()];
    // Each round asks for all of them, so that no page is measured while only its own rows are in memory.
    for round in 0..=rounds {
        for (path, times) in paths.iter().zip(&mut times) {
            if times.first().is_some_and(|first| *first > HOPELESS) {
                continue;
            }
            let begin = Instant::now();
            let (status, _) = get(address, path).await?;
            if status != 200 && status != 303 {
                return Err(format!("{path} was answered with {status}").into());
            }
            let took = begin.elapsed();
            // The first round prepares statements.
            if round > 0 || took > HOPELESS {
                times.push(took);
            }
        }
    }
    report(&paths, &mut times);
    Ok(())
}

fn report(paths: &[String], times: &mut [Vec<Duration>]) {
    println!("{:>8} {:>8} {:>8}  ms", "p50", "p95", "max");
    let mut late = 0;
    for (path, times) in paths.iter().zip(times) {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share).div_ceil(100).max(1) - 1];
        let [p50, p95, max] = [50, 95, 100].map(|share| at(share).as_secs_f64() * 1000.0);
        let is_late = at(95) > GOAL;
        late += usize::from(is_late);
        println!("{p50:>8.1} {p95:>8.1} {max:>8.1}  {path}{}", if is_late { "  <-- late" } else { "" });
    }
    println!("{late} of {} take longer than {} ms at p95", paths.len(), GOAL.as_millis());
}

/// Everything that can be asked for, with the filters that people use, and the rare ones that make a store look far.
async fn paths(address: SocketAddr) -> Result<Vec<String>, Box<dyn Error>> {
    let id = async |filter: &str| -> Result<i64, Box<dyn Error>> {
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/jobs?limit=1&look=1000000&{filter}{after}");
            let jobs: Value = serde_json::from_str(&get(address, &path).await?.1)?;
            match (jobs["jobs"][0]["id"].as_i64(), jobs["next"].as_str()) {
                (Some(id), _) => return Ok(id),
                (None, Some(next)) => after = format!("&after={next}"),
                (None, None) => return Err(format!("no job has {filter}").into()),
            }
        }
    };
    let newest = id("").await?;
    let (dead, ended) = (id("status=dead_letter").await?, id("status=completed").await?);
    let (blocked, parent) = (id("status=blocked").await?, id("type=fan_out").await?);
    let mut paths: Vec<String> = ["/", "/?span=24h", "/?span=7d"].map(str::to_owned).into();
    let filters = [
        "",
        "status=pending",
        "status=completed",
        "status=dead_letter",
        "status=blocked",
        "status=retrying",
        "status=running",
        "status=cancelled",
        "type=send_mail",
        "type=send_mail&status=pending",
        "type=send_mail&status=dead_letter",
        "type=rare_type",
        "type=rare_type&status=completed",
        "type=no_such_type",
        "queue=mail",
        "queue=mail&status=completed",
        "queue=rare_queue",
        "queue=rare_queue&status=completed",
        "failure_type=config_error",
        "failure_type=config_error&status=dead_letter",
        "failure_type=resource_error",
        "failure_type=resource_error&status=dead_letter",
        "failure_type=resource_error&status=retrying",
        "type=rare_type&status=blocked",
        "queue=rare_queue&status=running",
    ];
    for list in ["/jobs", "/api/v1/jobs"] {
        paths.extend(filters.map(|filter| format!("{list}?{filter}")));
        for deep in ["", "&status=completed", "&status=dead_letter", "&type=send_mail"] {
            paths.push(format!("{list}?after={}{deep}", ended / 2));
        }
        paths.push(format!("{list}?after={}&status=pending", newest - 500_000));
    }
    for id in [newest, ended, dead, blocked, parent] {
        paths.extend([format!("/jobs/{id}"), format!("/api/v1/jobs/{id}"), format!("/api/v1/jobs/{id}/explain")]);
    }
    paths.extend([format!("/jobs/{dead}/edit"), format!("/jobs/new?like={dead}"), format!("/search?q={dead}")]);
    paths.push(format!("/api/v1/jobs/{dead}/logs"));
    paths.push(format!("/api/v1/dead/{dead}"));
    let fixed = [
        "/dead",
        "/dead?type=send_mail",
        "/dead?type=rare_failure",
        "/dead?queue=mail",
        "/dead?failure_type=resource_error",
        "/api/v1/dead",
        "/api/v1/dead?type=rare_failure",
        "/api/v1/dead?reason=not_retried",
        "/queues",
        "/api/v1/queues",
        "/workers",
        "/api/v1/workers",
        "/types",
        "/schedules",
        "/api/v1/schedules",
        "/limits",
        "/limits?scope=type&name=sync_tenant",
        "/api/v1/limits",
        "/api/v1/limits?saturated=true",
        "/batches",
        "/api/v1/batches",
        "/batches?status=completed",
        "/batches/1",
        "/api/v1/batches/1",
        "/batches/2",
        "/audit",
        "/api/v1/audit",
        "/migrations",
        "/api/v1/migrations",
        "/api/v1/migrations/history",
        "/api/v1/stats",
        "/api/v1/stats?minutes=10080",
        "/metrics",
        "/api",
        "/api/v1/openapi.json",
        "/preferences",
        "/healthz",
        "/readyz",
    ];
    paths.extend(fixed.map(str::to_owned));
    Ok(paths)
}

/// One request on a connection of its own, as a browser makes it that comes anew.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), Box<dyn Error>> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.map_err(|_| format!("{path} was not answered in time"))??;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer has no head")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or("the answer has no status")?;
    Ok((status, body.to_owned()))
}
