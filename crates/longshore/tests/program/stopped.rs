//! Cancellation, time limits and shutdowns.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use longshore::Status;

use crate::processes::{eventually, marked, signal};
use crate::worked::{PID, Scene, python};

/// Makes the test binary a worker that runs one program until it is killed.
pub(crate) const WORK_UNTIL_KILLED: &str = "work-until-killed";

/// Works on a job until the line that cancels it comes.
const LISTENING: &str = "
say(ready=1)
for order in orders():
    if 'job' in order:
        if order['job']['job_data'] == 'fast': say(job=order['job']['id'], done=os.getpid())
        else: mark('job')
    if 'cancel' in order: say(job=order['cancel'], failure_type='unknown', error_message='as told')";

/// Starts a process in a session of its own, and never looks at its input again.
const DEAF: &str = "
import subprocess
for job in jobs():
    if job['job_data'] == 'fast': say(job=job['id'], done=os.getpid()); continue
    subprocess.Popen(['sleep', '1000'], start_new_session=True)
    mark('job')
    time.sleep(1000)";

pub(crate) fn a_cancelled_job_gets_the_line_and_the_program_stays() {
    let (scene, program) = (Scene::new(), python(LISTENING));
    let before = scene.enqueue("\"fast\"");
    let id = scene.enqueue("\"slow\"");
    let mut working = scene.start(scene.worker(&program));
    program.until_marked("job");
    scene.cancel(id);
    scene.until(id, Status::Cancelled);
    let after = scene.enqueue("\"fast\"");
    scene.until(after, Status::Completed);
    assert_eq!(scene.result(before), scene.result(after), "the same program goes on");
    working.shut_down();
    scene.join(working);
    assert_eq!(program.marks("started"), 1);
}

pub(crate) fn a_program_that_does_not_listen_gets_sigterm_and_leaves_nobody() {
    let (scene, program) = (Scene::new(), python(DEAF));
    let id = scene.enqueue("\"slow\"");
    // SIGKILL would come after ten minutes.
    let mut working = scene.start(scene.worker(&program).grace(Duration::from_secs(600)));
    program.until_marked("job");
    scene.cancel(id);
    scene.until(id, Status::Cancelled);
    assert!(marked(&program.mark).is_empty(), "an attempt has ended when its processes have");
    let after = scene.enqueue("\"fast\"");
    scene.until(after, Status::Completed);
    assert_eq!(program.marks("started"), 2);
    working.shut_down();
    scene.join(working);
}

pub(crate) fn a_program_that_ignores_sigterm_is_killed_and_leaves_nobody() {
    let body = format!("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{DEAF}");
    let (scene, program) = (Scene::new(), python(&body));
    let id = scene.enqueue("\"slow\"");
    let mut working = scene.start(scene.worker(&program).grace(Duration::from_millis(300)));
    program.until_marked("job");
    scene.cancel(id);
    scene.until(id, Status::Cancelled);
    assert!(marked(&program.mark).is_empty(), "an attempt has ended when its processes have");
    working.shut_down();
    scene.join(working);
}

pub(crate) fn a_hung_job_reaches_its_time_limit_and_leaves_nobody() {
    let (scene, program) = (Scene::new(), python(DEAF));
    let id = scene.enqueue_as("\"slow\"", |job| job.timeout(Duration::from_secs(2)));
    scene.drain(scene.worker(&program).grace(Duration::from_millis(300)));
    let (failure_type, message) = scene.failure(id);
    assert_eq!(
        (failure_type.as_str(), message.as_str()),
        ("timeout_error", "the attempt reached its time limit of 2s")
    );
    assert!(marked(&program.mark).is_empty());
}

pub(crate) fn a_time_limit_during_the_start_counts_nothing() {
    let body = format!("time.sleep(1)\n{PID}");
    let (scene, program) = (Scene::new(), python(&body));
    let id = scene.enqueue_as("{}", |job| job.timeout(Duration::from_millis(300)));
    scene.drain(scene.worker(&program));
    assert!(scene.result(id).is_some());
    assert_eq!((program.marks("started"), scene.job(id).retry_count), (1, 0), "the start went on");
}

