//! Schedules as their users meet them: configuration, commands, and real workers that are killed.

mod processes;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const CONFIG: &str = r#"
[jobs.report]
run = ["sh", "-c", "echo \"$LONGSHORE_SCHEDULE at $LONGSHORE_DUE_AT\"; cat"]
queue = "slow"

[schedules.nightly]
cron = "30 2 * * mon-fri"
time_zone = "Europe/Berlin"
job = "report"
data = { kind = "daily" }
jitter = "2m"
"#;

fn office() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox
}

#[test]
fn a_misspelt_type_of_a_schedule_is_noticed_wherever_schedules_are_looked_at() {
    let sandbox = office();
    sandbox.write("longshore.toml", CONFIG.replace("job = \"report\"", "job = \"reprot\""));
    let words = "the configuration does not declare the type reprot of the jobs of schedule";
    for command in [&["apply"][..], &["check"], &["add", "hourly", "--every", "1h", "--type", "reprot"]] {
        let ran = sandbox.run(&[&["schedules"][..], command].concat());
        assert!(ran.stderr.contains(words) && ran.stderr.contains("did you mean report?"), "{ran:?}");
    }
    let found = sandbox.run(&["doctor", "--json"]).document();
    let codes: Vec<&Value> = found["findings"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert!(codes.contains(&&json!("misspelt_schedule")), "{found}");
    sandbox.write("longshore.toml", CONFIG);
    assert_eq!(sandbox.run(&["schedules", "apply"]).stderr, "");
}

fn schedule(sandbox: &Sandbox, name: &str) -> Value {
    let list = sandbox.json(&["schedules", "list"]);
    let schedules = list["schedules"].as_array().unwrap();
    schedules.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{list}")).clone()
}

#[test]
fn a_schedule_is_listed_with_the_fields_that_scripts_rely_on() {
    let sandbox = office();
    assert_eq!(
        sandbox.json(&["schedules", "apply"]),
        json!({"added": ["nightly"], "changed": [], "removed": [], "unchanged": [], "dry_run": false})
    );
    let mut nightly = schedule(&sandbox, "nightly");
    let next = nightly.as_object_mut().unwrap().remove("next").unwrap();
    assert_eq!(
        nightly,
        json!({
            "name": "nightly", "source": "config", "cron": "30 2 * * mon-fri", "every": null,
            "time_zone": "Europe/Berlin", "job_type": "report", "job_data": {"kind": "daily"}, "missed": "latest",
            "overlap": "skip", "jitter": "2m", "paused_at": null, "pause_reason": null, "last": null,
            "open_job_id": null
        })
    );
    assert_eq!(next.as_array().unwrap().len(), 3);
    let shown = sandbox.json(&["schedules", "show", "nightly"]);
    assert_eq!((&shown["queue"], &shown["catch_up_max"], &shown["revision"]), (&json!("slow"), &json!(100), &json!(1)));
}

/// Also with another schedule there; a script that asks for JSON is told nothing.
#[test]
fn a_declared_schedule_that_nobody_has_applied_is_named() {
    let sandbox = office();
    sandbox.json(&["enqueue", "report"]);
    let note = "declared but not applied: nightly; `longshore schedules apply` applies what is declared, and so does a \
                worker when it starts\n";
    for command in ["list", "next"] {
        assert_eq!(sandbox.run(&["schedules", command]).stderr, note, "{command}");
        assert_eq!(sandbox.run(&["schedules", command, "--json"]).stderr, "", "{command}");
    }
    sandbox.json(&["schedules", "add", "hourly", "--every", "1h", "--type", "report"]);
    assert_eq!(sandbox.run(&["schedules", "list"]).stderr, note);
    sandbox.json(&["schedules", "apply"]);
    assert_eq!(sandbox.run(&["schedules", "list"]).stderr, "");
    sandbox.write("longshore.toml", "");
    for name in ["hourly", "nightly"] {
        sandbox.json(&["schedules", "remove", name]);
    }
    let none = sandbox.run(&["schedules", "list"]).stderr;
    assert!(none.starts_with("there is no schedule; declare "), "{none}");
}

#[test]
fn the_next_ticks_are_shown_in_the_time_zone_and_in_utc() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    let words = sandbox.run(&["schedules", "next", "nightly", "--count", "2"]).stdout;
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(lines.len(), 3, "{words}");
    assert!(lines[1].contains(" 02:30:00 CE"), "{words}");
    assert!(lines[1].contains(":30:00Z"), "{words}");
    let next = sandbox.json(&["schedules", "next", "--count", "7"]);
    let of_nightly = &next["schedules"][0];
    assert_eq!((&of_nightly["name"], of_nightly["next"].as_array().unwrap().len()), (&json!("nightly"), 7));
    for (utc, local) in of_nightly["next"].as_array().unwrap().iter().zip(of_nightly["next_local"].as_array().unwrap())
    {
        let local = local.as_str().unwrap();
        assert!(local.contains("T02:30:00+0"), "{local}");
        let instant: longshore_core::Timestamp = local.parse().unwrap();
        assert_eq!(utc.as_str().unwrap(), instant.to_string());
    }
    let until = of_nightly["next"][2].as_str().unwrap();
    let few = sandbox.json(&["schedules", "next", "nightly", "--until", until]);
    assert_eq!(few["schedules"][0]["next"].as_array().unwrap().len(), 2);
}

