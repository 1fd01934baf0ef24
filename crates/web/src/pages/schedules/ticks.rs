use longshore_core::{Tick, TickOutcome, TickPage};
use maud::{Markup, html};

use crate::pages::drawing::instant::{ago, exact};
use crate::pages::drawing::table::job_link;
use crate::pages::drawing::text::{counted, line};
use crate::pages::view::View;

/// What became of each tick, newest first.
pub(super) fn panel(view: &View, page: &TickPage) -> Markup {
    html! {
        section.panel aria-labelledby="ticks" {
            header { h2 #ticks { "Ticks" } }
            @if page.ticks.is_empty() {
                p.empty { "No tick has been due yet." }
            } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "Due" }
                        th scope="col" { "Outcome" }
                        th scope="col" { "Job" }
                        th scope="col" { "Why" }
                        th scope="col" { "Decided" }
                    } }
                    tbody { @for tick in &page.ticks { (row(view, tick)) } }
                } }
                @if page.next.is_some() { p.empty { "Older ones: " code { "longshore schedules ticks" } } }
            }
        }
    }
}

fn row(view: &View, tick: &Tick) -> Markup {
    html! {
        tr {
            td.nowrap data-label="Due" {
                (exact(tick.due_at, view.now, &view.zone))
                @if tick.ticks > 1 { div.muted { (counted(tick.ticks, "tick")) @if let Some(until) = tick.until_at { " until " (view.zone.full(until)) } } }
            }
            td data-label="Outcome" { (outcome(tick.outcome)) }
            td data-label="Job" { @if let Some(id) = tick.job_id { (job_link(view, id)) } }
            td data-label="Why" { (line(&tick.why)) }
            td.nowrap data-label="Decided" title=(line(&tick.decided_by)) { (ago(tick.decided_at, view.now, &view.zone)) }
        }
    }
}

/// What became of a tick, in colour.
pub(super) fn outcome(outcome: TickOutcome) -> Markup {
    let class = match outcome {
        TickOutcome::Enqueued => "completed",
        TickOutcome::Late => "retrying",
        TickOutcome::Missed => "dead_letter",
        _ => "cancelled",
    };
    html! { span class={ "badge " (class) } { (outcome.as_str().replace('_', " ")) } }
}
