use longshore_core::JobId;

/// How many jobs are named.
const NAMED_MAX: usize = 5;

/// The first of these jobs, and how many more there are: `jobs 3, 4 and 2 more`.
pub(crate) fn some_of(jobs: &[JobId]) -> String {
    let named: Vec<String> = jobs.iter().take(NAMED_MAX).map(|id| id.0.to_string()).collect();
    let word = if jobs.len() == 1 { "job" } else { "jobs" };
    let named = named.join(", ");
    match jobs.len().saturating_sub(NAMED_MAX) {
        0 => format!("{word} {named}"),
        more => format!("{word} {named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_named_and_the_rest_is_counted() {
        let named = |count| some_of(&(1..=count).map(JobId).collect::<Vec<_>>());
        assert_eq!(named(1), "job 1");
        assert_eq!(named(5), "jobs 1, 2, 3, 4, 5");
        assert_eq!(named(12), "jobs 1, 2, 3, 4, 5 and 7 more");
    }
}
