use longshore::backend::{Deed, Touched};
use longshore_core::{Action, Actioned, Filter, JobId, PageCursor, Selection};
use tokio::time::Instant;

use crate::audit::Audit;
use crate::error::ApiError;
use crate::pages::drawing::text::{counted, number};
use crate::pages::jobs::listing::SEARCHED_MAX;
use crate::search::{Contents, Found, LOOK_MAX, Search, search};
use crate::shown::Shown;

/// How many jobs are found before they are counted or changed. They are read with their payloads.
const STEP: usize = 500;
/// How many jobs that could not be changed are told, as for a filter that a store knows.
const REFUSED_MAX: usize = 100;

/// All jobs that a search finds. A store cannot select by what is in a job, so they are found and changed in steps.
pub(super) struct FoundJobs<'a> {
    pub(super) selection: &'a Selection,
    pub(super) contents: &'a Contents,
}

/// How many jobs an action means, and how far was looked for them.
pub(super) struct JobCount {
    pub(super) jobs: u64,
    looked: u64,
    /// Whether time was over before the end.
    pub(super) is_late: bool,
    /// Whether there are older jobs, at which the search did not look.
    has_older: bool,
}

/// What was done to the jobs.
#[derive(Debug, Default)]
pub(super) struct Acted {
    pub(super) actioned: Actioned,
    /// What a person must know beside the number.
    pub(super) note: String,
}

impl Touched for Acted {
    fn touched(&self) -> u64 {
        self.actioned.touched
    }
}

/// How far the steps have come.
#[derive(Default)]
struct Place {
    after: Option<PageCursor>,
    looked: u64,
    is_at_end: bool,
}

impl FoundJobs<'_> {
    /// Counts until the end, the bound of a search, or the time of one is over.
    pub(super) async fn count(&self, shown: &Shown) -> Result<JobCount, ApiError> {
        let deadline = Instant::now() + LOOK_MAX;
        let (mut place, mut jobs, mut is_late) = (Place::default(), 0, false);
        while !is_late {
            match self.next(shown, &mut place).await {
                Ok(Some(found)) => {
                    jobs += found.len() as u64;
                    is_late = Instant::now() >= deadline && place.has_more();
                }
                Ok(None) => break,
                // The steps before have found a number to say.
                Err(error) if place.looked > 0 && error.code() == "timed_out" => is_late = true,
                Err(error) => return Err(error),
            }
        }
        Ok(JobCount { jobs, looked: place.looked, is_late, has_older: !place.is_at_end })
    }

    /// Changes the jobs, with one entry in the audit trail.
    pub(super) async fn act(&self, shown: &Shown, audit: &Audit, action: Action) -> Result<Acted, ApiError> {
        let deed = Deed::on_jobs(action, self.selection);
        let deed = Deed::new(deed.action, format!("{} with {}", deed.target(), looked_for(self.contents)));
        audit.change(deed, self.act_in_steps(shown, action)).await
    }

    async fn act_in_steps(&self, shown: &Shown, action: Action) -> Result<Acted, ApiError> {
        let (mut acted, mut place) = (Acted::default(), Place::default());
        loop {
            match self.act_on_next(shown, &mut place, action).await {
                Ok(Some(actioned)) => acted.add(actioned),
                Ok(None) => break,
                // What was changed stays changed, so the number must not get lost.
                Err(error) if acted.actioned.touched > 0 => {
                    acted.note = format!(" Then it stopped: {error}. Start it again for the others.");
                    return Ok(acted);
                }
                Err(error) => return Err(error),
            }
        }
        if !place.is_at_end {
            acted.note = format!(" Only {} were looked at; older ones were left alone.", newest(place.looked));
        }
        Ok(acted)
    }

    async fn act_on_next(
        &self,
        shown: &Shown,
        place: &mut Place,
        action: Action,
    ) -> Result<Option<Actioned>, ApiError> {
        let Some(found) = self.next(shown, place).await? else { return Ok(None) };
        let ids = self.still_selected(shown, found).await?;
        if ids.is_empty() {
            return Ok(Some(Actioned::default()));
        }
        Ok(Some(shown.act(Selection::Jobs(ids), action).await?))
    }

    /// The jobs of the next step. None at the end, and after as many as a search looks at.
    async fn next(&self, shown: &Shown, place: &mut Place) -> Result<Option<Vec<JobId>>, ApiError> {
        if !place.has_more() {
            return Ok(None);
        }
        let Found { jobs, next, looked, .. } = search(
            shown,
            Search {
                contents: self.contents,
                selection: self.selection.clone(),
                after: place.after.clone(),
                limit: STEP,
                looked_max: SEARCHED_MAX - place.looked,
            },
        )
        .await?;
        place.looked += looked;
        place.is_at_end = next.is_none();
        place.after = next;
        Ok(Some(jobs.iter().map(|job| job.id).collect()))
    }

    /// Those whose status is still one that was chosen: a named job is changed in more of them, such as a completed one,
    /// which a retry would run again.
    async fn still_selected(&self, shown: &Shown, ids: Vec<JobId>) -> Result<Vec<JobId>, ApiError> {
        let Selection::Matching(Filter { statuses: Some(chosen), .. }) = self.selection else { return Ok(ids) };
        if ids.is_empty() {
            return Ok(ids);
        }
        let now = shown.statuses(&ids).await?;
        Ok(ids.into_iter().filter(|id| now.get(id).is_some_and(|status| chosen.contains(status))).collect())
    }
}

