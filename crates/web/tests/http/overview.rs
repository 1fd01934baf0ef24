//! The charts of a day and a week.

use std::time::{Duration, SystemTime};

use longshore_core::NewToken;
use longshore_web::{Secret, Web, queue_word};

use crate::on_both;
use crate::site::{Engine, Site};

on_both!(
    a_chart_shows_what_has_just_ended_beside_the_bars_that_it_has_read_before,
    the_bars_that_are_kept_for_all_are_shown_to_those_who_see_their_queue,
);

const RANGES: [&str; 2] = ["24h", "7d"];
/// Before the bars that are read anew, even where one stands for two hours.
const LONG_AGO: u32 = 10 * 60;

/// How many jobs a chart says were completed.
async fn completed(site: &Site, range: &str, headers: &[(&str, &str)]) -> u64 {
    let page = site.client().send("GET", &format!("/?span={range}"), headers, "").await;
    let before = page.body.split(" completed</span>").next().unwrap();
    before.rsplit("</svg>").next().unwrap().replace(',', "").parse().unwrap()
}

/// Waits for the next bar if it is near, because the first look at a new bar reads all of them.
async fn away_from_the_next_bar() {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let left = 15 * 60 - seconds % (15 * 60);
    if left < 30 {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

async fn a_chart_shows_what_has_just_ended_beside_the_bars_that_it_has_read_before(engine: Engine) {
    let site = Site::open(engine).await;
    away_from_the_next_bar().await;
    site.complete(LONG_AGO, "mail", 100).await;
    site.complete(0, "mail", 10).await;
    for range in RANGES {
        assert_eq!(completed(&site, range, &[]).await, 110, "{range}");
    }
    site.complete(0, "other", 3).await;
    site.complete(8 * 24 * 60, "mail", 1000).await;
    for range in RANGES {
        for _ in 0..3 {
            assert_eq!(completed(&site, range, &[]).await, 113, "{range}");
        }
    }
    // Nothing reads the old minutes again, or it would be found here.
    site.complete(LONG_AGO, "late", 7).await;
    for range in RANGES {
        assert_eq!(completed(&site, range, &[]).await, 113, "{range}");
    }
}

async fn the_bars_that_are_kept_for_all_are_shown_to_those_who_see_their_queue(engine: Engine) {
    let site = Site::with(engine, Web::tokens).await;
    let mut of_queues = Vec::new();
    for (name, queues) in [("mail", vec!["mail"]), ("two", vec!["mail", "other"]), ("all", vec![])] {
        let secret = Secret::random().unwrap();
        let scopes = ["read".to_owned()].into_iter().chain(queues.iter().map(|queue| queue_word(queue))).collect();
        let token = NewToken { name: name.to_owned(), hash: secret.hash(), scopes };
        assert!(site.queue.backend().add_token(token).await.unwrap());
        of_queues.push(format!("Bearer {}", secret.as_str()));
    }
    for (queue, jobs) in [("mail", 1), ("other", 20), ("payroll", 300)] {
        site.complete(LONG_AGO, queue, jobs).await;
        site.complete(0, queue, 2 * jobs).await;
    }
    for range in RANGES {
        for _ in 0..2 {
            for (authorization, jobs) in of_queues.iter().zip([3, 63, 963]) {
                assert_eq!(completed(&site, range, &[("authorization", authorization)]).await, jobs, "{range}");
            }
        }
    }
}
