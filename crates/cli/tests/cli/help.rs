use crate::sandbox::Sandbox;

/// The reference contains the help of every command. It is the snapshot that people read.
#[test]
fn the_reference_in_docs_is_what_the_program_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let written = std::fs::read_to_string(path).unwrap();
    let said = Sandbox::new().run(&["reference"]).stdout;
    assert!(written == said, "write it anew: cargo run -p longshore-cli -- reference > docs/cli.md");
}

#[test]
fn the_help_of_every_command_begins_with_what_it_does_and_ends_with_an_example() {
    let reference = Sandbox::new().run(&["reference"]).stdout;
    let helps: Vec<&str> =
        reference.split("```text\n").skip(1).map(|help| help.split("\n```").next().unwrap()).collect();
    assert!(helps.len() > 35, "{}", helps.len());
    for help in helps {
        let first = help.lines().next().unwrap();
        assert!(!first.ends_with('.') && first.starts_with(char::is_uppercase), "{first}");
        assert!(help.contains("\nExample: longshore "), "no example: {first}");
    }
}

#[test]
fn the_version_is_a_result() {
    let ran = Sandbox::new().run(&["--version"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, concat!("longshore ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn help_is_a_result_and_no_command_is_an_error() {
    let sandbox = Sandbox::new();
    let asked = sandbox.run(&["jobs", "--help"]);
    assert_eq!((asked.exit, asked.stderr.as_str()), (0, ""));
    let missing = sandbox.run(&["jobs"]);
    assert_eq!((missing.exit, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("Usage: longshore jobs"));
}
