mod ticks;

use axum::http::Uri;
use axum::response::Response;
use longshore::schedule::{Finding, FindingKind, ScheduleError, findings};
use longshore_core::{Deed, ScheduleRecord, SchedulesRequest, TickOutcome, TicksRequest};
use longshore_report::{ScheduleDetail, ScheduleSummary, next_ticks, ticks_of};
use maud::{Markup, html};

use super::drawing::instant::{ago, exact};
use super::drawing::json;
use super::drawing::table::{job_link, queue_link, type_link};
use super::drawing::text::{line, visible};
use super::form::{CheckedForm, done};
use super::layout::{Page, Section, framed, hidden};
use super::view::View;
use crate::audit::Audit;
use crate::diagnosis::Diagnosis;
use crate::error::ApiError;
use crate::input::PathName;
use crate::input::pairs::{Pairs, encode};
use crate::state::State;

/// How many schedules the page lists.
const SHOWN_MAX: u32 = 200;
/// How many ticks a page of one schedule lists.
const TICKS: u32 = 100;
/// How many ticks in the future the page of a schedule lists.
const NEXT: u32 = 10;

/// All schedules: when they are next due and what became of their last tick.
pub(super) async fn list(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let query = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let after = query.get("after").map(str::to_owned);
    let request = SchedulesRequest { names: None, after, limit: SHOWN_MAX };
    let schedules = state.shown().schedules(request).await?;
    let diagnosis = state.diagnosis().await?;
    let next = (schedules.len() == SHOWN_MAX as usize).then(|| schedules.last()).flatten();
    let content = html! {
        div #schedules data-live {
            section.panel aria-label="Schedules" {
                @if schedules.is_empty() {
                    p.empty { "There is no schedule. Add one with " code { "longshore schedules add" } "." }
                } @else {
                    (table(&view, &schedules, diagnosis.as_deref()))
                }
                @if let Some(next) = next {
                    nav.pager { span.spacer {} a.button.small href=(view.link_with("/schedules", "after", &next.name)) { "More" } }
                }
            }
        }
    };
    let page = Page { title: "Schedules", section: Section::Schedules, aside: html! {}, content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// One schedule with its next and its last ticks.
pub(super) async fn show(State(state): State, view: View, PathName(name): PathName) -> Result<Markup, ApiError> {
    let record = state.shown().schedule(&name).await?;
    let record = record.ok_or_else(|| ApiError::not_found(format!("schedule {name}")))?;
    let request = |outcomes, limit| TicksRequest { schedule: name.clone(), outcomes, before: None, limit };
    let decided = state.shown().ticks(request(None, TICKS)).await?;
    let missed = state.shown().ticks(request(Some(vec![TickOutcome::Missed]), TICKS)).await?;
    let found = findings(&record, &missed.ticks);
    let content = html! {
        div #schedule data-live {
            (problems(&found))
            (facts(&view, &record))
            (ticks::panel(&view, &decided))
        }
    };
    // The page has a form of its own that pauses with a reason.
    let aside = buttons(&view, &record, &html! {});
    let title = visible(&name);
    let page = Page { title: &title, section: Section::Schedules, aside, content, dead_letters: None };
    Ok(framed(&view, &page))
}

/// `POST /schedules/act`: runs, pauses or resumes a schedule.
pub(super) async fn act(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let name = form.required("name")?;
    let shown = state.shown();
    let on = |action, more: &str| Deed::new(action, format!("schedule {name}{more}"));
    let found = match form.required("action")? {
        "run" => {
            let id = audit.change(on("run", ""), shown.run_schedule(name)).await.map_err(of_schedule)?;
            return Ok(done(&view, form.back(), &format!("Schedule {name} made job {id}.")));
        }
        "pause" => {
            let reason = form.get("reason").unwrap_or("paused in the dashboard");
            audit.change(on("pause", &format!(": {reason}")), shown.pause_schedule(name, reason.to_owned())).await?
        }
        "resume" => audit.change(on("resume", ""), shown.resume_schedule(name)).await?.is_known,
        "catch_up" => {
            let deed = on("resume", " and its missed ticks");
            audit.change(deed, shown.resume_schedule_and_catch_up(name)).await?.is_known
        }
        _ => return Err(ApiError::invalid("the action must be run, pause, resume or catch_up")),
    };
    if !found {
        return Err(ApiError::not_found(format!("schedule {name}")));
    }
    let is_paused = form.get("action") == Some("pause");
    let words = if is_paused { "is paused: its ticks are skipped." } else { "is not paused any more." };
    Ok(done(&view, form.back(), &format!("Schedule {name} {words}")))
}

