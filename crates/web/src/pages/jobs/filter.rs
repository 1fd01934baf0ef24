use longshore_core::{FailureType, Filter, PageCursor, QueueStats, Selection, Status};

use super::listing::LOOKED_MAX;
use crate::error::ApiError;
use crate::input::pairs::{Pairs, query};
use crate::pages::overview::total;
use crate::search::{Contents, Field};

/// The fields of a filter, as parameters of a page.
pub(in crate::pages) const PARAMETERS: &[&str] =
    &["status", "type", "queue", "failure_type", "tag", "error", "field", "after", "look"];
/// The longest name of a type or queue that is looked for. No job has a longer one.
const NAME_BYTES_MAX: usize = 1024;

/// Which jobs a page shows, as its query says it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(in crate::pages) struct JobFilter {
    pub(in crate::pages) status: Option<Status>,
    pub(in crate::pages) job_type: Option<String>,
    pub(in crate::pages) queue: Option<String>,
    pub(in crate::pages) failure_type: Option<FailureType>,
    /// What the jobs themselves must hold. A store cannot select by it.
    pub(in crate::pages) contents: Contents,
    /// Where the page begins; not part of the selection.
    pub(in crate::pages) after: Option<PageCursor>,
    /// How far the page looks; not part of the selection.
    pub(in crate::pages) reach: Reach,
}

/// How many jobs a page looks at. A store has no index of types and queues, so rare ones are far away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(in crate::pages) enum Reach {
    /// As many as take no time worth mentioning.
    #[default]
    Near,
    /// As many as take about a second, for a person who asks for it.
    Far,
}

impl Reach {
    const FAR: &'static str = "far";

    pub(in crate::pages) const fn looked_max(self) -> u32 {
        match self {
            Self::Near => LOOKED_MAX,
            Self::Far => 500_000,
        }
    }

    fn of_word(word: Option<&str>) -> Result<Self, ApiError> {
        match word {
            None => Ok(Self::Near),
            Some(Self::FAR) => Ok(Self::Far),
            Some(word) => {
                Err(ApiError::invalid(format!("{word:?} is not how far a page looks: it is far, or not given")))
            }
        }
    }
}

impl JobFilter {
    pub(in crate::pages) fn of_query(text: &str) -> Result<Self, ApiError> {
        Self::of_pairs(&Pairs::parse(text.as_bytes()).map_err(ApiError::invalid)?)
    }

    /// From the fields `status`, `type`, `queue`, `failure_type` and `after`, and those of [`Contents::new`]. Empty ones are
    /// none.
    pub(in crate::pages) fn of_pairs(pairs: &Pairs) -> Result<Self, ApiError> {
        let name = |field: &str| match pairs.get(field) {
            Some(name) if name.len() > NAME_BYTES_MAX => {
                Err(ApiError::invalid(format!("the {field} is longer than {NAME_BYTES_MAX} bytes")))
            }
            name => Ok(name.map(str::to_owned)),
        };
        let invalid = |error: &dyn std::fmt::Display| ApiError::invalid(error.to_string());
        Ok(Self {
            status: pairs.get("status").map(str::parse).transpose().map_err(|error| invalid(&error))?,
            job_type: name("type")?,
            queue: name("queue")?,
            failure_type: pairs.get("failure_type").map(str::parse).transpose().map_err(|error| invalid(&error))?,
            contents: Contents::new(pairs.get("tag"), pairs.get("error"), pairs.get("field"))?,
            after: pairs.get("after").map(str::parse).transpose().map_err(|error| invalid(&error))?,
            reach: Reach::of_word(pairs.get("look"))?,
        })
    }

    /// The same without what only a look at each job can tell.
    pub(in crate::pages) fn without_contents(self) -> Self {
        Self { contents: Contents::default(), ..self }
    }

    /// The same from the newest job on.
    pub(in crate::pages) fn without_place(self) -> Self {
        Self { after: None, reach: Reach::Near, ..self }
    }

    /// What a store can select by. Leaves out [`JobFilter::contents`].
    pub(in crate::pages) fn selection(&self) -> Selection {
        let mut filter = Filter::all();
        filter.statuses = self.status.map(|status| vec![status]);
        filter.job_types = self.job_type.clone().map(|name| vec![name]);
        filter.queues = self.queue.clone().map(|name| vec![name]);
        filter.failure_types = self.failure_type.map(|kind| vec![kind]);
        filter.into()
    }

