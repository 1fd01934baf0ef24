//! The README and the guides do what they say: their blocks run as pasted, their examples run, and the code that they
//! show is the code of the examples.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sandbox::{Ran, Sandbox};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The code blocks of a page in one language, in order, each with the line of text before it.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    let mut rest = page;
    let opening = format!("\n```{language}\n");
    while let Some((before, after)) = rest.split_once(&opening) {
        let (code, end) = after.split_once("```").unwrap();
        found.push((before.trim_end().lines().last().unwrap_or(""), code));
        rest = end;
    }
    found
}

/// Runs a script with `longshore` and these folders in its path.
fn shell(sandbox: &Sandbox, script: &str, folders: &[PathBuf], environment: &[(&str, &Path)]) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_longshore")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let folders: String = folders.iter().map(|folder| format!("{}:", folder.display())).collect();
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(sandbox.path("")).env_clear().stdin(Stdio::null());
    command.env("PATH", format!("{}:{folders}{path}", program.display())).env("TMPDIR", sandbox.path(""));
    Ran::of(command.envs(environment.iter().copied()).output().unwrap())
}

fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// The first Python that has both frameworks: `python3` may be another one than Debian's.
fn python() -> PathBuf {
    let found = ["python3", "/usr/bin/python3"].map(PathBuf::from).into_iter();
    let mut found = found.filter(|python| runs(Command::new(python).args(["-c", "import flask, django"])));
    found.next().expect("Flask and Django are installed (./test.sh installs them)")
}

/// The folders of a Node that knows `node:sqlite`: the one in the path, or the one that `./test.sh` installed.
fn node() -> Vec<PathBuf> {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../node/node_modules/node/bin");
    for folder in [None, Some(installed)] {
        let program = folder.as_ref().map_or_else(|| PathBuf::from("node"), |folder| folder.join("node"));
        if runs(Command::new(program).args(["-e", "require('node:sqlite')"])) {
            return folder.into_iter().collect();
        }
    }
    panic!("Node 22.5 or later is installed (./test.sh installs it)");
}

#[test]
fn the_shell_block_of_the_readme_runs_as_pasted() {
    let sandbox = Sandbox::new();
    let page = page("README.md");
    let blocks = blocks(&page, "sh");
    let (_, block) = blocks.iter().find(|(_, code)| code.contains("longshore enqueue")).unwrap();

    let ran = shell(&sandbox, block, &[], &[]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    for word in ["hello Ada", "completed"] {
        assert!(ran.stdout.contains(word), "{word}: {ran:?}");
    }
}

#[test]
fn the_code_of_the_guides_is_the_code_of_their_examples() {
    let mut compared = 0;
    for (guide, language) in
        [("docs/python.md", "python"), ("docs/python.md", "toml"), ("docs/node.md", "js"), ("docs/node.md", "toml")]
    {
        let page = page(guide);
        for (before, code) in blocks(&page, language) {
            let Some((_, link)) = before.split_once("](../") else { continue };
            let (file, _) = link.split_once(')').unwrap();
            assert!(self::page(file).contains(code), "{guide} shows what is not in {file}:\n{code}");
            compared += 1;
        }
    }
    assert!(compared >= 8, "only {compared} blocks name their file");
}

#[test]
fn the_python_examples_commit_an_order_and_its_job_together() {
    let sandbox = Sandbox::new();
    let script = root().join("examples/python/run.sh");

    let ran = shell(&sandbox, script.to_str().unwrap(), &[], &[("PYTHON", &python())]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    for line in [
        "orders: 1\njobs: 1\n",
        "flask 201 {'order': 2}",
        "flask 422 {'error': 'an order costs something'}",
        "django 201 {'order': 3}",
        "django 422 {'error': 'an order costs something'}",
        "'nowhere' is no address",
        "You paid 12.00.",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    assert_eq!(ran.stdout.matches("You paid").count(), 3, "{ran:?}");
}

#[test]
fn the_node_example_commits_an_order_and_its_job_together() {
    let sandbox = Sandbox::new();
    let script = root().join("examples/node/run.sh");

    let ran = shell(&sandbox, script.to_str().unwrap(), &node(), &[]);

    assert_eq!(ran.exit, 0, "{ran:?}");
    for line in ["order 1\nrefused: an order costs something\njobs: 1\n", "'nowhere' is no address", "You paid 12.00."]
    {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    assert_eq!(ran.stdout.matches("You paid").count(), 1, "{ran:?}");
}

#[test]
fn the_blocks_of_the_shell_guide_run_as_pasted() {
    let sandbox = Sandbox::new();
    let guide = page("docs/shell.md").replace("/srv/", &format!("{}/", sandbox.path("srv").display()));
    for folder in ["srv/data", "srv/more", "srv/a", "srv/b"] {
        sandbox.write(&format!("{folder}/file"), "content");
    }
    let (_, configuration) = blocks(&guide, "toml")[0];
    sandbox.write("longshore.toml", configuration);
    let scripts = blocks(&guide, "sh");
    let is_program = |code: &str| code.starts_with("#!");
    let (_, program) = scripts.iter().find(|(_, code)| is_program(code)).unwrap();
    sandbox.write("backup.sh", program);

    for (before, code) in scripts.iter().filter(|(_, code)| !is_program(code)) {
        // The delayed job would keep the workers of the guide waiting.
        let ran = shell(&sandbox, &code.replace("10m", "1s"), &[], &[]);
        assert_eq!(ran.exit, 0, "after {before:?}:\n{code}\n{ran:?}");
    }
    let drained = shell(&sandbox, "longshore work --drain; longshore dead list --json", &[], &[]);
    assert!(drained.stdout.contains("\"jobs\": []") || drained.stdout.contains("\"jobs\":[]"), "{drained:?}");
    assert!(sandbox.path("backup-1.tar").exists());
}
