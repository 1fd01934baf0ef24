use std::sync::Arc;

use longshore_core::{ClaimNumber, JobId, Recorded, Report, WorkerId};
use rusqlite::{Connection, params};

use crate::database::fault::Fault;
use crate::jobs::outcomes::attempt_log::{LogPlace, write_log};
use crate::jobs::outcomes::record::{Manner, refused};
use crate::writing::session::WriteTx;
use crate::writing::work::{Effect, Passing, Work};

/// Writes progress and log of running attempts, each under its own fence. Also writes the log of attempts that
/// completed their jobs.
pub(crate) struct ReportAll {
    pub(crate) worker_id: WorkerId,
    pub(crate) reports: Arc<[Report]>,
    pub(crate) manner: Manner,
}

impl Work for ReportAll {
    type Answer = Vec<Recorded>;
    const DOING: &'static str = "writing progress and logs";
    const PASSING: Passing = Passing::WhileDraining;
    const EFFECT: Effect = Effect::Told;

    fn rows(&self) -> usize {
        self.reports.len()
    }

    fn write(&mut self, tx: &mut WriteTx<'_, '_>) -> Result<Vec<Recorded>, Fault> {
        let Self { worker_id, reports, manner } = self;
        let mut answers = Vec::with_capacity(reports.len());
        for report in reports.iter() {
            answers.push(match manner {
                Manner::Together => report_one(tx, worker_id, report)?,
                Manner::Apart => {
                    tx.apart(|tx| report_one(tx, worker_id, report))?.unwrap_or_else(|error| refused(&error))
                }
            });
        }
        Ok(answers)
    }
}

fn report_one(tx: &WriteTx<'_, '_>, worker_id: &WorkerId, report: &Report) -> Result<Recorded, Fault> {
    let (id, claim_number) = (report.id, report.claim_number);
    let is_running = match &report.progress {
        Some(progress) => {
            let fraction = if progress.fraction.is_nan() { 0.0 } else { progress.fraction.clamp(0.0, 1.0) };
            let changed = tx
                .connection
                .prepare_cached(include_str!("../../sql/outcomes/report_progress.sql"))?
                .execute(params![id.0, worker_id.as_str(), claim_number.0, fraction, progress.message])?;
            changed == 1
        }
        None => tx.connection.prepare_cached(include_str!("../../sql/claim/is_running.sql"))?.exists(params![
            id.0,
            worker_id.as_str(),
            claim_number.0
        ])?,
    };
    // An attempt that completed its job in its own transaction may still write the rest of its log.
    if !is_running && !is_completed_by(tx.connection, worker_id, id, claim_number)? {
        return Ok(Recorded::Fenced);
    }
    write_log(tx, LogPlace { id, claim_number, attempt: report.attempt }, &report.log)?;
    Ok(Recorded::Recorded)
}

/// Whether this attempt, under this claim, has completed the job.
pub(crate) fn is_completed_by(
    connection: &Connection,
    worker_id: &WorkerId,
    id: JobId,
    claim_number: ClaimNumber,
) -> rusqlite::Result<bool> {
    let sql = include_str!("../../sql/outcomes/is_completed_by.sql");
    connection.prepare_cached(sql)?.exists(params![id.0, worker_id.as_str(), claim_number.0])
}
