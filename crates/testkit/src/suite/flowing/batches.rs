use longshore_core::{
    Action, BatchChange, BatchCounts, BatchId, BatchJobPage, BatchJobsRequest, BatchStatus, BatchesRequest,
    ChangeBatch, Console, Maintenance, Needs, Retention, Selection, Status, StoreError, WorkflowBatch, Workflows,
};

use crate::suite::flowing::{
    act, advance, batch, batch_status, change, claim_next, closed, complete, counts, enqueue, fail, jobs_of, named, on,
    on_batch, on_signal, open, statuses, try_enqueue,
};
use crate::suite::world::seconds;
use crate::suite::{Harness, World};
use crate::{ended, job};

pub async fn a_batch_completes_when_its_last_member_completes<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("b")]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Running);
    world.clock.advance(seconds(5));
    complete(&world, &worker_id, flow.id("b")).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.ended_at), (BatchStatus::Completed, Some(world.now())));
    assert_eq!(found.counts, BatchCounts { members: 2, completed: 2, ..BatchCounts::default() });
}

pub async fn a_batch_with_a_member_that_did_not_complete_has_failed<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("b"), named("c")]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    fail(&world, &worker_id, flow.id("b")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Running);
    act(&world, flow.id("c"), Action::Cancel).await;
    let expected = BatchCounts { members: 3, completed: 1, cancelled: 1, dead_letter: 1 };
    assert_eq!(counts(&world, flow.batch()).await, expected);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
}

pub async fn an_empty_batch_completes_at_once<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("nothing"), Vec::new()).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.ended_at), (BatchStatus::Completed, Some(world.now())));
}

pub async fn an_open_batch_ends_only_after_it_is_closed<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, open("import"), vec![named("a")]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Open);
    let later = WorkflowBatch::Existing { id: flow.batch(), by: None };
    let added = enqueue(&world, later, vec![named("b")]).await;
    complete(&world, &worker_id, added.id("b")).await;
    change(&world, flow.batch(), BatchChange::Close).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.closed_at, found.counts.members), (BatchStatus::Completed, Some(world.now()), 2));
    change(&world, flow.batch(), BatchChange::Close).await;
    assert_eq!(batch(&world, flow.batch()).await, found);
}

pub async fn nobody_adds_to_a_closed_batch<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("a")]).await;
    let later = WorkflowBatch::Existing { id: flow.batch(), by: None };
    let error = try_enqueue(&world, later, vec![named("b")]).await.unwrap_err();
    assert!(matches!(error, StoreError::BatchClosed { batch } if batch == flow.batch()), "{error}");
    let unknown = WorkflowBatch::Existing { id: BatchId(4_000), by: None };
    let error = try_enqueue(&world, unknown, vec![named("b")]).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownBatch { batch: BatchId(4_000) }), "{error}");
    assert_eq!(counts(&world, flow.batch()).await.members, 1);
}

pub async fn a_retried_member_opens_its_batch_again<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a")]).await;
    fail(&world, &worker_id, flow.id("a")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
    act(&world, flow.id("a"), Action::Retry).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.ended_at, found.counts.unended()), (BatchStatus::Running, None, 1));
    complete(&world, &worker_id, flow.id("a")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}

pub async fn a_deleted_member_counts_as_cancelled<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("a")]).await;
    act(&world, flow.id("a"), Action::Delete).await;
    let expected = BatchCounts { members: 1, cancelled: 1, ..BatchCounts::default() };
    assert_eq!(counts(&world, flow.batch()).await, expected);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
    assert_eq!(jobs_of(&world, flow.batch()).await, []);
}

