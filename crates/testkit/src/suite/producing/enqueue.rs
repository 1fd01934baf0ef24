use std::time::Duration;

use longshore_core::{
    Action, Due, InvalidJob, JobData, JobId, Limits, NewJob, OnDuplicate, Priority, Status, Store, StoreError,
    Timestamp, UniqueWhile, stream_of,
};

use crate::suite::world::data;
use crate::suite::{Harness, World};
use crate::{feed, job};

pub async fn an_enqueued_job_waits_with_everything_that_it_was_given<H: Harness>() {
    let world = World::<H>::new();
    let given = NewJob {
        job_type: "mail".to_owned(),
        job_data: data(r#"{"to":"a@b.c"}"#),
        queue: "post".to_owned(),
        priority: Priority(-7),
        due: Due::Now,
        max_retries: Some(5),
        max_crashes: 2,
        max_deferrals: 8,
        timeout: Some(Duration::from_millis(1500)),
        expires_in: Some(Duration::from_millis(2500)),
        deadline_in: Some(Duration::from_secs(3600)),
        unique_key: Some("once".to_owned()),
        on_duplicate: OnDuplicate::PushBack,
        unique_while: UniqueWhile::Waiting,
        limit_key: None,
        parent: None,
        metadata: Some(data("[1,2]")),
    };
    let id = world.enqueue(given.clone()).await;
    let job = world.job(id).await;
    assert_eq!((job.status, job.created_at, job.run_at), (Status::Pending, world.now(), world.now()));
    assert_eq!((job.job_type, job.job_data, job.queue), (given.job_type, given.job_data, given.queue));
    assert_eq!((job.priority, job.timeout, job.unique_key), (given.priority, given.timeout, given.unique_key));
    assert_eq!((job.max_retries, job.max_crashes, job.max_deferrals), (5, 2, 8));
    let bounds =
        (Some(world.now().after(Duration::from_millis(2500))), Some(world.now().after(Duration::from_secs(3600))));
    assert_eq!((job.expires_at, job.deadline_at), bounds);
    assert_eq!((job.retry_count, job.crash_count, job.deferral_count, job.claim_number.0), (0, 0, 0, 0));
    assert_eq!((job.metadata, job.parent_job_id, job.worker_id), (given.metadata, None, None));
    assert_eq!((job.started_at, job.completed_at, job.next_retry_at), (None, None, None));
}

pub async fn ids_grow_in_the_order_of_the_batch<H: Harness>() {
    let world = World::<H>::new();
    let jobs = (0..50).map(|number| job().queue(format!("q{number}"))).collect();
    let enqueued = world.enqueue_all(jobs).await;
    assert!(enqueued.windows(2).all(|pair| pair[0].id < pair[1].id));
    for (number, enqueued) in enqueued.iter().enumerate() {
        assert_eq!(world.job(enqueued.id).await.queue, format!("q{number}"));
    }
}

pub async fn every_job_of_a_batch_keeps_what_it_was_given<H: Harness>() {
    let world = World::<H>::new();
    let given: Vec<NewJob> = (0..50_u8)
        .map(|number| NewJob {
            job_type: format!("type-{number}"),
            job_data: data(&number.to_string()),
            queue: format!("queue-{number}"),
            priority: Priority(20 - i32::from(number)),
            due: if number % 5 == 0 { Due::After(Duration::from_secs(60)) } else { Due::Now },
            max_retries: Some(u32::from(number) + 1),
            max_crashes: u32::from(number) + 2,
            max_deferrals: u32::from(number) + 3,
            timeout: (number % 2 == 0).then(|| Duration::from_secs(u64::from(number) + 1)),
            expires_in: (number % 3 == 1).then(|| Duration::from_secs(u64::from(number) + 2)),
            deadline_in: (number % 4 == 1).then(|| Duration::from_secs(u64::from(number) + 3)),
            unique_key: (number == 20).then(|| "once".to_owned()),
            on_duplicate: OnDuplicate::PushBack,
            unique_while: UniqueWhile::Waiting,
            limit_key: None,
            parent: None,
            metadata: (number % 3 == 0).then(|| data(&format!("[{number}]"))),
        })
        .collect();
    let enqueued = world.enqueue_all(given.clone()).await;
    for (given, enqueued) in given.into_iter().zip(enqueued) {
        let job = world.job(enqueued.id).await;
        let delay = if given.due == Due::Now { Duration::ZERO } else { Duration::from_secs(60) };
        assert_eq!((job.job_type, job.job_data, job.queue), (given.job_type, given.job_data, given.queue));
        assert_eq!((job.priority, job.timeout, job.unique_key), (given.priority, given.timeout, given.unique_key));
        assert_eq!((Some(job.max_retries), job.max_crashes), (given.max_retries, given.max_crashes));
        assert_eq!((job.max_deferrals, job.metadata), (given.max_deferrals, given.metadata));
        let span = |instant: Option<Timestamp>| instant.map(|instant| instant.since(job.created_at));
        assert_eq!((span(job.expires_at), span(job.deadline_at)), (given.expires_in, given.deadline_in));
        assert_eq!((job.status, job.run_at.since(job.created_at)), (Status::Pending, delay));
    }
}

pub async fn an_empty_batch_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    assert!(world.enqueue_all(Vec::new()).await.is_empty());
    assert_eq!(world.count().await, 0);
}

