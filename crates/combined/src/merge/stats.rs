use std::collections::BTreeMap;

use longshore_core::{MinuteStats, QueueStats, Stats, Timestamp};

/// The numbers of all databases. `home` says where the jobs of a queue are enqueued: there it is paused or not.
pub(crate) fn merge(parts: Vec<(usize, Stats)>, home: impl Fn(&str) -> usize) -> Stats {
    let mut all = Stats::default();
    let mut queues = Vec::new();
    let mut minutes: BTreeMap<(Timestamp, String), MinuteStats> = BTreeMap::new();
    for (place, stats) in parts {
        queues.push((place, stats.queues));
        for minute in stats.minutes {
            let key = (minute.minute, minute.queue.clone());
            match minutes.get_mut(&key) {
                Some(sum) => add_minute(sum, &minute),
                None => drop(minutes.insert(key, minute)),
            }
        }
        all.next_due_at = earlier(all.next_due_at, stats.next_due_at);
    }
    all.queues = merge_queues(queues, home);
    all.minutes = minutes.into_values().collect();
    all
}

/// The queues of all databases, by name.
pub(crate) fn merge_queues(parts: Vec<(usize, Vec<QueueStats>)>, home: impl Fn(&str) -> usize) -> Vec<QueueStats> {
    let mut all: BTreeMap<String, (bool, QueueStats)> = BTreeMap::new();
    for (place, queue) in parts.into_iter().flat_map(|(place, queues)| queues.into_iter().map(move |it| (place, it))) {
        let is_home = home(&queue.queue) == place;
        match all.get_mut(&queue.queue) {
            Some((has_home, sum)) => {
                if is_home || !*has_home {
                    sum.paused_at = queue.paused_at;
                }
                *has_home |= is_home;
                for (status, jobs) in queue.jobs {
                    *sum.jobs.entry(status).or_default() += jobs;
                }
                sum.oldest_waiting_at = earlier(sum.oldest_waiting_at, queue.oldest_waiting_at);
            }
            None => drop(all.insert(queue.queue.clone(), (is_home, queue))),
        }
    }
    all.into_values().map(|(_, queue)| queue).collect()
}

fn add_minute(sum: &mut MinuteStats, more: &MinuteStats) {
    sum.completed += more.completed;
    sum.failed += more.failed;
    sum.retried += more.retried;
    sum.cancelled += more.cancelled;
    sum.waited_ms += more.waited_ms;
    sum.ran_ms += more.ran_ms;
}

/// The earlier of two, where there are two.
pub(crate) fn earlier(first: Option<Timestamp>, second: Option<Timestamp>) -> Option<Timestamp> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.min(second)),
        (first, second) => first.or(second),
    }
}
