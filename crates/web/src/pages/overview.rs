mod problems;

use axum::http::Uri;
use longshore::schedule::findings;
use longshore_core::{MinuteStats, QueueStats, SchedulesRequest, Status, WorkerRecord};
use longshore_report::QueueSummary;
use maud::{Markup, html};

use self::problems::{Problem, Remedy, problems};
use super::drawing::chart;
use super::drawing::series::{Series, Span};
use super::drawing::text::{number, visible};
use super::layout::{Page, Section, framed, hidden};
use super::queues::queue_table;
use super::view::View;
use super::workers::worker_table;
use crate::error::ApiError;
use crate::history::ChartRange;
use crate::input::pairs::Pairs;
use crate::state::State;

/// How many schedules are looked at.
const SCHEDULES_MAX: u32 = 200;

/// What is wrong first, then what goes on.
pub(super) async fn show(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let span = span_of(&uri)?;
    let shown = state.shown();
    // Problems are those of the last hour, whatever the charts show.
    let stats = shown.stats(Span::Hour.minutes()).await?;
    let workers = shown.workers().await?;
    let schedules = SchedulesRequest { names: None, after: None, limit: SCHEDULES_MAX };
    let schedules = shown.schedules(schedules).await?;
    // Missed ticks would be a read for each schedule; the page of the schedules has them.
    let overdue: Vec<String> =
        schedules.iter().flat_map(|record| findings(record, &[])).map(|finding| finding.message).collect();
    let problems = problems(&stats, &workers, &overdue, view.now);
    let minutes = match span {
        Span::Hour => stats.minutes,
        Span::Day | Span::Week => {
            state.history(ChartRange { minutes: span.minutes(), per: span.minutes_of_bar() }).await?
        }
    };
    let content = draw(&view, span, &stats.queues, &minutes, &workers, &problems);
    let page = Page {
        title: "Overview",
        section: Section::Overview,
        aside: spans(&view, span),
        content,
        dead_letters: Some(total(&stats.queues, Status::DeadLetter)),
    };
    Ok(framed(&view, &page))
}

/// The span of a query; an hour if it names none.
pub(super) fn span_of(uri: &Uri) -> Result<Span, ApiError> {
    let query = Pairs::parse(uri.query().unwrap_or_default().as_bytes()).map_err(ApiError::invalid)?;
    match query.get("span") {
        None => Ok(Span::Hour),
        Some(word) => Span::of_word(word).ok_or_else(|| ApiError::invalid("the span must be 1h, 24h or 7d")),
    }
}

/// How many jobs have a status, by the counts that the store keeps.
pub(super) fn total(queues: &[QueueStats], status: Status) -> u64 {
    queues.iter().filter_map(|queue| queue.jobs.get(&status)).sum()
}

fn spans(view: &View, chosen: Span) -> Markup {
    html! {
        nav.tabs aria-label="Span of the charts" {
            @for span in Span::ALL {
                a href=(view.link_with("/", "span", span.word())) aria-current=[(span == chosen).then_some("true")] { (span.word()) }
            }
        }
    }
}

