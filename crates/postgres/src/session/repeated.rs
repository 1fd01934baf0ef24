use std::time::Duration;

use super::fault::Fault;

/// How often a request is repeated that the server took back because of others.
const REPEATS_MAX: u32 = 5;

/// Carries a request out, again if the server took it back only because of others.
pub(crate) async fn repeated<T, F>(attempt: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    for repeat in 1..=REPEATS_MAX {
        match attempt().await {
            Err(fault) if fault.is_conflict() => {
                // Whoever took part in the conflict repeats, too.
                let wait = Duration::from_micros(fastrand::u64(0..1000 << repeat));
                tokio::time::sleep(wait).await;
            }
            answer => return answer,
        }
    }
    attempt().await
}
