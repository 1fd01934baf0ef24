use crate::sandbox::Sandbox;

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Sandbox::new().run(&["completions", shell]);
        assert_eq!(ran.exit, 0);
        assert!(ran.stdout.contains("longshore") && ran.stdout.contains("LONGSHORE_COMPLETE"), "{shell}");
    }
}

#[test]
fn the_manual_page_has_every_command() {
    let page = Sandbox::new().run(&["man"]).stdout;
    assert!(page.contains(".TH longshore 1"));
    for command in ["LONGSHORE ENQUEUE", "LONGSHORE JOBS RETRY", "LONGSHORE MIGRATE MARK-APPLIED"] {
        assert!(page.contains(&format!(".SH {command}\n")), "{command}");
    }
    assert!(!page.contains("LONGSHORE REFERENCE"));
}

#[test]
fn a_broken_configuration_does_not_stop_completions() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "what is this");
    assert_eq!(sandbox.run(&["completions", "bash"]).exit, 0);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let sandbox = Sandbox::new();
    let mut child = sandbox.command(&["man"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
