use std::sync::Arc;

use longshore_core::{Recorded, Report, WorkerId};
use rusqlite::params;

use crate::fault::Fault;
use crate::jobs::attempt_log::{LogPlace, write_log};
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Work};

/// Writes progress and log of running attempts, each behind its own fence.
pub(crate) struct ReportAll {
    pub(crate) worker_id: WorkerId,
    pub(crate) reports: Arc<[Report]>,
}

impl Work for ReportAll {
    type Answer = Vec<Recorded>;
    const DOING: &'static str = "writing progress and logs";
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.reports.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Vec<Recorded>, Fault> {
        self.reports.iter().map(|report| report_one(tx, &self.worker_id, report)).collect()
    }
}

fn report_one(tx: &WriteTx<'_, '_>, worker_id: &WorkerId, report: &Report) -> Result<Recorded, Fault> {
    let (id, claim_number) = (report.id, report.claim_number);
    let is_held = match &report.progress {
        Some(progress) => {
            let fraction = if progress.fraction.is_nan() { 0.0 } else { progress.fraction.clamp(0.0, 1.0) };
            let changed = tx
                .connection
                .prepare_cached(include_str!("../sql/report_progress.sql"))?
                .execute(params![id.0, worker_id.as_str(), claim_number.0, fraction, progress.message])?;
            changed == 1
        }
        None => tx.connection.prepare_cached(include_str!("../sql/is_running.sql"))?.exists(params![
            id.0,
            worker_id.as_str(),
            claim_number.0
        ])?,
    };
    if !is_held {
        return Ok(Recorded::Fenced);
    }
    write_log(tx, LogPlace { id, claim_number, attempt: report.attempt }, &report.log)?;
    Ok(Recorded::Recorded)
}
