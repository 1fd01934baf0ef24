use longshore_core::{
    Action, Console, Filter, JobId, JobPageRequest, LogChunk, LogRequest, NewJob, Priority, Refusal, Selection, Status,
    Store, stream_of,
};

use crate::suite::{Harness, World, ids};
use crate::{ended, job};

fn in_status(status: Status) -> Selection {
    Selection::from(Filter::all().statuses(vec![status]))
}

pub async fn a_deleted_job_is_gone_with_its_history_and_its_log<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let lease = world.running(&worker_id, job()).await;
    let chunk = LogChunk { number: 0, text: "line".to_owned(), cut_bytes: 0, replaces: 0..0 };
    world.finish(&worker_id, ended(&lease).log(vec![chunk]).dead_letter()).await;
    assert_eq!(world.act(lease.id, Action::Delete).await.touched, 1);
    assert_eq!(world.store.job(lease.id).await.expect("jobs can be read"), None);
    let request = LogRequest { id: lease.id, attempt: None, after: None };
    assert!(world.store.log(request).await.expect("logs can be read").entries.is_empty());
    assert_eq!(world.count().await, 0);
}

pub async fn what_does_not_run_may_be_deleted<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        let actioned = world.act(id, Action::Delete).await;
        if status == Status::Running {
            assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::WrongStatus { id, status }]));
        } else {
            assert_eq!((actioned.touched, actioned.refused), (1, vec![]), "{status}");
        }
    }
    assert_eq!(world.count().await, 1);
}

pub async fn only_dead_letters_may_be_discarded<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        let actioned = world.act(id, Action::Discard).await;
        if status == Status::DeadLetter {
            assert_eq!((actioned.touched, actioned.refused), (1, vec![]));
        } else {
            assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::WrongStatus { id, status }]));
        }
    }
    assert_eq!(world.count().await, 6);
}

pub async fn a_changed_priority_changes_the_order<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    let first = world.enqueue(job()).await;
    let second = world.enqueue(job()).await;
    assert_eq!(world.act(second, Action::Reprioritise(Priority::URGENT)).await.touched, 1);
    assert_eq!(world.job(second).await.priority, Priority::URGENT);
    assert_eq!(ids(&world.claim(&worker_id, 9).await), [second, first]);
}

pub async fn what_has_ended_has_no_priority_to_change<H: Harness>() {
    let world = World::<H>::new();
    for (status, id) in world.one_in_each_state().await {
        let actioned = world.act(id, Action::Reprioritise(Priority(77))).await;
        if status.is_ended() {
            assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::WrongStatus { id, status }]));
        } else {
            assert_eq!((actioned.touched, actioned.refused), (1, vec![]), "{status}");
            assert_eq!(world.job(id).await.priority, Priority(77));
        }
    }
}

pub async fn a_job_that_is_named_and_not_there_is_refused<H: Harness>() {
    let world = World::<H>::new();
    let there = world.enqueue(job()).await;
    let id = JobId(4711);
    for action in [Action::Retry, Action::Discard, Action::Reprioritise(Priority(1)), Action::Cancel, Action::Delete] {
        let actioned = world.act(id, action).await;
        assert_eq!((actioned.touched, actioned.refused), (0, vec![Refusal::NotFound { id }]), "{action:?}");
    }
    let both = Selection::Jobs(vec![there, id]);
    let actioned = world.act_on(both, Action::Cancel).await;
    assert_eq!((actioned.touched, actioned.refused), (1, vec![Refusal::NotFound { id }]));
}

pub async fn a_job_that_is_named_twice_is_moved_once<H: Harness>() {
    let world = World::<H>::new();
    let id = world.enqueue(job()).await;
    let actioned = world.act_on(Selection::Jobs(vec![id, id]), Action::Cancel).await;
    assert_eq!((actioned.touched, actioned.refused), (1, vec![]));
}

