use std::sync::Arc;

use longshore_core::{StartedAttempt, Store};

use crate::scene::Scene;

const SLOTS: u32 = 3;

#[tokio::test]
async fn a_note_of_a_started_attempt_goes_when_its_slots_have_later_ones() {
    let scene = Scene::new().await;
    scene.enqueue(30).await;
    let leases = scene.claim(30).await.leases;
    for (place, lease) in (0..).zip(&leases) {
        let (slot, id, claim_number) = (place % SLOTS, lease.id, lease.claim_number);
        let begun = StartedAttempt { slot, id, claim_number, is_accompanied: false };
        scene.store.mark_started(scene.worker_id.clone(), Arc::new([begun])).await.expect("it can be noted");
    }
    let client = scene.database.connect().await;
    let sql = "SELECT n.id FROM longshore.started s CROSS JOIN unnest(s.ids) n (id) ORDER BY s.note";
    let rows = client.query(sql, &[]).await.expect("the table can be read");
    let noted: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
    // The one that the last note has replaced goes with the next note.
    let last: Vec<i64> = leases.iter().skip(30 - 1 - SLOTS as usize).map(|lease| lease.id.0).collect();
    assert_eq!(noted, last);
}
