//! An order and its job are committed together. The README shows the function from here on.
#![allow(clippy::print_stdout, reason = "an example is to be seen")]

use longshore::{Job, Queue, Worker, rusqlite};
use serde::{Deserialize, Serialize};

#[derive(Job, Serialize, Deserialize)]
struct SendReceipt {
    order: i64,
}

fn place_order(shop: &mut rusqlite::Connection, email: &str) -> Result<(), Box<dyn std::error::Error>> {
    let transaction = shop.transaction()?;
    transaction.execute("INSERT INTO orders (email) VALUES (?1)", [email])?;
    let order = transaction.last_insert_rowid();
    Queue::enqueue_in(&transaction, &SendReceipt { order })?;
    transaction.commit()?; // now both exist; before, neither
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = Queue::open(path.display().to_string()).await?;
    let mut shop = rusqlite::Connection::open(&path)?;
    shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL)", [])?;

    place_order(&mut shop, "ada@example.org")?;

    let worker = Worker::new(&queue).handle(|receipt: SendReceipt, _attempt| async move {
        println!("receipt for order {}", receipt.order);
        Ok(())
    });
    worker.run_until_drained().await?;
    Ok(())
}
