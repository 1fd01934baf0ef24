use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use longshore_migrate::target::{Progress, ProgressListener};

use crate::output::Output;

/// A listener that shows a progress bar, if standard error is a terminal.
pub(super) fn listener(output: &Output) -> Option<ProgressListener> {
    if !output.has_progress() {
        return None;
    }
    let bar = ProgressBar::new_spinner();
    Some(Arc::new(move |progress| show(&bar, progress)))
}

fn show(bar: &ProgressBar, progress: &Progress) {
    match progress {
        Progress::Begun { id, name, .. } => bar.set_message(format!("{id} {name}")),
        Progress::Rows { done, total: Some(total) } => {
            bar.set_style(style("{msg} {wide_bar} {human_pos}/{human_len} rows  {eta}"));
            bar.set_length(*total);
            bar.set_position(*done);
        }
        Progress::Rows { done, total: None } => {
            bar.set_style(style("{msg} {human_pos} rows  {elapsed}"));
            bar.set_position(*done);
        }
        Progress::Done { .. } => {
            bar.set_style(style("{msg}"));
            bar.finish_and_clear();
        }
        _ => bar.tick(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are well formed")
}
