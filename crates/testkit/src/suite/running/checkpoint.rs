use longshore_core::{
    Action, Console, Failure, FailureType, Filter, JobData, JobEdit, JobId, Lease, Maintenance, NewCheckpoint, NewJob,
    OnDuplicate, Outcome, Recorded, Retention, Selection, Status, StepName, Store, WorkerId,
};

use crate::suite::world::{data, seconds};
use crate::suite::{Harness, World};
use crate::{claim, ended, job, worker};

/// A checkpoint of this attempt, or with a name the result of a step.
fn of(lease: &Lease, step: Option<&str>, value: &str) -> NewCheckpoint {
    NewCheckpoint {
        id: lease.id,
        claim_number: lease.claim_number,
        attempt: lease.attempt(),
        step: step.map(name),
        value: data(value),
    }
}

fn name(step: &str) -> StepName {
    StepName::new(step).expect("the name is plain text")
}

impl<H: Harness> World<H> {
    async fn save(&self, worker_id: &WorkerId, checkpoint: NewCheckpoint) -> Recorded {
        self.store.save_checkpoint(worker_id.clone(), checkpoint).await.expect("a checkpoint can be stored")
    }

    /// Stores a checkpoint and the result of one step.
    async fn save_both(&self, worker_id: &WorkerId, lease: &Lease) {
        for (step, value) in [(None, "[7]"), (Some("charge"), r#""paid""#)] {
            assert_eq!(self.save(worker_id, of(lease, step, value)).await, Recorded::Recorded);
        }
    }

    async fn result(&self, id: JobId, step: &str) -> Option<JobData> {
        self.store.step_result(id, name(step)).await.expect("the result of a step can be read")
    }

    /// Whether the next attempt gets what [`World::save_both`] stored, or nothing.
    async fn keeps_both(&self, lease: &Lease) -> bool {
        let found = (lease.checkpoint.clone(), lease.step_count, self.result(lease.id, "charge").await);
        if found == (None, 0, None) {
            return false;
        }
        assert_eq!(found, (Some(data("[7]")), 1, Some(data(r#""paid""#))));
        true
    }
}

pub async fn a_first_attempt_has_no_checkpoint_and_no_steps<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    assert!(!world.keeps_both(&lease).await);
    let detail = world.detail(lease.id).await;
    assert_eq!(detail.checkpoints, longshore_core::JobCheckpoints::default());
}

pub async fn whatever_ended_an_attempt_the_next_one_continues_from_its_checkpoint<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let failure = || Failure::new(FailureType::WorkerError, "it died");
    let outcomes = [
        Outcome::Retrying { delay: seconds(0), failure: failure() },
        Outcome::Deferred { delay: seconds(0) },
        Outcome::Returned,
        Outcome::Crashed { failure: failure() },
        Outcome::Lapsed { failure: failure() },
    ];
    for outcome in outcomes {
        let first = world.running(&worker_id, job()).await;
        world.save_both(&worker_id, &first).await;
        world.finish(&worker_id, ended(&first).outcome(outcome.clone())).await;
        let next = world.claim_one(&worker_id).await;
        assert!(world.keeps_both(&next).await, "after {outcome:?}");
        world.finish(&worker_id, ended(&next).returned()).await;
        let third = world.claim_one(&worker_id).await;
        assert!(world.keeps_both(&third).await, "an attempt that stores nothing changes nothing");
        world.complete(&worker_id, &third).await;
    }
}

pub async fn a_new_checkpoint_replaces_the_one_before<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    for value in ["1", "2"] {
        world.save(&worker_id, of(&first, None, value)).await;
    }
    world.finish(&worker_id, ended(&first).returned()).await;
    let second = world.claim_one(&worker_id).await;
    assert_eq!(second.checkpoint, Some(data("2")));
    world.save(&worker_id, of(&second, None, "3")).await;
    world.finish(&worker_id, ended(&second).returned()).await;
    assert_eq!(world.claim_one(&worker_id).await.checkpoint, Some(data("3")));
}

pub async fn a_step_keeps_its_first_result<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    for value in ["1", "2"] {
        assert_eq!(world.save(&worker_id, of(&first, Some("charge"), value)).await, Recorded::Recorded);
    }
    assert_eq!(world.result(first.id, "charge").await, Some(data("1")));
    assert_eq!(world.result(first.id, "Charge").await, None, "names are compared as they are");
    world.finish(&worker_id, ended(&first).returned()).await;
    let second = world.claim_one(&worker_id).await;
    assert_eq!((second.step_count, second.checkpoint.clone()), (1, None));
    world.save(&worker_id, of(&second, Some("charge"), "3")).await;
    assert_eq!(world.result(first.id, "charge").await, Some(data("1")));
}

pub async fn only_the_attempt_that_holds_the_job_can_store_a_checkpoint<H: Harness>() {
    let world = World::<H>::new();
    let (worker_id, other) = (world.worker().await, world.worker().await);
    let first = world.running(&worker_id, job()).await;
    for step in [None, Some("charge")] {
        assert_eq!(world.save(&other, of(&first, step, "0")).await, Recorded::Fenced, "another worker");
    }
    world.finish(&worker_id, ended(&first).returned()).await;
    assert_eq!(world.save(&worker_id, of(&first, None, "0")).await, Recorded::Fenced, "it waits");
    let second = world.claim_one(&worker_id).await;
    assert_eq!(world.save(&worker_id, of(&first, Some("charge"), "0")).await, Recorded::Fenced, "an older claim");
    world.complete(&worker_id, &second).await;
    assert_eq!(world.save(&worker_id, of(&second, None, "0")).await, Recorded::Fenced, "it has ended");
    let nobody = NewCheckpoint { id: JobId(404), ..of(&second, None, "0") };
    assert_eq!(world.save(&worker_id, nobody).await, Recorded::Fenced, "it does not exist");
    assert_eq!(world.detail(first.id).await.checkpoints, longshore_core::JobCheckpoints::default());
}

pub async fn checkpoints_survive_the_death_of_a_worker<H: Harness>() {
    let world = World::<H>::new();
    let survivor = world.worker().await;
    let process = world.process().await;
    world.enqueue(job()).await;
    let lease = process.begin_one().await;
    let dead = process.worker_id.clone();
    let saved = process.store.save_checkpoint(dead.clone(), of(&lease, None, "[7]")).await;
    assert_eq!(saved.expect("a checkpoint can be stored"), Recorded::Recorded);
    let saved = process.store.save_checkpoint(dead, of(&lease, Some("charge"), r#""paid""#)).await;
    assert_eq!(saved.expect("a step can be stored"), Recorded::Recorded);
    world.kill(process);
    world.look_for(seconds(60)).await;
    let next = world.claim_one(&survivor).await;
    assert_eq!((next.id, next.budgets.crash_count), (lease.id, 1));
    assert!(world.keeps_both(&next).await);
}

pub async fn a_repeated_claim_gives_the_same_checkpoint<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    world.save_both(&worker_id, &first).await;
    world.finish(&worker_id, ended(&first).returned()).await;
    let request = claim(&worker_id, 1);
    let given = world.store.claim(request.clone()).await.expect("it can claim").leases;
    let again = world.store.claim(request).await.expect("it can claim").leases;
    assert_eq!(given, again);
    assert!(world.keeps_both(&again[0]).await);
}

pub async fn a_job_shows_where_it_stands_and_which_steps_finished_when<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    let began = world.now();
    world.save(&worker_id, of(&first, Some("pack"), "1")).await;
    world.clock.advance(seconds(1));
    let long = format!("\"{}\"", "ä".repeat(2048));
    world.save(&worker_id, of(&first, Some("address"), &long)).await;
    world.finish(&worker_id, ended(&first).retrying(seconds(0))).await;
    let second = world.claim_one(&worker_id).await;
    world.clock.advance(seconds(1));
    world.save(&worker_id, of(&second, None, "[2]")).await;
    world.complete(&worker_id, &second).await;
    let found = world.detail(first.id).await.checkpoints;
    assert_eq!((found.checkpoint, found.checkpoint_at), (Some(data("[2]")), Some(world.now())));
    let steps: Vec<_> = found.steps.iter().map(|step| (step.name.as_str(), step.attempt, step.finished_at)).collect();
    assert_eq!(steps, [("pack", 1, began), ("address", 1, began.after(seconds(1)))]);
    let results: Vec<_> = found.steps.into_iter().map(|step| (step.result, step.result_bytes)).collect();
    assert_eq!(results, [(Some(data("1")), 1), (None, 4098)], "a long result is not shown");
}

pub async fn a_checkpoint_is_kept_to_the_byte<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let largest = format!("\"{}\"", "a".repeat(NewCheckpoint::VALUE_BYTES_MAX - 2));
    let values = [r#"{"a":1,"a":2}"#, r#""\u0000""#, "123456789012345678901234567890", " [ 1.0 ] ", "null", &largest];
    for value in values {
        let first = world.running(&worker_id, job()).await;
        world.save(&worker_id, of(&first, None, value)).await;
        let step = "größer 'als' \"%\"";
        world.save(&worker_id, of(&first, Some(step), value)).await;
        assert_eq!(world.result(first.id, step).await, Some(data(value)));
        world.finish(&worker_id, ended(&first).returned()).await;
        let second = world.claim_one(&worker_id).await;
        assert_eq!((second.checkpoint.as_ref(), second.step_count), (Some(&data(value)), 1));
        world.complete(&worker_id, &second).await;
    }
}

pub async fn a_job_may_have_a_thousand_steps<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    for number in 0..NewCheckpoint::STEPS_MAX {
        world.save(&worker_id, of(&first, Some(&format!("step {number}")), "1")).await;
    }
    world.finish(&worker_id, ended(&first).returned()).await;
    assert_eq!(world.claim_one(&worker_id).await.step_count, NewCheckpoint::STEPS_MAX);
    assert_eq!(world.detail(first.id).await.checkpoints.steps.len(), 1000);
}

