mod change;
mod form;
mod weights;

use std::collections::{BTreeSet, HashMap};

use axum::http::Uri;
use longshore::limits::{LimitPosition, LimitRow, LimitScope, LimitSelection, LimitSource};
use longshore_core::LimitsRequest;
use longshore_report::LimitCursor;
use maud::{Markup, html};

pub(super) use self::change::change;
use self::form::Edited;
use super::drawing::chart;
use super::drawing::instant::ago;
use super::drawing::table::{count, queue_link, type_link};
use super::drawing::text::{line, number, visible};
use super::layout::{Page, Section, framed, hidden};
use super::view::View;
use crate::error::ApiError;
use crate::input::pairs::{Pairs, query};
use crate::state::{State, WebState};

/// How many limits a page lists.
const PAGE: u32 = 100;
/// How many limits of queues or types are shown beside these.
const BESIDE_MAX: u32 = 500;

/// What is limited: how much of it is used, what waits, and when it opens.
pub(super) async fn show(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let asked = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    let cursor: Option<LimitCursor> = asked.get("after").map(str::parse).transpose().map_err(|error| {
        let error: longshore_report::InvalidLimitCursor = error;
        ApiError::invalid(error.to_string())
    })?;
    let edited = Edited::of_query(&state, &asked).await?;
    draw(&state, &view, cursor, asked.get("saturated").is_some(), &edited).await
}

/// The page of these limits with the form. While the form was refused, nothing takes the place of what it shows.
async fn draw(
    state: &WebState,
    view: &View,
    cursor: Option<LimitCursor>,
    is_saturated: bool,
    edited: &Edited,
) -> Result<Markup, ApiError> {
    let selection = if is_saturated { LimitSelection::Saturated } else { LimitSelection::All };
    let after = cursor.as_ref().map(|LimitCursor(position)| position.clone());
    let page = state.shown().limit_page(LimitsRequest { selection, after, limit: PAGE }).await?;
    let paused = paused_queues(state, &page.limits).await?;
    let next = page.next.map(|position| LimitCursor(position).to_string());
    let content = html! {
        (tabs(view, is_saturated))
        div #limits data-live[cursor.is_none() && edited.refusal.is_none()] {
            section.panel aria-label="Limits" {
                (table(view, &page.limits, &paused, is_saturated))
                @if let Some(next) = &next {
                    nav.pager aria-label="Pages of limits" { span.spacer {} a.button.small rel="next" href=(view.link(&path(is_saturated, Some(next)))) { "More" } }
                }
            }
        }
        @if view.may_operate() { (form::panel(view, edited)) }
    };
    let page = Page { title: "Limits", section: Section::Limits, aside: html! {}, content, dead_letters: None };
    Ok(framed(view, &page))
}

/// The queues that are paused, if one of these limits is that of a queue.
async fn paused_queues(state: &WebState, limits: &[LimitRow]) -> Result<BTreeSet<String>, ApiError> {
    if limits.iter().all(|row| row.scope != LimitScope::Queue) {
        return Ok(BTreeSet::new());
    }
    let queues = state.shown().stats(1).await?.queues;
    Ok(queues.into_iter().filter(|queue| queue.paused_at.is_some()).map(|queue| queue.queue).collect())
}

/// The limits of all queues, or of all types, by name, for the pages of these.
pub(super) async fn beside(state: &WebState, scope: LimitScope) -> Result<HashMap<String, LimitRow>, ApiError> {
    // Queues come first, then types; a position without a name is before all of its scope.
    let after = Some(LimitPosition { scope, name: String::new(), key: None });
    let request = LimitsRequest { selection: LimitSelection::Rules, after, limit: BESIDE_MAX };
    let limits = state.shown().limit_page(request).await?.limits;
    Ok(limits.into_iter().filter(|row| row.scope == scope).map(|row| (row.name.clone(), row)).collect())
}

/// A limit in a cell: how much of it is used, and whether it keeps jobs from starting.
pub(super) fn in_cell(view: &View, limit: Option<&LimitRow>) -> Markup {
    html! {
        @match limit {
            Some(limit) => a href=(edit_link(view, limit)) title="Limit" {
                @match (limit.concurrency, &limit.rate) {
                    (Some(concurrency), _) => { (number(limit.running)) " / " (number(u64::from(concurrency))) },
                    (None, Some(rate)) => (rate.to_string()),
                    (None, None) => "by key",
                }
                @if limit.is_saturated() { " " span.tag.warn { (if limit.is_full() { "full" } else { "closed" }) } }
            },
            None => span.muted { "–" },
        }
    }
}

fn path(is_saturated: bool, after: Option<&str>) -> String {
    format!("/limits{}", query([("saturated", is_saturated.then_some("yes")), ("after", after)]))
}

fn edit_link(view: &View, limit: &LimitRow) -> String {
    let scope = if limit.scope == LimitScope::Queue { "queue" } else { "type" };
    view.link(&format!("/limits{}", query([("scope", Some(scope)), ("name", Some(&limit.name))])))
}

fn tabs(view: &View, is_saturated: bool) -> Markup {
    html! {
        nav.tabs aria-label="Which limits" {
            a href=(view.link(&path(false, None))) aria-current=[(!is_saturated).then_some("page")] { "All" }
            a href=(view.link(&path(true, None))) aria-current=[is_saturated.then_some("page")] { "Saturated" }
        }
    }
}

