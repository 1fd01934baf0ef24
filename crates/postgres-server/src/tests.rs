use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::InvalidPostgresUrl as Invalid;
use crate::environment::Environment;
use crate::parameters;
use crate::tls::TlsMode;
use crate::url::{Pooling, PostgresUrl};

fn parse_in(text: &str, variables: &[(&str, &str)], home: Option<&Path>) -> Result<PostgresUrl, Invalid> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let environment =
        Environment { variable: &variable, home: home.map(Path::to_owned), account: Some("account".to_owned()) };
    PostgresUrl::of(parameters::parse(text)?, &environment)
}

fn parse(text: &str) -> Result<PostgresUrl, Invalid> {
    parse_in(text, &[], None)
}

/// Servers, user, database, password of the first server.
fn shown(url: &PostgresUrl) -> String {
    let servers: Vec<_> = url.servers.iter().map(crate::url::Server::name).collect();
    let config = url.config_of(&url.servers[0]);
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    format!("{} {} {} {}", servers.join(","), url.user, url.database, password.unwrap_or_default())
}

#[test]
fn urls_and_pairs_name_the_same_servers_as_for_libpq() {
    for (text, expected) in [
        ("postgres://u:p@h:1/db", "h:1 u db p"),
        ("postgresql://u:p@h:1/db", "h:1 u db p"),
        ("postgresql+psycopg://u:p@h:1/db", "h:1 u db p"),
        ("postgres://u@h", "h:5432 u u "),
        ("postgres://u:p%40%3A%2f%25@h/d%20b", "h:5432 u d b p@:/%"),
        ("postgres://u@h1:1,h2,[::1]:3/db", "h1:1,h2:5432,[::1]:3 u db "),
        ("postgres://u@h1,h2/db?port=7", "h1:7,h2:7 u db "),
        ("postgres://u@%2Frun%2Fpg:7/db", "/run/pg:7 u db "),
        ("postgres:///db?host=/run/pg&user=u&password=p", "/run/pg:5432 u db p"),
        ("postgres://h/db?hostaddr=127.0.0.1", "h:5432 account db "),
        ("postgres://?hostaddr=127.0.0.1,::1&dbname=db", "127.0.0.1:5432,[::1]:5432 account db "),
        ("host=h port=1 user=u dbname=db password=p", "h:1 u db p"),
        (r"host = h user='a b' password='it\'s \\ x' dbname=d\ b", r"h:5432 a b d b it's \ x"),
        ("postgres:host=h user=u", "h:5432 u u "),
    ] {
        let url = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(shown(&url), expected, "{text}");
    }
}

#[test]
fn the_environment_stands_in_for_what_the_url_leaves_open() {
    let variables = [
        ("PGHOST", "h"),
        ("PGPORT", "7"),
        ("PGUSER", "u"),
        ("PGDATABASE", "db"),
        ("PGPASSWORD", "p"),
        ("PGSSLMODE", "require"),
    ];
    let parse = |text| parse_in(text, &variables, None).expect("a valid URL");
    assert_eq!(shown(&parse("postgres://")), "h:7 u db p");
    assert_eq!(shown(&parse("postgres://v:q@i:8/eb")), "i:8 v eb q");
    assert_eq!(parse("postgres://").tls.mode, TlsMode::Require);
    assert_eq!(parse("postgres://?sslmode=disable").tls.mode, TlsMode::Disable);
    let other = parse_in("postgres://h", &[("PGHOSTADDR", "127.0.0.1")], None).expect("a valid URL");
    assert_eq!(other.servers[0].address, None, "the address in the environment is another server's");
    assert_eq!(parse_in("postgres://h", &[("PGSERVICE", "prod")], None).err(), Some(Invalid::Service));
    assert_eq!(
        parse_in("postgres://h", &[("PGPORT", "x")], None).err().map(|error| error.code()),
        Some("invalid_database")
    );
}

