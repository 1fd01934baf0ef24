//! The random run of the model against itself behind faults: it shows that the run is sound, and that what the
//! contract lets a store do under faults loses nothing.

use longshore_testkit::{MemoryStore, RandomRun};

#[tokio::test]
async fn the_model_agrees_with_itself_behind_faults() {
    let first = RandomRun::from_env(400);
    for further in 0..10 {
        RandomRun { seed: first.seed.wrapping_add(further), ..first }.on::<MemoryStore>().await;
    }
}