pub async fn a_batch_with_an_invalid_job_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let answer = world.store.enqueue(vec![job(), job().queue(""), job()]).await;
    assert!(matches!(answer, Err(StoreError::InvalidJob(InvalidJob::Name { .. }))), "{answer:?}");
    assert_eq!(world.count().await, 0);
}

pub async fn a_batch_with_an_unknown_parent_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let parent = JobId(4711);
    let answer = world.store.enqueue(vec![job(), job().parent(parent)]).await;
    assert!(matches!(answer, Err(StoreError::UnknownParent { parent: named }) if named == parent), "{answer:?}");
    assert_eq!(world.count().await, 0);
}

pub async fn a_refused_batch_leaves_other_jobs_alone<H: Harness>() {
    let world = World::<H>::new();
    let before = world.enqueue(job()).await;
    let answer = world.store.enqueue(vec![job().unique_key("a"), job().parent(JobId(4711))]).await;
    assert!(answer.is_err());
    let after = world.enqueue(job().unique_key("a")).await;
    assert!(after > before);
    assert_eq!(world.count().await, 2);
}

pub async fn a_stream_is_enqueued_whole_and_counted<H: Harness>() {
    let world = World::<H>::new();
    let made = world.store.enqueue_stream(stream_of((0..2500).map(|_| Ok(job())))).await;
    assert_eq!(made.expect("the stream is fine"), 2500);
    assert_eq!(world.count().await, 2500);
}

pub async fn a_stream_that_breaks_off_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let broken = stream_of((0..2500).map(|line| match line {
        2400 => Err("line 2401 is no JSON".into()),
        _ => Ok(job()),
    }));
    let error = world.store.enqueue_stream(broken).await.expect_err("the stream broke off");
    assert!(matches!(error, StoreError::Aborted { .. }), "{error:?}");
    assert_eq!(error.to_string(), "line 2401 is no JSON");
    assert_eq!(world.count().await, 0);
}

pub async fn a_stream_with_an_invalid_job_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let stream = stream_of([Ok(job()), Ok(job().queue("")), Ok(job())]);
    let answer = world.store.enqueue_stream(stream).await;
    assert!(matches!(answer, Err(StoreError::InvalidJob(_))), "{answer:?}");
    assert_eq!(world.count().await, 0);
}

pub async fn an_empty_stream_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let made = world.store.enqueue_stream(stream_of(std::iter::empty())).await;
    assert_eq!(made.expect("nothing is wrong with it"), 0);
}

pub async fn a_payload_at_the_limit_is_accepted_and_one_byte_more_is_not<H: Harness>() {
    let world = World::<H>::with_limits(Limits { payload_bytes_max: 10 });
    world.enqueue(NewJob { job_data: data("12345.7890"), ..job() }).await;
    let answer = world.store.enqueue(vec![NewJob { job_data: data("12345.78901"), ..job() }]).await;
    let expected = InvalidJob::TooLarge { what: "payload", bytes: 11, max: 10 };
    assert!(matches!(answer, Err(StoreError::InvalidJob(invalid)) if invalid == expected));
    assert_eq!(world.count().await, 1);
}