fn of_schedule(error: ScheduleError) -> ApiError {
    match error {
        ScheduleError::Store(error) => error.into(),
        ScheduleError::NotFound { name } => ApiError::not_found(format!("schedule {name}")),
        error => ApiError::invalid(error.to_string()),
    }
}

fn table(view: &View, schedules: &[ScheduleRecord], diagnosis: Option<&Diagnosis>) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Schedule" }
                th scope="col" { "When" }
                th scope="col" { "Type" }
                th scope="col" { "State" }
                th scope="col" { "Next" }
                th scope="col" { "Last" }
                @if view.may_operate() { th scope="col" { span.sr { "Actions" } } }
            } }
            tbody { @for record in schedules { (row(view, record, &found_of(record, diagnosis))) } }
        } }
    }
}

/// What is wrong with a schedule now, and the ticks that the diagnosis has found missing: those would be a read for each.
fn found_of(record: &ScheduleRecord, diagnosis: Option<&Diagnosis>) -> Vec<Finding> {
    let mut found = findings(record, &[]);
    let known = diagnosis.iter().flat_map(|diagnosis| &diagnosis.schedules);
    let of_schedule = known.filter(|(known, _)| known.name == record.name).flat_map(|(_, found)| found);
    found.extend(of_schedule.filter(|finding| finding.kind == FindingKind::Missed).cloned());
    found
}

fn row(view: &View, record: &ScheduleRecord, found: &[Finding]) -> Markup {
    let summary = ScheduleSummary::new(record);
    html! {
        tr data-key=(record.name) {
            td.name { a href=(view.link(&format!("/schedules/{}", encode(&record.name)))) { (visible(&record.name)) } }
            td data-label="When" { (timing(&summary)) }
            td.name data-label="Type" { @if let Some(job_type) = &summary.job_type { (type_link(view, job_type)) } }
            td data-label="State" { (state_of(view, record, found)) }
            td.nowrap data-label="Next" {
                @match summary.next.first().filter(|_| record.paused_at.is_none()) {
                    Some(next) => (ago(*next, view.now, &view.zone)),
                    None => span.muted { "–" },
                }
            }
            td data-label="Last" { @if let Some(last) = &summary.last {
                (ticks::outcome(last.outcome)) " " span.muted { (ago(last.due_at, view.now, &view.zone)) }
                @if let Some(id) = last.job_id { " " (job_link(view, id)) }
            } @else { span.muted { "none yet" } } }
            @if view.may_operate() { td.number { (buttons(view, record, &pause_button())) } }
        }
    }
}

/// The expression and the zone in which it is meant.
fn timing(summary: &ScheduleSummary) -> Markup {
    html! {
        @if let Some(cron) = &summary.cron { code { (line(cron)) } }
        @if let Some(every) = &summary.every { "every " (every) }
        @if let Some(zone) = summary.time_zone.as_ref().filter(|_| summary.cron.is_some()) { div.sub.muted { (visible(zone)) } }
    }
}

fn state_of(view: &View, record: &ScheduleRecord, found: &[Finding]) -> Markup {
    html! {
        @for finding in found {
            div { span.tag.bad { (finding.kind.as_str().replace('_', " ")) } div.sub { (line(&finding.message)) } }
        }
        @match record.paused_at {
            Some(at) => {
                span.tag.warn { "paused" } " " span.muted { (ago(at, view.now, &view.zone)) }
                @if let Some(reason) = &record.pause_reason { div.sub.muted { (line(reason)) } }
            },
            None => @if found.is_empty() { span.muted { "active" } },
        }
    }
}

fn pause_button() -> Markup {
    html! { button.small name="action" value="pause" { "Pause" } }
}

