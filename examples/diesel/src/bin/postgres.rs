//! An application on Diesel and PostgreSQL enqueues in its own transaction, and a Longshore worker runs the job:
//! `cargo run --bin postgres`. Without a URL as its argument it starts a throw-away server from the installed binaries.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};
use longshore::postgres::{self, SCHEMA, Value};
use longshore::{HandlerError, Payload, Queue, Worker};
use longshore_testkit_postgres::Cluster;
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

fn enqueue(connection: &mut PgConnection, receipt: &Receipt) -> Result<(), Box<dyn Error>> {
    let enqueue = postgres::enqueue_statement(SCHEMA, receipt.to_job()?)?;
    let mut query = sql_query(enqueue.sql).into_boxed::<Pg>();
    for value in enqueue.values {
        query = match value {
            Value::Integer(number) => query.bind::<Nullable<BigInt>, _>(number),
            Value::Text(text) => query.bind::<Nullable<Text>, _>(text),
        };
    }
    query.execute(connection)?;
    Ok(())
}

/// The order and its receipt: both exist, or neither does.
fn place_order(connection: &mut PgConnection, order: u64, is_paid: bool) -> Result<(), Box<dyn Error>> {
    connection.transaction(|connection| {
        sql_query("INSERT INTO orders (id) VALUES ($1)").bind::<BigInt, _>(order as i64).execute(connection)?;
        enqueue(connection, &Receipt { order })?;
        if is_paid { Ok(()) } else { Err("it was not paid".into()) }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = std::env::args().nth(1).is_none().then(|| Cluster::shared().database());
    let url = std::env::args().nth(1).or_else(|| scratch.as_ref().map(|database| database.url())).ok_or("no URL")?;
    let queue = Queue::open(url.as_str()).await?;
    let mut connection = PgConnection::establish(&url)?;
    sql_query("CREATE TABLE orders (id bigint PRIMARY KEY)").execute(&mut connection)?;

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

    let Count { jobs } = sql_query("SELECT count(*) AS jobs FROM longshore.job_queue WHERE status = 'completed'")
        .get_result(&mut connection)?;
    assert_eq!((jobs, sent.load(Ordering::Relaxed)), (2, 1 + 3), "orders 1 and 3 were committed, order 2 was not");
    println!("Diesel on PostgreSQL: 2 receipts were sent, and none for the order that was rolled back");
    Ok(())
}
