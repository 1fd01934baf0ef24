mod named_process;

use longshore_cause::OutsideCause;
use tokio_postgres::{Client, SimpleQueryMessage};

use self::named_process::named_process;
use crate::connect;
use crate::url::{Pooling, PostgresUrl};

/// How many transactions must meet the same two processes of the server. Those of a busy pooler may do so a few times.
const LOOKS: u32 = 24;

/// Whether a pooler that may give each transaction another session stands before the server, if the URL leaves it open.
///
/// A server names the process of a session when that begins; a pooler gives a name of its own. Behind one, two
/// connections ask in random order which process serves them: without such a pooler each has one of its own for good.
pub async fn is_pooled(url: &PostgresUrl) -> Result<bool, OutsideCause> {
    match url.pooling() {
        Pooling::Pooled => return Ok(true),
        Pooling::Direct => return Ok(false),
        Pooling::Auto => {}
    }
    let (first, first_task) = connect(url).await?;
    let first_task = tokio::spawn(first_task);
    let named = named_process(&first).await;
    if named.is_some() && named == process(&first).await {
        drop(first);
        // The end of its connection is the only result of the task.
        drop(first_task.await);
        return Ok(false);
    }
    let (second, second_task) = connect(url).await?;
    let second_task = tokio::spawn(second_task);
    let is_pooled = change_process([&first, &second]).await;
    drop((first, second));
    drop((first_task.await, second_task.await));
    Ok(is_pooled)
}

/// Whether one of the two clients is served by a process that has served the other one, or by several.
async fn change_process(clients: [&Client; 2]) -> bool {
    let mut seen = [None, None];
    for look in 0..LOOKS {
        let asked = if look < 2 { look as usize } else { fastrand::usize(0..2) };
        // What works behind a pooler works without one.
        let Some(process) = process(clients[asked]).await else { return true };
        let is_same = *seen[asked].get_or_insert(process) == process;
        if !is_same || seen[1 - asked] == Some(process) {
            return true;
        }
    }
    false
}

async fn process(client: &Client) -> Option<i32> {
    let answer = client.simple_query("SELECT pg_catalog.pg_backend_pid()").await.ok()?;
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).and_then(|text| text.parse().ok()),
        _ => None,
    })
}
