use std::collections::BTreeMap;

use longshore_core::{
    AppliedLimits, ApplyLimits, ChangeLimit, LimitPage, LimitPosition, LimitRow, Limiting, LimitsRequest, StoreError,
    StoreFuture,
};

use crate::combined_store::CombinedStore;
use crate::members::{LONG, SHORT, every, reachable};
use crate::missed::LIMITS_MISSED;

/// Every database has the rules of all subjects, and counts its own jobs. A queue is in one database; a type whose jobs
/// are in several of them may run as many in each.
impl Limiting for CombinedStore {
    /// In every database that takes them. The others get the rules as soon as they can, before a job is claimed there.
    fn apply_limits(&self, apply: ApplyLimits) -> StoreFuture<'_, AppliedLimits> {
        Box::pin(async move {
            let told = apply.clone();
            let answers = self.shared.members.ask_all(SHORT, move |store| {
                let told = told.clone();
                Box::pin(async move { store.apply_limits(told).await })
            });
            let answers = answers.await;
            for (place, answer) in &answers {
                match answer {
                    Ok(_) => self.shared.missed_limits.supersede(*place, &apply),
                    // Every error that concerns a whole database is one of these.
                    Err(StoreError::InDatabase { source, .. }) => {
                        if self.shared.missed_limits.add(*place, &apply, source) {
                            self.shared.members.all()[*place].tell_missed(source, LIMITS_MISSED);
                        }
                    }
                    Err(_) => {}
                }
            }
            self.shared.note_missing(&answers);
            let mut all = AppliedLimits::default();
            for (_, applied) in reachable(answers)? {
                all.changed.extend(applied.changed);
                all.overridden.extend(applied.overridden);
            }
            for subjects in [&mut all.changed, &mut all.overridden] {
                subjects.sort();
                subjects.dedup();
            }
            Ok(all)
        })
    }

    fn change_limit(&self, change: ChangeLimit) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let change = change.clone();
                Box::pin(async move { store.change_limit(change).await })
            });
            Ok(every(answers.await)?.into_iter().any(|(_, has_changed)| has_changed))
        })
    }

    fn limit_page(&self, request: LimitsRequest) -> StoreFuture<'_, LimitPage> {
        Box::pin(async move {
            let limit = request.limit.clamp(1, 1000) as usize;
            let answers = self.shared.members.ask_all(LONG, move |store| {
                let request = request.clone();
                Box::pin(async move { store.limit_page(request).await })
            });
            let pages: Vec<LimitPage> = reachable(answers.await)?.into_iter().map(|(_, page)| page).collect();
            // Behind the end of a page that has another one, rows of that database are missing.
            let end = pages.iter().filter_map(|page| page.next.clone()).min();
            let mut rows: BTreeMap<LimitPosition, LimitRow> = BTreeMap::new();
            for row in pages.into_iter().flat_map(|page| page.limits) {
                let position = row.position();
                if end.as_ref().is_some_and(|end| position > *end) {
                    continue;
                }
                match rows.get_mut(&position) {
                    Some(known) => add(known, &row),
                    None => drop(rows.insert(position, row)),
                }
            }
            let is_cut = rows.len() > limit;
            let mut limits: Vec<LimitRow> = rows.into_values().collect();
            limits.truncate(limit);
            let next = limits.last().filter(|_| is_cut || end.is_some()).map(LimitRow::position);
            Ok(LimitPage { limits, next })
        })
    }
}

/// The same limit in another database.
fn add(known: &mut LimitRow, other: &LimitRow) {
    known.running += other.running;
    known.waiting = (known.waiting + other.waiting).min(u64::from(LimitRow::WAITING_MAX));
    // Something may start as soon as one of them opens.
    known.opens_at = match (known.opens_at, other.opens_at) {
        (Some(one), Some(another)) => Some(one.min(another)),
        _ => None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::{LimitRule, LimitSubject, Timestamp};

    fn row(running: u64, opens_at: Option<i64>) -> LimitRow {
        let rule = LimitRule { concurrency: Some(2), ..LimitRule::default() };
        LimitRow {
            running,
            waiting: u64::from(LimitRow::WAITING_MAX) - 1,
            opens_at: opens_at.map(Timestamp::from_ms),
            ..LimitRow::of_rule(&LimitSubject::Type("sync".to_owned()), &rule, None)
        }
    }

    #[test]
    fn one_limit_in_two_databases_is_one_row() {
        let mut known = row(2, Some(7));
        add(&mut known, &row(1, Some(5)));
        assert_eq!(
            (known.running, known.waiting, known.opens_at),
            (3, u64::from(LimitRow::WAITING_MAX), Some(Timestamp::from_ms(5)))
        );
        add(&mut known, &row(0, None));
        assert_eq!(known.opens_at, None, "it is open in the third one");
    }
}
