use std::sync::{Mutex, PoisonError};

/// Which workers a search for dead workers visits. With N workers that search all the time, each round costs N
/// visits and not N times N.
///
/// The workers form a ring in the order of their numbers. Each checks the workers behind it, up to the first that lives. So
/// each worker is checked by one other, and the next search finds its death. Because that other worker may be frozen,
/// every worker also visits all of them from time to time: one search in as many as there are workers, so that all
/// together make about one such round each time. A store with several workers searches for one of them each time.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    turn: usize,
    looks_until_round: u64,
    has_begun: bool,
}

/// The workers that one search visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// All of them, and it judges each: no worker of this store is in the ring.
    Outside,
    /// All of them, starting after this one.
    All(i32),
    /// Those after this one, up to the first that lives.
    Next(i32),
}

impl Rounds {
    /// What the next search of a store with these workers visits. The first one visits all.
    pub(crate) fn next(&self, mut own: Vec<i32>) -> Round {
        if own.is_empty() {
            return Round::Outside;
        }
        own.sort();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn = (state.turn + 1) % own.len();
        let worker = own.swap_remove(state.turn);
        if state.looks_until_round == 0 {
            return Round::All(worker);
        }
        state.looks_until_round -= 1;
        Round::Next(worker)
    }

    /// A search that visited all of them found this many workers.
    pub(crate) fn found(&self, worker: i32, workers: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = workers.max(1) as u64;
        // Processes that started at the same time must not make their full rounds at the same time.
        let delay = if state.has_begun { 0 } else { spread(worker) % workers };
        state.has_begun = true;
        state.looks_until_round = workers - 1 + delay;
    }
}

/// Numbers that are near to each other are spread, because processes start together.
fn spread(worker: i32) -> u64 {
    u64::from(worker.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_without_workers_visits_all() {
        assert_eq!(Rounds::default().next(Vec::new()), Round::Outside);
    }

    #[test]
    fn one_look_in_as_many_as_there_are_workers_visits_all() {
        let own = 7;
        let rounds = Rounds::default();
        let mut complete = 0;
        for _ in 0..100 {
            if rounds.next(vec![own]) == Round::All(own) {
                rounds.found(own, 10);
                complete += 1;
            }
        }
        assert!((9..=11).contains(&complete), "{complete}");
    }

    #[test]
    fn the_workers_of_one_store_take_turns() {
        let own: Vec<i32> = vec![1, 2, 3];
        let rounds = Rounds::default();
        rounds.found(own[0], 1000);
        let mut turns: Vec<Round> = (0..3).map(|_| rounds.next(own.clone())).collect();
        turns.sort_by_key(|turn| format!("{turn:?}"));
        assert_eq!(turns, own.into_iter().map(Round::Next).collect::<Vec<_>>());
    }
}
