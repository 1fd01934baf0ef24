use std::collections::VecDeque;
use std::fmt::Debug;

use longshore_core::{Backend, StoreError, StoreFuture};

use super::answer::Answer;
use super::pair::Pair;
use crate::Fault;
use crate::suite::Harness;

/// How many operations are printed when a run fails.
const TOLD: usize = 40;

/// The position of a run, and its last operations.
#[derive(Debug)]
pub(super) struct Trail {
    seed: u64,
    step: u64,
    told: VecDeque<String>,
}

impl Trail {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, step: 0, told: VecDeque::new() }
    }

    pub(super) const fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn next_step(&mut self) {
        self.step += 1;
    }

    pub(super) fn tell(&mut self, what: &str) {
        if self.told.len() == TOLD {
            self.told.pop_front();
        }
        self.told.push_back(format!("{}: {what}", self.step));
    }

    /// Makes one call on the store and on the model, and compares the answers. `None` if the store had a fault, because
    /// then the caller knows no answer. If the call had an effect on the store, it is made on the model too.
    pub(super) async fn both<H: Harness, T: Answer>(
        &mut self,
        pair: &Pair<H>,
        what: &str,
        call: impl for<'a> Fn(&'a dyn Backend) -> StoreFuture<'a, T>,
    ) -> Option<T> {
        self.tell(what);
        let answer = call(&pair.subject).await;
        match pair.subject.take_injected() {
            Some(fault @ (Fault::Busy | Fault::Full)) => {
                self.tell(&format!("… which failed before its effect: {fault:?}"));
                None
            }
            Some(Fault::Lost) => {
                self.tell("… of which the answer was lost");
                pair.share_numbers().await;
                // If a lost answer was a refusal, only the refusal is lost.
                let _ = call(&pair.model).await;
                None
            }
            Some(Fault::Delay(_) | Fault::Panic) | None => {
                pair.share_numbers().await;
                let expected = call(&pair.model).await;
                self.compare(answer, expected)
            }
        }
    }

    /// The same without faults.
    pub(super) async fn both_calmly<H: Harness, T: Answer>(
        &self,
        pair: &Pair<H>,
        call: impl for<'a> Fn(&'a dyn Backend) -> StoreFuture<'a, T>,
    ) -> Option<T> {
        let answer = call(pair.subject.inner()).await;
        pair.share_numbers().await;
        let expected = call(&pair.model).await;
        self.compare(answer, expected)
    }

    fn compare<T: Answer>(&self, answer: Result<T, StoreError>, expected: Result<T, StoreError>) -> Option<T> {
        match (answer, expected) {
            (Ok(answer), Ok(expected)) => {
                let (answer, expected) = (answer.canonical(), expected.canonical());
                self.must_be(&answer, &expected, "the answer");
                Some(answer)
            }
            (Err(answer), Err(expected)) => {
                self.must_be(&answer.to_string(), &expected.to_string(), "the error");
                None
            }
            (Ok(answer), Err(expected)) => {
                self.fail(&format!("the store answered {answer:#?}, the model {expected:?}"))
            }
            (Err(answer), Ok(expected)) => {
                self.fail(&format!("the store failed with {answer:?}, the model said {expected:#?}"))
            }
        }
    }

    pub(super) fn must_be<T: PartialEq + Debug + ?Sized>(&self, found: &T, expected: &T, what: &str) {
        if found != expected {
            self.fail(&difference(&format!("{found:#?}"), &format!("{expected:#?}"), what));
        }
    }

    pub(super) fn must(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(&what());
        }
    }

    fn fail(&self, what: &str) -> ! {
        let Self { seed, step, told } = self;
        let told = told.iter().map(String::as_str).collect::<Vec<_>>().join("\n  ");
        panic!("LONGSHORE_SEED={seed} fails at step {step}:\n{what}\nwhat was done last:\n  {told}");
    }
}

/// The lines that differ, with the two lines before them.
fn difference(found: &str, expected: &str, what: &str) -> String {
    let (found, expected): (Vec<&str>, Vec<&str>) = (found.lines().collect(), expected.lines().collect());
    let same = found.iter().zip(&expected).take_while(|(left, right)| left == right).count();
    let from = same.saturating_sub(12);
    let excerpt = |lines: &[&str]| lines.iter().skip(from).take(30).copied().collect::<Vec<_>>().join("\n");
    format!("{what} of the store:\n{}\n{what} of the model:\n{}", excerpt(&found), excerpt(&expected))
}
