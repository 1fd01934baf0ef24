//! The smallest complete program: open a queue, enqueue a typed job, run it. The README shows it from here on.
#![allow(clippy::print_stdout, reason = "an example is to be seen")]

use longshore::{Job, Queue, Worker};
use serde::{Deserialize, Serialize};

#[derive(Job, Serialize, Deserialize)]
struct Greeting {
    name: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::open("greetings.db").await?;
    queue.enqueue(&Greeting { name: "Ada".into() }).await?;

    let worker = Worker::new(&queue).handle(|greeting: Greeting, _attempt| async move {
        println!("hello {}", greeting.name);
        Ok(())
    });
    worker.run_until_drained().await?;
    Ok(())
}
