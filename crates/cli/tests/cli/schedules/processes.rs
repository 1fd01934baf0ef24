use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A worker process, which is killed when the test ends.
struct Running(Child);

impl Running {
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.command(arguments);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// SIGKILL.
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config(schedules: &str) -> String {
    format!("[jobs.report]\nrun = [\"sh\", \"-c\", \"echo $LONGSHORE_SCHEDULE $LONGSHORE_DUE_AT\"]\n{schedules}")
}

fn secondly(name: &str, more: &str) -> String {
    format!("[schedules.{name}]\nevery = \"1s\"\njob = \"report\"\n{more}\n")
}

fn ticks(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let mut ticks = sandbox.json(&["schedules", "ticks", name, "--limit", "1000"])["ticks"].as_array().unwrap().clone();
    ticks.reverse();
    ticks
}

fn count(ticks: &[Value], outcome: &str) -> u64 {
    ticks.iter().filter(|tick| tick["outcome"] == outcome).map(|tick| tick["ticks"].as_u64().unwrap()).sum()
}

/// By schedule and instant, the jobs that exist.
fn jobs(sandbox: &Sandbox) -> BTreeMap<(String, String), Vec<i64>> {
    let mut found: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    let list = sandbox.json(&["jobs", "list", "--limit", "1000"]);
    for job in list["jobs"].as_array().unwrap() {
        let text = |name: &str| job["metadata"][name].as_str().unwrap().to_owned();
        found.entry((text("schedule"), text("due_at"))).or_default().push(job["id"].as_i64().unwrap());
    }
    found
}

/// Each tick with a job has exactly this one, and no job has no tick.
fn assert_ticks_and_jobs_agree(sandbox: &Sandbox, names: &[&str]) {
    let jobs = jobs(sandbox);
    let mut of_ticks = BTreeMap::new();
    for name in names {
        for tick in ticks(sandbox, name).iter().filter(|tick| !tick["job_id"].is_null()) {
            let key = ((*name).to_owned(), tick["due_at"].as_str().unwrap().to_owned());
            of_ticks.insert(key, vec![tick["job_id"].as_i64().unwrap()]);
        }
    }
    assert_eq!(jobs, of_ticks);
}

/// Changes the database as time or another program would.
fn sql(sandbox: &Sandbox, statement: &str) {
    let connection = rusqlite::Connection::open(sandbox.path("longshore.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection.execute_batch(statement).unwrap();
}

const WEEKS: i64 = 21 * 86_400;

/// As if no scheduler had run for this long.
fn set_back(sandbox: &Sandbox, seconds: i64) {
    let ms = seconds * 1000;
    sql(
        sandbox,
        &format!("UPDATE job_schedules SET settled_until = settled_until - {ms}, next_due_at = next_due_at - {ms}"),
    );
}

#[test]
fn a_worker_makes_a_job_of_each_tick_and_the_program_learns_which_one() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config(&secondly("beat", "overlap = \"allow\"\nmissed = \"all\"")));
    let mut worker = Running::start(&sandbox, &["up"]);
    sandbox.until(|| {
        let ran = sandbox.run(&["schedules", "ticks", "beat", "--json"]);
        ran.exit == 0 && ran.document()["ticks"].as_array().unwrap().len() >= 4
    });
    let ran: Vec<Value> = ticks(&sandbox, "beat").drain(..3).collect();
    for tick in &ran {
        assert_eq!(sandbox.run(&["jobs", "wait", &tick["job_id"].to_string(), "--timeout", "60s"]).exit, 0);
    }
    worker.kill();
    assert_ticks_and_jobs_agree(&sandbox, &["beat"]);
    let ticks = ticks(&sandbox, "beat");
    let first = &ticks[0];
    let log = sandbox.run(&["jobs", "logs", &first["job_id"].to_string()]).stdout;
    assert_eq!(log, format!("beat {}\n", first["due_at"].as_str().unwrap()));
    let started: Vec<Duration> = ticks[..3]
        .iter()
        .map(|tick| {
            let job = sandbox.json(&["jobs", "show", &tick["job_id"].to_string()]);
            let at = |value: &Value| value.as_str().unwrap().parse::<longshore_core::Timestamp>().unwrap();
            at(&job["started_at"]).since(at(&tick["due_at"]))
        })
        .collect();
    // Milliseconds on a quiet machine; the bound is for a busy one.
    assert!(started.iter().min().unwrap() < &Duration::from_secs(2), "{started:?}");
    assert_eq!(sandbox.json(&["schedules", "check"]), json!({"ok": true, "findings": []}));
}

#[test]
fn a_drain_runs_what_is_due_and_does_not_wait_for_the_next_tick() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config("[schedules.hourly]\nevery = \"1h\"\njob = \"report\"\n"));
    let began = Instant::now();
    assert_eq!(sandbox.json(&["work", "--drain", "-q"]), json!({"ended": "drained"}));
    set_back(&sandbox, 3600);
    sandbox.json(&["work", "--drain", "-q"]);
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    let ticks = ticks(&sandbox, "hourly");
    assert_eq!(ticks.len(), 1, "{ticks:?}");
    assert_eq!(sandbox.json(&["jobs", "list"])["jobs"][0]["status"], "completed");
}