#[test]
fn each_mistake_in_the_configuration_is_an_error_with_file_and_line() {
    for (line, change, words) in [
        (7, ("30 2 * * mon-fri", "0 0 31 feb *"), "never matches"),
        (7, ("30 2 * * mon-fri", "30 2 * * monday-"), "is not valid"),
        (8, ("Europe/Berlin", "Europe/Berln"), "did you mean Europe/Berlin?"),
        (6, ("time_zone =", "every = \"1m\"\ntime_zone ="), "both cron and every"),
        (11, ("jitter = \"2m\"", "jitter = \"2\""), "has no unit"),
        (11, ("jitter = \"2m\"", "catch_up_max = 101"), "from 1 to 100"),
    ] {
        let sandbox = office();
        // The first line of the file is empty.
        let text = CONFIG.replace(change.0, change.1);
        sandbox.write("longshore.toml", text);
        for command in [vec!["work", "--drain"], vec!["schedules", "apply"], vec!["up"]] {
            let ran = sandbox.run(&command);
            assert_eq!(ran.exit, 2, "{command:?}: {ran:?}");
            let place = format!("longshore.toml, line {line}: ");
            assert!(ran.stderr.contains(&place) && ran.stderr.contains(words), "{change:?}: {}", ran.stderr);
        }
        assert_eq!(sandbox.files(), ["longshore.toml"], "nothing was created");
    }
}

#[test]
fn a_schedule_is_added_edited_paused_resumed_run_and_removed() {
    let sandbox = office();
    let add = ["schedules", "add", "sync", "--every", "15m", "--type", "report", r#"{"tenant": 7}"#];
    assert_eq!(sandbox.json(&add)["added"], json!(["sync"]));
    assert_eq!(sandbox.json(&add)["unchanged"], json!(["sync"]));
    let edited = [add.as_slice(), &["--overlap", "allow", "--time-zone", "Asia/Tokyo"]].concat();
    assert_eq!(sandbox.json(&edited)["changed"], json!(["sync"]));
    let sync = schedule(&sandbox, "sync");
    assert_eq!((&sync["every"], &sync["overlap"], &sync["source"]), (&json!("15m"), &json!("allow"), &json!("manual")));
    assert_eq!((&sync["job_data"], &sync["time_zone"]), (&json!({"tenant": 7}), &json!("Asia/Tokyo")));

    assert_eq!(
        sandbox.json(&["schedules", "pause", "sync", "--reason", "on holiday"]),
        json!({"schedule": "sync", "is_paused": true})
    );
    assert_eq!(schedule(&sandbox, "sync")["pause_reason"], "on holiday");
    assert_eq!(sandbox.json_with_exit(&["doctor"], 3)["findings"][0]["code"], "paused_schedule");
    assert!(sandbox.run(&["status"]).stdout.contains("on holiday"));
    sandbox.json(&["schedules", "resume", "sync", "--catch-up"]);
    assert!(schedule(&sandbox, "sync")["paused_at"].is_null());

    let id = sandbox.json(&["schedules", "run", "sync"])["job_id"].as_i64().unwrap();
    let job = sandbox.json(&["jobs", "show", &id.to_string()]);
    assert_eq!((&job["metadata"]["schedule"], &job["queue"]), (&json!("sync"), &json!("slow")));
    let tick = &sandbox.json(&["schedules", "ticks", "sync"])["ticks"][0];
    assert_eq!((&tick["kind"], &tick["job_id"], &tick["outcome"]), (&json!("manual"), &json!(id), &json!("enqueued")));
    assert_eq!(schedule(&sandbox, "sync")["open_job_id"], json!(id));

    assert_eq!(sandbox.json(&["schedules", "remove", "sync"]), json!({"schedule": "sync", "is_removed": true}));
    assert_eq!(sandbox.json(&["schedules", "ticks", "sync"])["ticks"].as_array().unwrap().len(), 1);
    assert_eq!(sandbox.json(&["schedules"])["schedules"], json!([]));
}

#[test]
fn a_schedule_that_does_not_exist_is_an_error_that_names_a_similar_one() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    let times = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"];
    for command in [
        vec!["show", "nightli"],
        vec!["next", "nightli"],
        vec!["ticks", "nightli"],
        vec!["remove", "nightli"],
        vec!["run", "nightli"],
        [&["backfill", "nightli"][..], &times].concat(),
        vec!["pause", "nightli", "--reason", "x"],
        vec!["resume", "nightli"],
        vec!["check", "nightli"],
    ] {
        let ran = sandbox.run(&[&["schedules"], command.as_slice(), &["--json"]].concat());
        assert_eq!((ran.exit, ran.code().as_str()), (1, "no_such_schedule"), "{command:?}");
        assert!(ran.stdout.contains("did you mean nightly?"), "{ran:?}");
    }
    assert_eq!(sandbox.run(&["schedules", "pause", "nightly"]).exit, 2, "a pause needs a reason");
}

