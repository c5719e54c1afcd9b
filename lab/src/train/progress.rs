//! A bar that shows how far training is, where somebody may look at it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on a terminal, or nothing.
#[derive(Debug)]
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Shows nothing.
    pub fn hidden() -> Self {
        Bar(None)
    }

    /// On standard error, where that is a terminal.
    pub fn on_terminal() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {msg}"));
        Bar((!bar.is_hidden()).then_some(bar))
    }

    /// Shows that so many steps of so many are done. The text is made only if there is a bar.
    pub fn show(&self, done: u64, all: Option<u64>, text: impl FnOnce() -> String) {
        let Some(bar) = &self.0 else { return };
        if bar.length() != all {
            bar.set_style(style("{bar:30} {percent:>3} %, {eta} left at most: {msg}"));
            bar.set_length(all.unwrap_or(0));
            // What was done by another process, or before anything was known, is not counted as speed.
            bar.reset_eta();
        }
        bar.set_message(text());
        bar.set_position(done);
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template that is well formed")
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
