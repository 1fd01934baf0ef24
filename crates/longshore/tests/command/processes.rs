//! Running processes, from the process table, and how long they take.

use std::fs;
use std::time::{Duration, Instant};

/// The time after which a wait counts as hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition is true.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The living processes that inherited a variable with this value.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.ends_with(mark.as_bytes()))
    })
    .collect()
}

/// The sleeps that a family has started after it was told to stop.
pub(crate) fn marked_sleeps(mark: &str) -> usize {
    let is_long = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\x00");
    marked(mark).iter().filter(|id| is_long(id)).count()
}

/// The supervisor of the command whose processes are marked.
pub(crate) fn supervisor_of(mark: &str) -> u32 {
    let marked = marked(mark);
    let parents = marked.iter().filter_map(|id| parent(*id));
    parents.into_iter().find(|parent| !marked.contains(parent)).unwrap()
}

/// How many child processes have ended but were not waited for.
pub(crate) fn zombies_of(id: u32) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|child| stat(*child).is_some_and(|(state, parent)| state == "Z" && parent == id)).count()
}

/// Sends a signal by name to a process.
pub(crate) fn signal(name: &str, id: u32) {
    let status = std::process::Command::new("kill").args(["-s", name, &id.to_string()]).status().unwrap();
    assert!(status.success());
}

fn parent(id: u32) -> Option<u32> {
    stat(id).map(|(_, parent)| parent)
}

fn stat(id: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// The middle of what the rounds took.
pub(crate) fn median(rounds: u32, mut round: impl FnMut()) -> Duration {
    let mut spans: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            round();
            began.elapsed()
        })
        .collect();
    spans.sort();
    spans[spans.len() / 2]
}
