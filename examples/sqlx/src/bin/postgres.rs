//! An application on sqlx and PostgreSQL enqueues in its own transaction, and a Longshore worker runs the job:
//! `cargo run --bin postgres`. Without a URL as its argument it starts a throw-away server from the installed binaries.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore::postgres::{self, SCHEMA, Value};
use longshore::{HandlerError, Payload, Queue, Worker};
use longshore_testkit_postgres::Cluster;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool};

#[derive(Serialize, Deserialize)]
struct Receipt {
    order: u64,
}

impl Payload for Receipt {
    const JOB_TYPE: &'static str = "send_receipt";
}

/// The order and its receipt: both exist, or neither does.
async fn place_order(pool: &PgPool, order: u64, is_paid: bool) -> Result<(), Box<dyn Error>> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (id) VALUES ($1)").bind(order as i64).execute(&mut *transaction).await?;
    let enqueue = postgres::enqueue_statement(SCHEMA, Receipt { order }.to_job()?)?;
    let mut query = sqlx::query(AssertSqlSafe(enqueue.sql.into_owned()));
    for value in enqueue.values {
        query = match value {
            Value::Integer(number) => query.bind(number),
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
    let scratch = std::env::args().nth(1).is_none().then(|| Cluster::shared().database());
    let url = std::env::args().nth(1).or_else(|| scratch.as_ref().map(|database| database.url())).ok_or("no URL")?;
    let queue = Queue::open(url.as_str()).await?;
    let pool = PgPool::connect(&url).await?;
    sqlx::query("CREATE TABLE orders (id bigint PRIMARY KEY)").execute(&pool).await?;

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

    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM longshore.job_queue WHERE status = 'completed'")
        .fetch_one(&pool)
        .await?;
    assert_eq!((jobs, sent.load(Ordering::Relaxed)), (2, 1 + 3), "orders 1 and 3 were committed, order 2 was not");
    println!("sqlx on PostgreSQL: 2 receipts were sent, and none for the order that was rolled back");
    Ok(())
}
