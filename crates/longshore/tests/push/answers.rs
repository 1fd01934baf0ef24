//! What becomes of an answer.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore::FailureType;
use longshore::testing::{AttemptProbe, EnqueueRecorder};
use longshore::{Handler, StopCause};

use crate::server::{PATIENCE, Server, job};

const JSON: &str = "content-type: application/json; charset=utf-8";

#[test]
fn a_json_answer_is_the_result() {
    let server = Server::answering("201 Created", &[JSON], r#"{"sent": 1.10}"#);
    assert_eq!(server.push().json().unwrap(), r#"{"sent": 1.10}"#);
    let pushed = Server::answering("200 OK", &["content-type: text/plain"], "thank you").push();
    assert!(pushed.log.ends_with("answered 200 OK\nthank you\n"), "{pushed:?}");
    assert_eq!(pushed.json(), None);
}

#[test]
fn malformed_json_is_logged_and_the_job_is_complete() {
    let pushed = Server::answering("200 OK", &[JSON], r#"{"sent": "#).push();
    assert!(pushed.log.contains("the answer is not valid JSON"), "{pushed:?}");
    assert_eq!(pushed.json(), None);
}

#[test]
fn each_class_of_status_is_a_failure_of_its_type() {
    for (status, expected) in [
        ("400 Bad Request", FailureType::ValidationError),
        ("401 Unauthorized", FailureType::PermissionError),
        ("403 Forbidden", FailureType::PermissionError),
        ("404 Not Found", FailureType::ValidationError),
        ("408 Request Timeout", FailureType::TimeoutError),
        ("429 Too Many Requests", FailureType::NetworkError),
        ("500 Internal Server Error", FailureType::NetworkError),
        ("503 Service Unavailable", FailureType::NetworkError),
    ] {
        let failure = Server::answering(status, &[], "no such order\nmore").push().failure();
        assert_eq!(failure.failure_type, expected, "{status}");
        assert!(failure.message.ends_with(&format!("answered {status}: no such order")), "{failure}");
        assert_eq!(failure.traceback.as_deref(), Some("no such order\nmore"));
    }
}

#[test]
fn a_target_that_asks_for_time_gets_it() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let pushed = Server::answering(status, &["retry-after: 30"], "busy").push();
        assert_eq!(pushed.error, "the other side asked to slow down for 30s");
        assert!(pushed.log.contains(&format!("answered {status} and asked to slow down for 30s")), "{pushed:?}");
    }
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT";
    let head = ["retry-after: Sun, 06 Nov 1994 08:50:37 GMT", date];
    let pushed = Server::answering("429 Too Many Requests", &head, "").push();
    assert_eq!(pushed.error, "the other side asked to slow down for 1m");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::answering("200 OK", &[], "");
    let location = format!("location: {}", other.url());
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let failure = Server::answering(status, &[&location], "").push().failure();
        assert_eq!(failure.failure_type, FailureType::ValidationError);
        assert!(failure.message.contains("a redirect to") && failure.message.contains("not followed"), "{failure}");
        assert!(!failure.message.contains("receipt"), "path and query may be secret: {failure}");
    }
    assert!(other.is_untouched());
}

#[test]
fn an_answer_that_breaks_off_is_a_network_error() {
    let broken = ["", "HTTP/1.1 200", "no HTTP at all\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"];
    for answer in broken {
        let server = Server::start(move |_, mut stream| stream.write_all(answer.as_bytes()).unwrap());
        let failure = server.push().failure();
        assert_eq!(failure.failure_type, FailureType::NetworkError, "{answer:?}: {failure}");
        assert!(failure.message.contains(&server.address.to_string()), "{failure}");
    }
    let reset = Server::start(|_, stream| {
        // Data that nobody has read when a socket is closed resets the connection.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(reset.push().failure().failure_type, FailureType::NetworkError);
}

#[test]
fn a_failure_whose_body_breaks_off_keeps_its_status() {
    let server = Server::start(|_, mut stream| {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 90\r\n\r\nno entry").unwrap();
    });
    let failure = server.push().failure();
    assert_eq!(failure.failure_type, FailureType::PermissionError);
    assert!(failure.message.ends_with("answered 403 Forbidden: no entry"), "{failure}");
}

#[test]
fn an_endless_answer_does_not_fill_the_memory() {
    for (head, is_result) in [(JSON, true), ("content-type: text/plain", false)] {
        let has_ended = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&has_ended);
        let server = Server::start(move |_, mut stream| {
            let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n\"");
            let mut goes_on = stream.write_all(head.as_bytes()).is_ok();
            while goes_on {
                goes_on = stream.write_all(&[b'x'; 64 * 1024]).is_ok();
            }
            noted.store(true, Ordering::Release);
        });
        let pushed = server.push();
        if is_result {
            let failure = pushed.failure();
            assert_eq!(failure.failure_type, FailureType::ValidationError);
            assert!(failure.message.contains("too long to be the result: the limit is"), "{failure}");
        } else {
            assert!(pushed.log.len() < 100_000 && pushed.log.ends_with("the rest of the answer was not read\n"));
            assert_eq!(pushed.json(), None);
        }
        let deadline = std::time::Instant::now() + PATIENCE;
        while !has_ended.load(Ordering::Acquire) {
            assert!(std::time::Instant::now() < deadline, "the connection was not closed");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let server = Server::start(|_, mut stream| {
        let mut goes_on = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").is_ok();
        while goes_on {
            goes_on = stream.write_all(&[b'x'; 64 * 1024]).is_ok();
        }
    });
    assert_eq!(server.push().failure().failure_type, FailureType::NetworkError);
}

#[test]
fn a_stop_closes_the_connection_and_a_shutdown_lets_it_end() {
    for cause in [StopCause::Cancelled, StopCause::TimedOut, StopCause::LeaseLost] {
        let (sender, closed) = std::sync::mpsc::channel();
        let server = Server::start(move |_, mut stream| {
            // The end of the stream: the other side is gone.
            let ended = std::io::Read::read(&mut stream, &mut [0; 1]);
            let _ = sender.send(matches!(ended, Ok(0) | Err(_)));
        });
        let handler = longshore::push::PushHandler::new(server.spec()).unwrap();
        let probe = Arc::new(AttemptProbe::new(job(), EnqueueRecorder::queue().1));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let running = runtime.spawn(handler.run(probe.attempt()));
        server.request();
        probe.stop(StopCause::ShuttingDown);
        assert!(closed.recv_timeout(Duration::from_millis(50)).is_err(), "a shutdown alone ends nothing");
        probe.stop(cause);
        let error = runtime.block_on(running).unwrap().unwrap_err();
        assert!(error.to_string().starts_with("the "), "{error}");
        assert!(closed.recv_timeout(PATIENCE).unwrap(), "{cause:?}");
    }
}
