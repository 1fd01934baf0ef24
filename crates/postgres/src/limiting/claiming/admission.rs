use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::head::{Head, LaneHeads, Place, PlainJob};
use super::lanes::HeldLanes;

/// How many jobs a claim may take: in all, of those under a rule, and of each type, queue and key. What is missing in a
/// map is not limited.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) total: u32,
    pub(super) limited: u32,
    pub(super) types: HashMap<String, u32>,
    pub(super) queues: HashMap<String, u32>,
    pub(super) keys: HashMap<i64, u32>,
    /// The room that the claim itself has for its queues.
    pub(super) scope: HashMap<String, u32>,
}

/// A job that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) job_type: String,
    pub(super) queue: String,
    pub(super) head: Head,
    /// The index of its lane among the lanes; none for one that stands in none.
    pub(super) lane: Option<usize>,
    pub(super) is_limited: bool,
}

/// What a claim takes, and why not more.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) chosen: Vec<Chosen>,
    /// The types and queues of which a lane comes next that was not read.
    pub(super) unread: Vec<(String, String)>,
    /// A lane has given all that is known of it, so who comes next is not known.
    is_at_end: bool,
}

/// The turns of lanes, and those that their types have come to (start-time fair queueing): a lane that gives a job is
/// behind the others by its stride, and one that had nothing to give gains nothing by that.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    pub(super) lanes: Vec<i64>,
    pub(super) types: HashMap<String, i64>,
}

/// Chooses what a claim takes: by priority and then by id; of the lanes of a type and queue, the one whose first job has
/// the highest priority gives the next one, and of several the one with the lowest turn.
pub(super) struct Admission<'a> {
    rooms: Rooms,
    plain: Vec<PlainJob>,
    lanes: &'a [LaneHeads],
    /// How many jobs of each lane were chosen.
    taken: Vec<usize>,
    turns: Turns,
    lines: HashMap<(&'a str, &'a str), Line<'a>>,
    choice: Choice,
}

/// The lanes of a type and queue.
#[derive(Debug, Default)]
struct Line<'a> {
    /// Those that have a job, in their order, each with its index.
    lanes: BTreeSet<(Place<'a>, usize)>,
    /// The last one that was read, if others may follow.
    last_read: Option<Place<'a>>,
}

impl Choice {
    /// Whether more may be taken once that is written which this claim leaves.
    pub(super) const fn is_cut_short(&self) -> bool {
        self.is_at_end || !self.unread.is_empty()
    }
}

impl Turns {
    /// The turns after this lane has given a job.
    pub(super) fn serve(&mut self, index: usize, lane: &LaneHeads) {
        let clock = self.types.entry(lane.job_type.clone()).or_default();
        *clock = self.lanes[index].max(*clock);
        self.lanes[index] = clock.saturating_add(lane.stride);
    }
}

impl<'a> Admission<'a> {
    pub(super) fn new(rooms: Rooms, mut plain: Vec<PlainJob>, held: &'a HeldLanes, turns: Turns) -> Self {
        // The next one is the last.
        plain.sort_by_key(|job| Reverse((job.head.rank, job.head.id)));
        let lanes = held.lanes.as_slice();
        let (taken, lines, choice) = (vec![0; lanes.len()], HashMap::new(), Choice::default());
        let mut admission = Self { rooms, plain, lanes, taken, turns, lines, choice };
        (0..lanes.len()).for_each(|index| admission.enter(index));
        for lane in held.last_read() {
            admission.line_of(lane).last_read = Some(lane.place());
        }
        admission
    }

    pub(super) fn choose(mut self) -> Choice {
        // Without room for limited jobs no lane gives another one, known or not.
        while self.rooms.total > 0 && !(self.choice.is_at_end && self.rooms.limited > 0) {
            let (plain, laned) = (self.next_plain(), self.next_laned());
            if !self.choice.unread.is_empty() {
                break;
            }
            let next = match (plain, laned) {
                (None, None) => break,
                (Some(plain), Some((laned, index))) if laned < plain => self.take_laned(index),
                (None, Some((_, index))) => self.take_laned(index),
                (Some(_), _) => self.take_plain(),
            };
            self.choice.chosen.extend(next);
        }
        self.choice
    }

    /// The rank and id of the next job that stands in no lane. What has no room now gets none in this claim.
    fn next_plain(&mut self) -> Option<(i32, i64)> {
        while let Some(job) = self.plain.last() {
            if self.rooms.has(&job.job_type, &job.queue, job.is_limited) {
                return Some((job.head.rank, job.head.id));
            }
            self.plain.pop();
        }
        None
    }

