use longshore_cause::OutsideCause;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::connect;
use crate::url::{Pooling, PostgresUrl};

/// Whether a pooler that may give each transaction another session stands before the server. If the URL leaves it open,
/// two connections ask several times which process of the server serves them: without such a pooler each has one of its
/// own for good.
pub async fn is_pooled(url: &PostgresUrl) -> Result<bool, OutsideCause> {
    match url.pooling() {
        Pooling::Pooled => return Ok(true),
        Pooling::Direct => return Ok(false),
        Pooling::Auto => {}
    }
    let (first, first_task) = connect(url).await?;
    let (second, second_task) = connect(url).await?;
    let tasks = [tokio::spawn(first_task), tokio::spawn(second_task)];
    let mut seen: Option<(String, String)> = None;
    let mut is_pooled = false;
    for _ in 0..3 {
        // If one of them ends meanwhile, the next request of the caller will say so.
        let pair = (process(&first).await, process(&second).await);
        let (Some(first), Some(second)) = pair else { break };
        is_pooled |= first == second || seen.as_ref().is_some_and(|seen| *seen != (first.clone(), second.clone()));
        seen = Some((first, second));
    }
    drop((first, second));
    for task in tasks {
        // The end of its connection is the only result of the task.
        drop(task.await);
    }
    Ok(is_pooled)
}

async fn process(client: &Client) -> Option<String> {
    let answer = client.simple_query("SELECT pg_backend_pid()").await.ok()?;
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}