#[test]
fn wrong_arguments_of_a_new_schedule_are_refused_and_create_nothing() {
    let sandbox = Sandbox::new();
    for arguments in [
        vec!["a", "--cron", "61 * * * *", "--type", "b"],
        vec!["a", "--cron", "0 0 30 2 *", "--type", "b"],
        vec!["a", "--every", "1ms", "--type", "b"],
        vec!["a", "--every", "1m", "--cron", "@daily", "--type", "b"],
        vec!["a", "--type", "b"],
        vec!["a", "--every", "1m"],
        vec!["a", "--every", "1m", "--type", "b", "{"],
        vec!["a", "--every", "1m", "--type", "b", "--time-zone", "Berlin/Europe"],
        vec!["", "--every", "1m", "--type", "b"],
        vec!["a", "--every", "1m", "--type", "b", "--missed", "some"],
        vec!["a", "--every", "1m", "--type", "b", "--jitter", "2d"],
    ] {
        let ran = sandbox.run(&[&["schedules", "add"], arguments.as_slice()].concat());
        assert_eq!(ran.exit, 2, "{arguments:?}: {ran:?}");
    }
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
}

#[test]
fn only_prune_removes_schedules_that_the_file_no_longer_has_and_a_dry_run_writes_nothing() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    sandbox.json(&["schedules", "add", "by hand", "--every", "1h", "--type", "report"]);
    sandbox.write("longshore.toml", CONFIG.replace("nightly", "weekly"));
    let plan = sandbox.json(&["schedules", "apply", "--prune", "--dry-run"]);
    assert_eq!(
        (&plan["added"], &plan["removed"], &plan["dry_run"]),
        (&json!(["weekly"]), &json!(["nightly"]), &json!(true))
    );
    let names = || {
        let list = sandbox.json(&["schedules", "list"]);
        list["schedules"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["by hand", "nightly"]);
    assert_eq!(sandbox.json(&["schedules", "apply"])["removed"], json!([]));
    assert_eq!(names(), ["by hand", "nightly", "weekly"]);
    assert_eq!(sandbox.json(&["schedules", "apply", "--prune"])["removed"], json!(["nightly"]));
    assert_eq!(names(), ["by hand", "weekly"], "one that was added by hand stays");
}