pub async fn a_payload_as_deep_as_can_be_is_accepted<H: Harness>() {
    let world = World::<H>::new();
    let deepest =
        (1..).map(|depth| "[".repeat(depth) + &"]".repeat(depth)).take_while(|text| JobData::parse(text).is_ok());
    let payload = data(&deepest.last().expect("one level is not too deep"));
    let id = world.enqueue(NewJob::new("deep", payload.clone()).metadata(payload.clone())).await;
    let job = world.job(id).await;
    assert_eq!((job.job_data, job.metadata), (payload.clone(), Some(payload)));
}

pub async fn metadata_beyond_the_limit_is_refused<H: Harness>() {
    let world = World::<H>::with_limits(Limits { payload_bytes_max: 10 });
    let answer = world.store.enqueue(vec![job().metadata(data("12345.78901"))]).await;
    let expected = InvalidJob::TooLarge { what: "metadata", bytes: 11, max: 10 };
    assert!(matches!(answer, Err(StoreError::InvalidJob(invalid)) if invalid == expected));
}

pub async fn an_invalid_job_changes_nothing<H: Harness>() {
    let world = World::<H>::new();
    let invalid = [
        NewJob { job_type: String::new(), ..job() },
        NewJob { job_type: "a\nb".to_owned(), ..job() },
        job().queue("q".repeat(201)),
        job().unique_key(""),
        job().max_retries(u32::MAX),
        job().expires_in(Duration::ZERO),
        job().deadline_in(Duration::MAX),
        job().timeout(Duration::ZERO),
        job().delay(Duration::MAX),
    ];
    for job in invalid {
        let answer = world.store.enqueue(vec![job.clone()]).await;
        assert!(matches!(answer, Err(StoreError::InvalidJob(_))), "{job:?}: {answer:?}");
    }
    assert_eq!(world.count().await, 0);
}

pub async fn any_text_comes_back_as_it_was<H: Harness>() {
    let world = World::<H>::new();
    let payload = r#"{"b": 12345678901234567890, "a": 1.10, "é\u0000 '\";--": ["\"", null]}"#;
    let name = "naïve 'quoted'; DROP TABLE — 用";
    let given = NewJob { job_type: name.to_owned(), job_data: data(payload), ..job() };
    let id = world.enqueue(given.queue(name).unique_key(name)).await;
    let job = world.job(id).await;
    assert_eq!(job.job_data.as_str(), payload);
    assert_eq!((job.job_type.as_str(), job.queue.as_str(), job.unique_key.as_deref()), (name, name, Some(name)));
}

pub async fn an_acknowledged_job_survives_the_death_of_its_process<H: Harness>() {
    let mut world = World::<H>::new();
    let id = world.enqueue(job()).await;
    world.restart();
    assert_eq!(world.status(id).await, Status::Pending);
    let worker_id = world.worker().await;
    assert_eq!(world.claim_one(&worker_id).await.id, id);
}

pub async fn an_id_is_never_given_twice<H: Harness>() {
    let mut world = World::<H>::new();
    let newest = world.enqueue(job()).await;
    world.act(newest, Action::Delete).await;
    world.restart();
    assert!(world.enqueue(job()).await > newest);
}

pub async fn a_stream_may_be_slow_and_holds_up_nobody<H: Harness>() {
    let world = World::<H>::new();
    let (lines, stream) = feed();
    let meanwhile = async {
        for number in 1..=3 {
            lines.send(Ok(job())).expect("the stream is read");
            world.enqueue(job().queue("other")).await;
            assert_eq!(world.count().await, number, "nothing of the stream is there before its end");
        }
        drop(lines);
    };
    let (made, ()) = tokio::join!(world.store.enqueue_stream(stream), meanwhile);
    assert_eq!(made.expect("the stream is fine"), 3);
    assert_eq!(world.count().await, 6);
}

pub async fn a_stream_that_is_given_up_before_its_end_enqueues_nothing<H: Harness>() {
    let world = World::<H>::new();
    let (lines, stream) = feed();
    for _ in 0..1000 {
        lines.send(Ok(job())).expect("the stream is read");
    }
    let others = async {
        for _ in 0..10 {
            world.enqueue(job()).await;
        }
    };
    tokio::select! {
        made = world.store.enqueue_stream(stream) => panic!("the stream has not ended: {made:?}"),
        () = others => {}
    }
    assert!(lines.is_closed(), "nobody reads the stream any more");
    assert_eq!(world.count().await, 10);
}
