//! The outcome of an attempt by the end of its program.

use std::time::Duration;

use longshore::{Done, FailureType};

use crate::run::{command, sh};

pub(crate) fn exit_statuses_become_failure_types() {
    let table = [
        (1, FailureType::WorkerError),
        (65, FailureType::ValidationError),
        (75, FailureType::NetworkError),
        (77, FailureType::PermissionError),
        (127, FailureType::ConfigError),
    ];
    for (status, expected) in table {
        let failure = sh(&format!("exit {status}")).finish().failure();
        assert_eq!(failure.failure_type, expected, "{status}");
        assert_eq!(failure.message, format!("exited with status {status}"));
        assert_eq!(failure.traceback, None);
    }
    assert_eq!(sh("exit 0").finish().result(), None);
}

pub(crate) fn a_program_that_cannot_be_started_says_why() {
    let failure = command(["no-such-program-anywhere"]).finish().failure();
    assert_eq!(failure.failure_type, FailureType::ConfigError);
    assert_eq!(failure.message, "no-such-program-anywhere was not found: check `run` of the job type");
    let failure = command(["/etc/hostname"]).finish().failure();
    assert_eq!(failure.failure_type, FailureType::PermissionError);
    let mut lost = command(["true"]);
    lost.spec.directory = Some("/no/such/place".into());
    let failure = lost.finish().failure();
    assert_eq!(failure.failure_type, FailureType::ConfigError);
    assert_eq!(failure.message, "/no/such/place is not a directory: check `directory` of the job type");
}

pub(crate) fn the_last_line_of_standard_error_is_the_message_and_the_whole_the_traceback() {
    let failure = sh("for n in 1 2 3 4 5 6 7; do echo line $n >&2; done; echo >&2; exit 3").finish().failure();
    assert_eq!(failure.message, "line 7");
    assert_eq!(failure.traceback.unwrap().lines().count(), 7);
}

pub(crate) fn what_the_program_said_goes_before_its_status() {
    let said = r#"{"longshore": {"failure_type": "network_error", "error_message": "no route"}}"#;
    let failure = sh(&format!("echo '{said}'; echo noise >&2; exit 65")).finish().failure();
    assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::NetworkError, "no route"));
    let ran = sh(&format!("echo '{said}'")).finish();
    assert_eq!(ran.log, "longshore: the program reported a failure but exited with 0, which completes the job\n");
    assert_eq!(ran.result(), None);
}