    /// The fields of the selection, for a query or hidden fields of a form.
    pub(in crate::pages) fn fields(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("status", self.status.map(Status::as_str)),
            ("type", self.job_type.as_deref()),
            ("queue", self.queue.as_deref()),
            ("failure_type", self.failure_type.map(FailureType::as_str)),
            ("tag", self.contents.tag.as_deref()),
            ("error", self.contents.error.as_deref()),
            ("field", self.contents.field.as_ref().map(Field::as_str)),
        ]
    }

    /// The page of this filter below the base path.
    pub(in crate::pages) fn path(&self) -> String {
        let after = self.after.as_ref().map(ToString::to_string);
        let look = (self.reach == Reach::Far).then_some(Reach::FAR);
        format!("/jobs{}", query(self.fields().into_iter().chain([("after", after.as_deref()), ("look", look)])))
    }

    /// How many jobs it selects, if the counts that the store keeps say so: they know statuses and queues alone.
    pub(in crate::pages) fn count_of(&self, queues: &[QueueStats]) -> Option<u64> {
        if self.job_type.is_some() || self.failure_type.is_some() || !self.contents.is_empty() {
            return None;
        }
        let of_queue: Vec<QueueStats> = queues
            .iter()
            .filter(|stats| self.queue.as_ref().is_none_or(|queue| queue == &stats.queue))
            .cloned()
            .collect();
        let statuses = Status::ALL.into_iter().filter(|status| self.status.is_none_or(|wanted| wanted == *status));
        Some(statuses.map(|status| total(&of_queue, status)).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_its_address() {
        let filter = JobFilter {
            status: Some(Status::DeadLetter),
            job_type: Some("mail & more/ü".to_owned()),
            queue: None,
            failure_type: Some(FailureType::TimeoutError),
            contents: Contents::default(),
            after: Some("7".parse().unwrap()),
            reach: Reach::Near,
        };
        let path = filter.path();
        assert_eq!(path, "/jobs?status=dead_letter&type=mail%20%26%20more%2F%C3%BC&failure_type=timeout_error&after=7");
        assert_eq!(JobFilter::of_query(path.strip_prefix("/jobs?").unwrap()).unwrap(), filter);
        assert_eq!(JobFilter::of_query("status=&type=").unwrap(), JobFilter::default());
        assert_eq!(JobFilter::default().path(), "/jobs");
        let far = JobFilter { reach: Reach::Far, ..filter };
        assert_eq!(JobFilter::of_query(&far.path()["/jobs?".len()..]).unwrap(), far);
    }

    #[test]
    fn what_a_job_holds_is_in_the_address_too() {
        let filter = JobFilter::of_query("tag=eu&error=no+route&field=/order/id=7").unwrap();
        assert_eq!(filter.path(), "/jobs?tag=eu&error=no%20route&field=%2Forder%2Fid%3D7");
        assert_eq!(filter.clone().without_contents(), JobFilter::default());
        assert_eq!(filter.count_of(&[]), None);
        assert!(JobFilter::of_query("field=order").unwrap_err().message().contains("not a field of a payload"));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_a_sentence() {
        let message = |text: &str| JobFilter::of_query(text).unwrap_err().message().to_owned();
        assert!(message("status=lost").contains("\"lost\" is not a status"));
        assert!(message("after=x").contains("\"x\" is not a job id"));
        assert!(message("failure_type=bad").contains("bad"));
        assert!(message("look=everywhere").contains("\"everywhere\" is not how far"));
        assert!(message(&format!("type={}", "a".repeat(2000))).contains("longer than 1024 bytes"));
    }

    #[test]
    fn kept_counts_know_statuses_and_queues_alone() {
        let jobs = [(Status::Pending, 2), (Status::Completed, 5)].into_iter().collect();
        let queues = [QueueStats {
            queue: "a".to_owned(),
            paused_at: None,
            jobs,
            scheduled: 0,
            has_more_scheduled: false,
            oldest_waiting_at: None,
        }];
        let filter = |text| JobFilter::of_query(text).unwrap();
        assert_eq!(filter("").count_of(&queues), Some(7));
        assert_eq!(filter("queue=a&status=pending").count_of(&queues), Some(2));
        assert_eq!(filter("queue=b").count_of(&queues), Some(0));
        assert_eq!(filter("type=t").count_of(&queues), None);
    }
}
