use longshore_core::{ChangeLimit, Console, LimitRule, LimitSubject, Maintenance, Retention};

use super::draw;
use super::run::Run;
use crate::suite::Harness;

impl<H: Harness> Run<H> {
    /// A rule of one type or of one queue is set or unset. What waits is sorted at once: how much of it a claim sorts is the
    /// store's own.
    pub(super) async fn change_limit(&mut self) {
        let subject = if self.random.bool() {
            LimitSubject::Type(draw::LIMITED_TYPE.to_owned())
        } else {
            LimitSubject::Queue(draw::LIMITED_QUEUE.to_owned())
        };
        let is_set = draw::is_lucky(&mut self.random, 0.7);
        let rule = is_set.then(|| self.draw_rule(&subject));
        self.had_limit |= is_set;
        let change = ChangeLimit { subject, rule };
        let what = format!("{change:?}");
        self.trail.both(&self.main, &what, |store| store.change_limit(change.clone())).await;
        self.sort().await;
    }

    /// The end of the run takes whatever waits, and compares when the rest is due.
    pub(super) async fn unset_limits(&mut self) {
        let subjects =
            [LimitSubject::Type(draw::LIMITED_TYPE.to_owned()), LimitSubject::Queue(draw::LIMITED_QUEUE.to_owned())];
        for subject in subjects {
            let change = ChangeLimit { subject, rule: None };
            self.trail.both_calmly(&self.main, |store| store.change_limit(change.clone())).await;
        }
        self.sort().await;
        self.had_limit = false;
    }

    async fn sort(&self) {
        let forever = Retention::Forever;
        let maintenance = Maintenance { retention: forever, dead_letter_retention: forever, rows_max: 50 };
        for store in [self.main.subject.inner() as &dyn Console, &self.main.model] {
            while store.maintain(maintenance).await.expect("without faults house can be kept").has_more {}
        }
    }

    fn draw_rule(&mut self, subject: &LimitSubject) -> LimitRule {
        let random = &mut self.random;
        let rule = LimitRule { concurrency: Some(random.u32(1..5)), ..LimitRule::default() };
        if matches!(subject, LimitSubject::Queue(_)) || random.bool() {
            return rule;
        }
        let key = Some("/tenant".parse().expect("it is a pointer"));
        LimitRule { key, key_concurrency: Some(random.u32(1..3)), ..rule }
    }
}