pub(crate) fn an_unknown_failure_type_is_taken_as_unknown_with_a_note() {
    let ran = sh(r#"echo '{"longshore": {"failure_type": "bad_hair_day"}}'; exit 1"#).finish();
    assert!(ran.log.starts_with("longshore: \"bad_hair_day\" is not a failure type"), "{}", ran.log);
    assert_eq!(ran.failure().failure_type, FailureType::Unknown);
}

pub(crate) fn a_kill_from_elsewhere_is_a_want_of_resources() {
    let failure = sh("kill -9 $$").finish().failure();
    assert_eq!(failure.failure_type, FailureType::ResourceError);
    assert_eq!(failure.message, "ended by signal 9 (SIGKILL)");
    let failure = sh("kill -ABRT $$").finish().failure();
    assert_eq!(failure.failure_type, FailureType::WorkerError);
    assert_eq!(failure.message, "ended by signal 6 (SIGABRT)");
}

pub(crate) fn a_result_is_kept_as_it_was_written() {
    let script = r#"echo '{"longshore": {"result": 1}}'; echo '{"longshore": {"result": {"b": 1.10, "a": "ä"}}}'"#;
    assert_eq!(sh(script).finish().result().unwrap(), r#"{"b": 1.10, "a": "ä"}"#);
    let without_line_end = r#"printf '{"longshore": {"result": null}}'"#;
    assert_eq!(sh(without_line_end).finish().result().unwrap(), "null");
}

pub(crate) fn a_result_beyond_the_limit_is_a_validation_error() {
    let script = r#"echo '{"longshore": {"result": "12345678"}}'"#;
    assert_eq!(sh(script).result_bytes_max(10).finish().result().unwrap(), "\"12345678\"");
    let failure = sh(script).result_bytes_max(9).finish().failure();
    assert_eq!(failure.failure_type, FailureType::ValidationError);
    assert!(failure.message.starts_with("the result has 10 bytes, but the limit is 9"), "{}", failure.message);
    let endless = r#"printf '{"longshore": {"result": "'; head -c 3000000 /dev/zero | tr '\0' x; echo '"}}'; echo on"#;
    let ran = sh(endless).finish();
    assert_eq!(ran.log, "on\n");
    let failure = ran.failure();
    assert_eq!(failure.failure_type, FailureType::ValidationError);
    assert!(failure.message.contains("1048576 bytes"), "{}", failure.message);
}

pub(crate) fn a_result_that_is_no_unicode_is_a_validation_error() {
    let failure = sh(r#"echo '{"longshore": {"result": "\ud800"}}'"#).finish().failure();
    assert_eq!(failure.failure_type, FailureType::ValidationError);
    assert!(failure.message.starts_with("not valid Unicode: the escape \\ud800"), "{}", failure.message);
}

pub(crate) fn a_snooze_defers_the_job() {
    let snooze = r#"echo '{"longshore": {"snooze": "2s"}}'"#;
    assert_eq!(sh(snooze).finish().end.unwrap(), Done::Snoozed { delay: Duration::from_secs(2) });
    assert!(sh(&format!("{snooze}; exit 1")).finish().end.is_err());
}

pub(crate) fn the_last_checkpoint_is_stored_and_the_next_attempt_gets_it() {
    let run = sh(r#"echo "was ${LONGSHORE_CHECKPOINT-unset}"
        echo '{"longshore": {"checkpoint": {"page": 1}}}'
        echo '{"longshore": {"checkpoint": {"page": 2.0, "of": "é"}}}'
        exit 75"#);
    let first = run.clone().start();
    let probe = first.probe.clone();
    let ran = first.finish();
    assert_eq!((ran.log.as_str(), ran.end.is_err()), ("was unset\n", true));
    assert_eq!(probe.checkpoint().unwrap().as_str(), r#"{"page": 2.0, "of": "é"}"#);

    let ran = run.start_again(&probe).finish();

    assert_eq!(ran.log, "was {\"page\": 2.0, \"of\": \"é\"}\n");
}

pub(crate) fn a_checkpoint_of_the_largest_size_reaches_the_next_attempt() {
    let script = r#"if [ -z "$LONGSHORE_CHECKPOINT" ]; then
            printf '{"longshore": {"checkpoint": "%s"}}\n' "$(head -c 65534 /dev/zero | tr '\0' a)"
        else echo "${#LONGSHORE_CHECKPOINT}"; fi"#;
    let run = sh(script).result_bytes_max(100);
    let first = run.clone().start();
    let probe = first.probe.clone();
    assert_eq!(first.finish().log, "");
    assert_eq!(run.start_again(&probe).finish().log, "65536\n");
}

pub(crate) fn a_checkpoint_beyond_the_limit_is_left_out_with_a_note() {
    let script = r#"echo '{"longshore": {"checkpoint": 1}}'
        printf '{"longshore": {"checkpoint": "%s"}}\n' "$(head -c 65535 /dev/zero | tr '\0' a)"
        echo done"#;
    let running = sh(script).start();
    let probe = running.probe.clone();
    let ran = running.finish();
    assert!(
        ran.log.starts_with("longshore: a checkpoint is left out: the value has 65537 bytes of JSON"),
        "{}",
        ran.log
    );
    assert!(ran.log.ends_with("done\n") && ran.end.is_ok(), "{}", ran.log);
    assert_eq!(probe.checkpoint().unwrap().as_str(), "1");
}

pub(crate) fn a_rate_limit_defers_the_job_whatever_the_status() {
    let limited = r#"echo '{"longshore": {"rate_limited": "30s"}}'"#;
    let deferred = "the other side asked to slow down for 30s";
    for end in ["exit 0", "exit 75", "exit 1"] {
        assert_eq!(sh(&format!("{limited}; {end}")).finish().failure().message, deferred, "{end}");
    }
    let failure = r#"echo '{"longshore": {"error_message": "no route"}}'"#;
    assert_eq!(sh(&format!("{limited}; {failure}; exit 1")).finish().failure().message, "no route");
    assert_eq!(sh(&format!("{limited}; kill -ABRT $$")).finish().failure().message, "ended by signal 6 (SIGABRT)");
}

pub(crate) fn a_rate_limit_is_at_least_a_second() {
    let failure = sh(r#"echo '{"longshore": {"rate_limited": "0s"}}'"#).finish().failure();
    assert_eq!(failure.message, "the other side asked to slow down for 1s");
}

pub(crate) fn a_message_that_cannot_be_read_fails_the_attempt() {
    let duration = "needs a duration such as \"30s\", but is ";
    for (line, expected) in [
        (r#"{"longshore":{"rate_limited":30}}"#, format!("the message \"rate_limited\" {duration}30")),
        (r#"{"longshore": {"rate_limited": "soon"}}"#, format!("the message \"rate_limited\" {duration}\"soon\"")),
        (r#"{"longshore": {"snooze": "soon"}}"#, format!("the message \"snooze\" {duration}\"soon\"")),
        (r#"{"longshore": {"result": {"mean": NaN}}}"#, "a message on standard output is not valid JSON".to_owned()),
        (r#"{"longshore": 5}"#, "a message needs an object such as".to_owned()),
    ] {
        let ran = sh(&format!("echo '{line}'; echo '{{\"longshore\": {{\"result\": 1}}}}'")).finish();
        assert!(ran.log.starts_with(&format!("{line}\nlongshore: {expected}")), "{}", ran.log);
        let failure = ran.failure();
        assert_eq!(failure.failure_type, FailureType::ValidationError);
        assert!(failure.message.starts_with(&expected), "{failure}");
    }
}

pub(crate) fn a_failure_of_its_own_goes_before_a_message_that_cannot_be_read() {
    let unreadable = r#"echo '{"longshore": {"rate_limited": 30}}'"#;
    let failure = sh(&format!("{unreadable}; echo no route >&2; exit 75")).finish().failure();
    assert_eq!((failure.failure_type, failure.message.as_str()), (FailureType::NetworkError, "no route"));
    let failure = sh(&format!("{unreadable}; exit 75")).finish().failure();
    assert_eq!(failure.failure_type, FailureType::NetworkError);
    assert!(failure.message.starts_with("the message \"rate_limited\""), "{failure}");
    let cut_off = r#"printf '{"longshore": {"resu'; kill -9 $$"#;
    let failure = sh(cut_off).finish().failure();
    assert_eq!(failure.failure_type, FailureType::ResourceError);
    assert_eq!(failure.message, "ended by signal 9 (SIGKILL)");
}

pub(crate) fn news_that_cannot_be_read_are_left_out_with_a_note() {
    let script = r#"echo '{"longshore": {"progress": "50%", "message": "half"}}'
        echo '{"longshore": {"log": 42}}'
        echo '{"longshore": {"result": 7}}'"#;
    let ran = sh(script).finish();
    let expected = [
        r#"{"longshore": {"progress": "50%", "message": "half"}}"#,
        r#"longshore: a message was not understood: "progress" needs a number from 0 to 1, but is "50%""#,
        r#"{"longshore": {"log": 42}}"#,
        r#"longshore: a message was not understood: "log" needs a text, but is 42"#,
    ];
    assert_eq!(ran.log, expected.map(|line| format!("{line}\n")).concat());
    let last = ran.progress.last().unwrap();
    assert_eq!((last.fraction, last.message.as_deref()), (0.0, Some("half")));
    assert_eq!(ran.result().unwrap(), "7", "its work is done");
}

pub(crate) fn a_request_for_later_counts_although_another_message_cannot_be_read() {
    let unreadable = r#"echo '{"longshore": {"result": NaN}}'"#;
    let limited = r#"echo '{"longshore": {"rate_limited": "30s"}}'"#;
    for end in ["exit 0", "exit 75"] {
        for script in [format!("{limited}; {unreadable}; {end}"), format!("{unreadable}; {limited}; {end}")] {
            let failure = sh(&script).finish().failure();
            assert_eq!(failure.message, "the other side asked to slow down for 30s", "{script}");
        }
    }
    let snooze = r#"echo '{"longshore": {"snooze": "2s"}}'"#;
    let ran = sh(&format!("{snooze}; {unreadable}")).finish();
    assert_eq!(ran.end.unwrap(), Done::Snoozed { delay: Duration::from_secs(2) });
}

pub(crate) fn an_unknown_message_stays_in_the_log_with_a_note() {
    let line = r#"{"longshore": {"rate_limitd": "30s"}}"#;
    let ran = sh(&format!("echo '{line}'")).finish();
    assert_eq!(ran.log, format!("{line}\nlongshore: a message was not understood: \"rate_limitd\" is unknown\n"));
    assert_eq!(ran.result(), None);
    let newer = sh(r#"echo '{"longshore": {"result": 7, "cost": 2}}'"#).finish();
    assert_eq!(newer.result().unwrap(), "7", "what is known counts");
}

pub(crate) fn a_log_message_is_a_line_of_the_log() {
    let ran = sh(r#"echo '{"longshore": {"log": "one"}}'; echo two"#).finish();
    assert_eq!(ran.log, "one\ntwo\n");
}

pub(crate) fn progress_is_passed_on() {
    let script = r#"echo '{"longshore": {"progress": 0.4, "message": "page 4 of 10"}}'
        echo '{"longshore": {"message": "still there"}}'"#;
    let ran = sh(script).finish();
    let last = ran.progress.last().unwrap();
    assert_eq!((last.fraction, last.message.as_deref()), (0.4, Some("still there")));
    assert_eq!(ran.log, "");
}
