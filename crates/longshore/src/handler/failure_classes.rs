use std::any::TypeId;
use std::error::Error as StdError;
use std::sync::Arc;

use longshore_core::FailureType;
use tokio::time::error::Elapsed;

/// The failure types that the application gives to its error types.
#[derive(Default)]
pub(crate) struct FailureClasses {
    classes: Vec<FailureClass>,
}

struct FailureClass {
    of: TypeId,
    /// `None` if the error has another type.
    rule: Box<Rule>,
}

type Rule = dyn Fn(&(dyn StdError + 'static)) -> Option<FailureType> + Send + Sync;

impl FailureClasses {
    /// Adds the rule of an error type. It replaces an earlier one of the same type.
    pub(crate) fn add<E: StdError + 'static>(&mut self, rule: impl Fn(&E) -> FailureType + Send + Sync + 'static) {
        let of = TypeId::of::<E>();
        let rule = move |error: &(dyn StdError + 'static)| find::<E>(error).map(&rule);
        self.classes.retain(|class| class.of != of);
        self.classes.push(FailureClass { of, rule: Box::new(rule) });
    }

    /// The failure type of this error alone, if its type has a rule.
    pub(crate) fn of(&self, error: &(dyn StdError + 'static)) -> Option<FailureType> {
        let ruled = self.classes.iter().find_map(|class| (class.rule)(error));
        ruled.or_else(|| error.is::<Elapsed>().then_some(FailureType::TimeoutError))
    }
}

/// The error, also if it is shared or boxed: such a pointer is an error of its own, whose causes begin after it.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let shared = || error.downcast_ref::<Arc<E>>().map(AsRef::as_ref);
    let boxed = || error.downcast_ref::<Box<E>>().map(AsRef::as_ref);
    error.downcast_ref::<E>().or_else(shared).or_else(boxed)
}
