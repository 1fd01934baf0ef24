use std::collections::BTreeMap;

use crate::{ClaimNumber, JobId, WorkerId};

/// A worker's sign of life.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Who lives.
    pub worker_id: WorkerId,
    /// Grows with each heartbeat of the worker.
    pub number: u64,
    /// What it holds, begun or not.
    pub held: Held,
}

/// What a worker holds, so that the store can say what of it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// All of it: in the first heartbeat after a registration, and after one that got no answer.
    All(Vec<(JobId, ClaimNumber)>),
    /// What has changed since a heartbeat that was answered.
    Changes {
        /// The number of that heartbeat.
        since: u64,
        /// What it has got since then and still holds.
        taken: Vec<(JobId, ClaimNumber)>,
        /// What it held then and holds no longer.
        given_up: Vec<(JobId, ClaimNumber)>,
    },
}

/// What a worker learns from its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Extended {
    /// Jobs that it holds no longer: stop them, write nothing.
    pub lost: Vec<JobId>,
    /// Jobs whose end somebody asked for.
    pub cancel_requested: Vec<JobId>,
    /// Whether the store does not know the heartbeat whose changes it was told: the lease is extended, but what is lost
    /// is known only after a heartbeat with [`Held::All`].
    pub asks_for_all: bool,
}

/// All that a worker holds, as its heartbeats tell it: what a store keeps in memory for each of its workers, from one
/// registration to the next.
#[derive(Clone, Debug, Default)]
pub struct HeldClaims {
    /// The last heartbeat that was taken in.
    number: Option<u64>,
    claims: BTreeMap<JobId, ClaimNumber>,
}

impl HeldClaims {
    /// Takes in a heartbeat; says whether it is known now what the worker holds. The same one may be taken in again,
    /// because a transaction may be repeated.
    #[must_use]
    pub fn take_in(&mut self, number: u64, held: &Held) -> bool {
        match held {
            Held::All(all) => self.claims = all.iter().copied().collect(),
            Held::Changes { since, .. } if self.number != Some(*since) && self.number != Some(number) => return false,
            Held::Changes { taken, given_up, .. } => {
                for (id, claim_number) in given_up {
                    if self.claims.get(id) == Some(claim_number) {
                        self.claims.remove(id);
                    }
                }
                self.claims.extend(taken.iter().copied());
            }
        }
        self.number = Some(number);
        true
    }

    /// What the worker holds, by id.
    pub fn iter(&self) -> impl Iterator<Item = (JobId, ClaimNumber)> + '_ {
        self.claims.iter().map(|(id, claim_number)| (*id, *claim_number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(numbers: &[(i64, i64)]) -> Vec<(JobId, ClaimNumber)> {
        numbers.iter().map(|(id, claim_number)| (JobId(*id), ClaimNumber(*claim_number))).collect()
    }

    fn changes(since: u64, taken: &[(i64, i64)], given_up: &[(i64, i64)]) -> Held {
        Held::Changes { since, taken: claims(taken), given_up: claims(given_up) }
    }

    fn after(heartbeats: &[(u64, Held)]) -> HeldClaims {
        let mut held = HeldClaims::default();
        for (number, told) in heartbeats {
            assert!(held.take_in(*number, told), "{number}");
        }
        held
    }

    #[test]
    fn changes_come_to_what_the_worker_holds() {
        let held = after(&[
            (1, Held::All(claims(&[(1, 1), (2, 1)]))),
            (2, changes(1, &[(3, 1)], &[(1, 1)])),
            // Given back and claimed anew.
            (3, changes(2, &[(2, 2)], &[(2, 1)])),
        ]);
        assert_eq!(held.iter().collect::<Vec<_>>(), claims(&[(2, 2), (3, 1)]));
    }

    #[test]
    fn the_same_heartbeat_twice_comes_to_the_same() {
        let first = (1, Held::All(claims(&[(1, 1)])));
        let second = (2, changes(1, &[(2, 1)], &[(1, 1)]));
        assert_eq!(after(&[first, second.clone(), second]).iter().collect::<Vec<_>>(), claims(&[(2, 1)]));
    }

    #[test]
    fn changes_of_an_unknown_heartbeat_change_nothing_and_all_mends_it() {
        let mut held = after(&[(1, Held::All(claims(&[(1, 1)]))), (3, changes(1, &[(2, 1)], &[]))]);
        assert!(!held.take_in(4, &changes(2, &[(9, 9)], &[(1, 1)])));
        assert_eq!(held.iter().collect::<Vec<_>>(), claims(&[(1, 1), (2, 1)]));
        assert!(held.take_in(5, &Held::All(Vec::new())));
        assert_eq!(held.iter().next(), None);
        assert!(!HeldClaims::default().take_in(1, &changes(0, &[], &[])));
    }
}
