use std::collections::BTreeSet;

use longshore_core::{Console, Filter, Job, JobId, JobPageRequest, LogRequest, Selection};

use super::draw;
use super::run::Run;
use crate::suite::Harness;

const PAGE: u32 = 1000;
/// Longer than any run, so that every minute is compared.
const MINUTES: u32 = 100_000;

impl<H: Harness> Run<H> {
    /// The cheap comparison after each step.
    pub(super) async fn compare_counts(&self) {
        self.trail.both_calmly(&self.main, |store| store.stats(MINUTES)).await;
    }

    /// Compares everything visible: every job with its history and log, counts, workers and health.
    pub(super) async fn compare_everything(&self) {
        let found = self.all_jobs(self.main.subject.inner()).await;
        let expected = self.all_jobs(&self.main.model).await;
        self.trail.must_be(&found, &expected, "the jobs");
        for job in found {
            let id = job.id;
            self.trail.both_calmly(&self.main, |store| store.job(id)).await;
            self.trail.both_calmly(&self.main, |store| store.waiting_facts(id)).await;
            self.trail.both_calmly(&self.main, |store| store.log(LogRequest { id, attempt: None, after: None })).await;
        }
        self.compare_batches().await;
        self.compare_counts().await;
        self.trail.both_calmly(&self.main, |store| store.workers()).await;
        self.trail.both_calmly(&self.main, |store| store.health()).await;
        self.compare_schedules().await;
    }

    pub(super) async fn look_at_a_page(&mut self) {
        let known = self.known();
        let selection = draw::selection(&mut self.random, &known);
        let after = draw::is_lucky(&mut self.random, 0.5).then(|| JobId(self.random.i64(..200)).into());
        let request =
            JobPageRequest { selection: selection.clone(), after, limit: self.random.u32(1..20), looked_max: None };
        self.trail.both(&self.main, &format!("{request:?}"), |store| store.jobs(request.clone())).await;
        self.trail.both(&self.main, &format!("count {selection:?}"), |store| store.count(selection.clone())).await;
    }

    pub(super) async fn all_jobs(&self, store: &dyn Console) -> Vec<Job> {
        let (mut jobs, mut after) = (Vec::new(), None);
        loop {
            let request =
                JobPageRequest { selection: Selection::from(Filter::all()), after, limit: PAGE, looked_max: None };
            let page = store.jobs(request).await.expect("without faults jobs can be read");
            jobs.extend(page.jobs);
            after = page.next;
            if after.is_none() {
                return jobs;
            }
        }
    }

    /// After a call that creates or deletes jobs: from now on the jobs of the model must exist.
    pub(super) async fn expect_what_is_there(&mut self) {
        self.expected = self.ids_in(&self.main.model).await;
    }

    pub(super) async fn ids_in(&self, store: &dyn Console) -> BTreeSet<JobId> {
        self.all_jobs(store).await.iter().map(|job| job.id).collect()
    }
}
