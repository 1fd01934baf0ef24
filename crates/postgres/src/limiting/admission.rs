use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::head::{Head, LaneHeads, PlainJob};

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
    /// The place of its lane among the lanes; none for one that stands in none.
    pub(super) lane: Option<usize>,
    pub(super) is_limited: bool,
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
    /// A lane has given all that is known of it, so who comes next is not known.
    is_at_end: bool,
    turns: Turns,
    /// The lanes of each type and queue in their order.
    order: HashMap<(&'a str, &'a str), BTreeSet<Entry<'a>>>,
}

/// The rank of the first job, the turn, the key, and the place of a lane.
type Entry<'a> = (i32, i64, &'a str, usize);

impl Turns {
    /// The turns after this lane has given a job.
    pub(super) fn serve(&mut self, place: usize, lane: &LaneHeads) {
        let clock = self.types.entry(lane.job_type.clone()).or_default();
        *clock = self.lanes[place].max(*clock);
        self.lanes[place] = clock.saturating_add(lane.stride);
    }
}

impl<'a> Admission<'a> {
    pub(super) fn new(rooms: Rooms, mut plain: Vec<PlainJob>, lanes: &'a [LaneHeads], turns: Turns) -> Self {
        // The next one is the last.
        plain.sort_by_key(|job| Reverse((job.head.rank, job.head.id)));
        let taken = vec![0; lanes.len()];
        let mut admission = Self { rooms, plain, lanes, taken, is_at_end: false, turns, order: HashMap::new() };
        (0..lanes.len()).for_each(|place| admission.enter(place));
        admission
    }

    pub(super) fn choose(mut self) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        // Without room for limited jobs no lane gives another one, known or not.
        while self.rooms.total > 0 && !(self.is_at_end && self.rooms.limited > 0) {
            let next = match (self.next_plain(), self.next_laned()) {
                (None, None) => break,
                (Some(plain), Some((laned, place))) if laned < plain => self.take_laned(place),
                (None, Some((_, place))) => self.take_laned(place),
                (Some(_), _) => self.take_plain(),
            };
            chosen.extend(next);
        }
        chosen
    }

    /// The rank and id of the next job that stands in no lane. What has no room now gets none in this claim.
    fn next_plain(&mut self) -> Option<(i32, i64)> {
        while let Some(job) = self.plain.last() {
            if self.rooms.has(&job.job_type, &job.queue, None, job.is_limited) {
                return Some((job.head.rank, job.head.id));
            }
            self.plain.pop();
        }
        None
    }

    /// The rank and id of the next job in a lane, and the place of that.
    fn next_laned(&mut self) -> Option<((i32, i64), usize)> {
        let mut best: Option<((i32, i64), usize)> = None;
        for entries in self.order.values_mut() {
            while let Some(&(rank, .., place)) = entries.first() {
                let lane = &self.lanes[place];
                if !self.rooms.has(&lane.job_type, &lane.queue, Some(lane.key_id), true) {
                    entries.pop_first();
                    continue;
                }
                let id = lane.heads[self.taken[place]].id;
                if best.is_none_or(|(known, _)| (rank, id) < known) {
                    best = Some(((rank, id), place));
                }
                break;
            }
        }
        best
    }

    fn take_plain(&mut self) -> Option<Chosen> {
        let PlainJob { job_type, queue, head, is_limited } = self.plain.pop()?;
        self.rooms.take(&job_type, &queue, None, is_limited);
        Some(Chosen { job_type, queue, head, lane: None, is_limited })
    }

    fn take_laned(&mut self, place: usize) -> Option<Chosen> {
        let lane = &self.lanes[place];
        let head = lane.heads[self.taken[place]];
        self.order.get_mut(&(lane.job_type.as_str(), lane.queue.as_str()))?.pop_first();
        self.taken[place] += 1;
        self.turns.serve(place, lane);
        self.enter(place);
        self.rooms.take(&lane.job_type, &lane.queue, Some(lane.key_id), true);
        let (job_type, queue) = (lane.job_type.clone(), lane.queue.clone());
        Some(Chosen { job_type, queue, head, lane: Some(place), is_limited: true })
    }

    /// Puts a lane into the order, if it has another job.
    fn enter(&mut self, place: usize) {
        let lane = &self.lanes[place];
        let Some(head) = lane.heads.get(self.taken[place]) else {
            self.is_at_end |= lane.is_cut;
            return;
        };
        let entry = (head.rank, self.turns.lanes[place], lane.limit_key.as_str(), place);
        self.order.entry((&lane.job_type, &lane.queue)).or_default().insert(entry);
    }
}

impl Rooms {
    fn has(&self, job_type: &str, queue: &str, key: Option<i64>, is_limited: bool) -> bool {
        let full = Some(&0);
        !(is_limited && self.limited == 0)
            && self.types.get(job_type) != full
            && self.queues.get(queue) != full
            && self.scope.get(queue) != full
            && key.is_none_or(|key| self.keys.get(&key) != full)
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
            turn: 0,
            stride: 1_000_000 / weight,
            heads: ids.into_iter().map(|id| Head { rank: -5, again: false, id }).collect(),
            is_cut: false,
        }
    }

    fn ids(rooms: Rooms, plain: Vec<PlainJob>, lanes: &[LaneHeads], clock: i64) -> Vec<i64> {
        let turns =
            Turns { lanes: lanes.iter().map(|lane| lane.turn).collect(), types: [("sync".to_owned(), clock)].into() };
        Admission::new(rooms, plain, lanes, turns).choose().iter().map(|chosen| chosen.head.id).collect()
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