pub async fn jobs_of_a_batch_are_listed_by_status_a_page_at_a_time<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("a"), named("b"), named("c"), named("d").after(on_signal("go")), named("e")];
    let flow = enqueue(&world, closed("import"), jobs).await;
    act(&world, flow.id("b"), Action::Cancel).await;
    for reference in ["a", "c", "e"] {
        fail(&world, &worker_id, flow.id(reference)).await;
    }
    let page = async |statuses: Option<&[Status]>, after: Option<&str>, limit| {
        let after = after.map(|reference| flow.id(reference));
        let request = BatchJobsRequest { id: flow.batch(), statuses: statuses.map(<[_]>::to_vec), after, limit };
        let page = world.store.batch_jobs(request).await.expect("batches can be read");
        let references: Vec<String> = page.jobs.into_iter().filter_map(|job| job.reference).collect();
        (references.concat(), page.next)
    };
    let dead = Some([Status::DeadLetter].as_slice());
    assert_eq!(page(dead, None, 10).await, ("ace".to_owned(), None));
    assert_eq!(page(dead, None, 3).await, ("ace".to_owned(), None), "nothing follows a full page");
    assert_eq!(page(dead, None, 2).await, ("ac".to_owned(), Some(flow.id("c"))));
    assert_eq!(page(dead, Some("c"), 2).await, ("e".to_owned(), None));
    assert_eq!(page(Some(&[Status::Cancelled, Status::Blocked]), None, 10).await, ("bd".to_owned(), None));
    assert_eq!(page(Some(&[Status::Running]), None, 10).await, (String::new(), None));
    assert_eq!(page(None, None, 2).await, ("ab".to_owned(), Some(flow.id("b"))));
    assert_eq!(page(None, Some("b"), 3).await, ("cde".to_owned(), None));
}

pub async fn a_page_of_a_batch_looks_at_a_bounded_number_of_jobs<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let looked = BatchJobPage::LOOKED_MAX as usize;
    let reference = |place: usize| format!("{place:05}");
    let flow = enqueue(&world, closed("import"), (0..looked + 2).map(|place| named(&reference(place))).collect()).await;
    let request = |after| {
        let statuses = Some(vec![Status::Running]);
        BatchJobsRequest { id: flow.batch(), statuses, after, limit: 10 }
    };
    let first = world.store.batch_jobs(request(None)).await.expect("batches can be read");
    assert_eq!((first.jobs, first.next), (Vec::new(), Some(flow.id(&reference(looked - 1)))));
    let last = world.store.batch_jobs(request(first.next)).await.expect("batches can be read");
    assert_eq!((last.jobs, last.next), (Vec::new(), None));
}

pub async fn an_ended_member_that_is_removed_counts_as_it_ended<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("b")]).await;
    complete(&world, &worker_id, flow.id("a")).await;
    world.clock.advance(seconds(100));
    let maintenance = Maintenance {
        retention: Retention::After(seconds(10)),
        dead_letter_retention: Retention::Forever,
        rows_max: 100,
    };
    assert_eq!(world.store.maintain(maintenance).await.unwrap().pruned, 1);
    advance(&world).await;
    complete(&world, &worker_id, flow.id("b")).await;
    let expected = BatchCounts { members: 2, completed: 2, ..BatchCounts::default() };
    assert_eq!(counts(&world, flow.batch()).await, expected);
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}

pub async fn a_cancelled_batch_ends_all_that_wait_and_asks_the_others_to_stop<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("done"), named("runs"), named("waits"), named("blocked").after(on("waits"))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    complete(&world, &worker_id, flow.id("done")).await;
    let running = claim_next(&world, &worker_id, flow.id("runs")).await;
    assert_eq!(change(&world, flow.batch(), BatchChange::Cancel).await, 3);
    let ids = ["done", "waits", "blocked"].map(|reference| flow.id(reference));
    assert_eq!(statuses(&world, &ids).await, [Status::Completed, Status::Cancelled, Status::Cancelled]);
    assert_eq!(world.job(running.id).await.cancel_requested_at, Some(world.now()));
    world.finish(&worker_id, ended(&running).cancelled()).await;
    advance(&world).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
}

pub async fn a_retried_batch_retries_what_did_not_complete<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let jobs = vec![named("done"), named("dead"), named("cancelled"), named("next").after(on("dead"))];
    let flow = enqueue(&world, closed("import"), jobs).await;
    complete(&world, &worker_id, flow.id("done")).await;
    fail(&world, &worker_id, flow.id("dead")).await;
    act(&world, flow.id("cancelled"), Action::Cancel).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Failed);
    change(&world, flow.batch(), BatchChange::Retry).await;
    let ids = ["done", "dead", "cancelled", "next"].map(|reference| flow.id(reference));
    let expected = [Status::Completed, Status::Pending, Status::Pending, Status::Blocked];
    assert_eq!(statuses(&world, &ids).await, expected);
    for reference in ["dead", "cancelled", "next"] {
        complete(&world, &worker_id, flow.id(reference)).await;
    }
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
}

