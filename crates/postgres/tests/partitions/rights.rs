use longshore_core::Console;
use longshore_postgres::{PostgresOptions, PostgresStore};
use longshore_testkit::job;

use crate::scene::{FIRST, Scene};

async fn old_jobs(scene: &Scene) {
    scene.go_to(FIRST - 5);
    scene.enqueue(vec![job(); 4]).await;
    scene.complete(&scene.claim(3).await).await;
    scene.go_to(FIRST + FIRST / 2);
    scene.enqueue(vec![job()]).await;
}

fn assert_untouched(scene: &Scene) {
    assert_eq!(scene.all_bounds().len(), 3);
    assert_eq!(scene.number("SELECT count(*) FROM pg_class WHERE relname LIKE 'job\\_%kept'"), 0);
    assert_eq!(scene.number("SELECT count(*) FROM longshore.job"), 2);
}

#[tokio::test]
async fn a_role_without_the_tables_deletes_rows_and_says_why() {
    let scene = Scene::new().await;
    old_jobs(&scene).await;
    let role = format!("hand_{}", scene.database.name());
    scene.database.admin_sql(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT USAGE ON SCHEMA longshore TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA longshore TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA longshore TO {role}"
    ));
    let mut config = scene.database.config();
    config.user(&role);
    let store = PostgresStore::connect_lazily(PostgresOptions::new(config)).expect("a thread can be started");
    let scene = Scene { store, ..scene };
    assert_eq!(scene.keep_house().await.pruned, 3);
    assert_untouched(&scene);
    let server = scene.store.health().await.expect("health can be read").server.expect("it is on a server");
    assert_eq!(server.missing_rights, Vec::<String>::new());
    let obstacle = server.partition_obstacle.expect("it cannot drop partitions");
    assert!(obstacle.contains("not a member of \"app\""), "{obstacle}");
    let Scene { database, store, .. } = scene;
    store.close();
    database.admin_sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[tokio::test]
async fn foreign_keys_and_triggers_of_the_application_see_each_job_that_is_removed() {
    for (made, seen) in [
        (
            "CREATE TABLE note (job_id bigint REFERENCES longshore.job (id) ON DELETE CASCADE);
             INSERT INTO note SELECT id FROM longshore.job",
            "SELECT count(*) FROM note",
        ),
        (
            "CREATE TABLE note (job_id bigint);
             CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN INSERT INTO note VALUES (OLD.id); RETURN OLD; END';
             CREATE TRIGGER forget BEFORE DELETE ON longshore.job FOR EACH ROW EXECUTE FUNCTION forget()",
            "SELECT 5 - count(*) FROM note",
        ),
    ] {
        let scene = Scene::new().await;
        old_jobs(&scene).await;
        scene.database.sql(made);
        assert_eq!(scene.keep_house().await.pruned, 3);
        assert_untouched(&scene);
        assert_eq!(scene.number(seen), 2);
        // It is no matter of rights.
        let server = scene.store.health().await.expect("health can be read").server.expect("it is on a server");
        assert_eq!(server.partition_obstacle, None);
    }
}
