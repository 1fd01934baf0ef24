use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::server::Server;
use super::{Address, Options};
use crate::account::Account;
use crate::database::drop_abandoned;
use crate::programs::{ServerPrograms, run};

const WATCHDOG: &str = include_str!("watchdog.sh");

/// The shared server's address. This process counts as a user of it until it ends.
pub(crate) fn address() -> Address {
    static SHARED: OnceLock<(Address, File)> = OnceLock::new();
    let (address, _) = SHARED.get_or_init(|| {
        let (address, used) = enter();
        drop_abandoned(&address);
        (address, used)
    });
    address.clone()
}

/// Three locks in the folder: `lock` is held while the server starts or stops, `users` is shared by the processes that
/// use it, and `watchdog` is held by the script that stops it.
fn enter() -> (Address, File) {
    let folder = folder();
    loop {
        create(&folder);
        let Some(lock) = open(&folder.join("lock")) else { continue };
        lock.lock().expect("a lock on a file");
        // The watchdog may have removed the folder while this process waited for the lock.
        if !is_at(&lock, &folder.join("lock")) {
            continue;
        }
        let users = open(&folder.join("users")).expect("a file in the folder of the shared server");
        users.lock_shared().expect("a lock on a file");
        let address = running(&folder).unwrap_or_else(|| start(&folder));
        return (address, users);
    }
}

/// One folder for each checkout, kind of server and set of settings.
fn folder() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    WATCHDOG.hash(&mut hasher);
    options().configuration().hash(&mut hasher);
    ServerPrograms::find().folder().hash(&mut hasher);
    fs::metadata("/proc/self").map_or(0, |process| process.uid()).hash(&mut hasher);
    // In /tmp for the same reasons as a private server's folder.
    PathBuf::from(format!("/tmp/longshore-postgres-shared-{:016x}", hasher.finish()))
}

fn options() -> Options {
    Options::new()
}

fn create(folder: &Path) {
    if fs::create_dir(folder).is_ok() {
        Account::unprivileged().own(folder);
    }
}

/// `None` if the folder was removed in the meantime.
fn open(file: &Path) -> Option<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file).ok()
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// The server that another process has started, if its watchdog lives and it accepts connections.
fn running(folder: &Path) -> Option<Address> {
    let port = fs::read_to_string(folder.join("port")).ok()?.trim().parse().ok()?;
    let address = Address { port, socket_folder: folder.to_owned() };
    let alive = is_locked(&folder.join("watchdog")) && address.try_administer("SELECT 1").is_ok();
    alive.then_some(address)
}

fn start(folder: &Path) -> Address {
    remove_remains(folder);
    let server = Server::create(folder, &options());
    fs::write(folder.join("port"), server.port.to_string()).expect("a file in the folder of the shared server");
    start_watchdog(&server);
    server.address()
}

/// What a server left behind that ended with its machine or was killed.
fn remove_remains(folder: &Path) {
    let (account, programs, data) = (Account::unprivileged(), ServerPrograms::find(), folder.join("data"));
    if !data.exists() {
        return;
    }
    let mut stop = account.command(programs.path("pg_ctl"));
    drop(stop.args(["stop", "-w", "-t", "60", "-m", "immediate", "-D"]).arg(&data).output());
    run(account.command("rm").arg("-rf").arg(&data));
    // Its watchdog ends when it sees that the data is gone.
    until(|| !is_locked(&folder.join("watchdog")));
}

fn start_watchdog(server: &Server) {
    let watchdog = server.folder.join("watchdog");
    open(&watchdog).expect("a file in the folder of the shared server");
    let mut command = server.account.command("setsid");
    command.args(["-f", "sh", "-c", WATCHDOG, "sh"]).arg(server.programs.folder()).arg(&server.folder);
    // Not this process's pipes: test runners wait until they are closed.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    run(&mut command);
    until(|| is_locked(&watchdog));
}

fn is_locked(file: &Path) -> bool {
    open(file).is_some_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "the watchdog of the shared server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}
