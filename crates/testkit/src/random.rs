mod actor;
mod answer;
mod compare;
mod drain;
mod draw;
mod flow;
mod invariants;
mod limit;
mod listeners;
mod operate;
mod pair;
mod produce;
mod run;
mod schedule;
mod trail;
mod work;

use crate::suite::Harness;
use run::Run;

/// A seeded sequence of operations on a store and on the model in parallel: producers, workers that live, die and come
/// late, an operator, a clock that jumps, and faults. Every answer must be equal, and every few steps the whole visible
/// state.
///
/// `LONGSHORE_SEED` and `LONGSHORE_STEPS` override the values of a test, to repeat a failure or to run longer.
#[derive(Clone, Copy, Debug)]
pub struct RandomRun {
    /// The same seed produces the same run.
    pub seed: u64,
    /// How many operations run before the final drain.
    pub steps: u64,
}

/// The seed unless `LONGSHORE_SEED` gives another. It is fixed, so that an unchanged test does not fail from one day to
/// the next.
const SEED: u64 = 68;

impl RandomRun {
    /// A run with this number of steps and a fixed seed, unless the environment overrides them.
    pub fn from_env(steps: u64) -> Self {
        Self { seed: number("LONGSHORE_SEED").unwrap_or(SEED), steps: number("LONGSHORE_STEPS").unwrap_or(steps) }
    }

    /// Runs the operations, drains the rest and checks the final state.
    ///
    /// Panics at the first difference with the seed, the step and the last operations.
    pub async fn on<H: Harness>(self) {
        let mut run = Run::<H>::new(self.seed);
        for _ in 0..self.steps {
            run.step().await;
        }
        run.compare_everything().await;
        run.check_invariants().await;
        run.drain().await;
        run.compare_everything().await;
        run.check_invariants().await;
    }
}

fn number(variable: &str) -> Option<u64> {
    let word = std::env::var(variable).ok()?;
    Some(word.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number, but is \"{word}\"")))
}
