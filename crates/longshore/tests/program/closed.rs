//! Types whose program does not become ready.

use std::time::{Duration, Instant};

use longshore::handler::FailureType;
use longshore::{JobData, NewJob, Status};

use crate::processes::eventually;
use crate::worked::{PID, Scene, program, python};

pub(crate) fn a_program_that_does_not_become_ready_closes_its_type_and_spends_no_attempt() {
    let (scene, program) = (Scene::new(), python("sys.exit('no module named resize')"));
    let ids: Vec<_> = (0..50).map(|_| scene.enqueue("{}")).collect();
    let began = Instant::now();
    let mut working = scene.start(scene.worker(&program));
    // At the start, after one second, and after two more.
    eventually("the third start", || program.marks("started") >= 3);
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    working.shut_down();
    scene.join(working);
    let jobs: Vec<_> = ids.iter().map(|id| scene.job(*id)).collect();
    assert!(jobs.iter().all(|job| job.status == Status::Pending && job.retry_count == 0 && job.crash_count == 0));
    let deferrals: u32 = jobs.iter().map(|job| job.deferral_count).sum();
    // Only what a worker had claimed already is deferred: while the type is closed it claims nothing.
    assert!((2..=60).contains(&deferrals), "{deferrals}");
    let deferred = jobs.iter().find(|job| job.deferral_count > 0).unwrap();
    let log = scene.log(deferred.id);
    let expected = "longshore: the program python3 exited with status 1 before it was ready: no module named resize";
    assert!(log.contains(expected), "{log}");
    assert!(longshore::program::why_closed(&log).is_some(), "{log}");
}

pub(crate) fn a_closed_type_opens_again_when_its_program_becomes_ready() {
    let body = format!("if not os.path.exists(os.environ['FOLDER'] + '/mended'): sys.exit(1)\n{PID}");
    let (scene, program) = (Scene::new(), python(&body));
    let ids: Vec<_> = (0..5).map(|_| scene.enqueue("{}")).collect();
    let mut working = scene.start(scene.worker(&program).concurrency(2));
    program.until_marked("started");
    std::fs::write(program.path().join("mended"), "").unwrap();
    for id in ids {
        scene.until(id, Status::Completed);
    }
    working.shut_down();
    scene.join(working);
}

pub(crate) fn another_type_goes_on_while_one_is_closed() {
    let (scene, broken, sound) = (Scene::new(), python("sys.exit(1)"), python(PID));
    let closed = scene.enqueue("{}");
    let worker = scene.worker(&broken).handler("other", sound.handler());
    let mut working = scene.start(worker);
    eventually("deferred", || scene.job(closed).deferral_count > 0);
    let open = scene.runtime.block_on(scene.queue.enqueue_job(NewJob::new("other", JobData::default()))).unwrap().id;
    scene.until(open, Status::Completed);
    working.shut_down();
    scene.join(working);
}

pub(crate) fn a_program_that_is_never_ready_is_given_up_after_its_start_timeout() {
    let (scene, mut program) = (Scene::new(), python("time.sleep(1000)"));
    program.spec.start_timeout = Duration::from_millis(300);
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program));
    eventually("deferred", || scene.job(id).deferral_count > 0);
    assert!(scene.log(id).contains("was not ready within 300ms: it must print"), "{}", scene.log(id));
    working.shut_down();
    scene.join(working);
    program.until_nobody_is_left();
}

pub(crate) fn a_drain_gives_up_a_program_that_is_never_ready_and_does_the_rest() {
    let (scene, broken, sound) = (Scene::new(), python("sys.exit('no module named resize')"), python(PID));
    let id = scene.enqueue("{}");
    let other = scene.runtime.block_on(scene.queue.enqueue_job(NewJob::new("other", JobData::default()))).unwrap().id;
    let worker = scene.worker(&broken).handler("other", sound.handler());
    let drained = async { tokio::time::timeout(Duration::from_secs(60), worker.run_until_drained()).await };
    let error = scene.runtime.block_on(drained).expect("it ends").unwrap_err();
    let expected = "jobs of resize are left, because none of them can begin: the program python3 exited with status 1 \
                    before it was ready: no module named resize";
    assert_eq!(error.to_string(), expected);
    assert_eq!(broken.marks("started"), 4);
    assert_eq!((scene.job(id).status, scene.job(id).retry_count), (Status::Pending, 0));
    assert_eq!(scene.job(other).status, Status::Completed);
}

pub(crate) fn a_version_that_is_not_known_closes_the_type() {
    let (scene, program) = (Scene::new(), python("say(ready=2); time.sleep(1000)"));
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program));
    eventually("deferred", || scene.job(id).deferral_count > 0);
    assert!(scene.log(id).contains("speaks version 2 of the protocol, but this worker speaks version 1"));
    working.shut_down();
    scene.join(working);
    program.until_nobody_is_left();
}

pub(crate) fn a_program_that_ends_without_taking_a_job_is_not_restarted_at_once() {
    let (scene, program) = (Scene::new(), python("say(ready=1)"));
    let id = scene.enqueue("{}");
    let began = Instant::now();
    let mut working = scene.start(scene.worker(&program));
    eventually("the second start", || program.marks("started") >= 3);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    let job = scene.job(id);
    assert_eq!((job.retry_count, job.crash_count), (0, 0));
    working.shut_down();
    scene.join(working);
}

pub(crate) fn a_program_that_is_not_found_fails_its_jobs() {
    let scene = Scene::new();
    let missing = program(tempfile::tempdir().unwrap(), ["no-such-program-anywhere"]);
    let ids = [scene.enqueue("{}"), scene.enqueue("{}")];
    scene.drain(scene.worker(&missing));
    for id in ids {
        let (failure_type, message) = scene.failure(id);
        assert_eq!(failure_type, FailureType::ConfigError.as_str());
        assert_eq!(message, "no-such-program-anywhere was not found: check `serve` of the job type");
    }
}
