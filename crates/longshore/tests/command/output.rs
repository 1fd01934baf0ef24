//! The input and output of a program.

use crate::processes::eventually;
use crate::run::{command, sh};

pub(crate) fn the_payload_is_on_standard_input_and_ends() {
    let payload = r#"{"path": "ä \" \\ x", "list": [1, 2.50]}"#;
    let ran = command(["cat"]).payload(payload).finish();
    assert_eq!(ran.log, format!("{payload}\n"));
}

pub(crate) fn a_program_need_not_read_its_payload() {
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    assert_eq!(command(["true"]).payload(&payload).finish().result(), None);
    let ran = sh("exec <&-; sleep 0.05; echo done").payload(&payload).finish();
    assert_eq!(ran.log, "done\n");
    let ran = command(["wc", "-c"]).payload(&payload).finish();
    assert_eq!(ran.log.trim(), "1000002");
}

pub(crate) fn the_environment_tells_of_the_job() {
    let script = "echo $LONGSHORE_JOB_ID $LONGSHORE_JOB_TYPE $LONGSHORE_ATTEMPT $LONGSHORE_MAX_RETRIES $LONGSHORE_QUEUE
        echo $OWN; pwd";
    let mut run = sh(script);
    run.spec.env.insert("OWN".to_owned(), "a b".to_owned());
    run.spec.env.insert("LONGSHORE_JOB_ID".to_owned(), "forged".to_owned());
    run.spec.directory = Some("/".into());
    assert_eq!(run.finish().log, "1 sample 1 4 media\na b\n/\n");
}

pub(crate) fn both_outputs_are_the_log() {
    let ran = sh("echo out; sleep 0.1; echo err >&2; sleep 0.1; echo out again; exit 0").finish();
    assert_eq!(ran.log, "out\nerr\nout again\n");
}

pub(crate) fn what_is_not_a_message_is_an_ordinary_line() {
    let lines = [r#"{"longshore": {"progress": 1}, "level": "info"}"#, r#"{"level": "info"}"#];
    let script = lines.map(|line| format!("echo '{line}'")).join("\n");
    let ran = sh(&script).finish();
    assert_eq!(ran.log, lines.map(|line| format!("{line}\n")).concat());
    let ran = sh(r#"echo '{"longshore": {"progress": 1}}' >&2"#).finish();
    assert_eq!(ran.log, "{\"longshore\": {\"progress\": 1}}\n", "standard error has no messages");
}

pub(crate) fn bytes_that_are_no_text_are_replaced() {
    let ran = sh(r"printf 'a\377b\000c\n'; printf '\303' ; sleep 0.05; printf '\244\n'").finish();
    assert_eq!(ran.log, "a\u{fffd}b\u{fffd}c\nä\n");
}

pub(crate) fn a_flood_of_output_is_held_in_bounded_memory() {
    let ran = sh("echo first; head -c 30000000 /dev/zero | tr '\\0' '\\n'; echo last").finish();
    assert!(ran.log.starts_with("first\n") && ran.log.ends_with("\nlast\n"));
    assert!(peak_memory_kib() < 100_000, "{} KiB", peak_memory_kib());
}

pub(crate) fn a_line_without_end_is_held_in_bounded_memory() {
    let ran = sh("head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last").finish();
    assert!(ran.log.ends_with("x\nlast\n"));
    assert!(peak_memory_kib() < 100_000, "{} KiB", peak_memory_kib());
}

pub(crate) fn an_unfinished_line_shows_in_the_log_before_it_ends() {
    let running = sh("printf working; read line < /proc/self/cmdline; sleep 1; printf ' done'; echo err >&2").start();
    eventually("the unfinished line", || running.probe.log() == "working");
    let log = running.finish().log;
    assert!(log == "working done\nerr\n" || log == "working\nerr\n done\n", "{log:?}");
}

/// The peak memory of this process, if the system reports it.
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
