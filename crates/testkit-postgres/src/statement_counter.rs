use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A TCP proxy on 127.0.0.1 that counts the statements that clients run, and can stop before one of them.
#[derive(Debug)]
pub struct StatementCounter {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<String, usize>,
    stop: Option<Stop>,
    connections: Vec<TcpStream>,
    /// How often all connections were cut.
    cuts: usize,
}

/// Where it stops, and who hears of it.
#[derive(Debug)]
struct Stop {
    left: usize,
    stopped: Option<Sender<()>>,
}

/// What a client asks before it begins a session.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const LENGTH_BYTES: usize = 4;
/// No message of a test is longer.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

impl StatementCounter {
    /// Forwards connections to a port of 127.0.0.1, until the process ends.
    #[must_use]
    pub fn before(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let port = listener.local_addr().expect("the address of a listener").port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { continue };
                serve(&client, &server, &serving);
            }
        });
        Self { port, shared }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often each statement was run since the last call.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.shared.lock().counts)
    }

    /// Passes so many statements on, of all clients together, and then nothing any more until [`cut`](Self::cut). Says
    /// when it has come to that.
    pub fn stop_after(&self, statements: usize, stopped: Sender<()>) {
        self.shared.lock().stop = Some(Stop { left: statements, stopped: Some(stopped) });
    }

    /// Closes all connections without passing on what it holds. New ones are served.
    pub fn cut(&self) {
        let mut state = self.shared.lock();
        state.stop = None;
        state.cuts += 1;
        for connection in state.connections.drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a statement if it is one. Waits where nothing is to be passed on; then an error says that it was cut.
    fn admit(&self, statement: Option<String>, cuts: usize) -> io::Result<()> {
        let mut state = self.lock();
        if let (Some(Stop { left, stopped }), true) = (&mut state.stop, statement.is_some()) {
            match left.checked_sub(1) {
                Some(rest) => *left = rest,
                // Nobody may listen any more.
                None => drop(stopped.take().map(|stopped| stopped.send(()))),
            }
        }
        while state.cuts == cuts && state.stop.as_ref().is_some_and(|stop| stop.stopped.is_none()) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.cuts != cuts {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if let Some(text) = statement {
            *state.counts.entry(text).or_default() += 1;
        }
        Ok(())
    }
}

fn serve(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) {
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
    let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let cuts = {
        let mut state = shared.lock();
        state.connections.extend([client, server].into_iter().flat_map(TcpStream::try_clone));
        state.cuts
    };
    std::thread::spawn(move || {
        drop(io::copy(&mut from_server, &mut to_client));
        drop(to_client.shutdown(Shutdown::Both));
    });
    let (shared, texts) = (Arc::clone(shared), HashMap::new());
    let mut session = Session { from_client, to_server, shared, cuts, texts, bound: None };
    std::thread::spawn(move || {
        // It ends with an error when one side is gone.
        drop(session.run());
        drop(session.to_server.shutdown(Shutdown::Both));
    });
}

/// What one client sends.
struct Session {
    from_client: TcpStream,
    to_server: TcpStream,
    shared: Arc<Shared>,
    /// How often connections had been cut when it began.
    cuts: usize,
    /// The prepared statements by their names.
    texts: HashMap<String, String>,
    bound: Option<String>,
}

impl Session {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let start = self.read()?;
            self.pass_on(&[], &start)?;
            let code = start.get(..4).map_or(0, |code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
            if code != SSL_REQUEST && code != GSS_REQUEST {
                break;
            }
        }
        loop {
            let mut kind = [0];
            self.from_client.read_exact(&mut kind)?;
            let body = self.read()?;
            let statement = self.statement(kind[0], &body);
            self.shared.admit(statement, self.cuts)?;
            self.pass_on(&kind, &body)?;
        }
    }

    /// What follows the length of the next message.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; LENGTH_BYTES];
        self.from_client.read_exact(&mut length)?;
        let size = (u32::from_be_bytes(length) as usize).saturating_sub(LENGTH_BYTES);
        if size > MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; size];
        self.from_client.read_exact(&mut body)?;
        Ok(body)
    }

    fn pass_on(&mut self, kind: &[u8], body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + LENGTH_BYTES).map_err(|_| io::ErrorKind::InvalidData)?;
        self.to_server.write_all(&[kind, &length.to_be_bytes(), body].concat())
    }

    /// The text of the statement that a message runs, if it runs one.
    fn statement(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut words = body.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            b'P' => drop(self.texts.insert(first, second)),
            b'B' => self.bound = self.texts.get(&second).cloned(),
            b'E' => return self.bound.clone(),
            b'Q' => return Some(first),
            _ => {}
        }
        None
    }
}