#[test]
fn the_past_is_filled_when_a_person_asks_and_only_where_there_is_no_job() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    let span = ["--from", "2025-03-28T00:00:00Z", "--to", "2025-04-02T00:00:00Z"];
    let fill = |more: &[&str]| sandbox.json(&[&["schedules", "backfill", "nightly"], &span[..], more].concat());
    let due = |filled: &Value| {
        filled["ticks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["due_at"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // A Friday, then Monday to Wednesday in summer time.
    let expected = ["2025-03-28T01:30:00.000Z", "2025-03-31T00:30:00.000Z", "2025-04-01T00:30:00.000Z"];
    let had_job = |filled: &Value| {
        filled["ticks"].as_array().unwrap().iter().map(|it| it["had_job"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    let planned = fill(&["--dry-run"]);
    assert_eq!((due(&planned), had_job(&planned)), (expected.map(str::to_owned).to_vec(), vec![false; 3]));
    assert!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().is_empty());
    let filled = fill(&[]);
    assert_eq!(due(&filled), expected);
    assert!(filled["ticks"].as_array().unwrap().iter().all(|it| it["job_id"].is_i64()), "{filled}");
    assert_eq!(had_job(&filled), [false; 3]);
    let again = fill(&[]);
    assert!(again["ticks"].as_array().unwrap().iter().all(|it| it["job_id"].is_null()));
    assert_eq!(had_job(&again), [true; 3]);
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_dry_run_of_a_backfill_says_which_ticks_would_make_a_job() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    let fill = |from: &str, more: &[&str]| {
        let span = ["schedules", "backfill", "nightly", "--from", from, "--to", "2025-04-02T00:00:00Z"];
        sandbox.run(&[&span[..], more].concat()).stdout
    };
    let one = fill("2025-04-01T00:00:00Z", &[]);
    assert!(one.ends_with("made 1 job for 1 tick of nightly\n"), "{one}");
    let planned = fill("2025-03-31T00:00:00Z", &["--dry-run"]);
    let lines: Vec<&str> = planned.lines().collect();
    assert_eq!(lines[0], "2025-03-31T00:30:00.000Z\twould make a job");
    assert_eq!(lines[1], "2025-04-01T00:30:00.000Z\thas a job already");
    assert_eq!(lines[2..], ["would make 1 job for 2 ticks of nightly"]);
    let made = fill("2025-03-31T00:00:00Z", &[]);
    assert!(made.ends_with("made 1 job for 2 ticks of nightly\n"), "{made}");
}

#[test]
fn a_wrong_span_of_a_backfill_is_refused_with_the_end_that_is_wrong() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    for (from, to, words) in [
        ("2025-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "its end 2999-01-01T00:00:00.000Z is in the future"),
        ("2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z", "its beginning 2025-01-02T00:00:00.000Z is not before"),
    ] {
        let ran = sandbox.run(&["schedules", "backfill", "nightly", "--from", from, "--to", to]);
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn a_pause_needs_a_reason_and_a_resume_says_if_there_was_no_pause() {
    let sandbox = office();
    sandbox.json(&["schedules", "apply"]);
    for reason in ["", " "] {
        let ran = sandbox.run(&["schedules", "pause", "nightly", "--reason", reason]);
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.stderr.contains("a pause needs a reason"), "{}", ran.stderr);
    }
    let resume = || sandbox.run(&["schedules", "resume", "nightly"]).stdout;
    assert_eq!(resume(), "schedule nightly was not paused\n");
    sandbox.json(&["schedules", "pause", "nightly", "--reason", "on holiday"]);
    assert_eq!(resume(), "schedule nightly is resumed; the ticks of the pause stay skipped\n");
}

#[test]
fn commands_that_look_create_no_database() {
    let sandbox = office();
    for command in [
        &["schedules", "list"][..],
        &["schedules", "next"],
        &["schedules", "ticks", "nightly"],
        &["schedules", "check"],
        &["schedules", "apply", "--dry-run"],
        &["schedules", "pause", "nightly", "--reason", "x"],
    ] {
        assert_eq!(sandbox.run(command).exit, 1, "{command:?}");
    }
    assert_eq!(sandbox.files(), ["longshore.toml"]);
}

#[test]
fn an_empty_span_of_a_backfill_is_refused_before_the_server_is_asked() {
    let span = ["--from", "2025-04-02T00:00:00Z", "--to", "2025-04-01T00:00:00Z"];
    let away = ["--database", "postgres://127.0.0.1:1/jobs", "--json"];
    let ran = Sandbox::new().run(&[&["schedules", "backfill", "nightly"][..], &span, &away].concat());
    assert_eq!((ran.exit, ran.code().as_str()), (2, "invalid_span"), "{ran:?}");
}