    /// The rank and id of the next job in a lane, and the index of that. Notes where that is not known.
    fn next_laned(&mut self) -> Option<((i32, i64), usize)> {
        let mut best: Option<((i32, i64), usize)> = None;
        for ((job_type, queue), line) in &mut self.lines {
            if !self.rooms.has(job_type, queue, true) {
                continue;
            }
            line.drop_first_while(|index| !self.rooms.has_key(self.lanes[index].key_id));
            if line.is_unread() {
                self.choice.unread.push(((*job_type).to_owned(), (*queue).to_owned()));
                continue;
            }
            let Some(&((rank, ..), index)) = line.lanes.first() else { continue };
            let id = self.lanes[index].heads[self.taken[index]].id;
            if best.is_none_or(|(known, _)| (rank, id) < known) {
                best = Some(((rank, id), index));
            }
        }
        best
    }

    fn take_plain(&mut self) -> Option<Chosen> {
        let PlainJob { job_type, queue, head, is_limited } = self.plain.pop()?;
        self.rooms.take(&job_type, &queue, None, is_limited);
        Some(Chosen { job_type, queue, head, lane: None, is_limited })
    }

    fn take_laned(&mut self, index: usize) -> Option<Chosen> {
        let lane = &self.lanes[index];
        let head = lane.heads[self.taken[index]];
        self.line_of(lane).lanes.pop_first();
        self.taken[index] += 1;
        self.turns.serve(index, lane);
        self.enter(index);
        self.rooms.take(&lane.job_type, &lane.queue, Some(lane.key_id), true);
        let (job_type, queue) = (lane.job_type.clone(), lane.queue.clone());
        Some(Chosen { job_type, queue, head, lane: Some(index), is_limited: true })
    }

    /// Puts a lane into the order, if it has another job.
    fn enter(&mut self, index: usize) {
        let lane = &self.lanes[index];
        let Some(head) = lane.heads.get(self.taken[index]) else {
            self.choice.is_at_end |= lane.is_cut;
            return;
        };
        let place = (head.rank, self.turns.lanes[index], lane.limit_key.as_str());
        self.line_of(lane).lanes.insert((place, index));
    }

    fn line_of(&mut self, lane: &'a LaneHeads) -> &mut Line<'a> {
        self.lines.entry((&lane.job_type, &lane.queue)).or_default()
    }
}

impl Line<'_> {
    /// What has no room now gets none in this claim.
    fn drop_first_while(&mut self, has_no_room: impl Fn(usize) -> bool) {
        while self.lanes.first().is_some_and(|(_, index)| has_no_room(*index)) {
            self.lanes.pop_first();
        }
    }

    /// Whether a lane comes next that was not read: it is behind all that were.
    fn is_unread(&self) -> bool {
        self.last_read.is_some_and(|last| self.lanes.first().is_none_or(|(first, _)| *first > last))
    }
}

impl Rooms {
    fn has(&self, job_type: &str, queue: &str, is_limited: bool) -> bool {
        let full = Some(&0);
        !(is_limited && self.limited == 0)
            && self.types.get(job_type) != full
            && self.queues.get(queue) != full
            && self.scope.get(queue) != full
    }

    fn has_key(&self, key: i64) -> bool {
        self.keys.get(&key) != Some(&0)
    }

