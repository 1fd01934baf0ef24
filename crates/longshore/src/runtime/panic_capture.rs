use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use longshore_core::{Failure, FailureType};

thread_local! {
    /// Whether this thread is inside a guarded call now.
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    /// Where the panic came from, between the hook and the end of unwinding.
    static STORY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    /// Message, place and backtrace. `None` if another panic hook replaced ours.
    story: Option<String>,
}

impl Panicked {
    /// The failure of the attempt: `who` panicked.
    pub(crate) fn into_failure(self, who: &str) -> Failure {
        let failure = Failure::new(FailureType::WorkerError, format!("{who} panicked: {}", self.message));
        match self.story {
            Some(story) => failure.with_traceback(story),
            None => failure,
        }
    }
}

/// Runs foreign code. If it panics, returns the message, place and backtrace.
///
/// The program's own panic hook runs as usual, also for this panic.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    install();
    let was_watching = IS_WATCHING.replace(true);
    // The code that panicked is never called again, so nobody sees its inconsistent state.
    let caught = panic::catch_unwind(AssertUnwindSafe(call));
    IS_WATCHING.set(was_watching);
    caught.map_err(|payload| {
        let panicked = Panicked { message: message(payload.as_ref()).to_owned(), story: STORY.take() };
        discard(payload);
        panicked
    })
}

/// Runs a future to its end. Returns its panic, or a panic of its `Drop`.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    Caught { future: Some(Box::pin(future)) }.await
}

/// The same of a future in a box of its own, which costs no second one.
pub(crate) async fn caught_boxed<'a, T>(
    make: impl FnOnce() -> Pin<Box<dyn Future<Output = T> + Send + 'a>>,
) -> Result<T, Panicked> {
    let mut future = catch(make)?;
    // What panicked is not polled again.
    poll_fn(|context| match catch(|| future.as_mut().poll(context)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

struct Caught<F> {
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let future = this.future.as_mut().expect("a future that has resolved is not polled again");
        let polled = catch(|| future.as_mut().poll(context));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panicked) => Err(panicked),
        };
        let future = this.future.take();
        let dropped = catch(|| drop(future));
        Poll::Ready(output.and_then(|output| dropped.map(|()| output)))
    }
}

/// Runs a call that only informs. A panic in it is ignored.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(output) => Some(output),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops what a panic carried. If its `Drop` panics too, the second payload is leaked.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Runs once for the process. For other threads the hook only calls the previous one.
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

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is not text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::park;

    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("no end");
        }
    }

    #[test]
    fn a_panic_is_told_with_its_message_and_its_place() {
        let failure = catch(|| panic!("no {}", "fuel")).unwrap_err().into_failure("the handler");
        assert_eq!(failure.failure_type, FailureType::WorkerError);
        assert_eq!(failure.message, "the handler panicked: no fuel");
        assert!(failure.traceback.unwrap().contains("panic_capture.rs"));
    }

    #[test]
    fn a_panic_outside_leaves_no_story_behind() {
        let _ = panic::catch_unwind(|| panic!("elsewhere"));
        assert_eq!(STORY.take(), None);
    }

    #[test]
    fn a_panic_whose_value_panics_when_it_is_dropped_is_caught_all_the_same() {
        let panicked = catch(|| panic::panic_any(PanicsWhenDropped)).unwrap_err();
        assert_eq!(panicked.message, "a value that is not text");
        assert_eq!(quietly(|| panic::panic_any(PanicsWhenDropped)), None::<()>);
    }

    #[test]
    fn a_future_that_panics_when_it_is_dropped_has_panicked() {
        let guard = PanicsWhenDropped;
        let future = poll_fn(move |_| {
            let _kept = &guard;
            Poll::Ready(7)
        });
        assert_eq!(park::block_on(caught(future)).unwrap_err().message, "no end");
        assert_eq!(park::block_on(caught(async { 7 })), Ok(7));
    }
}