fn table(view: &View, limits: &[LimitRow], paused: &BTreeSet<String>, is_saturated: bool) -> Markup {
    if limits.is_empty() {
        return html! {
            p.empty {
                @if is_saturated { "No limit keeps a job from starting." }
                @else { "Nothing is limited. Declare a limit under " code { "[jobs.TYPE]" } " or " code { "[queues.NAME]" } ", or set one here." }
            }
        };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th scope="col" { "Limit" }
                th scope="col" { "State" }
                th.number scope="col" { "Running" }
                th scope="col" { span.sr { "Used" } }
                th.number scope="col" title="Those that could run now if there were room" { "Waiting" }
                th scope="col" { "Rate" }
                th scope="col" { "Keys" }
                th scope="col" { "Source" }
                @if view.may_operate() { th scope="col" { span.sr { "Actions" } } }
            } }
            tbody { @for limit in limits { (row(view, limit, paused.contains(&limit.name) && limit.scope == LimitScope::Queue)) } }
        } }
    }
}

fn row(view: &View, limit: &LimitRow, is_paused: bool) -> Markup {
    let key = limit.key.as_deref();
    html! {
        tr data-key=(LimitCursor(limit.position())) {
            td.name {
                @match (limit.scope, key) {
                    (LimitScope::Queue, _) => (queue_link(view, &limit.name)),
                    (LimitScope::Type, _) | (LimitScope::Key, None) => (type_link(view, &limit.name)),
                    (LimitScope::Key, Some(key)) => { span.mono title=(visible(key)) { (line(key)) } },
                }
                div.sub { (scope_in_words(view, limit)) }
            }
            td.nowrap data-label="State" { (state_of(view, limit, is_paused)) }
            td.number data-label="Running" {
                @if limit.concurrency.is_none() { (count(limit.running)) } @else { (number(limit.running)) }
                @if let Some(concurrency) = limit.concurrency { " / " (number(u64::from(concurrency))) }
            }
            td data-label="Used" { @if let Some(concurrency) = limit.concurrency {
                (chart::meter(limit.running, u64::from(concurrency), &format!("{} of {concurrency} run", limit.running)))
            } }
            td.number data-label="Waiting" { (count(limit.waiting)) @if limit.waiting >= u64::from(LimitRow::WAITING_MAX) { "+" } }
            td.nowrap data-label="Rate" { (rate(limit)) }
            td.nowrap data-label="Keys" { (keys(limit)) }
            td.nowrap data-label="Source" { (source(limit)) }
            @if view.may_operate() { td.number { (actions(view, limit)) } }
        }
    }
}

fn scope_in_words(view: &View, limit: &LimitRow) -> Markup {
    html! {
        @match limit.scope {
            LimitScope::Queue => "queue",
            LimitScope::Type => "type",
            LimitScope::Key => { "key of type " (type_link(view, &limit.name)) },
        }
    }
}

/// Whether a job may start now, and else when.
fn state_of(view: &View, limit: &LimitRow, is_paused: bool) -> Markup {
    html! {
        @if is_paused { span.tag.warn { "paused" } " " }
        @if limit.is_full() { span.tag.warn { "full" } " " }
        @match limit.opens_at {
            Some(at) => { span.tag.warn { "closed" } " " span.muted { "opens " (ago(at, view.now, &view.zone)) } },
            None => @if !limit.is_full() && !is_paused { span.muted { "open" } },
        }
    }
}

fn rate(limit: &LimitRow) -> Markup {
    html! {
        @match &limit.rate {
            Some(rate) => {
                (rate.to_string())
                @if let Some(burst) = limit.burst.filter(|burst| *burst > 1) { div.sub { "burst " (burst) } }
            },
            None => span.muted { "–" },
        }
    }
}

/// Of a type: where its keys come from and what each may do. Of a key: its weight.
fn keys(limit: &LimitRow) -> Markup {
    html! {
        @if let Some(pointer) = &limit.key_pointer { code { (line(&pointer.to_string())) } }
        @if let Some(concurrency) = limit.key_concurrency { div.sub { (concurrency) " at once each" } }
        @if let Some(rate) = &limit.key_rate { div.sub { (rate.to_string()) " each" } }
        @if let Some(weight) = limit.weight { "weight " (weight) }
    }
}

fn source(limit: &LimitRow) -> Markup {
    html! {
        @match limit.source {
            Some(LimitSource::Manual) => { span.tag { "by hand" } @if limit.scope != LimitScope::Key { div.sub { "wins over the configuration" } } },
            Some(LimitSource::Config) => span.muted { "configuration" },
            None => span.muted { "slow down" },
        }
    }
}

fn actions(view: &View, limit: &LimitRow) -> Markup {
    let scope = if limit.scope == LimitScope::Queue { "queue" } else { "type" };
    html! {
        @if limit.scope != LimitScope::Key {
            form.inline method="post" action=(view.link("/limits/change")) {
                (hidden(view))
                input type="hidden" name="scope" value=(scope);
                input type="hidden" name="name" value=(limit.name);
                a.button.small href={ (edit_link(view, limit)) "#set" } aria-label={ "Change the limit of " (scope) " " (visible(&limit.name)) } { "Change" }
                @if limit.source == Some(LimitSource::Manual) {
                    button.small name="action" value="unset" aria-label={ "Unset the limit of " (scope) " " (visible(&limit.name)) } { "Unset" }
                }
            }
        }
    }
}
