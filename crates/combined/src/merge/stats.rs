use std::collections::BTreeMap;

use longshore_core::{MinuteStats, QueueStats, Stats, Timestamp};

/// The numbers of all databases. `home` says where the jobs of a queue are enqueued: there it is paused or not.
pub(crate) fn merge(parts: Vec<(usize, Stats)>, home: impl Fn(&str) -> usize) -> Stats {
    let mut all = Stats::default();
    let (mut queues, mut minutes) = (Vec::new(), Vec::new());
    for (place, stats) in parts {
        queues.push((place, stats.queues));
        minutes.push(stats.minutes);
        all.next_due_at = earlier(all.next_due_at, stats.next_due_at);
    }
    all.queues = merge_queues(queues, home);
    all.minutes = merge_minutes(minutes);
    all
}

/// What ended in all databases, by minute or longer span and by queue.
pub(crate) fn merge_minutes(parts: impl IntoIterator<Item = Vec<MinuteStats>>) -> Vec<MinuteStats> {
    let mut all: BTreeMap<(Timestamp, String), MinuteStats> = BTreeMap::new();
    for minute in parts.into_iter().flatten() {
        let key = (minute.minute, minute.queue.clone());
        match all.get_mut(&key) {
            Some(sum) => sum.add(&minute),
            None => drop(all.insert(key, minute)),
        }
    }
    all.into_values().collect()
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
                sum.scheduled = sum.scheduled.saturating_add(queue.scheduled);
                sum.has_more_scheduled |= queue.has_more_scheduled;
                sum.oldest_waiting_at = earlier(sum.oldest_waiting_at, queue.oldest_waiting_at);
            }
            None => drop(all.insert(queue.queue.clone(), (is_home, queue))),
        }
    }
    all.into_values().map(|(_, queue)| queue).collect()
}

/// The earlier of two, where there are two.
pub(crate) fn earlier(first: Option<Timestamp>, second: Option<Timestamp>) -> Option<Timestamp> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.min(second)),
        (first, second) => first.or(second),
    }
}