pub async fn a_retry_keeps_checkpoints_and_one_from_the_start_forgets_them<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let actions = [
        (Action::Retry, true),
        (Action::RetryAlone, true),
        (Action::RetryFromStart, false),
        (Action::RetryAloneFromStart, false),
    ];
    for (action, keeps) in actions {
        for how in [Status::DeadLetter, Status::Completed, Status::Retrying, Status::Cancelled] {
            let first = world.running(&worker_id, job()).await;
            world.save_both(&worker_id, &first).await;
            let ended = ended(&first);
            let record = match how {
                Status::DeadLetter => ended.dead_letter(),
                Status::Completed => ended.completed(),
                Status::Cancelled => ended.cancelled(),
                _ => ended.retrying(seconds(300)),
            };
            world.finish(&worker_id, record).await;
            assert_eq!(world.act(first.id, action).await.touched, 1);
            let next = world.claim_one(&worker_id).await;
            assert_eq!(world.keeps_both(&next).await, keeps, "{action:?} of a job that is {how}");
            assert_eq!(world.detail(next.id).await.checkpoints.steps.len(), usize::from(keeps));
            world.complete(&worker_id, &next).await;
        }
    }
}

pub async fn a_refused_retry_from_the_start_forgets_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job().unique_key("key")).await;
    world.save_both(&worker_id, &lease).await;
    let refused = world.act(lease.id, Action::RetryFromStart).await;
    assert_eq!((refused.touched, refused.refused.len()), (0, 1), "it runs");
    world.finish(&worker_id, ended(&lease).dead_letter()).await;
    let other = world.enqueue(job().unique_key("key").delay(seconds(60))).await;
    let refused = world.act(lease.id, Action::RetryFromStart).await;
    assert_eq!((refused.touched, refused.refused.len()), (0, 1), "another job has its key");
    assert_eq!(world.detail(lease.id).await.checkpoints.steps.len(), 1);
    world.act(other, Action::Delete).await;
    assert_eq!(world.act(lease.id, Action::RetryFromStart).await.touched, 1);
    assert_eq!(world.detail(lease.id).await.checkpoints.steps.len(), 0);
}