pub async fn a_large_batch_is_cancelled_in_bounded_steps<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let jobs = (0..1200).map(|number| named(&number.to_string())).collect();
    let flow = enqueue(&world, closed("large"), jobs).await;
    let first = ChangeBatch { id: flow.batch(), change: BatchChange::Cancel, after: None };
    let changed = world.store.change_batch(first).await.unwrap().expect("the batch is there");
    assert!(changed.next.is_some() && (1..=1000).contains(&changed.actioned.touched), "{changed:?}");
    let rest = change(&world, flow.batch(), BatchChange::Cancel).await;
    assert_eq!(changed.actioned.touched + rest, 1200);
    assert_eq!(counts(&world, flow.batch()).await.cancelled, 1200);
}

/// No worker may be there, and the process of a command ends with its answer.
pub async fn a_large_change_by_hand_is_followed_to_its_end_before_the_answer<H: Harness>()
where
    H::Store: Workflows,
{
    const MEMBERS: usize = 4500;
    let world = World::<H>::new();
    let mut jobs: Vec<_> = (0..MEMBERS).map(|number| named(&number.to_string())).collect();
    jobs.push(named("alert").after(on_batch(Needs::Failed)));
    let flow = enqueue(&world, closed("large"), jobs).await;
    let alert = flow.id("alert");
    let members: Vec<_> = flow.ids.values().copied().filter(|id| *id != alert).collect();
    let cancelled = world.act_on(Selection::Jobs(members.clone()), Action::Cancel).await;
    assert_eq!(cancelled.touched, MEMBERS as u64);
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.counts.cancelled), (BatchStatus::Failed, MEMBERS as u64));
    assert!(found.ended_at.is_some());
    assert_eq!(world.status(alert).await, Status::Pending);
    world.act_on(Selection::Jobs(members), Action::Retry).await;
    let found = batch(&world, flow.batch()).await;
    assert_eq!((found.status, found.counts.cancelled, found.ended_at), (BatchStatus::Running, 0, None));
}

pub async fn what_is_done_to_an_unknown_batch_says_so<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let id = BatchId(4_000);
    for change in [BatchChange::Close, BatchChange::Cancel, BatchChange::Retry] {
        assert_eq!(world.store.change_batch(ChangeBatch { id, change, after: None }).await.unwrap(), None);
    }
    assert_eq!(world.store.batch(id).await.unwrap(), None);
    assert_eq!(jobs_of(&world, id).await, []);
}

pub async fn batches_are_listed_newest_first_in_pages<H: Harness>()
where
    H::Store: Workflows,
{
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut batches = Vec::new();
    for name in ["one", "two", "three"] {
        batches.push(enqueue(&world, closed(name), vec![named("a")]).await);
    }
    complete(&world, &worker_id, batches[0].id("a")).await;
    let list = async |statuses: Option<Vec<BatchStatus>>, before, limit| {
        let page = world.store.batches(BatchesRequest { statuses, before, limit }).await.unwrap();
        page.into_iter().map(|record| record.name).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 2).await, ["three", "two"]);
    assert_eq!(list(None, Some(batches[1].batch()), 2).await, ["one"]);
    assert_eq!(list(Some(vec![BatchStatus::Completed]), None, 10).await, ["one"]);
    assert_eq!(list(Some(vec![BatchStatus::Running]), None, 1).await, ["three"]);
    assert_eq!(list(Some(Vec::new()), None, 10).await, [""; 0]);
}

pub async fn a_batch_survives_the_process_that_made_it<H: Harness>()
where
    H::Store: Workflows,
{
    let mut world = World::<H>::new();
    let flow = enqueue(&world, closed("import"), vec![named("a"), named("b").after(on("a"))]).await;
    world.restart();
    let worker_id = world.worker().await;
    complete(&world, &worker_id, flow.id("a")).await;
    world.restart();
    let worker_id = world.worker().await;
    complete(&world, &worker_id, flow.id("b")).await;
    assert_eq!(batch_status(&world, flow.batch()).await, BatchStatus::Completed);
    let plain = world.enqueue(job()).await;
    assert_eq!(world.status(plain).await, Status::Pending);
}
