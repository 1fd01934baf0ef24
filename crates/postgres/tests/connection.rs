//! Connections as the settings ask for them, on a server with TLS and passwords.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use longshore_postgres::{PostgresUrl, connect, is_pooled};
use longshore_testkit_postgres::{Cluster, Options, PgBouncer, StopMode};
use tempfile::TempDir;

/// What a connection shows: whether it is encrypted and the user, or the code and the words of the error.
async fn outcome(url: &str) -> String {
    let url: PostgresUrl = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    match connect(&url).await {
        Ok((client, task)) => {
            let task = tokio::spawn(task);
            let sql = "SELECT ssl::text || ' ' || current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let row = client.query_one(sql, &[]).await.expect("an answer");
            drop(client);
            task.await.expect("no panic").expect("a clean end");
            row.get(0)
        }
        Err(error) => format!("{}: {error}", error.code()),
    }
}

fn assert_begins(found: &str, expected: &str) {
    assert!(found.starts_with(expected), "expected {expected:?}, found {found:?}");
}

/// An authority, a server's certificate for `localhost`, a client's for `app`, and a stranger's authority.
struct Certificates {
    folder: TempDir,
}

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

impl Certificates {
    fn make() -> Self {
        let certificates = Self { folder: tempfile::tempdir().expect("a folder") };
        certificates.authority("ca");
        certificates.authority("stranger");
        certificates.signed("server", "other-name", "DNS:localhost");
        certificates.signed("client", "app", "DNS:app");
        certificates
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file that openssl made")
    }

    fn authority(&self, name: &str) {
        let (key, certificate) = (self.shown(&format!("{name}.key")), self.shown(&format!("{name}.crt")));
        let subject = format!("/CN={name}");
        let arguments =
            ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"];
        openssl(
            &[
                &arguments[..],
                &["-subj", &subject, "-addext", "subjectAltName=DNS:localhost", "-keyout", &key, "-out", &certificate],
            ]
            .concat(),
        );
    }