#[test]
fn schedulers_that_are_killed_while_they_settle_leave_each_tick_with_its_one_job() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..20).map(|number| format!("beat{number}")).collect();
    let schedules: String = names.iter().map(|name| secondly(name, "overlap = \"allow\"\nmissed = \"all\"")).collect();
    sandbox.write("longshore.toml", config(&schedules));
    sandbox.json(&["schedules", "apply"]);
    let mut workers: Vec<Running> = (0..3).map(|_| Running::start(&sandbox, &["work", "-q"])).collect();
    for round in 0..9 {
        std::thread::sleep(Duration::from_millis(417 + 131 * round));
        let worker = &mut workers[usize::try_from(round).unwrap() % 3];
        worker.kill();
        *worker = Running::start(&sandbox, &["work", "-q"]);
    }
    for worker in &mut workers {
        worker.kill();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_ticks_and_jobs_agree(&sandbox, &names);
    for name in names {
        let due: Vec<i64> = ticks(&sandbox, name)
            .iter()
            .map(|tick| tick["due_at"].as_str().unwrap().parse::<longshore_core::Timestamp>().unwrap().as_ms())
            .collect();
        assert!(due.len() >= 5 && due.windows(2).all(|pair| pair[1] - pair[0] == 1000), "{name}: {due:?}");
    }
}

#[test]
fn two_workers_with_different_configurations_do_not_fight() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config(&secondly("shared", "")));
    sandbox.write(
        "other.toml",
        config(&(secondly("shared", "overlap = \"allow\"") + &secondly("own", "overlap = \"allow\""))),
    );
    let _first = Running::start(&sandbox, &["work", "-q"]);
    let record = |name: &str| sandbox.run(&["schedules", "show", name, "--json"]);
    sandbox.until(|| record("shared").exit == 0);
    let _second = Running::start(&sandbox, &["work", "-q", "--config", "other.toml"]);
    sandbox.until(|| record("own").exit == 0 && ticks(&sandbox, "own").len() >= 4);
    let shared = record("shared").document();
    assert_eq!((&shared["revision"], &shared["overlap"]), (&json!(2), &json!("allow")), "the newer one stays");
    assert!(ticks(&sandbox, "shared").len() >= 3);
}

#[test]
fn three_weeks_of_downtime_make_no_flood_and_every_tick_is_accounted_for() {
    for (missed, jobs) in [("skip", 1), ("latest", 1), ("all", 100)] {
        let sandbox = Sandbox::new();
        let schedules = secondly("beat", &format!("overlap = \"allow\"\nmissed = \"{missed}\""));
        sandbox.write("longshore.toml", config(&schedules));
        sandbox.json(&["schedules", "apply"]);
        set_back(&sandbox, WEEKS);
        // What is due becomes jobs, which nobody runs.
        sandbox.write("scheduler.toml", "[jobs.none]\nrun = [\"true\"]\n");
        let began = Instant::now();
        sandbox.json(&["work", "--drain", "-q", "--config", "scheduler.toml"]);
        assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
        let ticks = ticks(&sandbox, "beat");
        let made = ticks.iter().filter(|tick| !tick["job_id"].is_null()).count();
        // More ticks come due while the drain starts, on a busy machine many.
        assert!((jobs..=jobs + 110).contains(&made), "{missed}: {made}");
        let all: i64 = ticks.iter().map(|tick| tick["ticks"].as_i64().unwrap()).sum();
        assert!((WEEKS..WEEKS + 110).contains(&all), "{missed}: {all}");
        let checked = sandbox.json_with_exit(&["schedules", "check"], 3);
        assert_eq!(checked["findings"][0]["kind"], "missed");
        assert_eq!(sandbox.json_with_exit(&["doctor"], 3)["ok"], false);
    }
}

