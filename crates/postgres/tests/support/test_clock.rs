use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;

use longshore_core::Timestamp;
use longshore_testkit::FakeClock;
use tokio_postgres::{Config, NoTls};

/// An instant to show, and whom to tell that it is shown.
type Move = (Timestamp, Sender<()>);

/// Shows the time of a fake clock in a database, by a connection of its own, until the clock is dropped.
pub(crate) fn follow(clock: &FakeClock, database: Config) {
    let (moves, arriving) = mpsc::channel::<Move>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let (client, connection) = database.connect(NoTls).await.expect("the test database accepts a connection");
            tokio::spawn(connection);
            while let Ok((now, shown)) = arriving.recv() {
                let sql = "SELECT setval('longshore.test_clock', $1)";
                client.query(sql, &[&now.as_ms()]).await.expect("nobody else moves this clock");
                let _ = shown.send(());
            }
        });
    });
    let moves = Mutex::new(moves);
    clock.when_moved(move |now| {
        let (shown, is_shown) = mpsc::channel();
        moves.lock().expect("nobody panics with this lock").send((now, shown)).expect("the thread lives");
        is_shown.recv().expect("the database shows the time");
    });
}
