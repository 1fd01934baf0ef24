use std::fs;
use std::path::Path;

use crate::url::Server;

/// The password that libpq's file has for a server, a database and a user. The first line that fits counts. A file that
/// others can read is not used, as in libpq.
pub(crate) fn password_for(file: &Path, server: &Server, database: &str, user: &str) -> Option<String> {
    if is_open_to_others(file) {
        tracing::warn!(file = %file.display(), "the password file is ignored: give it the permissions 0600");
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let port = server.port.to_string();
    let wanted = [server.name_in_password_file(), &port, database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, keys) = fields.split_last()?;
        let fits = keys.len() == 4 && keys.iter().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        fits.then(|| password.clone())
    })
}

/// The fields between colons; a backslash stands before a colon or a backslash. The password is the rest of the line.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let is_password = fields.len() == 5;
        let field = fields.last_mut().expect("there is always a field");
        match letter {
            '\\' => field.extend(letters.next()),
            ':' if !is_password => fields.push(String::new()),
            letter => field.push(letter),
        }
    }
    fields
}

#[cfg(unix)]
pub(crate) fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_file: &Path) -> bool {
    false
}
