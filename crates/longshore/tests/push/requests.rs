//! What is sent.

use longshore::JobData;
use longshore::push::SigningSecret;

use crate::server::{Server, job, push};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn the_payload_is_the_body_and_headers_describe_the_job() {
    let server = Server::answering("204 No Content", &[], "");
    let mut spec = server.spec();
    spec.headers.insert("x-env".to_owned(), "prod".to_owned());
    let metadata = JobData::parse(format!("{{\"traceparent\": \"{TRACEPARENT}\"}}")).unwrap();
    assert_eq!(push(spec, job().metadata(metadata)).json(), None);
    let request = server.request();
    assert_eq!(request.line, "POST /jobs/receipt?a=b HTTP/1.1");
    assert_eq!(request.body, r#"{"order": 7}"#);
    let address = server.address.to_string();
    for (name, value) in [
        ("host", address.as_str()),
        ("content-type", "application/json"),
        ("longshore-job-id", "1"),
        ("longshore-job-type", "receipt"),
        ("longshore-attempt", "1"),
        ("traceparent", TRACEPARENT),
        ("x-env", "prod"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert!(request.header("user-agent").unwrap().starts_with("longshore/"));
    assert_eq!(request.header("webhook-signature"), None);
}

#[test]
fn a_type_may_have_another_content_type_and_a_job_no_trace() {
    let server = Server::answering("200 OK", &[], "");
    let mut spec = server.spec();
    spec.headers.insert("Content-Type".to_owned(), "application/cloudevents+json".to_owned());
    push(spec, job()).json();
    let request = server.request();
    assert_eq!(request.header("content-type"), Some("application/cloudevents+json"));
    assert_eq!(request.header("traceparent"), None);
}

#[test]
fn a_request_is_signed_by_every_secret_over_what_was_sent() {
    let server = Server::answering("200 OK", &[], "");
    let mut spec = server.spec();
    spec.secrets = SigningSecret::parse_all("whsec_bmV3 whsec_b2xk").unwrap();
    push(spec, job()).json();
    let request = server.request();
    let (id, timestamp) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    assert_eq!(id, "job-1");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(timestamp.parse().unwrap()) < 300, "{timestamp} {now}");
    let content = format!("{id}.{timestamp}.{}", request.body);
    let expected = format!("v1,{} v1,{}", hmac_of("new", &content), hmac_of("old", &content));
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
}

/// By another implementation than the one that is tested.
fn hmac_of(key: &str, content: &str) -> String {
    let command = format!("openssl dgst -sha256 -hmac {key} -binary | openssl base64 -A");
    let mut child = std::process::Command::new("sh")
        .args(["-c", &command])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), content.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "install Debian's package openssl");
    String::from_utf8(output.stdout).unwrap()
}
