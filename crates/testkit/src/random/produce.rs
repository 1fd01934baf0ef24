use longshore_core::{ClaimRequest, EnqueueStream, NewJob, stream_of};

use super::actor::Holding;
use super::draw;
use super::run::Run;
use crate::suite::Harness;

/// A line of a stream; text is what broke it off.
type Line = Result<NewJob, &'static str>;

impl<H: Harness> Run<H> {
    pub(super) async fn enqueue(&mut self) {
        let number = if draw::is_lucky(&mut self.random, 0.7) { 1 } else { self.random.usize(..6) };
        let jobs = self.draw_jobs(number);
        let what = format!("enqueue {jobs:?}");
        self.trail.both(&self.main, &what, |store| store.enqueue(jobs.clone())).await;
        self.expect_what_is_there().await;
    }

    /// A job of a worker's own process. Where it came with a lease, a claim of that worker on the model must get
    /// exactly that lease: then nothing else was to run first.
    pub(super) async fn enqueue_beside_a_worker(&mut self) {
        let Some(place) = self.some_actor() else { return };
        let jobs = self.draw_jobs(1);
        let what = format!("{} enqueues {jobs:?}", self.actors[place].worker_id);
        let actor = &mut self.actors[place];
        self.trail.both(&actor.pair, &what, |store| store.enqueue(jobs.clone())).await;
        if let Some((inbox, request)) = &mut actor.inbox {
            let leases = inbox.take();
            let wanted = ClaimRequest { limit: 1, ..request.clone() };
            if !leases.is_empty() {
                self.trail.tell(&format!("… and gets {leases:?}"));
                let expected = actor.pair.model.lease(&wanted);
                self.trail.must_be(&leases, &expected, "the lease that came with a job");
            }
            actor.holds.extend(leases.into_iter().map(|lease| Holding { lease, began: None }));
        }
        self.expect_what_is_there().await;
    }

    pub(super) async fn enqueue_stream(&mut self) {
        let number = self.random.usize(..8);
        let mut lines: Vec<Line> = self.draw_jobs(number).into_iter().map(Ok).collect();
        if draw::is_lucky(&mut self.random, 0.2) {
            lines.push(Err("the stream broke off"));
        }
        let what = format!("enqueue the stream {lines:?}");
        self.trail.both(&self.main, &what, |store| store.enqueue_stream(stream(lines.clone()))).await;
        self.expect_what_is_there().await;
    }

    fn draw_jobs(&mut self, number: usize) -> Vec<NewJob> {
        let (now, known) = (self.now(), self.known());
        (0..number).map(|_| draw::new_job(&mut self.random, now, &known)).collect()
    }
}

fn stream(lines: Vec<Line>) -> EnqueueStream {
    stream_of(lines.into_iter().map(|line| line.map_err(Into::into)))
}
