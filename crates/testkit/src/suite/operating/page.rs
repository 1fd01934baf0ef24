use longshore_core::{
    Action, Console, DeadLetterCode, DeadLetterReason, Failure, FailureType, Filter, JobId, JobPage, JobPageRequest,
    NewJob, Outcome, PageCursor, Selection, Status,
};

use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

async fn page<H: Harness>(world: &World<H>, selection: Selection, after: Option<PageCursor>, limit: u32) -> JobPage {
    world.store.jobs(JobPageRequest { selection, after, limit, looked_max: None }).await.expect("jobs can be read")
}

/// All jobs of a selection, by pages that look at a few jobs each.
async fn looked_for<H: Harness>(world: &World<H>, selection: &Selection) -> Vec<JobId> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..100 {
        let request = JobPageRequest { selection: selection.clone(), after, limit: 3, looked_max: Some(4) };
        let page = world.store.jobs(request).await.expect("jobs can be read");
        assert!(page.jobs.len() <= 3, "{page:?}");
        found.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
    panic!("the pages have no end: {selection:?}");
}

async fn selected<H: Harness>(world: &World<H>, selection: Selection) -> Vec<JobId> {
    let page = page(world, selection.clone(), None, 1000).await;
    let found: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
    let count = world.store.count(selection).await.expect("jobs can be counted");
    assert_eq!(count, found.len() as u64);
    found
}

pub async fn pages_show_the_newest_first_without_gaps_or_repeats<H: Harness>() {
    let world = World::<H>::new();
    let mut expected: Vec<JobId> = world.enqueue_all(vec![job(); 25]).await.iter().map(|job| job.id).collect();
    expected.reverse();
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..3 {
        let page = page(&world, Selection::from(Filter::all()), after, 10).await;
        found.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
        // Jobs that are enqueued in between come before all pages and change none.
        world.enqueue(job()).await;
    }
    assert_eq!((found, after), (expected, None));
}

pub async fn a_last_page_that_is_full_has_no_next<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue_all(vec![job(); 20]).await;
    let first = page(&world, Selection::from(Filter::all()), None, 10).await;
    let last = page(&world, Selection::from(Filter::all()), first.next, 10).await;
    assert_eq!((last.jobs.len(), last.next), (10, None));
}

pub async fn a_page_of_nothing_is_empty<H: Harness>() {
    let world = World::<H>::new();
    let page = page(&world, Selection::from(Filter::all()), None, 10).await;
    assert_eq!((page.jobs.len(), page.next), (0, None));
}

pub async fn a_filtered_page_goes_on_where_it_stopped<H: Harness>() {
    let world = World::<H>::new();
    let mut expected = Vec::new();
    for number in 0..30 {
        let id = world.enqueue(job().queue(if number % 3 == 0 { "third" } else { "other" })).await;
        expected.extend((number % 3 == 0).then_some(id));
    }
    expected.reverse();
    let third = || Selection::from(Filter::all().queues(vec!["third".to_owned()]));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = page(&world, third(), after, 4).await;
        found.extend(page.jobs.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}

pub async fn pages_that_look_at_few_jobs_find_all_of_them<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    for number in 0..20 {
        world.enqueue(job().queue(if number % 7 == 0 { "rare" } else { "other" })).await;
    }
    let failed = [FailureType::ConfigError, FailureType::WorkerError, FailureType::NetworkError];
    let mut filters = vec![
        Filter::all(),
        Filter::all().queues(["rare"]),
        Filter::all().queues(["rare", "default"]).statuses([Status::Pending, Status::Completed, Status::Blocked]),
        Filter::all().job_types([job().job_type]).statuses([Status::Running, Status::DeadLetter, Status::Cancelled]),
        Filter::all().job_types(["unknown"]),
        Filter::all().failure_types(failed),
        Filter::all().reasons(DeadLetterCode::ALL),
        Filter::all().statuses([]),
        Filter::all().statuses([Status::Blocked, Status::Completed, Status::Blocked, Status::Completed]),
    ];
    filters.extend(Status::ALL.map(|status| Filter::all().statuses([status])));
    filters.extend(Status::ALL.map(|status| Filter::all().statuses([status]).queues(["default"])));
    for filter in filters {
        let selection = Selection::from(filter);
        assert_eq!(looked_for(&world, &selection).await, selected(&world, selection.clone()).await, "{selection:?}");
    }
}

pub async fn a_filter_by_status_shows_jobs_in_that_state<H: Harness>() {
    let world = World::<H>::new();
    let states = world.one_in_each_state().await;
    for (status, id) in &states {
        let selection = Selection::from(Filter::all().statuses(vec![*status]));
        assert_eq!(selected(&world, selection).await, [*id], "{status}");
    }
    let statuses = vec![Status::Completed, Status::Cancelled];
    assert_eq!(selected(&world, Selection::from(Filter::all().statuses(statuses))).await, [states[1].1, states[0].1]);
}

