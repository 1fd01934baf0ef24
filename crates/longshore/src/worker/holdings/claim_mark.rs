use longshore_core::RequestId;

/// How far the claim loop has come, to tell whether a lease may still be on its way to the worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClaimMark {
    /// How often the loop has emptied its inbox.
    passes: u64,
    /// The claim that is not answered.
    unanswered: Option<RequestId>,
}

impl ClaimMark {
    /// The loop has emptied its inbox.
    pub(super) const fn pass(&mut self) {
        self.passes += 1;
    }

    /// The loop claims.
    pub(super) const fn ask(&mut self, request_id: RequestId) {
        self.unanswered = Some(request_id);
    }

    /// The leases of its claim are held.
    pub(super) const fn answer(&mut self) {
        self.unanswered = None;
    }

    /// Whether every lease that was on its way then has arrived. The inbox of the first pass may have been emptied
    /// before.
    pub(crate) fn has_all_since(self, earlier: Self) -> bool {
        let is_answered = earlier.unanswered.is_none() || earlier.unanswered != self.unanswered;
        is_answered && self.passes >= earlier.passes + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_has_arrived_after_two_passes_unless_the_claim_is_still_not_answered() {
        let mut mark = ClaimMark::default();
        mark.ask(RequestId(1));
        let earlier = mark;
        mark.pass();
        mark.pass();
        assert!(!mark.has_all_since(earlier), "its answer may still come");
        mark.answer();
        assert!(mark.has_all_since(earlier) && !mark.has_all_since(mark));
        mark.ask(RequestId(2));
        assert!(mark.has_all_since(earlier), "what comes with another claim was not on its way");
    }
}
