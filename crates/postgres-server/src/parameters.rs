use std::collections::BTreeMap;

use crate::InvalidPostgresUrl as Invalid;

/// The parameters that are understood, in libpq's names, then ours.
pub(crate) const KNOWN: [&str; 32] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcompression",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
    "longshore_pooled",
    "longshore_schema",
    "service",
];

/// What a text says, name by name.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

/// Reads a URL (`postgres://…`) or a list of `key=value`.
pub(crate) fn parse(text: &str) -> Result<Parameters, Invalid> {
    let mut parameters = Parameters::new();
    match scheme(text) {
        Some(rest) => match rest.strip_prefix("//") {
            Some(rest) => read_url(rest, &mut parameters)?,
            None => read_pairs(rest, &mut parameters)?,
        },
        None => read_pairs(text, &mut parameters)?,
    }
    Ok(parameters)
}

/// What follows the scheme. `postgresql+psycopg:` and the like are how SQLAlchemy names a driver.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    matches!(scheme.split('+').next(), Some("postgres" | "postgresql")).then_some(rest)
}

/// `USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?NAME=VALUE&…`, every part optional.
fn read_url(rest: &str, parameters: &mut Parameters) -> Result<(), Invalid> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if rest.contains('@') || rest.contains('#') || authority.contains('#') {
        // Probably a password with such a character: then the parts are not what they seem, and may be secret.
        return Err(Invalid::Unescaped);
    }
    let (credentials, hosts) =
        authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
    if let Some(credentials) = credentials {
        read_credentials(credentials, parameters)?;
    }
    read_hosts(hosts, parameters)?;
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    set(parameters, "dbname", decoded(path.strip_prefix('/').unwrap_or(path))?)?;
    for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(Invalid::NoValue)?;
        set(parameters, &decoded(name)?, decoded(value)?)?;
    }
    Ok(())
}

fn read_credentials(credentials: &str, parameters: &mut Parameters) -> Result<(), Invalid> {
    if credentials.contains('@') {
        return Err(Invalid::Unescaped);
    }
    let (user, password) = credentials.split_once(':').map_or((credentials, None), |(user, rest)| (user, Some(rest)));
    set(parameters, "user", decoded(user)?)?;
    match password {
        Some(password) => set(parameters, "password", decoded(password)?),
        None => Ok(()),
    }
}

fn read_hosts(hosts: &str, parameters: &mut Parameters) -> Result<(), Invalid> {
    if hosts.is_empty() {
        return Ok(());
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            // An IPv6 address.
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(Invalid::Bracket)?;
                (address, port.strip_prefix(':').unwrap_or(""))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(decoded(name)?);
        ports.push(port);
    }
    set(parameters, "host", names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        set(parameters, "port", ports.join(","))?;
    }
    Ok(())
}

/// `name = value 'quoted value'`, with a backslash before a quote or a backslash.
fn read_pairs(text: &str, parameters: &mut Parameters) -> Result<(), Invalid> {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(Invalid::NoValue)?;
        let (value, after) = read_value(after.trim_start())?;
        set(parameters, name.trim(), value)?;
        rest = after.trim_start();
    }
    Ok(())
}

/// A value and what follows it.
fn read_value(text: &str) -> Result<(String, &str), Invalid> {
    let (mut letters, is_quoted) = match text.strip_prefix('\'') {
        Some(rest) => (rest.char_indices(), true),
        None => (text.char_indices(), false),
    };
    let body = letters.as_str();
    let mut value = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            '\'' if is_quoted => return Ok((value, &body[at + 1..])),
            letter if letter.is_whitespace() && !is_quoted => return Ok((value, &body[at..])),
            letter => value.push(letter),
        }
    }
    if is_quoted { Err(Invalid::Quote) } else { Ok((value, "")) }
}

/// An empty value is none, as in libpq.
fn set(parameters: &mut Parameters, name: &str, value: String) -> Result<(), Invalid> {
    // Java's and old names for the same.
    let (name, value) = match (name, value.as_str()) {
        ("ssl", "true") => ("sslmode", "require".to_owned()),
        _ => (name, value),
    };
    let known = KNOWN.iter().find(|known| **known == name);
    let known = known.ok_or_else(|| Invalid::Unknown { name: shown(name) })?;
    if value.contains('\0') {
        return Err(Invalid::Nul { name: known });
    }
    if !value.is_empty() {
        parameters.insert(known, value);
    }
    Ok(())
}

/// A name that is no word may be part of a secret.
fn shown(name: &str) -> String {
    let is_word =
        !name.is_empty() && name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word { name.to_owned() } else { "…".to_owned() }
}

fn decoded(text: &str) -> Result<String, Invalid> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest
            .next()
            .zip(rest.next())
            .and_then(|(high, low)| Some(char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?));
        bytes.push(digits.and_then(|code| u8::try_from(code).ok()).ok_or(Invalid::Percent)?);
    }
    String::from_utf8(bytes).map_err(|_| Invalid::Percent)
}
