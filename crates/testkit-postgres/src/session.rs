use std::future::Future;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Connects, and runs the connection in a task of the current runtime.
pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client reports the same error to its caller.
        drop(connection.await);
    });
    Ok(client)
}

/// Runs SQL in a session of its own and gives the rows.
pub(crate) fn query(config: &Config, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    block_on(async || {
        let messages = connect(config).await?.simple_query(sql).await?;
        Ok(messages.iter().filter_map(texts).collect())
    })
}

/// Runs a future in a runtime of its own, so that a caller inside a runtime may wait for it.
pub(crate) fn block_on<T: Send, F: Future<Output = T>>(start: impl FnOnce() -> F + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(start())
    };
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn texts(message: &SimpleQueryMessage) -> Option<Vec<Option<String>>> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
}
