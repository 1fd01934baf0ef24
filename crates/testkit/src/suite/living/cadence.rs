use std::time::Duration;

use longshore_core::{Console, Maintenance, Store};

use crate::job;
use crate::suite::world::{Process, seconds};
use crate::suite::{Harness, World};

/// A death is noticed within this time, whoever looks.
const NOTICED: Duration = Duration::from_secs(1);
/// The steps of the clock while nobody is to look.
const STEP: Duration = Duration::from_millis(25);

/// A process that looks for lost workers whenever it was told to.
struct Looker<H: Harness> {
    process: Process<H>,
    due: Duration,
}

impl<H: Harness> Looker<H> {
    async fn new(world: &World<H>) -> Self {
        Self { process: world.process().await, due: Duration::ZERO }
    }

    /// Looks if it is time; says how many jobs it gave back.
    async fn look(&mut self, now: Duration) -> u64 {
        if now < self.due {
            return 0;
        }
        let reclaimed = self.process.store.reclaim().await.expect("it can be looked for dead workers");
        self.due = now + reclaimed.next;
        reclaimed.jobs
    }
}

pub async fn whoever_looks_when_it_is_told_finds_a_death_within_a_second<H: Harness>() {
    let world = World::<H>::new();
    let mut lookers = Vec::new();
    for _ in 0..4 {
        lookers.push(Looker::new(&world).await);
    }
    let (mut now, mut jobs) = (Duration::ZERO, 0);
    for death in 0..3 {
        world.enqueue(job()).await;
        // Whoever was elected may be the one that dies.
        let doomed = lookers.remove(0);
        doomed.process.begin_one().await;
        let settled = now + seconds(3);
        while now < settled {
            for looker in &mut lookers {
                jobs += looker.look(now).await;
            }
            world.clock.advance(STEP);
            now += STEP;
        }
        assert_eq!(jobs, death, "the living lose nothing");
        world.kill(doomed.process);
        let died = now;
        while jobs == death {
            assert!(now < died + NOTICED, "the death is not noticed in time");
            world.clock.advance(STEP);
            now += STEP;
            for looker in &mut lookers {
                jobs += looker.look(now).await;
            }
        }
    }
}

pub async fn every_look_says_when_to_come_again<H: Harness>() {
    let world = World::<H>::new();
    let process = world.process().await;
    for store in [&world.store, &process.store] {
        let next = store.reclaim().await.expect("it can be looked for dead workers").next;
        assert!(next >= Duration::from_millis(10), "{next:?} would be no pause");
        assert!(next <= seconds(60), "{next:?} would be no look");
    }
}

pub async fn housekeeping_says_when_to_take_the_next_step<H: Harness>() {
    let world = World::<H>::new();
    let worker_id = world.worker().await;
    world.enqueue_all(vec![job(); 25]).await;
    for lease in world.claim(&worker_id, 25).await {
        world.complete(&worker_id, &lease).await;
    }
    world.clock.advance(seconds(10));
    let maintenance = Maintenance { retention: Some(seconds(1)), dead_letter_retention: None, rows_max: 10 };
    loop {
        let maintained = world.store.maintain(maintenance).await.expect("house can be kept");
        if !maintained.has_more {
            assert!(maintained.next >= seconds(1), "{:?} would be no pause", maintained.next);
            assert!(maintained.next <= Maintenance::DUTY_EXPIRY, "{:?} would lose its duty", maintained.next);
            break;
        }
        assert!(maintained.next >= Duration::from_millis(10), "{:?} leaves no room for the jobs", maintained.next);
        assert!(maintained.next <= seconds(5), "{:?} leaves the rest for long", maintained.next);
    }
    assert_eq!(world.count().await, 0);
}