pub async fn filters_by_type_queue_and_id_hold_together<H: Harness>() {
    let world = World::<H>::new();
    let mail = |queue: &str| NewJob { job_type: "mail".to_owned(), ..job() }.queue(queue);
    let wanted = world.enqueue(mail("a")).await;
    let other_queue = world.enqueue(mail("b")).await;
    let other_type = world.enqueue(job().queue("a")).await;
    let (job_types, queues) = (vec!["mail".to_owned()], vec!["a".to_owned()]);
    let by_type = Selection::from(Filter::all().job_types(job_types.clone()));
    assert_eq!(selected(&world, by_type).await, [other_queue, wanted]);
    let by_queue = Selection::from(Filter::all().queues(queues.clone()));
    assert_eq!(selected(&world, by_queue).await, [other_type, wanted]);
    let by_id = Selection::Jobs(vec![wanted, other_type, JobId(4711)]);
    assert_eq!(selected(&world, by_id).await, [other_type, wanted]);
    let by_all = Filter::all().job_types(job_types).queues(queues).statuses([Status::Pending]).into();
    assert_eq!(selected(&world, by_all).await, [wanted]);
}

pub async fn a_filter_by_failure_shows_what_failed_so_last<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut failed = Vec::new();
    for failure_type in [FailureType::TimeoutError, FailureType::ConfigError] {
        let lease = world.running(&worker_id, job()).await;
        let outcome = Outcome::Retrying { delay: seconds(60), failure: Failure::new(failure_type, "so") };
        world.finish(&worker_id, ended(&lease).outcome(outcome)).await;
        failed.push((failure_type, lease.id));
    }
    world.enqueue(job()).await;
    for (failure_type, id) in failed {
        let selection = Selection::from(Filter::all().failure_types(vec![failure_type]));
        assert_eq!(selected(&world, selection).await, [id]);
    }
}

pub async fn a_filter_by_reason_shows_what_was_given_up_for_it_and_an_action_moves_no_other<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let reasons = [
        DeadLetterReason::RetriesSpent { attempts: 4 },
        DeadLetterReason::NotRetried(FailureType::ConfigError),
        DeadLetterReason::CrashesSpent { crashes: 3 },
        DeadLetterReason::DeferralsSpent { deferrals: 9 },
        DeadLetterReason::OutcomeRefused,
    ];
    let mut given_up = Vec::new();
    for reason in reasons {
        let lease = world.running(&worker_id, job()).await;
        let outcome = Outcome::DeadLetter { reason, failure: Failure::new(FailureType::WorkerError, "so") };
        world.finish(&worker_id, ended(&lease).outcome(outcome)).await;
        given_up.push((reason, lease.id));
    }
    let child = world.enqueue(job().parent(given_up[0].1)).await;
    given_up.push((DeadLetterReason::ParentEnded { parent: given_up[0].1, status: Status::DeadLetter }, child));
    world.enqueue(job()).await;
    for (reason, id) in &given_up {
        let found = world.job(*id).await;
        assert_eq!((found.dead_letter_reason, found.dead_letter_code), (Some(reason.to_string()), Some(reason.code())));
        assert_eq!(selected(&world, Filter::all().reasons([reason.code()]).into()).await, [*id]);
    }
    let of_two = Filter::all().reasons([DeadLetterCode::CrashesSpent, DeadLetterCode::NotRetried]);
    assert_eq!(selected(&world, of_two.clone().into()).await, [given_up[2].1, given_up[1].1]);
    assert_eq!(selected(&world, Filter::all().reasons([DeadLetterCode::Expired]).into()).await, []);
    let actioned = world.act_on(of_two.clone().into(), Action::RetryAlone).await;
    assert_eq!(actioned.touched, 2);
    assert_eq!(selected(&world, of_two.into()).await, []);
    let left = selected(&world, Filter::all().statuses([Status::DeadLetter]).into()).await;
    assert_eq!(left, [child, given_up[4].1, given_up[3].1, given_up[0].1]);
}

pub async fn a_filter_takes_words_as_they_are<H: Harness>() {
    let world = World::<H>::new();
    world.enqueue(job()).await;
    for word in ["%", "' OR 1=1 --", "DEFAULT", "default "] {
        let selection = Selection::from(Filter::all().queues(vec![word.to_owned()]));
        assert!(selected(&world, selection).await.is_empty(), "{word}");
    }
}

pub async fn a_job_that_is_not_there_is_none<H: Harness>() {
    let world = World::<H>::new();
    for id in [JobId(1), JobId(0), JobId(-1), JobId(i64::MAX)] {
        assert_eq!(world.store.job(id).await.expect("jobs can be read"), None);
    }
}

pub async fn looking_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    let states = world.one_in_each_state().await;
    let before = page(&world, Selection::from(Filter::all()), None, 100).await;
    world.clock.advance(seconds(60));
    for (_, id) in states {
        world.detail(id).await;
    }
    world.store.stats(60).await.expect("stats can be read");
    world.store.health().await.expect("health can be read");
    assert_eq!(page(&world, Selection::from(Filter::all()), None, 100).await, before);
}
