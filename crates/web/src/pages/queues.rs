use std::collections::HashMap;

use axum::response::Response;
use longshore::limits::{LimitRow, LimitScope};
use longshore_core::{Deed, InvalidJob, MinuteStats, QueueChange, Status};
use longshore_report::QueueSummary;
use longshore_report::relative_time::span as in_words;
use maud::{Markup, html};

use super::drawing::chart;
use super::drawing::instant::ago;
use super::drawing::series::{Series, Span};
use super::drawing::table::{count, count_link, queue_link, zero};
use super::drawing::text::{number, visible};
use super::form::{CheckedForm, done};
use super::layout::{Page, Section, framed, hidden};
use super::limits;
use super::overview::total;
use super::view::View;
use crate::audit::Audit;
use crate::error::ApiError;
use crate::input::pairs::query;
use crate::state::State;

/// How many queues the page lists, those with the most waiting jobs first if there are more.
const SHOWN_MAX: usize = 500;

/// All queues with what waits in them.
pub(super) async fn show(State(state): State, view: View) -> Result<Markup, ApiError> {
    let stats = state.shown().stats(Span::Hour.minutes()).await?;
    let dead_letters = Some(total(&stats.queues, Status::DeadLetter));
    let mut queues: Vec<QueueSummary> =
        stats.queues.into_iter().map(|queue| QueueSummary::new(queue, view.now)).collect();
    let left_out = queues.len().saturating_sub(SHOWN_MAX);
    if left_out > 0 {
        queues.sort_by_key(|queue| std::cmp::Reverse(queue.depth));
        queues.truncate(SHOWN_MAX);
    }
    let limits = limits::beside(&state, LimitScope::Queue).await?;
    let content = html! {
        div #queues data-live {
            section.panel aria-label="Queues" {
                (queue_table(&view, &queues, Some(&limits), &stats.minutes, Span::Hour))
                @if left_out > 0 { p.empty { (number(left_out as u64)) " queues with fewer waiting jobs are not shown." } }
            }
        }
    };
    Ok(framed(&view, &Page { title: "Queues", section: Section::Queues, aside: html! {}, content, dead_letters }))
}

/// `POST /queues/change`: pauses or resumes a queue.
pub(super) async fn change(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let queue = form.required("queue")?;
    InvalidJob::check_queue(queue)?;
    let (change, words) = match form.required("change")? {
        "pause" => (QueueChange::Pause, "is paused. Running jobs continue."),
        "resume" => (QueueChange::Resume, "is not paused any more."),
        _ => return Err(ApiError::invalid("the change must be pause or resume")),
    };
    audit.change(Deed::on_queue(change, queue), state.shown().change_queue(queue.to_owned(), change)).await?;
    Ok(done(&view, form.back(), &format!("Queue {queue} {words}")))
}

/// Queues in rows, each with what ended in it. Limits have a column of their own if any queue has one.
pub(super) fn queue_table(
    view: &View,
    queues: &[QueueSummary],
    limits: Option<&HashMap<String, LimitRow>>,
    minutes: &[MinuteStats],
    span: Span,
) -> Markup {
    if queues.is_empty() {
        return html! { p.empty { "No job has been enqueued yet." } };
    }
    let limits = limits.filter(|limits| !limits.is_empty());
    let mut of_queue: HashMap<&str, Vec<&MinuteStats>> = HashMap::new();
    for minute in minutes {
        of_queue.entry(&minute.queue).or_default().push(minute);
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Queue" }
                th scope="col" { "State" }
                th.number scope="col" { "Waiting" }
                th.number scope="col" title="Those that wait for a time that is still to come" { "Scheduled" }
                th.number scope="col" { "Running" }
                @if limits.is_some() { th.number scope="col" { "Limit" } }
                th.number scope="col" { "Oldest" }
                th.number scope="col" { "Dead letters" }
                th.roomy scope="col" { "Ended in " (span.word()) }
                th.number.roomy scope="col" { "Completed" }
                @if view.may_operate() { th scope="col" { span.sr { "Action" } } }
            } }
            tbody {
                @for queue in queues {
                    @let series = Series::new(of_queue.remove(queue.stats.queue.as_str()).unwrap_or_default(), span, view.now);
                    (row(view, queue, limits, &series))
                }
            }
        } }
    }
}

fn row(view: &View, queue: &QueueSummary, limits: Option<&HashMap<String, LimitRow>>, series: &Series) -> Markup {
    let name = &queue.stats.queue;
    let jobs = |status: Status| queue.stats.jobs.get(&status).copied().unwrap_or(0);
    let list = |status: Status| {
        view.link(&format!("/jobs{}", query([("status", Some(status.as_str())), ("queue", Some(name))])))
    };
    html! {
        tr data-key=(name) {
            td.name { (queue_link(view, name)) }
            td data-label="State" {
                @match queue.stats.paused_at {
                    Some(at) => { span.tag.warn { "paused" } " " span.muted.nowrap { (ago(at, view.now, &view.zone)) } },
                    None => span.muted { "open" },
                }
            }
            td.number data-label="Waiting" { (count_link(&list(Status::Pending), queue.depth)) }
            td.number data-label="Scheduled" {
                @match (queue.stats.scheduled, queue.stats.has_more_scheduled) {
                    (0, false) => (zero()),
                    (scheduled, has_more) => { (number(scheduled)) @if has_more { "+" } },
                }
            }
            td.number data-label="Running" { (count_link(&list(Status::Running), queue.running)) }
            @if let Some(limits) = limits { td.number data-label="Limit" { (limits::in_cell(view, limits.get(name))) } }
            td.number data-label="Oldest" {
                @match queue.stats.oldest_waiting_at {
                    Some(at) => (in_words(view.now.since(at))),
                    None => span.muted { "–" },
                }
            }
            td.number data-label="Dead letters" {
                @match jobs(Status::DeadLetter) {
                    0 => (zero()),
                    count => a.error href=(list(Status::DeadLetter)) { (number(count)) },
                }
            }
            td.roomy { (chart::sparkline(&series.bars)) }
            td.number.roomy { (count(series.total().completed)) }
            @if view.may_operate() {
                td.number {
                    form.inline method="post" action=(view.link("/queues/change")) {
                        (hidden(view))
                        input type="hidden" name="queue" value=(name);
                        @let (change, words) = if queue.stats.paused_at.is_some() { ("resume", "Resume") } else { ("pause", "Pause") };
                        button.small name="change" value=(change) aria-label={ (words) " queue " (visible(name)) } { (words) }
                    }
                }
            }
        }
    }
}