/// What the doctor finds of this kind.
fn finding(sandbox: &Sandbox, code: &str) -> Value {
    let doctor = sandbox.json_with_exit(&["doctor"], 3);
    let findings = doctor["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("{doctor}")).clone()
}

#[test]
fn ticks_that_a_backfill_leaves_out_are_still_missed_for_check_and_doctor() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config("[schedules.daily]\nevery = \"1d\"\njob = \"report\"\n"));
    sandbox.json(&["schedules", "apply"]);
    set_back(&sandbox, 10 * 86_400);
    sandbox.json(&["work", "--drain", "-q"]);
    let run = ticks(&sandbox, "daily").remove(0);
    assert_eq!((&run["outcome"], &run["ticks"]), (&json!("missed"), &json!(9)));
    let at = |value: &Value| value.as_str().unwrap().parse::<longshore_core::Timestamp>().unwrap();
    let (first, last) = (at(&run["due_at"]), at(&run["until_at"]));
    let day = Duration::from_secs(86_400);
    let fill = |from: longshore_core::Timestamp, days: u32| {
        let (from, to) = (from.to_string(), from.after(days * day).to_string());
        sandbox.json(&["schedules", "backfill", "daily", "--from", &from, "--to", &to]);
    };
    let told = |count: &str| {
        let checked = sandbox.json_with_exit(&["schedules", "check"], 3);
        let message = checked["findings"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("schedule daily missed {count} ticks from ")), "{message}");
        assert_eq!(finding(&sandbox, "missed_ticks")["message"], message);
    };
    told("9");
    fill(first, 2);
    told("7");
    fill(last, 1);
    told("6");
    let missed: Vec<Value> = ticks(&sandbox, "daily").into_iter().filter(|tick| tick["outcome"] == "missed").collect();
    let [left] = missed.try_into().unwrap();
    assert_eq!((at(&left["due_at"]), at(&left["until_at"])), (first.after(2 * day), last.before(day)));
    fill(first, 9);
    assert_eq!(count(&ticks(&sandbox, "daily"), "missed"), 0);
    assert_eq!(sandbox.json(&["schedules", "check"]), json!({"ok": true, "findings": []}));
}

#[test]
fn a_copy_of_yesterdays_database_does_not_run_last_nights_tick_without_saying_so() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config("[schedules.daily]\nevery = \"1d\"\njob = \"report\"\n"));
    sandbox.json(&["schedules", "apply"]);
    // The last tick may have been decided in the database that was lost.
    set_back(&sandbox, 86_400);
    let ran = sandbox.run(&["work", "--drain"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let ticks = ticks(&sandbox, "daily");
    assert_eq!(ticks.len(), 1, "{ticks:?}");
    let since_midnight = ticks[0]["due_at"].as_str().unwrap().parse::<longshore_core::Timestamp>().unwrap();
    let late = longshore_core::Clock::now(&longshore_core::SystemClock::new()).since(since_midnight);
    if late > Duration::from_secs(400) {
        assert_eq!(count(&ticks, "late"), 1, "{ticks:?}");
        assert!(ticks[0]["why"].as_str().unwrap().contains("restored from an older copy"), "{ticks:?}");
        assert!(ran.stderr.contains("restored from an older copy"), "{}", ran.stderr);
    }
}

#[test]
fn a_clock_that_went_back_runs_nothing_twice_and_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", config(&secondly("beat", "")));
    sandbox.json(&["schedules", "apply"]);
    set_back(&sandbox, -3600);
    let mut worker = Running::start(&sandbox, &["work", "-q"]);
    std::thread::sleep(Duration::from_secs(3));
    worker.kill();
    assert!(ticks(&sandbox, "beat").is_empty());
    let checked = sandbox.json_with_exit(&["schedules", "check", "beat"], 3);
    assert!(checked["findings"][0]["message"].as_str().unwrap().contains("ahead of the clock"), "{checked}");
    let hint = finding(&sandbox, "unsettled_schedule")["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("longshore schedules remove beat, then longshore schedules apply"), "{hint}");
}
