mod problems;

use std::cmp::Reverse;

use axum::http::Uri;
use longshore_core::{MinuteStats, QueueStats, Status, WorkerRecord};
use longshore_report::QueueSummary;
use maud::{Markup, html};

use self::problems::{Facts, Problem, Remedy, problems};
use super::drawing::chart;
use super::drawing::series::{Series, Span};
use super::drawing::text::{counted, number, visible};
use super::layout::{Page, Section, framed, hidden};
use super::queues::queue_table;
use super::view::View;
use super::workers::worker_table;
use crate::error::ApiError;
use crate::history::ChartRange;
use crate::input::pairs::Pairs;
use crate::state::State;

/// What is wrong first, then what goes on.
pub(super) async fn show(State(state): State, view: View, uri: Uri) -> Result<Markup, ApiError> {
    let span = span_of(&uri)?;
    let shown = state.shown();
    // Problems are those of the last hour, whatever the charts show.
    let stats = shown.stats(Span::Hour.minutes()).await?;
    let mut workers = shown.workers().await?;
    let diagnosis = state.diagnosis().await?;
    let problems = problems(&Facts {
        stats: &stats,
        workers: &workers,
        diagnosis: diagnosis.as_deref(),
        sees_all: shown.sees_all(),
        is_configured: &|job_type| (state.settings().policies)(job_type).is_some(),
        now: view.now,
    });
    workers.sort_by_key(|worker| (rank(worker), Reverse(worker.running.len())));
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
    let total_of = |status| number(total(queues, status));
    let (alive, slots, running) = busy(workers);
    html! {
        div #overview data-live data-gap=[(span != Span::Hour).then_some("10000")] {
            (findings_list(view, problems))
            div.tiles {
                @let (could_run, scheduled) = (could_run_now(queues), scheduled(queues));
                (tile(view, "/jobs?status=pending", "Could run now", &could_run, &waits(queues, view)))
                (tile(view, "/jobs?status=pending", "Scheduled", &scheduled, ""))
                (tile(view, "/jobs?status=running", "Running", &total_of(Status::Running), &format!("{slots} slots")))
                (tile(view, "/jobs?status=retrying", "Retrying", &total_of(Status::Retrying), ""))
                (tile(view, "/jobs?status=blocked", "Blocked", &total_of(Status::Blocked), ""))
                (tile(view, "/dead", "Dead letters", &total_of(Status::DeadLetter), &grown(&series)))
                (tile(view, "/workers", "Workers", &number(alive), &format!("{running} busy")))
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
                @let summaries: Vec<QueueSummary> = worst_first(queues).into_iter().take(ROWS_MAX).map(|stats| QueueSummary::new(stats.clone(), view.now)).collect();
                (queue_table(view, &summaries, None, minutes, span))
                (more(view, "/queues", queues.len(), "more queue"))
            }
            section.panel aria-labelledby="workers" {
                header { h2 #workers { "Workers" } a href=(view.link("/workers")) { "All workers" } }
                (worker_table(view, &workers[..workers.len().min(ROWS_MAX)]))
                (more(view, "/workers", workers.len(), "more worker"))
            }
        }
    }
}

/// More are on the page of their own.
const ROWS_MAX: usize = 10;

/// How many rows are not shown, with a link to them.
fn more(view: &View, path: &str, rows: usize, noun: &str) -> Markup {
    let left_out = rows.saturating_sub(ROWS_MAX) as u64;
    html! { @if left_out > 0 { p.empty { a href=(view.link(path)) { (counted(left_out, noun)) } } } }
}

/// Queues with the most dead letters first, then those whose jobs have waited longest, then the deepest.
fn worst_first(queues: &[QueueStats]) -> Vec<&QueueStats> {
    let mut sorted: Vec<&QueueStats> = queues.iter().collect();
    sorted.sort_by_cached_key(|queue| {
        let jobs = |status: Status| queue.jobs.get(&status).copied().unwrap_or(0);
        let waiting = jobs(Status::Pending) + jobs(Status::Retrying) + jobs(Status::Blocked);
        // None is before every time.
        let oldest = (queue.oldest_waiting_at.is_none(), queue.oldest_waiting_at);
        (Reverse(jobs(Status::DeadLetter)), oldest, Reverse(waiting))
    });
    sorted
}

/// Dead workers that still hold jobs are first, and those that hold none are last.
fn rank(worker: &WorkerRecord) -> u8 {
    match (worker.is_alive, worker.running.is_empty()) {
        (false, false) => 0,
        (true, _) => 1,
        (false, true) => 2,
    }
}

