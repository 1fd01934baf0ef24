use std::fmt;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Computes the text of a live line. Must not block.
pub(crate) type LiveText = Box<dyn Fn() -> String + Send>;

/// A line at the end of a terminal that is written again and again. Removed when dropped.
pub(crate) struct LiveLine {
    bar: ProgressBar,
    text: LiveText,
}

impl LiveLine {
    /// Shows a line on standard error.
    pub(crate) fn new(text: LiveText) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well formed"));
        let line = Self { bar, text };
        line.redraw();
        line
    }

    /// Writes the line again.
    pub(crate) fn redraw(&self) {
        self.bar.set_message((self.text)());
        self.bar.tick();
    }

    /// Writes something above the line.
    pub(crate) fn write_above(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Debug for LiveLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLine").finish_non_exhaustive()
    }
}
