use longshore::handler::HandlerError;
use longshore::job::{JobId, NewJob};
use longshore::limits::{LimitRule, LimitSubject};
use longshore::workflow::{After, BatchId, Workflow};
use longshore::{FailureType, Job, Worker};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::site::Site;

/// What a test needs of the batch.
pub(crate) struct Flow {
    pub(crate) batch: BatchId,
    /// It has completed, and all parts waited for it.
    pub(crate) fetch: JobId,
    /// It is a dead letter, and `merge` waits for it.
    pub(crate) broken: JobId,
    pub(crate) publish: JobId,
}

#[derive(Job, Serialize, Deserialize)]
#[job(name = "fetch", queue = "flows")]
struct Fetch {}

/// Every fourth part is given up.
#[derive(Job, Serialize, Deserialize)]
#[job(name = "convert", queue = "flows", max_retries = 0)]
struct Convert {
    part: u32,
}

#[derive(Job, Serialize, Deserialize)]
#[job(name = "notify", queue = "flows")]
struct Notify {}

#[derive(Job, Serialize, Deserialize)]
#[job(name = "alert", queue = "flows")]
struct Alert {}

/// A name that would change a page if it was not escaped. A workflow accepts no control characters in one.
const MARKUP: &str = "</text><img src=x onerror=alert(1)>";
/// The parts of the batch: more than a graph draws one above the other.
const PARTS: u32 = 16;

impl Site {
    /// Adds a batch that is half done, an open one, and limits of which two are saturated.
    pub(crate) fn seed_flows(&self) -> Flow {
        self.run(async {
            let mut flow = Workflow::new("import 42 <b>now</b>");
            let fetch = flow.add(&Fetch {}).named("fetch");
            let merge_job = NewJob::encode("merge", &json!({})).unwrap().queue("flows");
            let mut parts = Vec::new();
            for part in 0..PARTS {
                parts.push(flow.add(&Convert { part }).named(format!("part {part}")).after(fetch.clone()));
            }
            let mut merge = flow.add_job(merge_job).named("merge");
            for part in parts {
                merge = merge.after(After::the_end_of(part));
            }
            let publish = NewJob::encode("publish", &json!({})).unwrap().queue("flows");
            flow.add_job(publish).named(MARKUP).after(merge).after(After::signal("approved"));
            flow.on_completed(&Notify {});
            flow.on_failed(&Alert {});
            let made = self.queue.enqueue_workflow(flow).await.unwrap();
            let converts = Worker::new(&self.queue)
                .handle(|_: Fetch, _attempt| async { Ok(()) })
                .handle(|convert: Convert, _attempt| async move {
                    if convert.part % 4 == 3 {
                        return Err(HandlerError::failed(FailureType::ValidationError, "the part is not an image"));
                    }
                    Ok(())
                })
                .queue("flows");
            converts.run_until_drained().await.unwrap();
            let mut open = Workflow::open("collected by hand");
            open.add_job(NewJob::encode("merge", &json!({})).unwrap().queue("flows"));
            self.queue.enqueue_workflow(open).await.unwrap();
            self.seed_limits().await;
            Flow {
                batch: made.batch_id.unwrap(),
                fetch: made.ids["fetch"],
                broken: made.ids["part 3"],
                publish: made.ids[MARKUP],
            }
        })
    }

    async fn seed_limits(&self) {
        let limits = self.queue.limits();
        let of_type = |name: &str| LimitSubject::Type(name.to_owned());
        let one = LimitRule { concurrency: Some(1), ..LimitRule::default() };
        limits.set(of_type("build_report"), one).await.unwrap();
        let by_key = LimitRule {
            concurrency: Some(50),
            rate: Some("1000/1m".parse().unwrap()),
            burst: Some(20),
            key: Some("/tenant".parse().unwrap()),
            key_concurrency: Some(2),
            ..LimitRule::default()
        };
        limits.set(of_type("sync_tenant"), by_key).await.unwrap();
        let of_queue = LimitRule { concurrency: Some(20), ..LimitRule::default() };
        limits.set(LimitSubject::Queue("imports".to_owned()), of_queue).await.unwrap();
    }
}
