use std::time::Duration;

use longshore::{LogLimits, LogRequest, Status};

use crate::bench::{Bench, Running, Step};

async fn log_of(bench: &Bench, id: longshore::JobId) -> (String, u64) {
    let page = bench.queue.backend().log(LogRequest { id, attempt: None, after: None }).await.unwrap();
    let cut = page.entries.iter().map(|entry| entry.cut_bytes).max().unwrap_or(0);
    (page.entries.into_iter().map(|entry| entry.text).collect(), cut)
}

#[tokio::test(start_paused = true)]
async fn progress_and_log_are_stored_while_the_attempt_runs() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().handle(|_: Step, attempt| async move {
        attempt.log("begun\n");
        attempt.progress(0.5, "half way".to_owned());
        tokio::time::sleep(Duration::from_secs(60)).await;
        attempt.log("done\n");
        Ok(())
    });
    let running = Running::spawn(worker);

    let began = tokio::time::Instant::now();
    let job = bench.until(id, |job| job.progress == Some(0.5)).await;
    assert!(began.elapsed() < Duration::from_millis(400), "{:?}", began.elapsed());
    assert_eq!(job.progress_message.as_deref(), Some("half way"));
    assert_eq!(log_of(&bench, id).await.0, "begun\n");

    bench.until_status(id, Status::Completed).await;
    assert_eq!(log_of(&bench, id).await.0, "begun\ndone\n");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_long_log_the_head_and_the_tail_are_kept() {
    let bench = Bench::new();
    let id = bench.enqueue(0).await;
    let worker = bench.worker().log_limits(LogLimits { head_bytes: 100, tail_bytes: 100 }).handle(
        |_: Step, attempt| async move {
            for number in 0..100_000 {
                attempt.log(&format!("line {number}\n"));
                if number % 10_000 == 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Ok(())
        },
    );

    worker.run_until_drained().await.unwrap();

    let (log, cut) = log_of(&bench, id).await;
    assert!(log.len() <= 200 && cut > 1_000_000, "{} bytes, {cut} cut", log.len());
    assert!(log.starts_with("line 0\n") && log.ends_with("line 99999\n"), "{log}");
}
