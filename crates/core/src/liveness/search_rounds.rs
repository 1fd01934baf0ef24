use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

/// Which workers a search for dead workers visits. With N workers that search again and again, each round costs N
/// visits and not N times N.
///
/// The workers form a ring in the order of `W`. Each checks the workers behind it, up to the first that lives. So
/// each worker is checked by one other, and the next search finds its death. Because that other worker may be frozen,
/// every worker also visits all of them from time to time: one search in as many as there are workers, so that all
/// together make about one such round each time. A store with several workers searches for one of them each time.
#[derive(Debug)]
pub struct SearchRounds<W> {
    state: Mutex<State>,
    workers: PhantomData<fn(W)>,
}

#[derive(Debug, Default)]
struct State {
    turn: usize,
    looks_until_round: u64,
    has_begun: bool,
}

/// The workers that one search visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchRound<W> {
    /// All of them, and it judges each: no worker of this store is in the ring.
    Outside,
    /// All of them, starting after this one.
    All(W),
    /// Those after this one, up to the first that lives.
    Next(W),
}

impl<W> Default for SearchRounds<W> {
    fn default() -> Self {
        Self { state: Mutex::default(), workers: PhantomData }
    }
}

impl<W: Ord + Hash> SearchRounds<W> {
    /// What the next search of a store with these workers visits. The first one visits all.
    pub fn next(&self, mut own: Vec<W>) -> SearchRound<W> {
        if own.is_empty() {
            return SearchRound::Outside;
        }
        own.sort_unstable();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn = (state.turn + 1) % own.len();
        let worker = own.swap_remove(state.turn);
        if state.looks_until_round == 0 {
            return SearchRound::All(worker);
        }
        state.looks_until_round -= 1;
        SearchRound::Next(worker)
    }

    /// A search that visited all of them found this many workers.
    pub fn found(&self, worker: &W, workers: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = workers.max(1) as u64;
        // Processes that started at the same time must not make their full rounds at the same time.
        let delay = if state.has_begun { 0 } else { spread(worker) % workers };
        state.has_begun = true;
        state.looks_until_round = workers - 1 + delay;
    }
}

/// Numbers that are near to each other are spread, because processes start together.
fn spread(worker: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    worker.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_without_workers_visits_all() {
        assert_eq!(SearchRounds::<i32>::default().next(Vec::new()), SearchRound::Outside);
    }

    #[test]
    fn one_look_in_as_many_as_there_are_workers_visits_all() {
        let own = 7;
        let rounds = SearchRounds::default();
        let mut complete = 0;
        for _ in 0..100 {
            if rounds.next(vec![own]) == SearchRound::All(own) {
                rounds.found(&own, 10);
                complete += 1;
            }
        }
        assert!((9..=11).contains(&complete), "{complete}");
    }

    #[test]
    fn the_workers_of_one_store_take_turns() {
        let own: Vec<i32> = vec![1, 2, 3];
        let rounds = SearchRounds::default();
        rounds.found(&own[0], 1000);
        let mut turns: Vec<SearchRound<i32>> = (0..3).map(|_| rounds.next(own.clone())).collect();
        turns.sort_by_key(|turn| format!("{turn:?}"));
        assert_eq!(turns, own.into_iter().map(SearchRound::Next).collect::<Vec<_>>());
    }
}
