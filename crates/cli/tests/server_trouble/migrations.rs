use std::fs;

use longshore_testkit_postgres::Cluster;

use crate::site::Site;

/// Slower than every limit of the role.
const SLOW_INDEX: &str = "CREATE FUNCTION slowly(id integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_sleep(0.02); RETURN id; END $$;
CREATE TABLE items (id integer);
INSERT INTO items SELECT generate_series(1, 60);
";

#[test]
fn migrations_do_not_depend_on_the_time_limits_of_the_role() {
    let site = Site::on(&Cluster::shared());
    let folder = site.path("migrations");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, up: &str, down: &str| {
        fs::write(folder.join(format!("{name}.up.sql")), up).unwrap();
        fs::write(folder.join(format!("{name}.down.sql")), down).unwrap();
    };
    write("001_create_items", SLOW_INDEX, "DROP TABLE items; DROP FUNCTION slowly;");
    write("002_index_items", "CREATE INDEX items_slow ON items (slowly(id));", "DROP INDEX items_slow;");
    write(
        "003_index_items_aside",
        "-- longshore: no transaction\nCREATE INDEX CONCURRENTLY items_aside ON items (slowly(id), id);",
        "-- longshore: no transaction\nDROP INDEX CONCURRENTLY items_aside;",
    );
    let settings = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"];
    for setting in settings {
        site.alter_role(&format!("SET {setting} = '500ms'"));
    }
    let ran = site.run(&["migrate", "up", "--json"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    let verified = site.run(&["migrate", "verify", "--json"]);
    assert_eq!(verified.exit, Some(0), "{verified:?}");
    let built = site.database.sql(
        "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
        WHERE relname LIKE 'items%' AND indisvalid",
    );
    assert_eq!(built[0][0].as_deref(), Some("2"));
    let ran = site.run(&["migrate", "down", "--json", "--steps", "3", "--allow-data-loss"]);
    assert_eq!(ran.exit, Some(0), "{ran:?}");
}