fn findings_list(view: &View, problems: &[Problem]) -> Markup {
    html! {
        ul.findings aria-label="What is wrong" {
            @for problem in problems {
                li class=(if problem.is_bad { "bad" } else { "warn" }) {
                    span { (visible(&problem.message)) }
                    (remedy(view, problem))
                }
            }
            @if problems.is_empty() { li.good { span { "Nothing is wrong." } } }
        }
    }
}

fn remedy(view: &View, problem: &Problem) -> Markup {
    // Several links of this page have the same words, so each says what it is for.
    let spoken = |words: &str| format!("{words}: {}", visible(&problem.message));
    html! {
        @match &problem.remedy {
            Remedy::Nothing => {},
            Remedy::Look { path, words } => a.button.small href=(view.link(path)) aria-label=(spoken(words)) { (words) },
            Remedy::RetryDeadLetters => {
                a.button.small href=(view.link("/dead")) aria-label=(spoken("Look")) { "Look" }
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

fn tile(view: &View, path: &str, label: &str, value: &str, note: &str) -> Markup {
    html! {
        a.tile href=(view.link(path)) {
            div.label { (label) }
            div.value { (value) }
            div.note { @if note.is_empty() { (maud::PreEscaped("&nbsp;")) } @else { (note) } }
        }
    }
}

/// Pending jobs of queues that are not paused, without those that are due later.
fn could_run_now(queues: &[QueueStats]) -> String {
    let open = || queues.iter().filter(|queue| queue.paused_at.is_none());
    let most = if open().any(|queue| queue.has_more_scheduled) { "≤ " } else { "" };
    format!("{most}{}", number(open().map(QueueStats::could_run_now).sum()))
}

fn scheduled(queues: &[QueueStats]) -> String {
    let more = if queues.iter().any(|queue| queue.has_more_scheduled) { "+" } else { "" };
    format!("{}{more}", number(queues.iter().map(|queue| queue.scheduled).sum()))
}

/// For how long the oldest job has waited, and how many are kept by a pause alone.
fn waits(queues: &[QueueStats], view: &View) -> String {
    let oldest = queues.iter().filter_map(|queue| queue.oldest_waiting_at).min();
    let oldest = oldest.map(|at| format!("oldest {}", longshore_report::relative_time::span(view.now.since(at))));
    let paused = queues.iter().filter(|queue| queue.paused_at.is_some());
    let kept: u64 = paused.map(QueueStats::could_run_now).sum();
    let kept = (kept > 0).then(|| format!("{} in paused queues", number(kept)));
    oldest.into_iter().chain(kept).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use longshore_core::Timestamp;

    use super::*;

    fn queue(name: &str, dead_letters: u64, oldest_ms: Option<i64>, pending: u64) -> QueueStats {
        QueueStats {
            queue: name.to_owned(),
            paused_at: None,
            jobs: [(Status::DeadLetter, dead_letters), (Status::Pending, pending)].into(),
            scheduled: 0,
            has_more_scheduled: false,
            oldest_waiting_at: oldest_ms.map(Timestamp::from_ms),
        }
    }

    #[test]
    fn what_is_due_later_or_in_a_paused_queue_could_not_run_now() {
        let mail = QueueStats { scheduled: 39, ..queue("mail", 0, None, 1040) };
        let paused = QueueStats { paused_at: Some(Timestamp::from_ms(0)), ..queue("paused", 0, None, 5) };
        let queues = [mail.clone(), paused];
        assert_eq!((could_run_now(&queues).as_str(), scheduled(&queues).as_str()), ("1,001", "39"));
        let queues = [QueueStats { has_more_scheduled: true, ..mail }];
        assert_eq!((could_run_now(&queues).as_str(), scheduled(&queues).as_str()), ("≤ 1,001", "39+"));
    }

    #[test]
    fn the_worst_queue_is_first_wherever_its_name_is() {
        let queues = [
            queue("a", 0, None, 0),
            queue("b", 0, None, 7),
            queue("c", 0, Some(2000), 1),
            queue("d", 0, Some(1000), 1),
            queue("z", 159, None, 0),
        ];
        let names: Vec<&str> = worst_first(&queues).iter().map(|queue| queue.queue.as_str()).collect();
        assert_eq!(names, ["z", "d", "c", "b", "a"]);
    }
}
