use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};

/// An entry of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    group: i32,
}

/// Sends a signal to every descendant of this process once, and returns their number.
///
/// `main` is the command's own process group. A group is signalled as a whole, because a process that forks cannot
/// escape that. Processes that left their group are signalled one by one. Without a process table, only the command's
/// group is known.
pub(crate) fn signal_all(main: Pid, signal: Signal) -> usize {
    let Some(table) = read_table() else {
        return usize::from(kill_process_group(main, signal).is_ok());
    };
    let descendants = descendants_of(getpid().as_raw_pid(), &table);
    let groups = own_groups(main.as_raw_pid(), &descendants);
    for group in groups.iter().copied().filter_map(Pid::from_raw) {
        // This fails only if the group has just ended, or for a set-uid program, which only root can end.
        let _ = kill_process_group(group, signal);
    }
    let single = descendants.iter().filter(|process| !groups.contains(&process.group));
    for id in single.filter_map(|process| Pid::from_raw(process.id)) {
        let _ = kill_process(id, signal);
    }
    descendants.len()
}

/// Sends a signal to every process whose environment contains `mark`, and returns their number.
///
/// This is needed when the supervisor was killed: then no process knows its orphans.
pub(crate) fn signal_marked(mark: &str, signal: Signal) -> usize {
    let marked: Vec<Pid> = process_ids().filter(|id| has_mark(id.as_raw_pid(), mark)).collect();
    for id in &marked {
        let _ = kill_process(*id, signal);
    }
    marked.len()
}

fn has_mark(id: i32, mark: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{id}/environ")) else { return false };
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

/// Groups led by the command or by a descendant of it. No other process can be in them.
fn own_groups(main: i32, descendants: &[Process]) -> BTreeSet<i32> {
    let ids: BTreeSet<i32> = descendants.iter().map(|process| process.id).chain([main]).collect();
    descendants.iter().map(|process| process.group).filter(|group| ids.contains(group)).collect()
}

fn descendants_of(ancestor: i32, table: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = table.iter().copied().filter(|process| process.parent == ancestor).collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        // A table that is read while processes end can contain one of them twice. Each is visited once.
        let children = table.iter().filter(|child| child.parent == parent && child.id != ancestor);
        let fresh: Vec<Process> = children.filter(|child| !found.contains(child)).copied().collect();
        found.extend(fresh);
        next += 1;
    }
    found
}

/// Every running process, without zombies. `None` if the system has no process table.
fn read_table() -> Option<Vec<Process>> {
    let table: Vec<Process> = process_ids().filter_map(|id| read_process(id.as_raw_pid())).collect();
    table.iter().any(|process| process.id == getpid().as_raw_pid()).then_some(table)
}

fn process_ids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

fn read_process(id: i32) -> Option<Process> {
    parse_stat(id, &fs::read(format!("/proc/{id}/stat")).ok()?)
}

/// `pid (name) state parent group …`. The name may contain anything, including closing brackets and spaces.
fn parse_stat(id: i32, stat: &[u8]) -> Option<Process> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    Some(Process { id, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, group: i32) -> Process {
        Process { id, parent, group }
    }

    #[test]
    fn a_process_name_cannot_forge_a_line_of_the_table() {
        let stat = b"7 (evil) Z 1 1) S 4 5 6 0";
        assert_eq!(parse_stat(7, stat), Some(process(7, 4, 5)));
        assert_eq!(parse_stat(7, b"7 (\xff\xfe) S 4 5"), Some(process(7, 4, 5)));
        assert_eq!(parse_stat(7, b"7 (gone) Z 4 5"), None);
        assert_eq!(parse_stat(7, b""), None);
    }

    #[test]
    fn grandchildren_in_sessions_of_their_own_are_descendants() {
        let table =
            [process(10, 1, 10), process(11, 10, 11), process(12, 11, 12), process(13, 10, 13), process(20, 1, 20)];
        let found: Vec<i32> = descendants_of(10, &table).iter().map(|process| process.id).collect();
        assert_eq!(found, [11, 13, 12]);
    }

    #[test]
    fn a_group_that_is_led_from_elsewhere_is_never_signalled_as_a_whole() {
        let descendants = [process(11, 10, 11), process(12, 11, 10), process(13, 10, 99)];
        assert_eq!(own_groups(11, &descendants), BTreeSet::from([11]));
    }
}