pub async fn an_action_touches_only_what_is_selected<H: Harness>() {
    let world = World::<H>::new();
    let mail = || NewJob { job_type: "mail".to_owned(), ..job() };
    let chosen = world.enqueue(mail().queue("post")).await;
    let kept = [world.enqueue(mail()).await, world.enqueue(job().queue("post")).await];
    let job_types = vec!["mail".to_owned()];
    let selection = Selection::from(Filter::all().job_types(job_types).queues(vec!["post".to_owned()]));
    assert_eq!(world.act_on(selection, Action::Cancel).await.touched, 1);
    assert_eq!(world.status(chosen).await, Status::Cancelled);
    for id in kept {
        assert_eq!(world.status(id).await, Status::Pending);
    }
}

pub async fn what_an_action_moves_out_of_its_own_selection_is_left_alone<H: Harness>() {
    let world = World::<H>::new();
    let root = world.enqueue(job()).await;
    let child = world.enqueue(job().parent(root)).await;
    let grandchild = world.enqueue(job().parent(child)).await;
    let actioned = world.act_on(in_status(Status::Blocked), Action::Cancel).await;
    // When its parent is cancelled, the grandchild becomes a dead letter, and the filter does not include dead letters.
    assert_eq!((actioned.touched, actioned.refused), (1, vec![]));
    assert_eq!(world.status(child).await, Status::Cancelled);
    assert_eq!(world.status(grandchild).await, Status::DeadLetter);
}

pub async fn a_large_selection_is_moved_whole<H: Harness>() {
    let world = World::<H>::new();
    world.store.enqueue_stream(stream_of((0..2500).map(|_| Ok(job())))).await.expect("the stream is fine");
    let cancelled = world.act_on(in_status(Status::Pending), Action::Cancel).await;
    assert_eq!((cancelled.touched, cancelled.refused.len()), (2500, 0));
    let retried = world.act_on(in_status(Status::Cancelled), Action::Retry).await;
    assert_eq!(retried.touched, 2500);
    let deleted = world.act_on(Selection::from(Filter::all()), Action::Delete).await;
    assert_eq!(deleted.touched, 2500);
    assert_eq!(world.count().await, 0);
}

pub async fn of_many_refusals_the_first_hundred_are_told<H: Harness>() {
    let world = World::<H>::new();
    let enqueued = world.enqueue_all(vec![job(); 150]).await;
    world.act_on(Selection::from(Filter::all()), Action::Cancel).await;
    let again = world.act_on(in_status(Status::Cancelled), Action::Cancel).await;
    let told = |id| Refusal::WrongStatus { id, status: Status::Cancelled };
    assert_eq!(again.touched, 0);
    assert_eq!(again.refused, enqueued[..100].iter().map(|job| told(job.id)).collect::<Vec<_>>());
}

pub async fn an_empty_selection_selects_nothing<H: Harness>() {
    let world = World::<H>::new();
    world.one_in_each_state().await;
    let nothing = [
        Selection::Jobs(Vec::new()),
        Filter::all().statuses([]).into(),
        Filter::all().job_types([""; 0]).into(),
        Filter::all().queues([""; 0]).into(),
        Filter::all().failure_types([]).into(),
        Filter::all().reasons([]).into(),
    ];
    for selection in nothing {
        let page = JobPageRequest { selection: selection.clone(), after: None, limit: 100, looked_max: None };
        assert_eq!(world.store.jobs(page).await.expect("jobs can be read").jobs, [], "{selection:?}");
        assert_eq!(world.store.count(selection.clone()).await.expect("jobs can be counted"), 0, "{selection:?}");
        for action in [Action::Retry, Action::RetryAlone, Action::Cancel, Action::Discard, Action::Delete] {
            let actioned = world.act_on(selection.clone(), action).await;
            assert_eq!((actioned.touched, actioned.refused), (0, vec![]), "{action:?} on {selection:?}");
        }
    }
    assert_eq!(world.count().await, 7);
}
