//! The random run of the model against itself, with faults. It shows that the run is correct, and that the freedom that
//! the contract gives a store under faults loses nothing.

use longshore_testkit::{MemoryStore, RandomRun};

#[tokio::test]
async fn the_model_agrees_with_itself_behind_faults() {
    let first = RandomRun::from_env(400);
    for further in 0..10 {
        RandomRun { seed: first.seed.wrapping_add(further), ..first }.on::<MemoryStore>().await;
    }
}