pub async fn the_children_that_a_retry_from_the_start_revives_forget_theirs_too<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    for (action, keeps) in [(Action::Retry, true), (Action::RetryFromStart, false)] {
        let parent = world.enqueue(job()).await;
        world.complete(&worker_id, &world.claim_one(&worker_id).await).await;
        let child = world.running(&worker_id, job().parent(parent)).await;
        world.save_both(&worker_id, &child).await;
        world.finish(&worker_id, ended(&child).dead_letter()).await;
        world.act(parent, Action::Retry).await;
        world.act(child.id, Action::Retry).await;
        assert_eq!(world.status(child.id).await, Status::Blocked);
        world.finish(&worker_id, ended(&world.claim_one(&worker_id).await).dead_letter()).await;
        let touched = world.act_on(Selection::job(parent), action).await.touched;
        assert_eq!(touched, 2, "the job and its child");
        world.complete(&worker_id, &world.claim_one(&worker_id).await).await;
        let again = world.claim_one(&worker_id).await;
        assert_eq!((again.id, world.keeps_both(&again).await), (child.id, keeps));
        world.complete(&worker_id, &again).await;
    }
}

pub async fn a_retry_from_the_start_by_filter_leaves_other_jobs_alone<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let mut jobs = Vec::new();
    for queue in ["here", "there"] {
        let lease = world.running(&worker_id, job().queue(queue)).await;
        world.save_both(&worker_id, &lease).await;
        world.finish(&worker_id, ended(&lease).dead_letter()).await;
        jobs.push(lease.id);
    }
    let here = Filter::all().queues(["here"]).statuses([Status::DeadLetter]);
    assert_eq!(world.act_on(here.into(), Action::RetryFromStart).await.touched, 1);
    let steps = async |id| world.detail(id).await.checkpoints.steps.len();
    assert_eq!((steps(jobs[0]).await, steps(jobs[1]).await), (0, 1));
}

