use longshore_core::{Actor, AuditEntry, AuditRequest, AuditTrail, Deed, DeedEnd, DeedOutcome, Via};

use crate::suite::{Harness, World};

fn ada() -> Actor {
    Actor { name: "ada".to_owned(), via: Via::Dashboard }
}

async fn page<H: Harness>(world: &World<H>, request: AuditRequest) -> Vec<AuditEntry> {
    world.store.audit_page(AuditRequest { limit: 100, ..request }).await.expect("the trail can be read")
}

pub async fn a_deed_is_in_the_trail_before_it_ends_and_afterwards_with_its_result<H: Harness>() {
    let world = World::<H>::new();
    let deed = Deed::new("pause", "queue mail");
    let id = world.store.begin_deed(ada(), deed).await.expect("it can be noted");
    let begun = page(&world, AuditRequest::default()).await.remove(0);
    assert_eq!((begun.id, begun.outcome, begun.ended_at), (id, DeedOutcome::Unfinished, None));
    assert_eq!(
        (&*begun.actor, &*begun.via, &*begun.action, &*begun.target),
        ("ada", "dashboard", "pause", "queue mail")
    );
    world.store.end_deed(id, DeedEnd::Done(3)).await.expect("it can be noted");
    let ended = page(&world, AuditRequest::default()).await.remove(0);
    assert_eq!((ended.outcome, ended.changed, ended.error), (DeedOutcome::Done, Some(3), None));
    assert!(ended.ended_at.is_some());
}

pub async fn a_deed_that_failed_says_why<H: Harness>() {
    let world = World::<H>::new();
    let id = world.store.begin_deed(ada(), Deed::new("cancel", "job 1")).await.expect("it can be noted");
    let end = DeedEnd::Failed("there is no job 1".to_owned());
    world.open().end_deed(id, end).await.expect("it can be noted by another process");
    let ended = page(&world, AuditRequest::default()).await.remove(0);
    assert_eq!((ended.outcome, ended.changed), (DeedOutcome::Failed, None));
    assert_eq!(ended.error.as_deref(), Some("there is no job 1"));
}

pub async fn the_trail_is_read_newest_first_in_pages_and_by_actor_and_action<H: Harness>() {
    let world = World::<H>::new();
    for (name, action) in [("ada", "retry"), ("bob", "retry"), ("ada", "cancel"), ("ada", "retry")] {
        let actor = Actor { name: name.to_owned(), via: Via::CommandLine };
        world.store.begin_deed(actor, Deed::new(action, name)).await.expect("it can be noted");
    }
    let shown = |entries: &[AuditEntry]| {
        entries.iter().map(|entry| format!("{} {}", entry.actor, entry.action)).collect::<Vec<_>>()
    };
    let all = page(&world, AuditRequest::default()).await;
    assert_eq!(shown(&all), ["ada retry", "ada cancel", "bob retry", "ada retry"]);
    let behind = page(&world, AuditRequest { before: Some(all[1].id), ..AuditRequest::default() }).await;
    assert_eq!(shown(&behind), ["bob retry", "ada retry"]);
    let (actor, action) = (Some("ada".to_owned()), Some("retry".to_owned()));
    let of_ada = page(&world, AuditRequest { actor: actor.clone(), ..AuditRequest::default() }).await;
    assert_eq!(shown(&of_ada), ["ada retry", "ada cancel", "ada retry"]);
    let retried = page(&world, AuditRequest { actor, action, before: Some(all[0].id), limit: 0 }).await;
    assert_eq!(shown(&retried), ["ada retry"]);
}

pub async fn old_entries_go_when_new_ones_come<H: Harness>() {
    let world = World::<H>::new();
    let note = async || world.store.begin_deed(ada(), Deed::new("pause", "queue mail")).await.expect("it can be noted");
    let count = async || page(&world, AuditRequest::default()).await.len();
    for _ in 0..12 {
        note().await;
    }
    world.clock.advance(AuditEntry::KEPT);
    note().await;
    assert_eq!(count().await, 13, "none is older than that");
    world.clock.advance(std::time::Duration::from_millis(1));
    note().await;
    assert_eq!(count().await, 14 - AuditEntry::REMOVED_MAX as usize);
    note().await;
    assert_eq!(count().await, 3, "the two others of the twelve are gone, too");
}
