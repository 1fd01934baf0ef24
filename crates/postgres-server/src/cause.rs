use std::error::Error;
use std::io;
use std::sync::Arc;

use longshore_cause::{OutsideCause, is_want_of_files};

/// The cause outside the program behind an error of the driver or the server. `None` if the statement is the cause.
pub fn cause_of(database: Arc<str>, error: &tokio_postgres::Error) -> Option<OutsideCause> {
    let source = || in_words(error).into();
    let Some(code) = error.code() else {
        if causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_want_of_files) {
            return Some(OutsideCause::TooManyFiles { database });
        }
        return is_of_connection(error).then(|| match tls_problem(error) {
            Some(problem) => OutsideCause::Tls { database, source: problem.into() },
            None => OutsideCause::ServerUnreachable { database, source: source() },
        });
    };
    Some(match code.code() {
        "25006" => OutsideCause::ReadOnlyServer { database },
        "42501" => OutsideCause::Denied { database, source: source() },
        "53100" => OutsideCause::Full { database },
        "53300" => OutsideCause::TooManyConnections { database },
        "55P03" | "40001" | "40P01" => OutsideCause::Conflict { database, source: source() },
        "57014" => OutsideCause::StatementCancelled { database, source: source() },
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => OutsideCause::ServerStopping { database, source: source() },
        "3D000" => OutsideCause::MissingOnServer { database },
        code if code.starts_with("28") => OutsideCause::LoginRefused { database, source: source() },
        code if code.starts_with("08") => pooler_cause(database, error),
        code if code.starts_with("58") => OutsideCause::Device { database, source: source() },
        _ => return None,
    })
}

/// The cause behind an error while connecting, where no statement can be the cause.
pub fn connect_cause(database: Arc<str>, error: &tokio_postgres::Error) -> OutsideCause {
    if let Some(cause) = cause_of(Arc::clone(&database), error) {
        return cause;
    }
    let source = in_words(error).into();
    // The driver's own errors of authentication have no code: no password, or a method that it does not know.
    if error.code().is_none() && !error.is_closed() {
        return OutsideCause::LoginRefused { database, source };
    }
    OutsideCause::ServerUnreachable { database, source }
}

/// PgBouncer reports its own errors as 08P01, whatever they are.
fn pooler_cause(database: Arc<str>, error: &tokio_postgres::Error) -> OutsideCause {
    let source = in_words(error);
    if source.contains("no more connections allowed") {
        return OutsideCause::TooManyConnections { database };
    }
    if source.contains("no such database") {
        return OutsideCause::MissingOnServer { database };
    }
    if source.contains("password authentication failed") || source.contains("no such user") {
        return OutsideCause::LoginRefused { database, source: source.into() };
    }
    OutsideCause::ServerUnreachable { database, source: source.into() }
}

/// What the server said, with its detail; the driver's own words are only "db error".
pub fn in_words(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail}", said.message());
    }
    let innermost = causes(error).last().map(ToString::to_string);
    match innermost {
        Some(cause) => cause,
        None if error.is_closed() => "the connection was closed".to_owned(),
        None => error.to_string(),
    }
}

fn causes(error: &tokio_postgres::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The driver does not say which kind an error is, except in its text.
fn is_of_connection(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    let kinds = [
        "error communicating",
        "error connecting",
        "error performing TLS",
        "connection closed",
        "connection timed out",
        "timeout waiting",
    ];
    error.is_closed() || kinds.iter().any(|kind| text.starts_with(kind))
}

fn tls_problem(error: &tokio_postgres::Error) -> Option<String> {
    if let Some(problem) = rustls_error(error) {
        return Some(match problem {
            rustls::Error::InvalidCertificate(problem) => certificate_problem(&problem),
            rustls::Error::AlertReceived(alert) => format!("the server refused the client's certificate ({alert:?})"),
            problem => problem.to_string(),
        });
    }
    error.to_string().starts_with("error performing TLS").then(|| in_words(error))
}

fn certificate_problem(problem: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Problem;
    match problem {
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
            "its certificate is for another host name than the URL's".to_owned()
        }
        Problem::UnknownIssuer => "its certificate is signed by nobody whom sslrootcert names".to_owned(),
        Problem::Expired | Problem::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        problem => format!("its certificate is not valid: {problem}"),
    }
}

/// rustls hides in an I/O error, which does not give it as its source.
fn rustls_error(error: &tokio_postgres::Error) -> Option<rustls::Error> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .find_map(|error| error.get_ref()?.downcast_ref::<rustls::Error>().cloned())
}
