//! An application on Diesel enqueues in its own transaction, and a Longshore worker runs the job: `cargo run`.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Double, Nullable, Text};
use diesel::sqlite::Sqlite;
use longshore::sql::{self, Value};
use longshore::{HandlerError, Payload, Queue, Worker};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Receipt {
    order: u64,
}

impl Payload for Receipt {
    const JOB_TYPE: &'static str = "send_receipt";
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

fn enqueue(connection: &mut SqliteConnection, receipt: &Receipt) -> Result<(), Box<dyn Error>> {
    let insert = sql::enqueue(receipt)?;
    let mut query = sql_query(insert.sql).into_boxed::<Sqlite>();
    for value in insert.values {
        query = match value {
            Value::Null => query.bind::<Nullable<BigInt>, _>(None::<i64>),
            Value::Integer(number) => query.bind::<BigInt, _>(number),
            Value::Real(number) => query.bind::<Double, _>(number),
            Value::Text(text) => query.bind::<Text, _>(text),
        };
    }
    query.execute(connection)?;
    Ok(())
}

/// The order and its receipt: both exist, or neither does.
fn place_order(connection: &mut SqliteConnection, order: u64, is_paid: bool) -> Result<(), Box<dyn Error>> {
    connection.transaction(|connection| {
        sql_query("INSERT INTO orders (id) VALUES (?)").bind::<BigInt, _>(order as i64).execute(connection)?;
        enqueue(connection, &Receipt { order })?;
        if is_paid { Ok(()) } else { Err("it was not paid".into()) }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("shop.db");
    let path = path.to_str().ok_or("the folder has a strange name")?;
    let queue = Queue::open(path).await?;
    let mut connection = SqliteConnection::establish(path)?;
    sql_query("CREATE TABLE orders (id INTEGER PRIMARY KEY)").execute(&mut connection)?;

    place_order(&mut connection, 1, true)?;
    place_order(&mut connection, 2, false).expect_err("it was not paid");
    place_order(&mut connection, 3, true)?;

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

    let Count { jobs } =
        sql_query("SELECT count(*) AS jobs FROM job_queue WHERE status = 'completed'").get_result(&mut connection)?;
    assert_eq!((jobs, sent.load(Ordering::Relaxed)), (2, 1 + 3), "orders 1 and 3 were committed, order 2 was not");
    println!("Diesel: 2 receipts were sent, and none for the order that was rolled back");
    Ok(())
}
