use std::collections::HashSet;
use std::sync::Arc;

use longshore_core::{Recorded, Report, WorkerId};
use postgres_types::Type;
use tokio_postgres::Row;

use super::log_rows::LogRows;
use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::repeated::repeated;
use crate::session::sql::sql;
use crate::session::statements::{Call, Parameter};
use crate::session::text::storable;
use crate::store::Parts;

/// Writes progress and log of running attempts. If the database refuses one, each is written for itself.
pub(crate) async fn report(
    parts: Arc<Parts>,
    worker_id: WorkerId,
    reports: Arc<[Report]>,
) -> Result<Vec<Recorded>, Fault> {
    match repeated(|| report_all(&parts, &worker_id, &reports)).await {
        Err(fault) if fault.is_refusal() => {}
        answer => return answer,
    }
    let mut answers = Vec::with_capacity(reports.len());
    for one in reports.iter() {
        match repeated(|| report_all(&parts, &worker_id, std::slice::from_ref(one))).await {
            Ok(answer) => answers.extend(answer),
            Err(fault) if fault.is_refusal() => answers.push(Recorded::Refused { reason: fault.reason() }),
            Err(fault) => return Err(fault),
        }
    }
    Ok(answers)
}

async fn report_all(parts: &Parts, worker_id: &WorkerId, reports: &[Report]) -> Result<Vec<Recorded>, Fault> {
    let rows = Rows::of(worker_id, reports);
    let (progress, log) = (rows.progress(), rows.log.values());
    let mut calls = vec![Call { sql: sql!("outcomes/report_progress"), parameters: &progress }];
    if !rows.log.is_empty() {
        calls.extend(LogRows::calls(&log));
    }
    let session = parts.pool.session().await?;
    let answers = session.transact(&calls).await?;
    answer_of(answers.first().map_or(&[], Vec::as_slice), reports.len())
}

fn answer_of(rows: &[Row], count: usize) -> Result<Vec<Recorded>, Fault> {
    let places = rows.iter().map(|row| Columns::of(row).read::<i64>()).collect::<Result<HashSet<_>, _>>()?;
    let answers = (1..).take(count).map(|place: i64| match places.contains(&place) {
        true => Recorded::Recorded,
        false => Recorded::Fenced,
    });
    Ok(answers.collect())
}

/// Reports as columns.
struct Rows {
    worker_id: String,
    ids: Vec<i64>,
    claim_numbers: Vec<i64>,
    fractions: Vec<f64>,
    messages: Vec<Option<String>>,
    have_progress: Vec<bool>,
    log: LogRows,
}

impl Rows {
    fn of(worker_id: &WorkerId, reports: &[Report]) -> Self {
        let progress = || reports.iter().map(|report| report.progress.as_ref());
        let message = |text: &String| storable(text).into_owned();
        let mut log = LogRows::of(worker_id);
        for report in reports {
            log.push(report.id, report.claim_number, report.attempt, &report.log);
        }
        Self {
            worker_id: worker_id.as_str().to_owned(),
            ids: reports.iter().map(|report| report.id.0).collect(),
            claim_numbers: reports.iter().map(|report| report.claim_number.0).collect(),
            fractions: progress().map(|given| given.map_or(0.0, |given| bounded(given.fraction))).collect(),
            messages: progress().map(|given| given?.message.as_ref().map(message)).collect(),
            have_progress: progress().map(|given| given.is_some()).collect(),
            log,
        }
    }

    fn progress(&self) -> Vec<Parameter<'_>> {
        vec![
            (&self.worker_id, Type::TEXT),
            (&self.ids, Type::INT8_ARRAY),
            (&self.claim_numbers, Type::INT8_ARRAY),
            (&self.fractions, Type::FLOAT8_ARRAY),
            (&self.messages, Type::TEXT_ARRAY),
            (&self.have_progress, Type::BOOL_ARRAY),
        ]
    }
}

fn bounded(fraction: f64) -> f64 {
    if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) }
}