/// What can be done with a schedule. One that is not paused has the given control for that.
fn buttons(view: &View, record: &ScheduleRecord, pause: &Markup) -> Markup {
    html! {
        @if view.may_operate() {
            form.inline method="post" action=(view.link("/schedules/act")) {
                (hidden(view))
                input type="hidden" name="name" value=(record.name);
                @if record.definition.is_ok() { button.small name="action" value="run" { "Run now" } }
                @if record.paused_at.is_some() {
                    button.small name="action" value="resume" { "Resume" }
                } @else {
                    (pause)
                }
            }
        }
    }
}

fn problems(found: &[Finding]) -> Markup {
    html! { @for finding in found { div.notice.bad { (visible(&finding.message)) "." } } }
}

fn facts(view: &View, record: &ScheduleRecord) -> Markup {
    let detail = ScheduleDetail::new(record);
    let summary = &detail.listed;
    let next = ticks_of(record).map(|ticks| next_ticks(&ticks, record, NEXT, None)).unwrap_or_default();
    html! {
        div.columns {
            section.panel aria-labelledby="what" {
                header { h2 #what { "What it does" } }
                div.body {
                    dl.facts {
                        dt { "When" } dd { (timing(summary)) }
                        @if let Some(job_type) = &summary.job_type { dt { "Type" } dd { (type_link(view, job_type)) } }
                        @if record.definition.is_ok() { (job_facts(view, &detail)) }
                        dt { "Source" } dd { (record.source.as_str()) }
                        dt { "State" } dd { (state_of(view, record, &[])) }
                        @if let Some(missed) = summary.missed { dt { "Missed ticks" } dd { (missed.as_str()) } }
                        @if let Some(overlap) = summary.overlap { dt { "Overlap" } dd { (overlap.as_str()) } }
                        @if let Some(jitter) = &summary.jitter { dt { "Jitter" } dd { "up to " (jitter) } }
                        @if let Some(late_after) = &detail.late_after { dt { "Late after" } dd { (late_after) } }
                        @if let Some(catch_up) = &detail.catch_up {
                            dt { "Caught up" } dd { "ticks of the last " (catch_up) @if let Some(most) = detail.catch_up_max { ", at most " (most) } }
                        }
                        @if let Some(within) = &detail.expect_within { dt { "Expected" } dd { "completed within " (within) " after a tick" } }
                        dt { "Changed" } dd { (exact(record.changed_at, view.now, &view.zone)) }
                        @if let Some(id) = record.open_job { dt { "Open job" } dd { (job_link(view, id)) } }
                    }
                    @if let Some(data) = &summary.job_data {
                        h2.below { "Payload" }
                        (json::document(data.as_str()))
                    }
                    @if view.may_operate() && record.paused_at.is_none() { (pause_form(view, record)) }
                    @if view.may_operate() && record.paused_at.is_some() {
                        form.inline method="post" action=(view.link("/schedules/act")) {
                            (hidden(view))
                            input type="hidden" name="name" value=(record.name);
                            button name="action" value="catch_up" { "Resume and catch up" }
                        }
                    }
                }
            }
            section.panel aria-labelledby="next" {
                header { h2 #next { "Next ticks" } span.muted { (view.zone.name()) } }
                div.body { ol.timeline { @for at in next { li { (exact(at, view.now, &view.zone)) } } } }
            }
        }
    }
}

/// What the jobs of a schedule have beside their type.
fn job_facts(view: &View, detail: &ScheduleDetail) -> Markup {
    html! {
        dt { "Queue" } dd { (queue_link(view, detail.queue.as_deref().unwrap_or("default"))) }
        dt { "Priority" } dd { @match detail.priority { Some(priority) => (priority), None => "normal" } }
        @if let Some(retries) = detail.max_retries { dt { "Retries" } dd { (retries) } }
        @if let Some(timeout) = &detail.timeout { dt { "Timeout" } dd { (timeout) } }
    }
}

fn pause_form(view: &View, record: &ScheduleRecord) -> Markup {
    html! {
        form.filters method="post" action=(view.link("/schedules/act")) {
            (hidden(view))
            input type="hidden" name="name" value=(record.name);
            label for="reason" { "Pause because" }
            input #reason name="reason" required maxlength="500";
            button name="action" value="pause" { "Pause" }
        }
    }
}
