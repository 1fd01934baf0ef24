use std::collections::BTreeSet;

use longshore_core::{Health, QueueStats, Status, Timestamp};

use super::{Finding, judge, limits, schedules};
use crate::database::{Database, Unreachable};
use crate::output::quoted::argument;
use crate::output::table::count_jobs;

/// The problems of the database, or of each if there are several, and when they were read.
pub(crate) async fn examine(
    database: &Database,
    configured: &BTreeSet<String>,
) -> anyhow::Result<(Vec<Finding>, Timestamp)> {
    let Some(combined) = database.combined() else {
        let health = database.health().await?;
        let mut findings = judge(&health, configured);
        findings.extend(schedules::examine(database).await?);
        findings.extend(limits::examine(database, &health).await?);
        return Ok((findings, health.now));
    };
    // All of them at once, which also finds the ones that do not answer.
    let all = database.health().await?;
    let unreachable = database.unreachable();
    let mut findings: Vec<Finding> = unreachable.iter().map(does_not_answer).collect();
    for (name, store) in combined.databases() {
        if unreachable.iter().any(|it| it.database == name) {
            continue;
        }
        let health = store.health().await?;
        let own = judge(&health, configured).into_iter();
        findings.extend(own.map(|it| Finding { message: format!("database {name}: {}", it.message), ..it }));
        findings.extend(misplaced(&name, &health, |queue| combined.database_for(queue).to_string()));
    }
    // While none of them answers, nothing is known about schedules and limits.
    findings.extend(schedules::examine(database).await.unwrap_or_default());
    findings.extend(limits::examine(database, &all).await.unwrap_or_default());
    Ok((findings, all.now))
}

fn does_not_answer(unreachable: &Unreachable) -> Finding {
    let Unreachable { database, message } = unreachable;
    let message = format!("database {database} does not answer, so its jobs wait: {message}");
    Finding::new("database_unreachable", message, "the others are worked; see whether its server runs and is reachable")
}

/// Queues with waiting jobs in a database to which the configuration does not send them.
fn misplaced<'a>(
    name: &'a str,
    health: &'a Health,
    home: impl Fn(&str) -> String + 'a,
) -> impl Iterator<Item = Finding> + 'a {
    let waiting = |queue: &QueueStats| {
        let open = [Status::Pending, Status::Retrying, Status::Blocked, Status::Running];
        open.iter().filter_map(|status| queue.jobs.get(status)).sum::<u64>()
    };
    health.queues.iter().filter_map(move |queue| {
        let (jobs, home) = (waiting(queue), home(&queue.queue));
        (jobs > 0 && home != name).then(|| {
            let are = if jobs == 1 { "is" } else { "are" };
            let (jobs, queue_name) = (count_jobs(jobs), &queue.queue);
            let message =
                format!("{jobs} of queue {queue_name} {are} in database {name}, and its new jobs go to {home}");
            let hint = format!(
                "nothing to do if the queue was moved: workers run them where they are. If not, name the queue under \
                 [databases.{name}]; see longshore jobs list --queue {}",
                argument(&queue.queue)
            );
            Finding::new("queue_in_other_database", message, hint)
        })
    })
}
