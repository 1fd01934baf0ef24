//! An application on sqlx enqueues in its own transaction, and a Longshore worker runs the job: `cargo run`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore::sql::{self, Value};
use longshore::{HandlerError, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

#[derive(Serialize, Deserialize)]
struct Receipt {
    order: u64,
}

impl Payload for Receipt {
    const JOB_TYPE: &'static str = "send_receipt";
}

/// The order and its receipt: both exist, or neither does.
async fn place_order(pool: &SqlitePool, order: u64, is_paid: bool) -> Result<(), Box<dyn Error>> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (id) VALUES (?)").bind(order as i64).execute(&mut *transaction).await?;
    let insert = sql::enqueue(&Receipt { order })?;
    let mut query = sqlx::query(insert.sql);
    for value in insert.values {
        query = match value {
            Value::Null => query.bind(None::<i64>),
            Value::Integer(number) => query.bind(number),
            Value::Real(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        };
    }
    query.execute(&mut *transaction).await?;
    if is_paid {
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let queue = Queue::open(path.to_str().ok_or("the folder has a strange name")?).await?;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY)").execute(&pool).await?;

    place_order(&pool, 1, true).await?;
    place_order(&pool, 2, false).await?;
    place_order(&pool, 3, true).await?;

    let sent = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&sent);
    let worker = Worker::new(&queue).handle(move |receipt: Receipt, _| {
        let sum = Arc::clone(&sum);
        async move {
            sum.fetch_add(receipt.order, Ordering::Relaxed);
            Ok::<_, HandlerError>(())
        }
    });
    worker.run_until_drained().await?;

    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM job_queue WHERE status = 'completed'").fetch_one(&pool).await?;
    assert_eq!((jobs, sent.load(Ordering::Relaxed)), (2, 1 + 3), "orders 1 and 3 were committed, order 2 was not");
    println!("sqlx: 2 receipts were sent, and none for the order that was rolled back");
    Ok(())
}
