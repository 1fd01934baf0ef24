use std::collections::HashMap;

use longshore_core::{ClaimNumber, JobId, Lease, StoreError, Timestamp, WorkerId};
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
pub(crate) struct Round {
    pub(crate) now: Timestamp,
    pub(crate) claim_numbers: Vec<i64>,
    pub(crate) leases: Vec<Lease>,
    pub(super) overdue: OverdueJobs,
    pub(crate) next_due: Option<Timestamp>,
    /// Whether others took what it saw, or it saw what is overdue.
    pub(crate) may_find_more: bool,
    /// Whether others held limits or lanes of it.
    pub(crate) is_busy: bool,
    /// Whether its leases are in the order in which they must run already.
    pub(crate) is_in_turn: bool,
    /// The first job that it found in each lane whose jobs come in the order of their ids.
    pub(super) firsts: HashMap<Lane, i64>,
    pub(super) snapshot: Option<Snapshot>,
    /// The version of the limits.
    pub(super) limit_version: Option<i64>,
    keys: HashMap<ClaimNumber, Vec<(JobId, HasKey)>>,
    /// The jobs of which earlier attempts may have stored something.
    with_story: Vec<i64>,
}

impl Round {
    pub(crate) fn read(parts: &Parts, worker_id: &WorkerId, rows: &[Row]) -> Result<Self, Fault> {
        let mut round = Self {
            now: Timestamp::MIN,
            claim_numbers: Vec::new(),
            leases: Vec::with_capacity(rows.len()),
            overdue: OverdueJobs::default(),
            next_due: None,
            may_find_more: false,
            is_busy: false,
            is_in_turn: false,
            firsts: HashMap::new(),
            snapshot: None,
            limit_version: None,
            keys: HashMap::new(),
            with_story: Vec::new(),
        };
        let mut last = None;
        for row in rows {
            let columns = &mut Columns::of(row);
            if let Some(head) = ClaimHead::read(columns)? {
                if head.worker.is_none() {
                    parts.claims.forget(worker_id);
                    parts.limiting.places.forget(worker_id);
                    return Err(StoreError::WorkerGone { worker_id: worker_id.clone() }.into());
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
        (self.snapshot, self.limit_version) = (Some(head.snapshot), head.limit_version);
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

    /// Adds what earlier attempts of the jobs have stored, and marks the jobs that waited for others. This takes a round
    /// trip of its own, but only if there is a job with a past, so a claim of fresh jobs pays nothing.
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
