use std::time::Duration;

use longshore_migrate::ledger::Event;
use longshore_migrate::report::{
    Discrepancy, DiscrepancyKind, HistoryReport, LedgerDiscrepancy, MigrationStatus, State as Applied, StatusReport,
};
use longshore_report::relative_time::short;
use maud::{Markup, html};

use super::drawing::instant::ago;
use super::drawing::text::{counted, line, visible};
use super::layout::{Page, Section, framed};
use super::view::View;
use crate::api::migrations;
use crate::error::ApiError;
use crate::state::State;

/// How many events of the history are shown, the newest ones.
const EVENTS_MAX: usize = 100;

/// The ledger beside the real schema, and what was ever done. Only shown: changes are made by the command line.
pub(super) async fn show(State(state): State, view: View) -> Result<Markup, ApiError> {
    // Before the first migration there is no history.
    let look = |migrator: &mut longshore_migrate::Migrator<'static>| {
        let status = migrator.status()?;
        let history = if status.applied_count == 0 { None } else { Some(migrator.history(None)?) };
        Ok((status, history))
    };
    let (status, history) = migrations::read(&state, look).await?;
    let content = html! {
        (verdict(&status))
        (differences(&status))
        (migrations(&view, &status))
        @if let Some(history) = &history { (events(&view, history)) }
    };
    let page = Page { title: "Migrations", section: Section::Migrations, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

fn verdict(status: &StatusReport) -> Markup {
    let wrong = migrations::differences(status);
    html! {
        @if wrong > 0 {
            div.notice.bad { p.why { "Ledger, files and schema do not agree: " (counted(wrong as u64, "difference")) ". " code { "longshore migrate repair" } " shows what to do." } }
        } @else if status.pending_count > 0 {
            div.notice.warn { p.why { (counted(status.pending_count as u64, "migration")) " pending: " code { "longshore migrate up" } " applies them." } }
        } @else {
            div.notice.good { p.why { "The schema is what the ledger says, and nothing is pending." } }
        }
    }
}

fn differences(status: &StatusReport) -> Markup {
    html! {
        @if !status.findings.is_empty() || !status.differences.is_empty() {
            section.panel aria-labelledby="differences" {
                header { h2 #differences { "What does not agree" } }
                ul.findings {
                    @for finding in &status.findings {
                        li.bad { span { (visible(&finding.to_string())) @if let Some(hint) = &finding.hint { div.sub.muted { (visible(hint)) } } } }
                    }
                    @for difference in &status.differences { li.bad { span { (visible(&in_words(difference))) } } }
                }
            }
        }
    }
}

/// A difference in words: the object, what was expected, and the migration that it belongs to.
fn in_words(difference: &Discrepancy) -> String {
    let object = &difference.object;
    if difference.kind == DiscrepancyKind::Ledger(LedgerDiscrepancy::NotRecorded) {
        return format!("{object}: not applied according to the ledger, but the schema shows it");
    }
    let words = match (&difference.expected, &difference.found) {
        (Some(expected), Some(found)) => format!("{object}: expected {expected}, found {found}"),
        (Some(expected), None) => format!("{object}: missing, expected {expected}"),
        (None, Some(found)) => format!("{object}: not expected, found {found}"),
        (None, None) => format!("{object}: differs"),
    };
    match &difference.because {
        Some(id) => format!("{words} ({id})"),
        None => format!("{words} (made by hand)"),
    }
}

fn migrations(view: &View, status: &StatusReport) -> Markup {
    html! {
        section.panel aria-labelledby="ledger" {
            header {
                h2 #ledger { "Ledger" }
                span.muted { (status.applied_count) " applied of " (status.available_count) " available, " (status.pending_count) " pending" }
            }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "Id" } th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Applied" } th scope="col" {}
                } }
                tbody { @for migration in &status.migrations { (row(view, migration)) } }
            } }
        }
    }
}

fn row(view: &View, migration: &MigrationStatus) -> Markup {
    let (class, words) = match migration.state {
        Applied::Applied => ("completed", "applied"),
        Applied::Pending => ("pending", "pending"),
        Applied::RolledBack => ("cancelled", "rolled back"),
        Applied::Changed => ("dead_letter", "changed"),
        Applied::Missing => ("dead_letter", "missing"),
    };
    let key = migration.id.to_string();
    html! {
        tr data-key=(key) {
            td.mono.nowrap { (key) }
            td.name { (visible(&migration.name)) }
            td { span class={ "badge " (class) } { (words) } }
            td.nowrap { (written(view, migration.rolled_back_at.as_deref().or(migration.applied_at.as_deref()))) }
            td.wide { @if let Some(problem) = &migration.problem { span.error { (visible(problem)) } } }
        }
    }
}

fn events(view: &View, history: &HistoryReport) -> Markup {
    let left_out = history.events.len().saturating_sub(EVENTS_MAX);
    html! {
        section.panel aria-labelledby="history" {
            header { h2 #history { "History" } span.muted { (counted(history.events.len() as u64, "event")) } }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "At" } th scope="col" { "Id" } th scope="col" { "Event" } th.number scope="col" { "Took" } th scope="col" { "Who" } th scope="col" { "Why" }
                } }
                tbody { @for event in history.events.iter().rev().take(EVENTS_MAX) { (event_row(view, event)) } }
            } }
            @if left_out > 0 { p.empty { (counted(left_out as u64, "older event")) ": " code { "longshore migrate history" } } }
        }
    }
}

fn event_row(view: &View, event: &Event) -> Markup {
    let took = event.duration_ms.and_then(|ms| u64::try_from(ms).ok()).map(|ms| short(Duration::from_millis(ms)));
    let who = [event.who.as_deref(), event.host.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" on ");
    html! {
        tr {
            td.nowrap { (written(view, Some(&event.at))) }
            td.mono.nowrap { (event.id) }
            td.nowrap { (event.event.word().replace('_', " ")) }
            td.number { (took.unwrap_or_default()) }
            td.nowrap { (visible(&who)) }
            td.wide { (line(event.reason.as_deref().or(event.detail.as_deref()).unwrap_or_default())) }
        }
    }
}

/// An instant of the ledger, which other programs may have written in their own way.
fn written(view: &View, at: Option<&str>) -> Markup {
    html! {
        @match at.map(|text| (text, text.parse())) {
            Some((_, Ok(instant))) => (ago(instant, view.now, &view.zone)),
            Some((text, Err(_))) => (visible(text)),
            None => span.muted { "–" },
        }
    }
}
