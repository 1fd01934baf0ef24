use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A TCP proxy on 127.0.0.1 that can pause, delay, cut and refuse: a bad network between client and server.
#[derive(Debug)]
pub struct PausingProxy {
    port: u16,
    network: Arc<Network>,
}

#[derive(Debug, Default)]
struct Network {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    server_port: u16,
    pace: Pace,
    delay: Duration,
    refuses: bool,
    connections: Vec<TcpStream>,
    accepted: usize,
    closed: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Pace {
    #[default]
    Flowing,
    Paused,
}

impl PausingProxy {
    /// Forwards connections to a port of 127.0.0.1.
    #[must_use]
    pub fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let port = listener.local_addr().expect("the address of a listener").port();
        let network = Arc::new(Network::default());
        network.change(|state| state.server_port = server_port);
        let shared = Arc::clone(&network);
        std::thread::spawn(move || accept(&listener, &shared));
        Self { port, network }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forwards new connections to another port, as when a standby takes the place of a server. The others stay.
    pub fn forward_to(&self, server_port: u16) {
        self.network.change(|state| state.server_port = server_port);
    }

    /// Holds every byte back in both directions. Connections stay open; new ones are accepted and get no answer.
    pub fn pause(&self) {
        self.network.change(|state| state.pace = Pace::Paused);
    }

    /// Lets the bytes flow again, those that were held back first.
    pub fn resume(&self) {
        self.network.change(|state| state.pace = Pace::Flowing);
    }

    /// Holds each piece of data back for a time in each direction.
    pub fn delay(&self, delay: Duration) {
        self.network.change(|state| state.delay = delay);
    }

    /// Closes all connections. New ones are served.
    pub fn cut(&self) {
        self.network.change(State::cut);
    }

    /// Closes all connections, and every new one at once, until [`accept`](Self::accept).
    pub fn refuse(&self) {
        self.network.change(|state| {
            state.refuses = true;
            state.cut();
        });
    }

    /// Serves new connections again.
    pub fn accept(&self) {
        self.network.change(|state| state.refuses = false);
    }

    /// How many connections it has served since its start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.network.lock().accepted
    }
}

impl Drop for PausingProxy {
    fn drop(&mut self) {
        self.network.change(|state| {
            state.closed = true;
            state.cut();
        });
        // Wakes the thread that accepts.
        drop(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))));
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits while the network is paused, and gives the delay of the next piece. `false` after the end.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.pace == Pace::Paused && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (delay, closed) = (state.delay, state.closed);
        drop(state);
        if !closed && !delay.is_zero() {
            std::thread::sleep(delay);
        }
        !closed
    }
}

impl State {
    fn cut(&mut self) {
        for connection in self.connections.drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

fn accept(listener: &TcpListener, network: &Arc<Network>) {
    for client in listener.incoming() {
        let mut state = network.lock();
        if state.closed {
            return;
        }
        let Ok(client) = client else { continue };
        if state.refuses {
            continue;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", state.server_port)) else { continue };
        state.accepted += 1;
        for stream in [&client, &server] {
            drop(stream.set_nodelay(true));
            state.connections.extend(stream.try_clone());
        }
        drop(state);
        forward(&client, &server, network);
        forward(&server, &client, network);
    }
}

fn forward(from: &TcpStream, to: &TcpStream, network: &Arc<Network>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    let network = Arc::clone(network);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if !network.wait() || to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        // A paused network does not tell the other side that this one has ended.
        network.wait();
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    });
}
