use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Databases whose times are this close together are asked together.
const TOGETHER: Duration = Duration::from_millis(50);

/// When each database wants to be asked again for something that is done now and then.
#[derive(Debug)]
pub(crate) struct Pace {
    due_at: Mutex<Vec<Instant>>,
}

impl Pace {
    pub(crate) fn new(databases: usize) -> Self {
        Self { due_at: Mutex::new(vec![Instant::now(); databases]) }
    }

    /// Those whose time has come. Who asks earlier than told means the next ones.
    pub(crate) fn due(&self) -> Vec<usize> {
        let due_at = self.due_at.lock().unwrap_or_else(PoisonError::into_inner);
        let first = due_at.iter().min().copied().unwrap_or_else(Instant::now);
        let until = first.max(Instant::now()) + TOGETHER;
        (0..due_at.len()).filter(|place| due_at[*place] <= until).collect()
    }

    /// A database wants to be asked again after this long.
    pub(crate) fn put_off(&self, place: usize, after: Duration) {
        let mut due_at = self.due_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        due_at[place] = now.checked_add(after).unwrap_or(now);
    }

    /// How long until the next one wants to be asked.
    pub(crate) fn next(&self) -> Duration {
        let due_at = self.due_at.lock().unwrap_or_else(PoisonError::into_inner);
        due_at.iter().min().map_or(Duration::ZERO, |first| first.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_wants_to_be_asked_seldom_is_left_out() {
        let pace = Pace::new(2);
        assert_eq!(pace.due(), [0, 1]);
        pace.put_off(0, Duration::from_secs(1));
        pace.put_off(1, Duration::from_secs(60));
        assert_eq!(pace.due(), [0], "who asks early means the next one");
        assert!(pace.next() <= Duration::from_secs(1));
        pace.put_off(0, Duration::from_secs(60));
        assert_eq!(pace.due(), [0, 1]);
    }
}
