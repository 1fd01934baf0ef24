//! Where requests may go.

use std::net::TcpListener;

use longshore::FailureType;
use longshore::push::{PrivateTargets, PushSpec};

use crate::server::{Server, job, push};

#[test]
fn nothing_is_sent_to_a_private_address_unless_that_is_allowed() {
    let server = Server::answering("200 OK", &[], "");
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0.0.0.0"] {
        let failure = push(PushSpec::new(format!("http://{host}:{port}/?token=hush")), job()).failure();
        assert_eq!(failure.failure_type, FailureType::ConfigError, "{host}: {failure}");
        assert!(failure.message.contains("allow_private = true") && !failure.message.contains("hush"), "{failure}");
    }
    for host in ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[fe80::1]", "[64:ff9b::a00:1]", "100.64.0.1"] {
        let failure = push(PushSpec::new(format!("http://{host}/latest/meta-data")), job()).failure();
        assert_eq!(failure.failure_type, FailureType::ConfigError, "{host}: {failure}");
    }
    assert!(server.is_untouched());
    for host in ["127.0.0.1", "localhost"] {
        let spec = PushSpec::new(format!("http://{host}:{port}/"));
        push(PushSpec { private_targets: PrivateTargets::Allowed, ..spec }, job()).json();
        assert_eq!(server.request().header("host"), Some(format!("{host}:{port}").as_str()));
    }
}

#[test]
fn a_target_that_cannot_be_reached_is_a_network_error() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let spec = PushSpec::new(format!("http://{closed}/"));
    let failure = push(PushSpec { private_targets: PrivateTargets::Allowed, ..spec }, job()).failure();
    assert_eq!(failure.failure_type, FailureType::NetworkError);
    assert!(failure.message.starts_with(&format!("{closed} could not be reached: ")), "{failure}");
    // The top-level domain is reserved for this, RFC 6761.
    let failure = push(PushSpec::new("http://nothing.invalid/"), job()).failure();
    assert_eq!(failure.failure_type, FailureType::NetworkError);
    assert!(failure.message.starts_with("nothing.invalid could not be resolved: "), "{failure}");
}