    fn take(&mut self, job_type: &str, queue: &str, key: Option<i64>, is_limited: bool) {
        self.total -= 1;
        self.limited -= u32::from(is_limited);
        let rooms = [self.types.get_mut(job_type), self.queues.get_mut(queue), self.scope.get_mut(queue)];
        let of_key = key.and_then(|key| self.keys.get_mut(&key));
        rooms.into_iter().chain([of_key]).flatten().for_each(|room| *room -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(number: i64, weight: i64, ids: impl IntoIterator<Item = i64>) -> LaneHeads {
        LaneHeads {
            lane: number,
            key_id: number,
            job_type: "sync".to_owned(),
            queue: "q".to_owned(),
            limit_key: format!("key {number}"),
            head_rank: -5,
            turn: 0,
            stride: 1_000_000 / weight,
            heads: ids.into_iter().map(|id| Head { rank: -5, again: false, id }).collect(),
            is_cut: false,
        }
    }

    fn ids(rooms: Rooms, plain: Vec<PlainJob>, lanes: &[LaneHeads], clock: i64) -> Vec<i64> {
        ids_of(&choose(rooms, plain, &HeldLanes::of(lanes.to_vec()), clock))
    }

    fn choose(rooms: Rooms, plain: Vec<PlainJob>, held: &HeldLanes, clock: i64) -> Choice {
        let lanes = held.lanes.iter().map(|lane| lane.turn).collect();
        let turns = Turns { lanes, types: [("sync".to_owned(), clock)].into() };
        Admission::new(rooms, plain, held, turns).choose()
    }

    fn ids_of(choice: &Choice) -> Vec<i64> {
        choice.chosen.iter().map(|chosen| chosen.head.id).collect()
    }

    fn rooms(total: u32) -> Rooms {
        Rooms { total, limited: total, ..Rooms::default() }
    }

    #[test]
    fn keys_take_turns_by_their_weights() {
        let lanes = [lane(1, 3, 1..=20), lane(2, 1, 21..=40)];
        let chosen = ids(rooms(8), Vec::new(), &lanes, 0);
        assert_eq!(chosen.iter().filter(|id| **id <= 20).count(), 6, "{chosen:?}");
    }

    #[test]
    fn nothing_is_chosen_behind_the_known_jobs_of_a_lane_that_has_more() {
        let lanes = [LaneHeads { is_cut: true, ..lane(1, 3, 1..=3) }, lane(2, 1, 21..=40)];
        assert_eq!(ids(rooms(8), Vec::new(), &lanes, 0), [1, 21, 2, 3]);
    }

    #[test]
    fn nothing_is_chosen_that_may_come_behind_a_lane_that_was_not_read() {
        let free = PlainJob {
            job_type: "free".to_owned(),
            queue: "r".to_owned(),
            head: Head { rank: 0, again: false, id: 50 },
            is_limited: false,
        };
        let is_unread = |held: &HeldLanes| {
            let choice = choose(rooms(8), vec![free.clone()], held, 0);
            (ids_of(&choice), choice.unread.len())
        };
        let read = || vec![lane(1, 1, 1..=3), lane(2, 1, 21..=23)];
        assert_eq!(is_unread(&HeldLanes::of(read())), (vec![1, 21, 2, 22, 3, 23, 50], 0));
        assert_eq!(is_unread(&HeldLanes::of(read()).with_last_read(1)), (vec![1, 21], 1));
        let gone = || vec![lane(1, 1, []), LaneHeads { head_rank: -9, ..lane(2, 1, 21..=23) }];
        assert_eq!(is_unread(&HeldLanes::of(gone())), (vec![21, 22, 23, 50], 0));
        assert_eq!(is_unread(&HeldLanes::of(gone()).with_last_read(0)), (vec![], 1));
        let mut spent = rooms(8);
        spent.types.insert("sync".to_owned(), 0);
        let choice = choose(spent, vec![free.clone()], &HeldLanes::of(gone()).with_last_read(0), 0);
        assert_eq!((ids_of(&choice), choice.unread.len()), (vec![50], 0));
    }

    #[test]
    fn a_job_without_a_rule_follows_when_the_room_for_limited_ones_is_used_up() {
        let lanes = [LaneHeads { is_cut: true, ..lane(1, 1, 1..=2) }];
        let head = Head { rank: 0, again: false, id: 50 };
        let free = PlainJob { job_type: "free".to_owned(), queue: "r".to_owned(), head, is_limited: false };
        assert_eq!(ids(Rooms { limited: 2, ..rooms(8) }, vec![free], &lanes, 0), [1, 2, 50]);
    }

    #[test]
    fn a_new_key_does_not_wait_behind_the_turns_of_others_and_gains_one() {
        let lanes = [LaneHeads { turn: 9_000_000, ..lane(1, 1, 1..=20) }, lane(2, 1, 21..=40)];
        assert_eq!(ids(rooms(5), Vec::new(), &lanes, 9_000_000), [21, 1, 2, 22, 3]);
    }

    #[test]
    fn a_job_without_a_lane_and_the_next_of_the_lanes_come_by_priority_and_id() {
        let plain = |rank, id| PlainJob {
            job_type: "mail".to_owned(),
            queue: "q".to_owned(),
            head: Head { rank, again: false, id },
            is_limited: false,
        };
        let lanes = [lane(1, 1, [2, 9])];
        assert_eq!(ids(rooms(9), vec![plain(-5, 3), plain(-5, 1), plain(-9, 8)], &lanes, 0), [8, 1, 2, 3, 9]);
    }

    #[test]
    fn nothing_takes_more_than_its_type_queue_and_key_have_room_for() {
        let three = [lane(1, 1, 1..=9), lane(2, 1, 11..=19), lane(3, 1, 21..=29)];
        let of_keys = Rooms { keys: [(1, 1), (2, 0)].into(), ..rooms(5) };
        assert_eq!(ids(of_keys, Vec::new(), &three, 0), [1, 21, 22, 23, 24]);
        let of_type = Rooms { types: [("sync".to_owned(), 2)].into(), ..rooms(5) };
        assert_eq!(ids(of_type, Vec::new(), &three, 0), [1, 11]);
        let of_queue = Rooms { queues: [("q".to_owned(), 1)].into(), ..rooms(5) };
        assert_eq!(ids(of_queue, Vec::new(), &three, 0), [1]);
        assert_eq!(ids(Rooms { limited: 0, ..rooms(5) }, Vec::new(), &three, 0), Vec::<i64>::new());
    }
}
