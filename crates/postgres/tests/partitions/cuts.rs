use longshore_core::Status;
use longshore_testkit::job;

use crate::scene::{FIRST, Scene};

/// Ends the session before its command number `nth` that changes the schema.
const CUT: &str = "
    CREATE SEQUENCE public.cut_at;
    CREATE SEQUENCE public.cut_count;
    CREATE FUNCTION public.cut() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF nextval('public.cut_count') = (SELECT last_value FROM public.cut_at) THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
            PERFORM pg_sleep(0);
        END IF;
    END $$;
    CREATE EVENT TRIGGER cut ON ddl_command_start EXECUTE FUNCTION public.cut()";

/// Cuts the connection at each command once. Gives how often that was.
async fn cut_everywhere(scene: &Scene) -> u32 {
    scene.database.admin_sql(CUT);
    let mut cuts = 0;
    for nth in 1..40 {
        let set = format!("SELECT setval('public.cut_at', {nth}), setval('public.cut_count', 1, false)");
        scene.database.admin_sql(&set);
        let (shown, bounds) = (scene.shown(), scene.all_bounds());
        if scene.try_to_keep_house().await.is_ok() {
            continue;
        }
        cuts += 1;
        assert_eq!(scene.shown(), shown, "cut at command {nth}");
        assert_eq!(scene.all_bounds(), bounds, "cut at command {nth}");
        let stray = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = 'longshore' AND c.relkind = 'r' AND NOT c.relispartition
                         AND (c.relname LIKE 'job\\_%\\_%' OR c.relname LIKE 'ended\\_%')";
        assert_eq!(scene.number(stray), 0, "cut at command {nth}");
    }
    scene.database.admin_sql("DROP EVENT TRIGGER cut");
    cuts
}

#[tokio::test]
async fn a_connection_that_is_cut_while_a_partition_is_dropped_leaves_all_as_it_was_and_the_next_one_goes_on() {
    let scene = Scene::new().await;
    scene.go_to(FIRST - 30);
    scene.enqueue(vec![job(); 20]).await;
    scene.complete(&scene.claim(15).await).await;
    scene.go_to(FIRST + FIRST / 2);
    scene.enqueue(vec![job(); 2]).await;
    let before = scene.shown();
    let cuts = cut_everywhere(&scene).await;
    assert!(cuts >= 15, "each command was cut once: {cuts}");
    scene.keep_house().await;
    assert_eq!(scene.number("SELECT count(*) FROM pg_class WHERE relname = 'job_min_1000000_kept'"), 1);
    assert_eq!(scene.shown().len(), before.len() - 15);
    assert_eq!((scene.count(Status::Pending).await, scene.count(Status::Completed).await), (7, 0));
    assert_eq!(scene.all_bounds().len(), 3);
}

#[tokio::test]
async fn a_connection_that_is_cut_while_partitions_are_made_leaves_all_as_it_was_and_the_next_one_goes_on() {
    let scene = Scene::new().await;
    // The spare partition is in use: new ones are made, and the ids jump.
    scene.go_to(3 * FIRST);
    scene.enqueue(vec![job(); 2]).await;
    let cuts = cut_everywhere(&scene).await;
    assert!(cuts >= 15, "each command was cut once: {cuts}");
    scene.keep_house().await;
    assert_eq!(scene.all_bounds().len(), 5);
    assert_eq!(scene.enqueue(vec![job()]).await[0].0, 1_000_000_000);
}