pub async fn a_job_that_is_removed_takes_its_checkpoints_with_it<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let maintenance = Maintenance {
        retention: Retention::After(seconds(60)),
        dead_letter_retention: Retention::After(seconds(60)),
        rows_max: 100,
    };
    let mut left = Vec::new();
    for action in [Some(Action::Delete), Some(Action::Discard), None] {
        let lease = world.running(&worker_id, job()).await;
        world.save_both(&worker_id, &lease).await;
        world.finish(&worker_id, ended(&lease).dead_letter()).await;
        match action {
            Some(action) => assert_eq!(world.act(lease.id, action).await.touched, 1),
            None => left.push(lease.id),
        }
        assert_eq!(world.result(lease.id, "charge").await.is_some(), action.is_none());
    }
    let completed = world.running(&worker_id, job()).await;
    world.save_both(&worker_id, &completed).await;
    world.complete(&worker_id, &completed).await;
    left.push(completed.id);
    world.clock.advance(seconds(61));
    while world.store.maintain(maintenance).await.expect("house can be kept").has_more {}
    for id in left {
        assert_eq!(world.result(id, "charge").await, None);
    }
}

pub async fn a_duplicate_that_replaces_a_job_begins_from_the_start<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let keyed = |on_duplicate| NewJob { on_duplicate, ..job().unique_key("key") };
    for (rule, keeps) in [(OnDuplicate::Keep, true), (OnDuplicate::Replace, false), (OnDuplicate::PushBack, false)] {
        let first = world.running(&worker_id, keyed(OnDuplicate::Keep)).await;
        world.save_both(&worker_id, &first).await;
        world.enqueue_all(vec![keyed(rule)]).await;
        assert!(world.result(first.id, "charge").await.is_some(), "a running job is left as it is");
        world.finish(&worker_id, ended(&first).retrying(seconds(5))).await;
        world.enqueue_all(vec![keyed(rule)]).await;
        world.clock.advance(seconds(5));
        let next = world.claim_one(&worker_id).await;
        assert_eq!((next.id, world.keeps_both(&next).await), (first.id, keeps), "{rule:?}");
        world.complete(&worker_id, &next).await;
    }
}

pub async fn an_edited_job_keeps_its_checkpoint<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.running(&worker_id, job()).await;
    world.save_both(&worker_id, &first).await;
    world.finish(&worker_id, ended(&first).dead_letter()).await;
    let edit = JobEdit { job_data: Some(data("[8]")), ..JobEdit::default() };
    assert_eq!(world.store.edit(first.id, edit).await.expect("it can be edited").touched, 1);
    world.act(first.id, Action::Retry).await;
    assert!(world.keeps_both(&world.claim_one(&worker_id).await).await);
}

pub async fn a_worker_of_another_type_pays_nothing_and_gets_nothing<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let other = world.register(worker().job_types(["other"])).await;
    let first = world.running(&worker_id, job()).await;
    world.save_both(&worker_id, &first).await;
    world.finish(&worker_id, ended(&first).returned()).await;
    let fresh = world.enqueue(NewJob::new("other", data("{}"))).await;
    let mut request = claim(&other, 2);
    request.job_types = ["other".to_owned()].into();
    let leases = world.store.claim(request).await.expect("it can claim").leases;
    assert_eq!((leases.len(), leases[0].id, leases[0].checkpoint.as_ref()), (1, fresh, None));
}
