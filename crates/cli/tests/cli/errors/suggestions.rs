//! What is probably misspelt is answered with what was meant.

use crate::sandbox::{Ran, Sandbox};

const CONFIG: &str = "[jobs.thumbnail]\nrun = [\"true\"]\nqueue = \"media\"\n";

fn configured() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", CONFIG);
    sandbox.json(&["enqueue", "thumbnail"]);
    sandbox
}

#[test]
fn a_type_like_a_declared_one_is_enqueued_with_a_warning_that_can_be_pasted() {
    let sandbox = configured();
    let slip = sandbox.run(&["enqueue", "thumbnai"]);
    assert_eq!((slip.exit, slip.stdout.as_str()), (0, "2\n"));
    let fix = "longshore jobs edit 2 --type thumbnail";
    let warning = "warning: the configuration does not declare the type thumbnai; did you mean thumbnail?";
    assert_eq!(slip.stderr, format!("{warning} ({fix})\n"));
    assert_eq!(sandbox.run(&["jobs", "edit", "2", "--type", "thumbnail"]).exit, 0);

    sandbox.write("jobs", "{\"job_type\":\"thumbnali\"}\n{\"job_type\":\"thumbnail\"}\n{\"job_type\":\"thumbnali\"}\n");
    let batch = sandbox.run(&["enqueue", "--batch", "jobs", "--json"]);
    assert_eq!((batch.exit, &batch.document()["inserted"]), (0, &3.into()));
    assert_eq!(batch.stderr.matches("did you mean thumbnail?").count(), 1, "{batch:?}");
}

#[test]
fn a_type_like_no_declared_one_or_without_any_declaration_is_enqueued_silently() {
    let sandbox = configured();
    for job_type in ["thumbnail", "charge_card"] {
        assert_eq!(sandbox.run(&["enqueue", job_type]).stderr, "", "{job_type}");
    }
    sandbox.write("longshore.toml", "");
    assert_eq!(sandbox.run(&["enqueue", "thumbnai"]).stderr, "");
}

#[test]
fn a_type_that_a_worker_has_named_is_not_misspelt() {
    let sandbox = configured();
    sandbox.write("other.toml", "[jobs.thumbnails]\nrun = [\"sleep\", \"600\"]\n");
    sandbox.json(&["enqueue", "thumbnails", "--config", "other.toml"]);
    let mut worker = sandbox.command(&["work", "--config", "other.toml", "-q"]).spawn().unwrap();
    sandbox.until(|| sandbox.json(&["jobs", "show", "2"])["status"] == "running");
    let told = sandbox.run(&["enqueue", "thumbnails"]).stderr;
    let _ = worker.kill();
    let _ = worker.wait();
    assert_eq!(told, "");
}

#[test]
fn a_new_queue_like_another_one_is_named() {
    let sandbox = configured();
    let worker = sandbox.run(&["work", "--drain", "--queue", "medi"]);
    assert!(worker.stderr.contains("no job has been in queue medi yet; did you mean media?"), "{worker:?}");
    let slip = sandbox.run(&["enqueue", "thumbnail", "--queue", "medai"]);
    assert_eq!(slip.exit, 0);
    let fix = "longshore jobs edit 2 --queue media";
    assert_eq!(slip.stderr, format!("warning: no job has been in queue medai before; did you mean media? ({fix})\n"));
    assert_eq!(sandbox.run(&["enqueue", "thumbnail", "--queue", "mail"]).stderr, "");
    assert_eq!(sandbox.run(&["enqueue", "thumbnail", "--queue", "media"]).stderr, "");
}

#[test]
fn a_filter_that_nothing_matches_names_what_was_probably_meant() {
    let sandbox = configured();
    for (call, told) in [
        (&["jobs", "list", "--type", "thumbnai"][..], "no job matches; did you mean --type thumbnail?\n"),
        (&["dead", "list", "--queue", "medi"], "no job matches; did you mean --queue media?\n"),
        (&["jobs", "list", "--type", "thumbnail", "--status", "dead_letter"], "no job matches\n"),
        (&["jobs", "list", "--type", "charge"], "no job matches\n"),
    ] {
        assert_eq!(sandbox.run(call).stderr, told, "{call:?}");
    }
}

#[test]
fn a_word_of_a_list_that_is_nearly_right_is_suggested_wherever_one_is_given() {
    let sandbox = Sandbox::new();
    for (call, meant) in [
        (&["jobs", "list", "--status", "dead"][..], "dead_letter"),
        (&["jobs", "retry", "--all", "--status", "failed"], "dead_letter"),
        (&["jobs", "list", "--status", "running,retryng"], "retrying"),
        (&["jobs", "list", "--failure-type", "network"], "network_error"),
        (&["dead", "list", "--reason", "expierd"], "expired"),
        (&["enqueue", "a", "--priority", "hihg"], "high"),
        (&["enqueue", "a", "--unique-key", "k", "--on-duplicate", "replcae"], "replace"),
        (&["enqueue", "a", "--unique-key", "k", "--unique-while", "unfinishd"], "unfinished"),
        (&["bench", "--durability", "ful"], "full"),
        (&["migrate", "import", "--from", "goos"], "goose"),
        (&["completions", "bahs"], "bash"),
    ] {
        let ran = sandbox.run(call);
        assert_eq!(ran.exit, 2);
        assert!(ran.stderr.contains(&format!("a similar value exists: '{meant}'")), "{ran:?}");
        let ran = sandbox.run(&[call, &["--json"]].concat());
        let hint = ran.document()["error"]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains(meant), "{ran:?}");
    }
    let ran = sandbox.run(&["jobs", "priority", "1", "hihg"]);
    assert!(ran.exit == 2 && ran.stderr.contains("did you mean high?"), "{ran:?}");
    assert!(sandbox.files().is_empty());
}

