//! Runs that do not depend on one another, on several threads.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Makes one run for each seed, at most `threads` at a time; the results stand in the order of the seeds.
///
/// They are those of the serial run, to the last bit: a run is handed its seed and nothing else that depends on the
/// others. Kernels share their own threads besides ([`quietgrad::threads`]); where every processor has a run of its own,
/// [`quietgrad::set_threads`]`(1)` saves them the sharing.
///
/// A run that may fail returns a `Result`, and `into_iter().collect::<Result<Vec<_>, _>>()` finds the first failure.
///
/// ```
/// use quietgrad::Random;
/// use quietgrad_lab::train::{repeat, statistics::summarize};
///
/// let scores = repeat(0..10, 2, |seed| Random::new(seed).uniform(0.8, 0.9));
/// assert_eq!(scores, repeat(0..10, 1, |seed| Random::new(seed).uniform(0.8, 0.9)));
/// println!("{}", summarize(&scores)); // mean ± standard deviation, and an interval for the mean
/// ```
///
/// # Panics
/// If a run does: with that run's panic, once the runs that had begun have ended.
pub fn repeat<R: Send>(
    seeds: impl IntoIterator<Item = u64>,
    threads: usize,
    run: impl Fn(u64) -> R + Sync,
) -> Vec<R> {
    let seeds: Vec<u64> = seeds.into_iter().collect();
    in_parallel(&seeds, threads, |&seed| run(seed))
}

/// Calls `work` with each item, at most `threads` at a time (0 counts as 1); the results stand in the items' order.
///
/// What [`repeat`] is for seeds, this is for anything: folds, methods, pairs of a seed and a setting.
///
/// ```
/// use quietgrad_lab::{data::split::k_folds, train::in_parallel};
///
/// let sizes = in_parallel(&k_folds(10, 3, 7), 2, |fold| fold.held_out.len());
/// assert_eq!(sizes, [4, 3, 3]);
/// ```
///
/// # Panics
/// As [`repeat`].
pub fn in_parallel<I: Sync, R: Send>(items: &[I], threads: usize, work: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let _stop = StopOthers(&next);
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let items = numbers.map_while(|number| items.get(number).map(|item| (number, item)));
        items.map(|(number, item)| (number, work(item))).collect::<Vec<_>>()
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let done =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.flatten().collect::<Vec<_>>()
    });
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Dropped in a panic, leaves nothing to begin.
struct StopOthers<'a>(&'a AtomicUsize);

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(usize::MAX / 2, Ordering::Relaxed);
        }
    }
}
