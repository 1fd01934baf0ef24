use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use longshore_core::{Failure, FailureType};

thread_local! {
    /// Whether this thread is inside a handler right now.
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the handler's panic came from, between the hook and the end of unwinding.
    static STORY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs part of a handler; its panic becomes a failure with message, place and backtrace.
///
/// The program's own panic hook runs as ever, for this panic too.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    install();
    let was_watching = IS_WATCHING.replace(true);
    // A handler that panicked is never polled again, so nobody sees what it left half done.
    let caught = panic::catch_unwind(AssertUnwindSafe(call));
    IS_WATCHING.set(was_watching);
    caught.map_err(|payload| failure(payload.as_ref()))
}

/// Once for the process: what the hook does for other threads is only to pass on.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_WATCHING.get() {
                STORY.set(Some(story(info)));
            }
            previous(info);
        }));
    });
}

fn story(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!("{}\nat {place}\n{}", message(info.payload()), Backtrace::force_capture())
}

fn failure(payload: &(dyn Any + Send)) -> Failure {
    let failure = Failure::new(FailureType::WorkerError, format!("the handler panicked: {}", message(payload)));
    // Without a story somebody replaced the hook after us; the message is still there.
    match STORY.take() {
        Some(story) => failure.with_traceback(story),
        None => failure,
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_message_and_its_place() {
        let failure = catch(|| panic!("no {}", "fuel")).unwrap_err();
        assert_eq!(failure.failure_type, FailureType::WorkerError);
        assert_eq!(failure.message, "the handler panicked: no fuel");
        assert!(failure.traceback.unwrap().contains("panic_capture.rs"));
    }

    #[test]
    fn a_panic_outside_leaves_no_story_behind() {
        let _ = panic::catch_unwind(|| panic!("elsewhere"));
        assert_eq!(STORY.take(), None);
    }
}