/// What a shell gets for the last word of a line.
fn completed(sandbox: &Sandbox, line: &[&str]) -> Vec<String> {
    let mut command = sandbox.command(&["--", "longshore"]);
    command.args(line).env("LONGSHORE_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", line.len().to_string()).env("_CLAP_COMPLETE_SPACE", "false");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|word| word.trim_end().to_owned()).collect()
}

#[test]
fn statuses_queues_and_types_are_completed_with_their_values() {
    let sandbox = configured();
    sandbox.json(&["enqueue", "charge", "--queue", "money, all"]);
    assert_eq!(completed(&sandbox, &["jobs", "list", "--status", "r"]), ["running", "retrying"]);
    assert_eq!(completed(&sandbox, &["jobs", "list", "--status", "running,dead"]), ["running,dead_letter"]);
    assert_eq!(completed(&sandbox, &["jobs", "list", "--type", ""]), ["charge", "thumbnail"]);
    assert_eq!(completed(&sandbox, &["jobs", "list", "--type", "charge,t"]), ["charge,thumbnail"]);
    assert_eq!(completed(&sandbox, &["jobs", "list", "--queue", "mo"]), [r"money\, all"]);
    assert_eq!(completed(&sandbox, &["work", "--queue", "me"]), ["media"]);
    assert_eq!(completed(&sandbox, &["queues", "pause", "me"]), ["media"]);
    assert_eq!(completed(&sandbox, &["enqueue", "th"]), ["thumbnail"]);
    assert_eq!(completed(&sandbox, &["enqueue", "a", "--priority", "h"]), ["high"]);
    assert_eq!(completed(&sandbox, &["dead", "list", "--reason", "exp"]), ["expired"]);
    assert_eq!(completed(&sandbox, &["sta"]), ["status"]);
}

#[test]
fn completion_creates_nothing_and_is_silent_where_nothing_can_be_read() {
    let sandbox = Sandbox::new();
    assert!(completed(&sandbox, &["jobs", "list", "--type", ""]).is_empty());
    assert!(sandbox.files().is_empty());
    sandbox.write("longshore.toml", "what is this");
    sandbox.write("broken.db", "no database");
    assert!(completed(&sandbox, &["--database", "broken.db", "jobs", "list", "--queue", ""]).is_empty());
    assert_eq!(sandbox.files(), ["broken.db", "longshore.toml"]);
}

#[test]
fn the_database_that_the_line_names_is_read() {
    let sandbox = configured();
    sandbox.json(&["enqueue", "elsewhere", "--database", "other.db"]);
    let line = ["--database", "other.db", "jobs", "list", "--type", "else"];
    assert_eq!(completed(&sandbox, &line), ["elsewhere"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_script_completes_in_a_real_shell() {
    let sandbox = configured();
    let script = r#"
        eval "$(longshore completions bash)"
        function=$(complete -p longshore | sed 's/.*-F \([^ ]*\).*/\1/')
        COMP_WORDS=(longshore jobs list --type th) COMP_CWORD=4 COMP_TYPE=9
        $function longshore th --type
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    sandbox.write("complete.sh", script);
    let told = sandbox.run_on_terminal(80, "bash complete.sh");
    assert_eq!(told.trim_end(), "thumbnail");
}

#[cfg(target_os = "linux")]
#[test]
fn no_is_an_answer_and_not_an_error() {
    let sandbox = configured();
    for (answer, status) in [("n", "pending"), ("", "pending"), ("y", "cancelled")] {
        let told = answered(&sandbox, answer);
        assert!(told.stdout.contains("cancel 1 job? [y/N]") && told.stdout.contains("exit 0"), "{told:?}");
        assert_eq!(told.stdout.contains("nothing was changed"), answer != "y", "{told:?}");
        assert!(!told.stdout.contains("error"), "{told:?}");
        assert_eq!(sandbox.json(&["jobs", "show", "1"])["status"], status);
    }
}

#[cfg(target_os = "linux")]
fn answered(sandbox: &Sandbox, answer: &str) -> Ran {
    let program = env!("CARGO_BIN_EXE_longshore");
    let line = format!("\"{program}\" jobs cancel --all; echo \"exit $?\"");
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(sandbox.path("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm");
    sandbox.run_command_with_input(command, format!("{answer}\n").as_bytes())
}
