use std::collections::HashMap;

use longshore_core::{ClaimNumber, ClaimRequest, JobId, Lease, StoreError, Timestamp, WorkerId};
use tokio_postgres::Row;

use super::claim_row::{ClaimHead, FoundJob};
use super::held::HasKey;
use super::lanes::Snapshot;
use super::overdue::{Lane, OverdueJobs};
use crate::jobs::outcomes::checkpoint::add_past;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::store::Parts;

/// What one statement of a claim has found.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) now: Timestamp,
    pub(super) claim_numbers: Vec<i64>,
    pub(super) leases: Vec<Lease>,
    pub(super) overdue: OverdueJobs,
    pub(super) next_due: Option<Timestamp>,
    /// Whether others took what it saw, or it saw what is overdue.
    pub(super) may_find_more: bool,
    /// The first job that it found in each lane whose jobs come in the order of their ids.
    pub(super) firsts: HashMap<Lane, i64>,
    pub(super) snapshot: Option<Snapshot>,
    keys: HashMap<ClaimNumber, Vec<(JobId, HasKey)>>,
    /// The jobs of which earlier attempts may have stored something.
    with_story: Vec<i64>,
}

impl Round {
    pub(super) fn read(parts: &Parts, request: &ClaimRequest, rows: &[Row]) -> Result<Self, Fault> {
        let mut round = Self {
            now: Timestamp::MIN,
            claim_numbers: Vec::new(),
            leases: Vec::with_capacity(rows.len()),
            overdue: OverdueJobs::default(),
            next_due: None,
            may_find_more: false,
            firsts: HashMap::new(),
            snapshot: None,
            keys: HashMap::new(),
            with_story: Vec::new(),
        };
        let mut last = None;
        for row in rows {
            let columns = &mut Columns::of(row);
            if let Some(head) = ClaimHead::read(columns)? {
                if head.worker.is_none() {
                    parts.claims.forget(&request.worker_id);
                    return Err(StoreError::WorkerGone { worker_id: request.worker_id.clone() }.into());
                }
                round.begin(&head);
                last = Some(head);
            }
            let Some(head) = &last else { continue };
            if let Some(found) = FoundJob::read(columns, head)? {
                round.add(found, head);
            }
        }
        Ok(round)
    }

    fn begin(&mut self, head: &ClaimHead) {
        (self.now, self.next_due) = (head.now, head.next_due);
        self.may_find_more |= head.is_short;
        self.snapshot = Some(head.snapshot);
    }

    fn add(&mut self, found: FoundJob, head: &ClaimHead) {
        self.note_first(&found);
        match (head.claim_number, found.overdue(head)) {
            (_, Some(overdue)) if !found.is_held => {
                self.may_find_more = true;
                self.overdue.add(&found, overdue);
            }
            (Some(number), _) => {
                self.keys.entry(number).or_default().push((found.lease.id, found.has_key));
                self.with_story.extend(found.has_story.then_some(found.lease.id.0));
                self.leases.push(found.lease);
            }
            (None, _) => {}
        }
    }

    fn note_first(&mut self, found: &FoundJob) {
        if found.comes_again() {
            return;
        }
        // Nearly always there is one lane, and it is not worth a copy of its name for each job.
        let known = self.firsts.iter_mut().find(|(lane, _)| found.is_in(lane));
        match known {
            Some((_, first)) => *first = (*first).min(found.lease.id.0),
            None => drop(self.firsts.insert(found.lane(), found.lease.id.0)),
        }
    }

    /// Adds what earlier attempts of the jobs have stored, and which ones waited for others. A round trip of its own, only if there is a job with a past:
    /// so the claim itself costs fresh jobs nothing.
    pub(super) async fn add_past(&mut self, parts: &Parts) -> Result<(), Fault> {
        if self.with_story.is_empty() {
            return Ok(());
        }
        add_past(&*parts.pool.session().await?, &self.with_story, &mut self.leases).await?;
        Ok(())
    }

    /// Remembers what the worker holds now.
    pub(super) fn hold(&mut self, parts: &Parts, worker_id: &WorkerId) {
        self.claim_numbers.extend(self.keys.keys().map(|number| number.0));
        for (number, jobs) in self.keys.drain() {
            parts.claims.held.give(worker_id, number, jobs);
        }
    }
}
