use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The account that runs servers. They refuse to run as root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// The account of this process, or `postgres` or `nobody` when this process is root.
    pub(crate) fn unprivileged() -> Self {
        if own_user() != 0 {
            return Self { ids: None };
        }
        let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
        let ids = ["postgres", "nobody"].iter().find_map(|name| ids_of(&users, name));
        Self { ids: Some(ids.expect("root needs an account `postgres` or `nobody` to run a PostgreSQL server")) }
    }

    /// A command that this account runs. Its folder is `/`, because the account may not enter the current one.
    pub(crate) fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir("/").env("LC_ALL", "C");
        for variable in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGOPTIONS", "PGSERVICE"] {
            command.env_remove(variable);
        }
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file or folder to this account.
    pub(crate) fn own(self, path: &Path) {
        if let Some((user, group)) = self.ids {
            chown(path, Some(user), Some(group)).unwrap_or_else(|error| panic!("chown {}: {error}", path.display()));
        }
    }
}

fn own_user() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid())
}

fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
