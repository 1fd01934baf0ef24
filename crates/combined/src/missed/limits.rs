use longshore_core::{ApplyLimits, LimitRule, LimitSubject};

use crate::missed::Backlog;

/// Rules by subject; none removes the one that is there.
pub(crate) type Rules = Vec<(LimitSubject, Option<LimitRule>)>;

impl Backlog for Rules {
    type Apply = ApplyLimits;

    fn push(&mut self, apply: &ApplyLimits) {
        self.extend(apply.rules.iter().cloned());
    }

    fn supersede(&mut self, later: &ApplyLimits) {
        self.retain(|(subject, _)| !later.rules.iter().any(|(known, _)| known == subject));
    }

    fn remove(&mut self, told: &ApplyLimits) {
        self.retain(|rule| !told.rules.contains(rule));
    }

    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}