impl Place {
    const fn has_more(&self) -> bool {
        !self.is_at_end && self.looked < SEARCHED_MAX
    }
}

impl Acted {
    fn add(&mut self, actioned: Actioned) {
        self.actioned.touched += actioned.touched;
        let room = REFUSED_MAX.saturating_sub(self.actioned.refused.len());
        self.actioned.refused.extend(actioned.refused.into_iter().take(room));
    }
}

impl JobCount {
    /// A number that is known without a search.
    pub(super) const fn of_all(jobs: u64) -> Self {
        Self { jobs, looked: 0, is_late: false, has_older: false }
    }

    /// Whether there may be more.
    pub(super) const fn is_at_least(&self) -> bool {
        self.is_late || self.has_older
    }

    /// How far the search for the number went, in a sentence. Nothing if it has seen all.
    pub(super) fn extent(&self) -> Option<String> {
        let looked = newest(self.looked);
        match (self.is_late, self.has_older) {
            (true, _) => Some(format!(
                "Found {} among {looked}, then {} seconds were over. The action looks at up to {} jobs.",
                counted(self.jobs, "job"),
                LOOK_MAX.as_secs(),
                number(SEARCHED_MAX)
            )),
            (false, true) => Some(format!("Only {looked} are looked at. Older ones are left alone.")),
            (false, false) => None,
        }
    }
}

fn newest(looked: u64) -> String {
    format!("the newest {}", counted(looked, "job"))
}

/// What is looked for, in words.
pub(in crate::pages::jobs) fn looked_for(contents: &Contents) -> String {
    let Contents { tag, error, field } = contents;
    let parts = [
        tag.as_ref().map(|tag| format!("the tag {tag:?}")),
        error.as_ref().map(|error| format!("{error:?} in the error")),
        field.as_ref().map(|field| format!("{} in the payload", field.as_str())),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_says_how_far_it_goes() {
        let count = |is_late, has_older| JobCount { jobs: 7, looked: 100_000, is_late, has_older };
        let all = count(false, false);
        assert!(!all.is_at_least() && all.extent().is_none());
        let bounded = count(false, true);
        assert!(bounded.is_at_least());
        assert_eq!(
            bounded.extent().as_deref(),
            Some("Only the newest 100,000 jobs are looked at. Older ones are left alone.")
        );
        let late = count(true, true).extent().unwrap();
        assert!(late.starts_with("Found 7 jobs among the newest 100,000 jobs, then 3 seconds were over."), "{late}");
    }

    #[test]
    fn what_is_looked_for_is_said() {
        let contents = Contents::new(Some("eu"), Some("no route"), Some("/order/id=7")).unwrap();
        let words = "the tag \"eu\" and \"no route\" in the error and /order/id=7 in the payload";
        assert_eq!(looked_for(&contents), words);
    }

    #[test]
    fn refusals_are_bounded() {
        let mut acted = Acted::default();
        for _ in 0..3 {
            let refused = (0..50).map(|id| longshore_core::Refusal::NotFound { id: JobId(id) }).collect();
            acted.add(Actioned { touched: 2, refused });
        }
        assert_eq!((acted.actioned.touched, acted.actioned.refused.len()), (6, REFUSED_MAX));
    }
}
