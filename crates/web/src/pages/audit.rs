use longshore_core::{AuditEntry, AuditId, AuditRequest, DeedAction, DeedOutcome};
use longshore_report::AuditPage;
use maud::{Markup, html};

use super::drawing::instant::ago;
use super::drawing::text::{line, number, visible};
use super::layout::{Page, Section, framed};
use super::view::View;
use crate::error::ApiError;
use crate::input::Query;
use crate::input::pairs::encode;
use crate::state::State;

/// How many entries a page shows.
const SHOWN: u32 = 100;

/// What was changed by hand: who, through what, when, and with what result.
pub(super) async fn show(State(state): State, view: View, mut query: Query) -> Result<Markup, ApiError> {
    let actor: Option<String> = query.one("actor")?;
    let action = query.one::<DeedAction>("action")?.map(DeedAction::as_str);
    let before = query.one("after")?.map(AuditId);
    query.end()?;
    let request = AuditRequest { before, actor: actor.clone(), action: action.map(str::to_owned), limit: SHOWN };
    let page = AuditPage::new(state.shown().audit_page(request).await?, SHOWN);
    let content = html! {
        (filter(&view, actor.as_deref(), action))
        div #audit data-live {
            section.panel aria-label="Changes" {
                (table(&view, &page.entries))
                @if let Some(next) = page.next {
                    nav.pager { span.spacer {} a.button.small href=(more(&view, actor.as_deref(), action, next)) { "Older" } }
                }
            }
        }
        p.muted {
            "Enqueued jobs are not listed. Migrations have " a href=(view.link("/migrations")) { "a history of their own" } "."
        }
    };
    Ok(framed(&view, &Page { title: "Audit", section: Section::Audit, aside: html! {}, content, dead_letters: None }))
}

fn more(view: &View, actor: Option<&str>, action: Option<&str>, next: AuditId) -> String {
    let asked = [("actor", actor), ("action", action)];
    let asked = asked.iter().filter_map(|(name, value)| Some(format!("{name}={}&", encode((*value)?))));
    view.link(&format!("/audit?{}after={}", asked.collect::<String>(), next.0))
}

fn filter(view: &View, actor: Option<&str>, action: Option<&str>) -> Markup {
    html! {
        form.filters method="get" action=(view.link("/audit")) {
            label { "Who " input name="actor" value=(actor.unwrap_or_default()) maxlength="200"; }
            label {
                "Action "
                select name="action" {
                    option value="" { "any" }
                    @for known in DeedAction::ALL { option value=(known) selected[action == Some(known)] { (known.replace('_', " ")) } }
                }
            }
            button.small { "Show" }
            @if actor.or(action).is_some() { a href=(view.link("/audit")) { "Show all" } }
        }
    }
}

fn table(view: &View, entries: &[AuditEntry]) -> Markup {
    if entries.is_empty() {
        return html! { p.empty { "Nothing was changed by hand." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "When" }
                th scope="col" { "Who" }
                th scope="col" { "Through" }
                th scope="col" { "Action" }
                th scope="col" { "Target" }
                th scope="col" { "Outcome" }
                th.number scope="col" { "Changed" }
            } }
            tbody { @for entry in entries { (row(view, entry)) } }
        } }
    }
}

fn row(view: &View, entry: &AuditEntry) -> Markup {
    html! {
        tr data-key=(entry.id.0) {
            td.nowrap data-label="When" { (ago(entry.at, view.now, &view.zone)) }
            td.nowrap data-label="Who" { (visible(&entry.actor)) }
            td data-label="Through" { (visible(&entry.via)) }
            td.nowrap data-label="Action" { (visible(&entry.action.replace('_', " "))) }
            td data-label="Target" { (line(&entry.target)) }
            td data-label="Outcome" {
                @match entry.outcome {
                    DeedOutcome::Done => { span.badge.completed { "done" } }
                    DeedOutcome::Failed => {
                        span.badge.dead_letter { "failed" }
                        @if let Some(error) = &entry.error { div.muted { (line(error)) } }
                    }
                    DeedOutcome::Unfinished => { span.badge.retrying { "not finished" } }
                }
            }
            td.number data-label="Changed" { @if let Some(changed) = entry.changed { (number(changed)) } }
        }
    }
}
