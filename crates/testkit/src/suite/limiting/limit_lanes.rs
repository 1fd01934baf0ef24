//! What stands behind keys whose jobs are gone. More of them than a claim reads at once.

use longshore_core::{Action, ClaimRequest, JobId, Limiting, NewJob, Priority, Selection, Store, WorkerId};

use super::{apply, by_key, claim_limited, job_of, of_type};
use crate::suite::world::{ids, seconds};
use crate::suite::{Harness, World};
use crate::{claim, job, worker};

const KEYS: usize = 520;

pub async fn keys_whose_jobs_are_gone_let_no_lower_priority_start_first<H: Harness>()
where
    H::Store: Limiting,
{
    for way in [Some(Action::Cancel), Some(Action::Delete), None] {
        let world = World::<H>::new();
        let worker_id = world.register(worker().job_types(["work", "free"]).lease(seconds(86_400))).await;
        apply(&world, of_type(), by_key(Some(1))).await;
        let urgent = |number: usize| job_of(&format!("gone {number}")).priority(Priority::HIGH).expires_in(seconds(5));
        let gone = world.enqueue_all((0..KEYS).map(urgent).collect()).await;
        let live = world.enqueue(job_of("live")).await;
        let other = world.enqueue(job_of("other").queue("other").priority(Priority::LOW)).await;
        let free = world.enqueue(NewJob { job_type: "free".to_owned(), ..job() }.priority(Priority::LOW)).await;
        stand_in_lanes(&world, &worker_id).await;
        match way {
            Some(action) => {
                let gone = Selection::Jobs(gone.iter().map(|enqueued| enqueued.id).collect());
                assert_eq!(world.act_on(gone, action).await.touched, KEYS as u64);
            }
            None => world.clock.advance(seconds(6)),
        }
        assert_eq!(claim_both(&world, &worker_id, 1).await, [live], "{way:?}");
        assert_eq!(claim_both(&world, &worker_id, 9).await, [other, free], "{way:?}");
    }
}

pub async fn a_key_whose_urgent_job_is_gone_comes_by_its_next_one<H: Harness>()
where
    H::Store: Limiting,
{
    let world = World::<H>::new();
    let worker_id = world.register(worker().job_types(["work", "free"]).lease(seconds(86_400))).await;
    apply(&world, of_type(), by_key(Some(1))).await;
    let of_keys = |priority: Priority| {
        (0..KEYS).map(|number| job_of(&format!("key {number}")).priority(priority)).collect::<Vec<_>>()
    };
    let urgent = world.enqueue_all(of_keys(Priority::HIGH)).await;
    world.enqueue_all(of_keys(Priority::LOW)).await;
    let normal = world.enqueue(job_of("normal")).await;
    stand_in_lanes(&world, &worker_id).await;
    world.act_on(Selection::Jobs(urgent.iter().map(|enqueued| enqueued.id).collect()), Action::Cancel).await;
    assert_eq!(claim_both(&world, &worker_id, 1).await, [normal]);
    assert_eq!(claim_both(&world, &worker_id, 9).await.len(), 9);
}

/// A claim that may start no limited job puts those that wait into lanes, wherever that is its task.
async fn stand_in_lanes<H: Harness>(world: &World<H>, worker_id: &WorkerId) {
    assert_eq!(claim_limited(world, worker_id, 9, 0).await, []);
}

async fn claim_both<H: Harness>(world: &World<H>, worker_id: &WorkerId, limit: u32) -> Vec<JobId> {
    let job_types = ["work", "free"].map(str::to_owned).to_vec().into();
    let request = ClaimRequest { job_types, ..claim(worker_id, limit) };
    ids(&world.store.claim(request).await.expect("the worker may claim").leases)
}
