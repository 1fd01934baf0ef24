//! No child process is ever left behind.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use longshore::{FailureType, StopCause};

use crate::processes::{eventually, marked, signal, supervisor_of, zombies_of};
use crate::run::{Ran, Running, WORK_UNTIL_KILLED, sh};

/// Ignores SIGTERM and never ends.
const STUBBORN: &str = "trap '' TERM; while :; do sleep 0.02; done";

fn assert_nobody_left(mark: &str) {
    let left = marked(mark);
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// Stops a running command and checks that no process is left when its attempt has ended.
fn stop(running: Running, cause: StopCause) -> Ran {
    let mark = running.mark.clone();
    let ran = running.stop(cause).finish();
    assert_nobody_left(&mark);
    ran
}

pub(crate) fn a_cancelled_command_ends_at_once() {
    let running = sh("echo ready; exec sleep 1000").start().await_log("ready");
    let began = Instant::now();
    assert!(stop(running, StopCause::Cancelled).end.is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

pub(crate) fn a_program_that_ignores_sigterm_is_killed_after_the_grace() {
    let running = sh(&format!("echo why >&2; echo ready; {STUBBORN}")).grace_ms(300).start().await_log("ready");
    let began = Instant::now();
    let failure = stop(running, StopCause::TimedOut).failure();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(failure.failure_type, FailureType::TimeoutError);
    assert_eq!(failure.traceback.as_deref(), Some("why"));
}

pub(crate) fn a_program_may_clean_up_within_the_grace() {
    let script = "trap 'kill %1; sleep 0.2; echo cleaned; exit 1' TERM; sleep 1000 & echo ready; wait";
    let running = sh(script).start().await_log("ready");
    let ran = stop(running, StopCause::ShuttingDown);
    assert!(ran.log.ends_with("cleaned\n"), "{}", ran.log);
    assert!(ran.end.is_err());
}

/// Only the program knows whether its work was done when it was told to stop.
pub(crate) fn a_program_that_finishes_within_the_grace_has_completed() {
    let script =
        r#"trap 'echo "{\"longshore\": {\"result\": 42}}"; exit 0' TERM; echo ready; while :; do sleep 0.02; done"#;
    for cause in [StopCause::ShuttingDown, StopCause::Cancelled, StopCause::TimedOut] {
        let running = sh(script).start().await_log("ready");
        assert_eq!(stop(running, cause).result().as_deref(), Some("42"), "{cause:?}");
    }
}

pub(crate) fn sigterm_comes_once() {
    let script = "trap 'echo told' TERM; echo ready; n=0; while [ $n -lt 20 ]; do sleep 0.02; n=$((n + 1)); done";
    let ran = stop(sh(script).start().await_log("ready"), StopCause::Cancelled);
    assert_eq!(ran.log.matches("told").count(), 1, "{}", ran.log);
}

pub(crate) fn a_stopped_program_is_ended_too() {
    let running = sh("echo ready; kill -STOP $$").start().await_log("ready");
    let began = Instant::now();
    assert!(stop(running, StopCause::Cancelled).end.is_err());
    assert!(began.elapsed() < Duration::from_secs(5), "it must not take the whole grace");
}

pub(crate) fn children_in_the_group_end_with_the_command() {
    let script = format!("sleep 1000 & sleep 1000 & sh -c \"{STUBBORN}\" & echo ready; wait");
    let running = sh(&script).grace_ms(200).start().await_log("ready");
    stop(running, StopCause::Cancelled);
}

pub(crate) fn children_in_sessions_of_their_own_end_with_the_command() {
    let script = format!("setsid sleep 1000 & setsid sh -c \"sleep 1000 & {STUBBORN}\" & echo ready; wait");
    let running = sh(&script).grace_ms(200).start().await_log("ready");
    eventually("all children", || marked(&running.mark).len() >= 4);
    stop(running, StopCause::TimedOut);
}

pub(crate) fn a_daemon_that_forked_twice_ends_with_the_command() {
    let run = sh("(setsid sh -c '(sleep 1000 &) ; sleep 1000' >/dev/null 2>&1 </dev/null &) & exit 0");
    let mark = run.mark.clone();
    assert_eq!(run.finish().result(), None);
    assert_nobody_left(&mark);
}

pub(crate) fn a_daemon_that_moves_on_all_the_time_is_caught() {
    let mut run = sh("setsid sh -c \"$MOVE_ON\" & echo ready; sleep 1000").grace_ms(100);
    let move_on = "trap '' TERM; sleep 0.02; setsid sh -c \"$MOVE_ON\" & exit 0";
    run.spec.env.insert("MOVE_ON".to_owned(), move_on.to_owned());
    let running = run.start().await_log("ready");
    eventually("a daemon that has moved on", || marked(&running.mark).len() >= 4);
    stop(running, StopCause::Cancelled);
}

pub(crate) fn a_background_child_that_holds_the_output_does_not_hold_the_attempt() {
    let run = sh("sleep 1000 & echo main done");
    let (mark, began) = (run.mark.clone(), Instant::now());
    let ran = run.finish();
    assert_nobody_left(&mark);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(ran.log, "main done\nlongshore: 1 process left running in the background, ending\n");
    assert_eq!(ran.result(), None);
}

pub(crate) fn a_pipeline_may_finish_writing_after_its_shell() {
    let ran = sh("(sleep 0.1; echo late) & exit 0").finish();
    assert_eq!(ran.log, "late\n");
}

pub(crate) fn orphans_are_buried_while_the_command_runs() {
    let script = "n=0; while [ $n -lt 50 ]; do (true &); n=$((n + 1)); done; echo ready; exec sleep 1000";
    let running = sh(script).start().await_log("ready");
    let supervisor = supervisor_of(&running.mark);
    eventually("no zombies", || zombies_of(supervisor) == 0);
    stop(running, StopCause::Cancelled);
}

pub(crate) fn a_stop_that_came_before_the_start_is_obeyed() {
    let run = sh("exec sleep 1000");
    stop(run.start(), StopCause::Cancelled);
}

pub(crate) fn a_dropped_attempt_leaves_nobody() {
    let script = format!("setsid sleep 1000 & echo ready; {STUBBORN}");
    let running = sh(&script).start().await_log("ready");
    let (mark, began) = (running.mark.clone(), Instant::now());
    running.abort();
    eventually("nobody left", || marked(&mark).is_empty());
    assert!(began.elapsed() < Duration::from_secs(5), "whoever drops an attempt has waited for its grace");
}

pub(crate) fn a_worker_that_was_killed_leaves_nobody() {
    let script = format!("setsid sleep 1000 & (setsid sleep 1000 &); sh -c \"{STUBBORN}\" & sleep 1000");
    let mark = sh("").mark;
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .args([WORK_UNTIL_KILLED, &script, &mark])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    eventually("all processes of the command", || marked(&mark).len() >= 5);
    let supervisor = supervisor_of(&mark);
    worker.kill().unwrap();
    worker.wait().unwrap();
    eventually("nobody left", || marked(&mark).is_empty());
    eventually("the supervisor gone", || !std::path::Path::new(&format!("/proc/{supervisor}")).exists());
}

pub(crate) fn a_supervisor_that_was_killed_leaves_nobody() {
    let script = format!("setsid sleep 1000 & sh -c \"{STUBBORN}\" & echo ready; sleep 1000");
    let running = sh(&script).start().await_log("ready");
    eventually("all processes", || marked(&running.mark).len() >= 4);
    let mark = running.mark.clone();
    signal("KILL", supervisor_of(&mark));
    let failure = running.finish().failure();
    assert_nobody_left(&mark);
    assert_eq!(failure.failure_type, FailureType::SystemError);
    assert_eq!(failure.message, "the supervisor of the command was killed, so the command was ended");
}

pub(crate) fn a_supervisor_ignores_polite_signals() {
    let running = sh("echo ready; sleep 0.3; echo done").start().await_log("ready");
    let supervisor = supervisor_of(&running.mark);
    for name in ["TERM", "INT", "HUP", "QUIT"] {
        signal(name, supervisor);
    }
    let ran = running.finish();
    assert_eq!(ran.log, "ready\ndone\n");
    assert!(ran.end.is_ok());
}

pub(crate) fn many_commands_at_once_leave_nobody() {
    let running: Vec<Running> = (0..20).map(|_| sh("setsid sleep 1000 & sleep 1000").start()).collect();
    let marks: Vec<String> = running.iter().map(|running| running.mark.clone()).collect();
    for mark in &marks {
        eventually("both children", || marked(mark).len() >= 3);
    }
    for running in running {
        stop(running, StopCause::Cancelled);
    }
}