    fn signed(&self, name: &str, common_name: &str, alternative: &str) {
        let [key, request, certificate, extensions] =
            ["key", "csr", "crt", "ext"].map(|ending| self.shown(&format!("{name}.{ending}")));
        let subject = format!("/CN={common_name}");
        let arguments =
            ["req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", &subject];
        openssl(&[&arguments[..], &["-keyout", &key, "-out", &request]].concat());
        fs::write(&extensions, format!("basicConstraints=CA:FALSE\nsubjectAltName={alternative}\n")).expect("a file");
        let (ca, ca_key) = (self.shown("ca.crt"), self.shown("ca.key"));
        let arguments =
            ["x509", "-req", "-days", "2", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
        openssl(&[&arguments[..], &["-extfile", &extensions, "-out", &certificate]].concat());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("permissions");
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("install Debian's package openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn tls_options(rules: &str) -> Options {
    let certificates = &*CERTIFICATES;
    Options::new()
        .setting("ssl", "on")
        .setting("ssl_ca_file", "ca.crt")
        .file("server.crt", certificates.bytes("server.crt"))
        .file("server.key", certificates.bytes("server.key"))
        .file("ca.crt", certificates.bytes("ca.crt"))
        .host_rules(rules)
}

fn url(cluster: &Cluster, host: &str, parameters: &str) -> String {
    format!("postgres://app@{host}:{}/postgres?{parameters}", cluster.port())
}

#[tokio::test]
async fn sslmode_says_what_is_encrypted_and_what_is_checked() {
    let cluster = Cluster::private(&tls_options("host all all all trust"));
    let [ca, stranger] = ["ca.crt", "stranger.crt"].map(|name| CERTIFICATES.shown(name));
    let outcome = async |host: &str, parameters: &str| outcome(&url(&cluster, host, parameters)).await;
    assert_eq!(outcome("localhost", "sslmode=disable").await, "false app");
    assert_eq!(outcome("localhost", "sslmode=allow").await, "false app");
    for mode in ["prefer", "require"] {
        assert_eq!(outcome("localhost", &format!("sslmode={mode}")).await, "true app", "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        assert_eq!(outcome("localhost", &format!("sslmode={mode}&sslrootcert={ca}")).await, "true app", "{mode}");
        let refused = outcome("localhost", &format!("sslmode={mode}&sslrootcert={stranger}")).await;
        assert_begins(&refused, "tls_failed: no encrypted connection to postgres://localhost");
        assert!(refused.contains("signed by nobody"), "{refused}");
    }
    assert_eq!(outcome("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={ca}")).await, "true app");
    let other_name = outcome("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={ca}")).await;
    assert!(other_name.contains("another host name"), "{other_name}");
    assert_begins(&outcome("localhost", &format!("sslmode=require&sslrootcert={stranger}")).await, "tls_failed");
    // The server's authority is none of the system's.
    assert_begins(&outcome("localhost", "sslrootcert=system").await, "tls_failed");
    let missing = outcome("localhost", "sslmode=verify-full&sslrootcert=/nowhere/root.crt").await;
    assert!(missing.contains("/nowhere/root.crt cannot be read"), "{missing}");
    let socket = cluster.socket_folder().display().to_string().replace('/', "%2F");
    assert_eq!(outcome(&socket, "sslmode=require").await, "false app", "a socket is not encrypted");
}

#[tokio::test]
async fn a_certificate_that_signed_itself_can_be_the_root() {
    let options = tls_options("host all all all trust");
    let options =
        options.file("server.crt", CERTIFICATES.bytes("ca.crt")).file("server.key", CERTIFICATES.bytes("ca.key"));
    let cluster = Cluster::private(&options);
    let root = CERTIFICATES.shown("ca.crt");
    for (host, mode, expected) in [
        ("localhost", "verify-full", "true app"),
        ("127.0.0.1", "verify-ca", "true app"),
        ("127.0.0.1", "verify-full", "tls_failed"),
    ] {
        assert_begins(&outcome(&url(&cluster, host, &format!("sslmode={mode}&sslrootcert={root}"))).await, expected);
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate_and_keeps_its_key_to_itself() {
    let cluster = Cluster::private(&tls_options("hostssl all all all cert"));
    let [certificate, key] = ["client.crt", "client.key"].map(|name| CERTIFICATES.shown(name));
    let outcome = async |parameters: &str| outcome(&url(&cluster, "localhost", parameters)).await;
    assert_eq!(outcome(&format!("sslmode=require&sslcert={certificate}&sslkey={key}")).await, "true app");
    assert_begins(&outcome("sslmode=require").await, "login_refused");
    let scratch = tempfile::tempdir().expect("a folder");
    let open = scratch.path().join("open.key");
    fs::copy(&key, &open).expect("a copy");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("permissions");
    let refused = outcome(&format!("sslmode=require&sslcert={certificate}&sslkey={}", open.display())).await;
    assert!(refused.contains("can be read by others"), "{refused}");
}

#[tokio::test]
async fn allow_and_prefer_find_the_way_that_the_server_accepts() {
    let cluster = Cluster::private(&tls_options("hostssl all all 127.0.0.1/32 trust\nhostnossl all all ::1/128 trust"));
    assert_eq!(outcome(&url(&cluster, "127.0.0.1", "sslmode=allow")).await, "true app");
    assert_eq!(outcome(&url(&cluster, "127.0.0.1", "")).await, "true app");
    assert_begins(&outcome(&url(&cluster, "127.0.0.1", "sslmode=disable")).await, "login_refused");
    let plain = Cluster::private(&Options::new().host_rules("hostnossl all all all trust"));
    assert_eq!(outcome(&url(&plain, "127.0.0.1", "")).await, "false app");
    assert_begins(&outcome(&url(&plain, "127.0.0.1", "sslmode=require")).await, "tls_failed");
}

#[tokio::test]
async fn passwords_come_from_the_url_and_from_the_file_and_a_wrong_one_is_said() {
    let cluster = Cluster::private(&Options::new().host_rules("host all all all scram-sha-256"));
    // The default of PostgreSQL 13 is another one.
    cluster.sql("SET password_encryption = 'scram-sha-256'; ALTER ROLE app PASSWORD 'open sesame'");
    let port = cluster.port();
    assert_eq!(outcome(&format!("postgres://app:open%20sesame@127.0.0.1:{port}/postgres")).await, "false app");
    let wrong = outcome(&format!("postgres://app:hidden@127.0.0.1:{port}/postgres")).await;
    assert_begins(&wrong, &format!("login_refused: postgres://127.0.0.1:{port}/postgres refused the login: password"));
    assert!(!wrong.contains("hidden"), "{wrong}");
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("passwords");
    fs::write(&file, format!("127.0.0.1:{port}:*:app:open sesame\n")).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
    let by_file = |file: &Path| format!("postgres://app@127.0.0.1:{port}/postgres?passfile={}", file.display());
    assert_eq!(outcome(&by_file(&file)).await, "false app");
    assert_begins(&outcome(&by_file(Path::new("/nowhere"))).await, "login_refused");
}

#[tokio::test]
async fn every_reason_for_no_connection_has_its_code() {
    let options = Options::new().setting("superuser_reserved_connections", "0").setting("max_connections", "4");
    let cluster = Cluster::private(&options.setting("max_wal_senders", "0"));
    let base = url(&cluster, "127.0.0.1", "");
    assert_begins(&outcome(&base.replace("/postgres?", "/nowhere?")).await, "database_missing");
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(&base.parse().expect("a URL")).await.expect("a connection"));
    }
    assert_begins(&outcome(&base).await, "too_many_connections");
    drop(held);
    cluster.stop(StopMode::Fast);
    let stopped = outcome(&base).await;
    assert_begins(&stopped, "database_unreachable");
    assert!(stopped.contains("refused"), "{stopped}");
    assert_begins(&outcome("postgres://app@no-such-host.invalid/db").await, "database_unreachable");
}

#[tokio::test]
async fn of_several_servers_the_one_that_can_be_written_is_taken() {
    let primary = Cluster::private(&Options::new());
    let replica = primary.replica();
    let (standby, writable) = (replica.port(), primary.port());
    let port_of = async |parameters: &str| {
        let url: PostgresUrl = format!("postgres://app@127.0.0.1:{standby},127.0.0.1:{writable}/postgres{parameters}")
            .parse()
            .expect("a URL");
        let (client, task) = connect(&url).await.map_err(|error| error.code())?;
        tokio::spawn(task);
        let row = client.query_one("SELECT current_setting('port')::int", &[]).await.expect("an answer");
        Ok::<i32, &str>(row.get(0))
    };
    assert_eq!(port_of("").await, Ok(i32::from(writable)));
    assert_eq!(port_of("?target_session_attrs=any").await, Ok(i32::from(standby)));
    primary.kill();
    assert_eq!(port_of("").await, Err("database_unreachable"), "the primary is what is missing, not a right to write");
    replica.promote();
    assert_eq!(port_of("").await, Ok(i32::from(standby)));
}

#[tokio::test]
async fn a_pooler_of_transactions_is_noticed() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let pool = PgBouncer::before(&cluster);
    let pooled = async |url: String| is_pooled(&url.parse().expect("a URL")).await.expect("a connection");
    assert!(!pooled(database.url()).await);
    assert!(pooled(database.url_through(pool.port())).await);
    assert!(!pooled(format!("{}?longshore_pooled=false", database.url_through(pool.port()))).await);
    assert!(pooled(format!("{}?longshore_pooled=true", database.url())).await);
    let sessions = PgBouncer::of_sessions(&cluster);
    assert!(!pooled(database.url_through(sessions.port())).await);
}

#[tokio::test]
async fn a_server_with_tls_is_no_pooler() {
    let cluster = Cluster::private(&tls_options("host all all all trust"));
    let url = url(&cluster, "localhost", "sslmode=require").parse().expect("a URL");
    assert!(!is_pooled(&url).await.expect("a connection"));
}

/// Its sessions are taken by others at every moment, so that two connections often meet the same ones twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_pooler_of_transactions_is_always_noticed() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let pool = PgBouncer::before(&cluster);
    let url: PostgresUrl = database.url_through(pool.port()).parse().expect("a URL");
    for _ in 0..6 {
        let (client, task) = connect(&url).await.expect("a connection");
        tokio::spawn(task);
        tokio::spawn(async move { while client.simple_query("SELECT 1").await.is_ok() {} });
    }
    for look in 0..300 {
        assert!(is_pooled(&url).await.expect("a connection"), "look {look}");
    }
}