pub(crate) fn an_idle_program_is_asked_to_quit_at_the_end() {
    let (scene, program) = (Scene::new(), python(PID));
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program));
    scene.until(id, Status::Completed);
    working.shut_down();
    scene.join(working);
    assert_eq!(program.marks("quit"), 1);
    assert!(marked(&program.mark).is_empty(), "a worker has ended when its programs have");
}

pub(crate) fn an_idle_program_that_does_not_quit_gets_the_signals() {
    let body = "
signal.signal(signal.SIGTERM, lambda *_: mark('term'))
say(ready=1)
while True:
    line = sys.stdin.readline()
    if '\"job\"' in line: say(job=json.loads(line)['job']['id'], done=None)
    else: time.sleep(0.01)";
    let (scene, program) = (Scene::new(), python(body));
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program).grace(Duration::from_millis(500)));
    scene.until(id, Status::Completed);
    working.shut_down();
    scene.join(working);
    assert_eq!(program.marks("term"), 1);
    assert!(marked(&program.mark).is_empty());
}

pub(crate) fn a_shutdown_lets_a_job_end_within_the_grace() {
    let body = "
for job in jobs():
    mark('job')
    while not os.path.exists(os.environ['FOLDER'] + '/go'): time.sleep(0.005)
    say(job=job['id'], done='in time')";
    let (scene, program) = (Scene::new(), python(body));
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&program).grace(Duration::from_secs(600)));
    program.until_marked("job");
    working.shut_down();
    std::fs::write(program.path().join("go"), "").unwrap();
    scene.join(working);
    assert_eq!(scene.result(id).as_deref(), Some("\"in time\""));
    assert_eq!(program.marks("quit"), 1);
}

pub(crate) fn a_second_signal_ends_everything_at_once() {
    let (scene, program) = (Scene::new(), python(DEAF));
    let id = scene.enqueue("\"slow\"");
    let mut working = scene.start(scene.worker(&program).grace(Duration::from_secs(600)));
    program.until_marked("job");
    working.shut_down();
    working.end_at_once();
    let began = Instant::now();
    scene.join(working);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(scene.job(id).status, Status::Pending);
    program.until_nobody_is_left();

    // And while an idle program does not quit.
    let stubborn = python(
        "say(ready=1)\nfor order in orders(): say(job=order['job']['id'], done=None)\nmark('deaf')\ntime.sleep(1000)",
    );
    let id = scene.enqueue("{}");
    let mut working = scene.start(scene.worker(&stubborn).grace(Duration::from_secs(600)));
    scene.until(id, Status::Completed);
    working.shut_down();
    stubborn.until_marked("deaf");
    working.end_at_once();
    scene.join(working);
    stubborn.until_nobody_is_left();
}

pub(crate) fn a_dropped_worker_leaves_nobody() {
    let (scene, program) = (Scene::new(), python(DEAF));
    let id = scene.enqueue("\"fast\"");
    let working = scene.start(scene.worker(&program));
    scene.until(id, Status::Completed);
    scene.enqueue("\"slow\"");
    program.until_marked("job");
    working.abort();
    program.until_nobody_is_left();
}

pub(crate) fn a_killed_worker_leaves_nobody() {
    let program = python(DEAF);
    let folder = program.path().to_str().unwrap();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args([WORK_UNTIL_KILLED, &program.mark, folder])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    program.until_marked("job");
    eventually("the whole family", || marked(&program.mark).len() >= 2);
    signal("KILL", worker.id());
    worker.wait().unwrap();
    program.until_nobody_is_left();
}

/// A worker that runs one job, given the mark and the folder of its program, until it is killed.
pub(crate) fn work_until_killed() -> ! {
    let mut arguments = std::env::args().skip(2);
    let (mark, folder) = (arguments.next().unwrap(), arguments.next().unwrap());
    let (scene, mut program) = (Scene::new(), python(DEAF));
    program.spec.command.env.insert("LONGSHORE_TEST_MARK".to_owned(), mark);
    program.spec.command.env.insert("FOLDER".to_owned(), folder);
    scene.enqueue("\"slow\"");
    let working = scene.start(scene.worker(&program).grace(Duration::from_secs(600)));
    scene.join(working);
    std::process::exit(0);
}
