//! The end of a program by itself.

use crate::processes::{eventually, marked, signal, supervisor_of};
use crate::worked::{PID, Scene, python};

pub(crate) fn a_death_fails_the_current_job_alone() {
    let body = "
for job in jobs():
    if job['job_data']: print('out of ideas', file=sys.stderr); os.abort()
    say(job=job['id'], done=None)";
    let (scene, program) = (Scene::new(), python(body));
    let ids: Vec<_> = ["0", "1", "0", "0"].map(|data| scene.enqueue(data)).into();
    scene.drain(scene.worker(&program));
    let (failure_type, message) = scene.failure(ids[1]);
    assert_eq!(failure_type, "worker_error");
    assert_eq!(message, "the program ended by signal 6 (SIGABRT) before it ended the job: out of ideas");
    assert!(scene.job(ids[1]).last_error_traceback.unwrap().contains("out of ideas"));
    for id in [ids[0], ids[2], ids[3]] {
        assert_eq!(scene.result(id), None);
        assert_eq!(scene.detail(id).attempts.len(), 1);
    }
    assert_eq!(program.marks("started"), 2);
}

pub(crate) fn a_status_and_a_signal_have_the_meaning_that_they_have_for_commands() {
    let body = "
for job in jobs():
    if job['job_data'] < 0: os.kill(os.getpid(), -job['job_data'])
    os._exit(job['job_data'])";
    let (scene, program) = (Scene::new(), python(body));
    let table = [("75", "network_error"), ("65", "validation_error"), ("1", "worker_error"), ("-9", "resource_error")];
    let ids: Vec<_> = table.map(|(data, expected)| (scene.enqueue(data), expected)).into();
    scene.drain(scene.worker(&program));
    for (id, expected) in ids {
        assert_eq!(scene.failure(id).0, expected);
    }
}

pub(crate) fn an_exit_with_0_does_not_complete_a_job() {
    let (scene, program) = (Scene::new(), python("for job in jobs(): os._exit(0)"));
    let id = scene.enqueue("{}");
    scene.drain(scene.worker(&program));
    let expected = "the program exited with status 0 before it ended the job".to_owned();
    assert_eq!(scene.failure(id), ("worker_error".to_owned(), expected));
}

pub(crate) fn a_program_that_ends_between_jobs_is_replaced_and_no_job_fails() {
    // It ends after each job, at the moment when it gets the next one.
    let (scene, program) = (Scene::new(), python("for job in jobs(): say(job=job['id'], done=None); sys.exit(3)"));
    let ids: Vec<_> = (0..10).map(|_| scene.enqueue("{}")).collect();
    scene.drain(scene.worker(&program));
    for id in ids {
        assert_eq!(scene.result(id), None);
        assert_eq!(scene.detail(id).attempts.len(), 1);
    }
    assert_eq!(program.marks("started"), 10);
}

pub(crate) fn a_program_that_ends_before_it_reads_a_job_does_not_fail_it() {
    // The second job is in the pipe when the program ends.
    let body = "
say(ready=1)
for line in iter(sys.stdin.readline, ''):
    order = json.loads(line)
    if 'quit' in order: break
    say(job=order['job']['id'], done=os.getpid())
    while order['job']['job_data'] == 'first' and not os.path.exists(os.environ['FOLDER'] + '/go'): time.sleep(0.005)
    if order['job']['job_data'] == 'first': os._exit(1)";
    let (scene, program) = (Scene::new(), python(body));
    let first = scene.enqueue("\"first\"");
    let second = scene.enqueue("\"second\"");
    let mut working = scene.start(scene.worker(&program));
    scene.until(first, longshore::Status::Completed);
    scene.until(second, longshore::Status::Running);
    std::fs::write(program.path().join("go"), "").unwrap();
    scene.until(second, longshore::Status::Completed);
    assert_ne!(scene.result(first), scene.result(second));
    assert_eq!(scene.detail(second).attempts.len(), 1, "it only got another program");
    working.shut_down();
    scene.join(working);
}

pub(crate) fn a_supervisor_that_was_killed_fails_the_job_and_leaves_nobody() {
    let body = "for job in jobs(): mark('job'); time.sleep(1000)";
    let (scene, program) = (Scene::new(), python(body));
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program));
    program.until_marked("job");
    signal("KILL", supervisor_of(&program.mark));
    scene.until(id, longshore::Status::DeadLetter);
    assert_eq!(scene.failure(id).0, "system_error");
    program.until_nobody_is_left();
    working.shut_down();
    scene.join(working);

    // The same without a job: the next one gets a fresh program.
    let program = python(PID);
    let first = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program));
    scene.until(first, longshore::Status::Completed);
    signal("KILL", supervisor_of(&program.mark));
    eventually("nobody left", || marked(&program.mark).is_empty());
    let second = scene.enqueue("{}");
    scene.until(second, longshore::Status::Completed);
    working.shut_down();
    scene.join(working);
}
