use std::collections::HashMap;

use longshore_core::{ClaimNumber, Held, JobId};

/// What a worker holds, by job.
pub(crate) type Claims = HashMap<JobId, ClaimNumber>;

/// What the store knows of the worker's claims, so that a heartbeat names only what has changed.
#[derive(Debug, Default)]
pub(crate) struct HeldReport {
    last_number: u64,
    answered: Option<Answered>,
}

/// The last heartbeat, if it was answered.
#[derive(Debug)]
struct Answered {
    /// The session in which it was sent: a registration begins anew.
    session: u64,
    number: u64,
    held: Claims,
}

impl HeldReport {
    /// The number of the next heartbeat and what it says. Without an answer to it the one after that names all.
    pub(crate) fn next(&mut self, session: u64, held: &Claims) -> (u64, Held) {
        self.last_number += 1;
        let said = match self.answered.take().filter(|answered| answered.session == session) {
            Some(Answered { number, held: before, .. }) => {
                Held::Changes { since: number, taken: without(held, &before), given_up: without(&before, held) }
            }
            None => Held::All(held.iter().map(|(id, claim_number)| (*id, *claim_number)).collect()),
        };
        (self.last_number, said)
    }

    /// The store knows now that the worker held this.
    pub(crate) fn answered(&mut self, session: u64, held: Claims) {
        self.answered = Some(Answered { session, number: self.last_number, held });
    }
}

/// The claims that are not among others.
fn without(claims: &Claims, others: &Claims) -> Vec<(JobId, ClaimNumber)> {
    let rest = claims.iter().filter(|(id, claim_number)| others.get(id) != Some(claim_number));
    rest.map(|(id, claim_number)| (*id, *claim_number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: u64 = 1;

    fn claims(numbers: &[(i64, i64)]) -> Claims {
        numbers.iter().map(|(id, claim_number)| (JobId(*id), ClaimNumber(*claim_number))).collect()
    }

    fn told(numbers: &[(i64, i64)]) -> Vec<(JobId, ClaimNumber)> {
        claims(numbers).into_iter().collect()
    }

    fn sorted(held: Held) -> Held {
        let sorted = |mut claims: Vec<(JobId, ClaimNumber)>| {
            claims.sort();
            claims
        };
        match held {
            Held::All(all) => Held::All(sorted(all)),
            Held::Changes { since, taken, given_up } => {
                Held::Changes { since, taken: sorted(taken), given_up: sorted(given_up) }
            }
        }
    }

    /// A heartbeat that is answered.
    fn beat(report: &mut HeldReport, session: u64, held: &Claims) -> Held {
        let (_, said) = report.next(session, held);
        report.answered(session, held.clone());
        sorted(said)
    }

    #[test]
    fn the_first_heartbeat_names_all_and_the_next_ones_what_has_changed() {
        let mut report = HeldReport::default();
        let (first, second) = (claims(&[(1, 1), (2, 1)]), claims(&[(2, 2), (3, 1)]));
        assert_eq!(beat(&mut report, SESSION, &first), sorted(Held::All(told(&[(1, 1), (2, 1)]))));
        let changes = Held::Changes { since: 1, taken: told(&[(2, 2), (3, 1)]), given_up: told(&[(1, 1), (2, 1)]) };
        assert_eq!(beat(&mut report, SESSION, &second), sorted(changes));
        let nothing = Held::Changes { since: 2, taken: Vec::new(), given_up: Vec::new() };
        assert_eq!(beat(&mut report, SESSION, &second), nothing);
    }

    #[test]
    fn a_heartbeat_that_names_nothing_new_is_small_however_much_is_held() {
        let mut report = HeldReport::default();
        let held: Claims = (0..10_000).map(|id| (JobId(id), ClaimNumber(1))).collect();
        assert!(matches!(beat(&mut report, SESSION, &held), Held::All(all) if all.len() == 10_000));
        let Held::Changes { taken, given_up, .. } = beat(&mut report, SESSION, &held) else { panic!("not all again") };
        assert_eq!((taken, given_up), (Vec::new(), Vec::new()));
    }

    #[test]
    fn after_a_heartbeat_without_an_answer_and_in_a_new_session_all_is_named() {
        let mut report = HeldReport::default();
        let held = claims(&[(1, 1)]);
        beat(&mut report, SESSION, &held);
        assert!(matches!(report.next(SESSION, &held).1, Held::Changes { .. }));
        assert!(matches!(report.next(SESSION, &held).1, Held::All(_)));
        report.answered(SESSION, held.clone());
        assert!(matches!(report.next(SESSION + 1, &held).1, Held::All(_)));
    }
}
