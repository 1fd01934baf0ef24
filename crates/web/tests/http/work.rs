//! Workers over HTTP.

mod claiming;
mod ending;
mod living;
mod rules;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::site::Site;

/// Longer than any test waits: what should happen soon must come earlier.
const LONG: &str = "60s";

pub(crate) struct Worker<'a> {
    site: &'a Site,
    pub(crate) id: String,
}

impl Site {
    pub(crate) async fn worker(&self) -> Worker<'_> {
        let answer = self.post("/api/v1/workers", &json!({ "job_types": ["a"], "host": "here", "pid": 7 })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.json()["worker_id"].as_str().unwrap().to_owned();
        Worker { site: self, id }
    }
}

impl Worker<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/api/v1/workers/{}/{rest}", self.id)
    }

    async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.site.post(&self.path(rest), body).await
    }

    async fn claim_with(&self, limit: u32, wait: &str, holds: &[&Value]) -> Vec<Value> {
        let holds: Vec<Value> = holds.iter().map(|job| held(job)).collect();
        let body = json!({ "job_types": ["a"], "limit": limit, "wait": wait, "holds": holds });
        let answer = self.post("claim", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["jobs"].as_array().unwrap().clone()
    }

    async fn claim(&self) -> Value {
        let jobs = self.claim_with(1, LONG, &[]).await;
        jobs.into_iter().next().expect("there is a job")
    }

    async fn end(&self, job: &Value, how: &str, body: Value) -> Answer {
        let mut body = body;
        body["claim_number"] = job["claim_number"].clone();
        self.post(&format!("jobs/{}/{how}", job["id"]), &body).await
    }

    async fn ended(&self, job: &Value, how: &str, body: Value) -> String {
        let answer = self.end(job, how, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["id"], job["id"]);
        answer.json()["outcome"].as_str().unwrap().to_owned()
    }

    async fn heartbeat(&self, jobs: Vec<Value>) -> Value {
        let answer = self.post("heartbeat", &json!({ "jobs": jobs })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

fn held(job: &Value) -> Value {
    json!({ "id": job["id"], "claim_number": job["claim_number"] })
}

async fn detail(site: &Site, job: &Value) -> Value {
    site.get(&format!("/api/v1/jobs/{}", job["id"])).await.json()
}
