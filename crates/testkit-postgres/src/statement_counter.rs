use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A TCP proxy on 127.0.0.1 that counts the statements that clients run.
#[derive(Debug)]
pub struct StatementCounter {
    port: u16,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// What a client asks before it begins a session.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// No message of a test is longer.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

impl StatementCounter {
    /// Forwards connections to a port of 127.0.0.1, until the process ends.
    #[must_use]
    pub fn before(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let port = listener.local_addr().expect("the address of a listener").port();
        let counts = Arc::default();
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { continue };
                serve(&client, &server, &shared);
            }
        });
        Self { port, counts }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often each statement was run since the last call.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(client: &TcpStream, server: &TcpStream, counts: &Arc<Mutex<BTreeMap<String, usize>>>) {
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { return };
    let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    std::thread::spawn(move || {
        drop(io::copy(&mut from_server, &mut to_client));
        drop(to_client.shutdown(Shutdown::Both));
    });
    let mut session =
        Session { from_client, to_server, counts: Arc::clone(counts), texts: HashMap::new(), bound: None };
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
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    /// The prepared statements by their names.
    texts: HashMap<String, String>,
    bound: Option<String>,
}

impl Session {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let start = self.message(&[])?;
            let code = start.get(..4).map_or(0, |code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
            if code != SSL_REQUEST && code != GSS_REQUEST {
                break;
            }
        }
        loop {
            let mut kind = [0];
            self.from_client.read_exact(&mut kind)?;
            let body = self.message(&kind)?;
            self.note(kind[0], &body);
        }
    }

    /// Passes one message on, and gives what follows its length.
    fn message(&mut self, kind: &[u8]) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.from_client.read_exact(&mut length)?;
        let size = (u32::from_be_bytes(length) as usize).saturating_sub(length.len());
        if size > MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; size];
        self.from_client.read_exact(&mut body)?;
        self.to_server.write_all(&[kind, &length, &body].concat())?;
        Ok(body)
    }

    fn note(&mut self, kind: u8, body: &[u8]) {
        let mut words = body.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            b'P' => drop(self.texts.insert(first, second)),
            b'B' => self.bound = self.texts.get(&second).cloned(),
            b'E' => self.count(self.bound.clone()),
            b'Q' => self.count(Some(first)),
            _ => {}
        }
    }

    fn count(&self, text: Option<String>) {
        if let Some(text) = text {
            *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(text).or_default() += 1;
        }
    }
}
