use longshore_core::{Action, Console, Filter, IdRange, Selection};

use crate::job;
use crate::suite::{Harness, PlainInsert, World};

fn range(number: u16) -> IdRange {
    IdRange::new(number).expect("it is low enough")
}

pub async fn an_empty_database_takes_a_range_and_gives_its_ids_from_then_on<H: Harness>() {
    let world = World::<H>::new();
    assert_eq!(world.store.id_range().await.expect("it can be read"), None);
    assert_eq!(world.store.take_id_range(range(3)).await.expect("it can be taken"), Some(range(3)));
    let first = world.enqueue(job()).await;
    assert_eq!(first.0, range(3).before_first() + 1);
    let plain = PlainInsert { job_type: "plain".to_owned(), ..PlainInsert::default() };
    let ids = [world.insert_plainly(&plain), world.enqueue_all(vec![job(); 2]).await[1].id];
    assert_eq!(ids.map(IdRange::of), [range(3); 2], "whoever enqueues");
    assert_eq!(world.open().id_range().await.expect("it can be read"), Some(range(3)), "other processes know it");
}

pub async fn a_database_with_jobs_keeps_its_range<H: Harness>() {
    let world = World::<H>::new();
    let first = world.enqueue(job()).await;
    assert_eq!(world.store.id_range().await.expect("it can be read"), Some(IdRange::ZERO));
    assert_eq!(world.store.take_id_range(range(3)).await.expect("it can be asked"), Some(IdRange::ZERO));
    assert!(world.enqueue(job()).await > first);
    world.store.act(Selection::from(Filter::all()), Action::Delete).await.expect("jobs can be deleted");
    assert_eq!(world.store.take_id_range(range(3)).await.expect("it can be taken"), Some(range(3)));
}

pub async fn a_database_never_gives_lower_ids_again<H: Harness>() {
    let world = World::<H>::new();
    world.store.take_id_range(range(2)).await.expect("it can be taken");
    let first = world.enqueue(job()).await;
    world.store.act(Selection::job(first), Action::Delete).await.expect("jobs can be deleted");
    for lower in [IdRange::ZERO, range(1), range(2)] {
        assert_eq!(world.store.take_id_range(lower).await.expect("it can be asked"), Some(range(2)));
    }
    assert_eq!(world.enqueue(job()).await.0, first.0 + 1);
}
