//! The commands that hints name act on the database of this run, also when they are typed as they stand.

use clap::CommandFactory;

use super::quoted::shell_word;
use crate::arguments::{Arguments, Globals};

/// The options of this run that choose its database, as words of a shell with a space behind each; empty without such.
#[derive(Clone, Debug, Default)]
pub(crate) struct DatabaseOptions(String);

/// How a command begins in a sentence.
const PROGRAM: &str = "longshore ";
/// It names its databases itself.
const MOVE: &str = "move";

impl DatabaseOptions {
    /// Those of the flags. A password is never repeated: then there are none.
    pub(crate) fn of(globals: &Globals) -> Self {
        let named = |flag: &str, value: Option<&str>| value.map(|value| option(flag, value)).unwrap_or_default();
        let database = globals.database.as_ref().map(|text| text.to_str().filter(|text| !may_have_password(text)));
        if database == Some(None) {
            return Self::default();
        }
        let config = globals.config.as_ref().and_then(|path| path.to_str());
        Self(named("--database", database.flatten()) + &named("--config", config))
    }

    /// The sentence with these options in each command that it names.
    pub(crate) fn in_commands(&self, sentence: &str) -> String {
        if self.0.is_empty() {
            return sentence.to_owned();
        }
        let program = Arguments::command();
        let (mut chosen, mut rest) = (String::new(), sentence);
        while let Some(at) = rest.find(PROGRAM) {
            let (before, behind) = (&rest[..at], &rest[at + PROGRAM.len()..]);
            chosen.push_str(before);
            chosen.push_str(PROGRAM);
            let word = behind.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap_or_default();
            let is_command = word != MOVE && program.find_subcommand(word).is_some();
            if is_command && ends_a_word(before) && !asks_for_help(behind) {
                chosen.push_str(&self.0);
            }
            rest = behind;
        }
        chosen + rest
    }
}

fn option(flag: &str, value: &str) -> String {
    // After a space, a value with a leading hyphen would be read as a flag.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{between}{} ", shell_word(value))
}

/// Whether a command can begin behind it. Inside of a quoted name there is none.
fn ends_a_word(before: &str) -> bool {
    before.chars().next_back().is_none_or(|letter| !letter.is_alphanumeric() && !"_-./'".contains(letter))
}

fn asks_for_help(behind: &str) -> bool {
    behind.split(['"', '`', ';', ',']).next().is_some_and(|command| command.contains("--help"))
}

/// Whether the text that names a database may hold a password, perhaps one that is not written as it should be.
fn may_have_password(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let behind = lower.split_once("://").map_or("", |(_, behind)| behind);
    let user = behind.rsplit_once('@').map_or("", |(user, _)| user);
    let parameters = behind.split_once('?').map_or("", |(_, parameters)| parameters);
    let is_escaped = |parameter: &str| parameter.split('=').next().is_some_and(|name| name.contains('%'));
    user.contains(':') || lower.contains("password") || parameters.split('&').any(is_escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(database: Option<&str>, config: Option<&str>) -> DatabaseOptions {
        DatabaseOptions::of(&Globals {
            database: database.map(Into::into),
            config: config.map(Into::into),
            json: false,
            quiet: false,
            verbose: 0,
        })
    }

    #[test]
    fn every_command_of_a_hint_gets_the_options_and_nothing_else_does() {
        let options = options(Some("my shop.db"), Some("a.toml"));
        let with = "longshore --database 'my shop.db' --config a.toml";
        for (hint, expected) in [
            ("longshore migrate up", format!("{with} migrate up")),
            ("see \"longshore jobs list\"; or longshore status", format!("see \"{with} jobs list\"; or {with} status")),
        ] {
            assert_eq!(options.in_commands(hint), expected);
            assert_eq!(options.in_commands(&expected), expected);
        }
        for other in [
            "run the version of longshore that migrated this database",
            "declare it in longshore.toml",
            "run the same \"longshore move\" again",
            "see \"longshore enqueue --help\"",
            "delete --type 'longshore jobs'",
        ] {
            assert_eq!(options.in_commands(other), other);
        }
    }

    #[test]
    fn a_hint_never_has_a_password() {
        for url in [
            "postgres://app:secret@host/jobs",
            "postgres://app:se/cr@et@host/jobs",
            "postgres://host/jobs?password=secret",
            "postgres://host/jobs?pass%77ord=secret",
            "host=a password=secret",
        ] {
            assert_eq!(options(Some(url), Some("a.toml")).in_commands("longshore status"), "longshore status", "{url}");
        }
        let url = "postgres://app@host:5433/jobs?sslmode=require";
        let with = format!("longshore --database '{url}' status");
        assert_eq!(options(Some(url), None).in_commands("longshore status"), with);
        assert_eq!(options(None, None).in_commands("longshore status"), "longshore status");
    }
}