fn draw(
    view: &View,
    span: Span,
    queues: &[QueueStats],
    minutes: &[MinuteStats],
    workers: &[WorkerRecord],
    problems: &[Problem],
) -> Markup {
    let series = Series::new(minutes, span, view.now);
    let total_of = |status| total(queues, status);
    let (alive, slots, running) = busy(workers);
    html! {
        div #overview data-live data-gap=[(span != Span::Hour).then_some("10000")] {
            (findings_list(view, problems))
            div.tiles {
                (tile(view, "/jobs?status=pending", "Waiting", total_of(Status::Pending), &waits(queues, view)))
                (tile(view, "/jobs?status=running", "Running", total_of(Status::Running), &format!("{slots} slots")))
                (tile(view, "/jobs?status=retrying", "Retrying", total_of(Status::Retrying), ""))
                (tile(view, "/jobs?status=blocked", "Blocked", total_of(Status::Blocked), ""))
                (tile(view, "/dead", "Dead letters", total_of(Status::DeadLetter), &grown(&series)))
                (tile(view, "/workers", "Workers", alive, &format!("{running} busy")))
            }
            div.halves {
                section.panel aria-labelledby="throughput" {
                    header { h2 #throughput { "Throughput" } (chart::throughput_legend(&series.total())) }
                    div.body { (chart::throughput(&series, &view.zone)) }
                }
                section.panel aria-labelledby="latency" {
                    header { h2 #latency { "Average times" } (chart::latency_legend(&series.total())) }
                    div.body { (chart::latency(&series, &view.zone)) }
                }
            }
            section.panel aria-labelledby="queues" {
                header { h2 #queues { "Queues" } a href=(view.link("/queues")) { "All queues" } }
                @let summaries: Vec<QueueSummary> = queues.iter().take(ROWS_MAX).map(|stats| QueueSummary::new(stats.clone(), view.now)).collect();
                (queue_table(view, &summaries, None, minutes, span))
            }
            section.panel aria-labelledby="workers" {
                header { h2 #workers { "Workers" } a href=(view.link("/workers")) { "All workers" } }
                (worker_table(view, &workers[..workers.len().min(ROWS_MAX)]))
            }
        }
    }
}

/// More are on the page of their own.
const ROWS_MAX: usize = 10;

fn findings_list(view: &View, problems: &[Problem]) -> Markup {
    html! {
        ul.findings aria-label="What is wrong" {
            @for problem in problems {
                li class=(if problem.is_bad { "bad" } else { "warn" }) {
                    span { (visible(&problem.message)) }
                    (remedy(view, &problem.remedy))
                }
            }
            @if problems.is_empty() { li.good { span { "Nothing is wrong." } } }
        }
    }
}

fn remedy(view: &View, remedy: &Remedy) -> Markup {
    html! {
        @match remedy {
            Remedy::Look { path, words } => a.button.small href=(view.link(path)) { (words) },
            Remedy::RetryDeadLetters => {
                a.button.small href=(view.link("/dead")) { "Look" }
                @if view.may_operate() {
                    form.inline method="post" action=(view.link("/jobs/act")) {
                        (hidden(view))
                        input type="hidden" name="status" value="dead_letter";
                        input type="hidden" name="scope" value="all";
                        button.small name="action" value="retry" { "Retry all" }
                    }
                }
            },
            Remedy::Resume { queue } => @if view.may_operate() {
                form.inline method="post" action=(view.link("/queues/change")) {
                    (hidden(view))
                    input type="hidden" name="queue" value=(queue);
                    button.small name="change" value="resume" { "Resume" }
                }
            },
        }
    }
}

fn tile(view: &View, path: &str, label: &str, value: u64, note: &str) -> Markup {
    html! {
        a.tile href=(view.link(path)) {
            div.label { (label) }
            div.value { (number(value)) }
            div.note { @if note.is_empty() { (maud::PreEscaped("&nbsp;")) } @else { (note) } }
        }
    }
}

fn waits(queues: &[QueueStats], view: &View) -> String {
    let oldest = queues.iter().filter_map(|queue| queue.oldest_waiting_at).min();
    oldest
        .map_or_else(String::new, |at| format!("oldest {}", longshore_report::relative_time::span(view.now.since(at))))
}

fn grown(series: &Series) -> String {
    match series.total().failed {
        0 => String::new(),
        failed => format!("{} new in {}", number(failed), series.span.word()),
    }
}

/// How many workers live, their slots, and how many of these are taken.
fn busy(workers: &[WorkerRecord]) -> (u64, u64, u64) {
    let alive: Vec<&WorkerRecord> = workers.iter().filter(|worker| worker.is_alive).collect();
    let slots = alive.iter().map(|worker| u64::from(worker.concurrency)).sum();
    let running = alive.iter().map(|worker| worker.running.len() as u64).sum();
    (alive.len() as u64, slots, running)
}
