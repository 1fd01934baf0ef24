use crate::sandbox::Sandbox;

/// The database that a run used and where its URL came from, from the error that it does not exist.
fn database(sandbox: &Sandbox, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(&[&["jobs", "list"], arguments].concat());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = stderr.lines().next().unwrap_or_default().to_owned();
    line.strip_prefix("error: there is no database ").unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn the_database_is_named_by_flag_own_variable_configuration_general_variable_and_default_in_this_order() {
    let sandbox = Sandbox::new();
    let own = ("LONGSHORE_DATABASE", "sqlite:own.db");
    let general = ("DATABASE_URL", "sqlite://general.db");
    assert_eq!(database(&sandbox, &[], &[]), "longshore.db (from the default)");
    sandbox.write(".env", "DATABASE_URL=sqlite:dotenv.db\n");
    assert_eq!(database(&sandbox, &[], &[]), "dotenv.db (from DATABASE_URL in .env)");
    assert_eq!(database(&sandbox, &[], &[general]), "general.db (from DATABASE_URL)");
    sandbox.write("longshore.toml", "database = \"sqlite:configured.db\"");
    assert_eq!(database(&sandbox, &[], &[general]), "configured.db (from `database` in the configuration file)");
    sandbox.write(".env", "DATABASE_URL=sqlite:dotenv.db\nLONGSHORE_DATABASE=own-dotenv.db\n");
    assert_eq!(database(&sandbox, &[], &[general]), "own-dotenv.db (from LONGSHORE_DATABASE in .env)");
    assert_eq!(database(&sandbox, &[], &[general, own]), "own.db (from LONGSHORE_DATABASE)");
    assert_eq!(database(&sandbox, &["--database", "flag.db"], &[general, own]), "flag.db (from --database)");
}

#[test]
fn an_error_about_a_url_names_where_it_came_from() {
    let sandbox = Sandbox::new();
    let told = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = sandbox.command(&[&["jobs", "list"], arguments].concat()).envs(variables.iter().copied()).output();
        String::from_utf8(output.unwrap().stderr).unwrap()
    };
    let bad = "mysql://localhost/jobs";
    assert!(told(&["--database", bad], &[]).contains("--database"));
    assert!(told(&[], &[("LONGSHORE_DATABASE", bad)]).contains("LONGSHORE_DATABASE"));
    assert!(told(&[], &[("DATABASE_URL", bad)]).contains("DATABASE_URL"));
    sandbox.write(".env", format!("DATABASE_URL={bad}\n"));
    assert!(told(&[], &[]).contains("DATABASE_URL in .env"));
    sandbox.write("longshore.toml", format!("database = \"{bad}\""));
    assert!(told(&[], &[]).contains("`database` in the configuration file"));
    sandbox.write(".env", format!("LONGSHORE_DATABASE={bad}\n"));
    assert!(told(&[], &[]).contains("LONGSHORE_DATABASE in .env"));
}

#[test]
fn the_configuration_is_named_by_flag_environment_and_default_in_this_order() {
    let sandbox = Sandbox::new();
    sandbox.write("longshore.toml", "database = \"default.db\"");
    sandbox.write("variable.toml", "database = \"variable.db\"");
    sandbox.write("flag.toml", "database = \"flag.db\"");
    let variable = ("LONGSHORE_CONFIG", "variable.toml");
    let configured = " (from `database` in the configuration file)";
    assert_eq!(database(&sandbox, &[], &[]), format!("default.db{configured}"));
    assert_eq!(database(&sandbox, &[], &[variable]), format!("variable.db{configured}"));
    assert_eq!(database(&sandbox, &["--config", "flag.toml"], &[variable]), format!("flag.db{configured}"));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let sandbox = Sandbox::new();
    let empty = [("LONGSHORE_DATABASE", ""), ("DATABASE_URL", "")];
    assert_eq!(database(&sandbox, &[], &empty), "longshore.db (from the default)");
}
