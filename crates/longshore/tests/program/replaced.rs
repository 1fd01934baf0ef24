//! Programs that are replaced by fresh ones.

use std::num::NonZero;

use crate::worked::{PID, Scene, python};

pub(crate) fn a_program_is_replaced_after_its_last_job() {
    let (scene, mut program) = (Scene::new(), python(PID));
    program.spec.max_jobs = NonZero::new(3);
    let ids: Vec<_> = (0..7).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program));
    let mut pids: Vec<_> = ids.into_iter().map(|id| scene.result(id)).collect();
    pids.dedup();
    assert_eq!(pids.len(), 3);
    assert_eq!((program.marks("started"), program.marks("quit")), (3, 3));
    program.until_nobody_is_left();
}

pub(crate) fn a_program_that_uses_too_much_memory_is_replaced() {
    let body = "
kept = []
for job in jobs():
    kept.append(b'x' * job['job_data'])
    say(job=job['id'], done=os.getpid())";
    let (scene, mut program) = (Scene::new(), python(body));
    program.spec.max_rss_bytes = Some(200 << 20);
    let ids: Vec<_> = ["1", "300000000", "1", "1"].map(|data| scene.enqueue(data)).into();
    scene.drain(scene.worker(&program));
    let pids: Vec<_> = ids.into_iter().map(|id| scene.result(id)).collect();
    assert_eq!(pids[0], pids[1], "it is replaced after the job");
    assert_ne!(pids[1], pids[2]);
    assert_eq!(pids[2], pids[3]);
}
