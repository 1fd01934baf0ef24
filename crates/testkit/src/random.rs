mod actor;
mod answer;
mod drain;
mod draw;
mod invariants;
mod look;
mod operate;
mod pair;
mod produce;
mod run;
mod trail;
mod work;

use crate::suite::Harness;
use run::Run;

/// A seeded sequence of operations on a store and on the model side by side: producers, workers that live, die and
/// come late, an operator, a clock that jumps, and faults. Every answer must be the same, and every few steps all
/// that can be seen.
///
/// `LONGSHORE_SEED` and `LONGSHORE_STEPS` override what a test asks for, to run a failure again or for longer.
#[derive(Clone, Copy, Debug)]
pub struct RandomRun {
    /// Decides everything: the same seed is the same run.
    pub seed: u64,
    /// How many operations are made before the end is drained.
    pub steps: u64,
}

/// The seed unless `LONGSHORE_SEED` gives another: a run that nobody changed must not fail today for what it did not
/// meet yesterday.
const SEED: u64 = 68;

impl RandomRun {
    /// A run of so many steps from a fixed seed, unless the environment says otherwise.
    pub fn from_env(steps: u64) -> Self {
        Self { seed: number("LONGSHORE_SEED").unwrap_or(SEED), steps: number("LONGSHORE_STEPS").unwrap_or(steps) }
    }

    /// Makes the run, drains what is left and checks what must hold at the end.
    ///
    /// Panics at the first difference with the seed, the step and what was done last.
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