#[test]
fn our_own_parameters_are_read() {
    let url = parse("postgres://h/db?longshore_schema=jobs&longshore_pooled=true").expect("a valid URL");
    assert_eq!((&**url.schema(), url.pooling()), ("jobs", Pooling::Pooled));
    let url = parse("postgres://h/db").expect("a valid URL");
    assert_eq!((&**url.schema(), url.pooling()), ("longshore", Pooling::Auto));
    let config = url.config_of(&url.servers[0]);
    assert_eq!(config.get_application_name(), Some("longshore"));
    for text in [
        "longshore_pooled=maybe",
        "longshore_schema=pg_jobs",
        "longshore_schema=\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
    ] {
        assert!(matches!(parse(&format!("postgres://h/db?{text}")), Err(Invalid::Value { .. })), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name_and_no_secret_is_repeated() {
    for (text, expected) in [
        ("postgres://u:secret@h/db?pgbouncer=true", "\"pgbouncer\" is not a parameter"),
        ("postgres://u:secret@h/db?sslmode=full", "sslmode in the PostgreSQL URL"),
        ("postgres://u:secret@h/db?sslcrl=x", "\"sslcrl\" is not a parameter"),
        ("postgres://u:secret@h/db?sslmode=require&sslrootcert=system", "sslrootcert=system needs"),
        ("postgres://u:secret@h/db?target_session_attrs=standby", "read-only"),
        ("postgres://u:secret@h:port/db", "port in the PostgreSQL URL"),
        ("postgres://u:secret@h1,h2,h3/db?port=1,2", "2 ports for 3 hosts"),
        ("postgres://u:secret@[::1/db", "\"[\""),
        ("postgres://u:secret%zz@h/db", "%25"),
        ("postgres://u:se@cret@h/db", "%40"),
        ("postgres://u:se/cret@h/db", "%40"),
        ("postgres://u:se?cret=x@h/db", "%40"),
        ("postgres://u:se#cret@h/db", "%40"),
        ("password=secret host", "without a value"),
        ("password='secret", "quote"),
        ("password=a secret=1", "\"secret\""),
        ("postgres://h/db?x y cret=1", "\"…\""),
        ("postgres://h/db?gssencmode=require", "GSSAPI"),
        ("postgres://h/db?service=secret", "service"),
    ] {
        let error = parse(text).err().unwrap_or_else(|| panic!("{text} is accepted"));
        assert!(error.to_string().contains(expected), "{text}: {error}");
        let is_name = text.contains(" secret=1");
        assert!(is_name || !format!("{error} {error:?}").contains("cret"), "{text}: {error:?}");
    }
    let url = parse("postgres://u:secret@h/db").expect("a valid URL");
    assert!(!format!("{url} {url:?} {url:#?}").contains("secret"));
}

#[test]
fn a_password_file_is_read_as_libpq_reads_it_and_only_if_it_is_private() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join(".pgpass");
    let lines =
        "# comment\nother:5432:db:u:wrong\nh:7:db:u:with\\:colon\\\\:and more\nlocalhost:*:*:*:socket\n*:*:*:v:any\n";
    fs::write(&file, lines).expect("a file");
    set_permissions(&file, 0o600);
    let password = |text: &str| {
        let url = parse_in(text, &[], Some(home.path())).expect("a valid URL");
        shown(&url).rsplit_once("db ").map(|(_, password)| password.to_owned()).expect("the database is shown")
    };
    assert_eq!(password("postgres://u@h:7/db"), "with:colon\\:and more");
    assert_eq!(password("postgres://u@h:8/db"), "");
    assert_eq!(password("postgres://v@h:8/db"), "any");
    assert_eq!(password("postgres://u@/db?host=/tmp"), "socket");
    assert_eq!(password("postgres://u:own@h:7/db"), "own");
    set_permissions(&file, 0o640);
    assert_eq!(password("postgres://u@h:7/db"), "");
    let other = home.path().join("other");
    fs::write(&other, "*:*:*:*:named").expect("a file");
    set_permissions(&other, 0o600);
    assert_eq!(password(&format!("postgres://u@h/db?passfile={}", other.display())), "named");
}

#[test]
fn several_servers_mean_the_one_that_can_be_written() {
    for (text, can_be_read_only) in [
        ("postgres://h/db", true),
        ("postgres://h1,h2/db", false),
        ("postgres://h1,h2/db?target_session_attrs=any", true),
        ("postgres://h/db?target_session_attrs=read-write", false),
        ("postgres://h/db?target_session_attrs=primary", false),
    ] {
        assert_eq!(parse(text).expect("a valid URL").can_be_read_only, can_be_read_only, "{text}");
    }
}

fn set_permissions(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("permissions");
}
