//! A server that answers each connection as a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longshore::push::{PrivateTargets, PushHandler, PushSpec};
use longshore::testing::{AttemptProbe, EnqueueRecorder};
use longshore::{Done, Failure, Handler, HandlerError, JobData, NewJob};

/// A test that waits longer than this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Reads a request to the end of its body.
    pub(crate) fn read(stream: impl Read) -> Self {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let headers: Vec<(String, String)> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut request = Self { line: lines[0].clone(), headers, body: String::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        request.body = String::from_utf8(body).unwrap();
        request
    }
}

/// A server on the loopback address.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Receiver<Request>>>,
}

impl Server {
    /// Reads each request and lets `answer` write the answer. Then the connection is closed.
    pub(crate) fn start(answer: impl Fn(&Request, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests): (Sender<Request>, Receiver<Request>) = channel();
        let answer = Arc::new(answer);
        // Ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, sender, answer) = (stream.unwrap(), sender.clone(), Arc::clone(&answer));
                thread::spawn(move || {
                    let request = Request::read(&stream);
                    let _ = sender.send(request.clone());
                    answer(&request, stream);
                });
            }
        });
        Self { address, requests: Arc::new(Mutex::new(requests)) }
    }

    /// Always answers with this status line, these further lines of the head, and this body.
    pub(crate) fn answering(status: &str, head: &[&str], body: &str) -> Self {
        let head: String = head.iter().map(|line| format!("{line}\r\n")).collect();
        let answer = format!("HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
        Self::start(move |_, mut stream| {
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/jobs/receipt?a=b", self.address)
    }

    pub(crate) fn spec(&self) -> PushSpec {
        PushSpec { private_targets: PrivateTargets::Allowed, ..PushSpec::new(self.url()) }
    }

    pub(crate) fn request(&self) -> Request {
        self.requests.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// Whether no request has arrived.
    pub(crate) fn is_untouched(&self) -> bool {
        self.requests.lock().unwrap().try_recv().is_err()
    }

    /// Posts one job.
    pub(crate) fn push(&self) -> Pushed {
        push(self.spec(), job())
    }
}

pub(crate) fn job() -> NewJob {
    NewJob::new("receipt", JobData::parse(r#"{"order": 7}"#).unwrap())
}

/// The result of one attempt.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) result: Result<Done, Failure>,
    pub(crate) log: String,
    /// What the error says.
    pub(crate) error: String,
}

impl Pushed {
    pub(crate) fn failure(self) -> Failure {
        self.result.unwrap_err()
    }

    pub(crate) fn json(self) -> Option<String> {
        match self.result.unwrap() {
            Done::Completed { result } => result.map(|result| result.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

/// Runs one attempt of a job without a worker.
pub(crate) fn push(spec: PushSpec, job: NewJob) -> Pushed {
    let handler = PushHandler::new(spec).unwrap();
    let probe = AttemptProbe::new(job, EnqueueRecorder::queue().1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let attempt = probe.attempt();
    let result = runtime.block_on(async { tokio::time::timeout(PATIENCE, handler.run(attempt)).await.unwrap() });
    let error = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
    Pushed { result: result.map_err(HandlerError::into_failure), log: probe.log(), error }
}
