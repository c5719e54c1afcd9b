//! The threads that large kernels share: a pool of rayon's, started when a kernel first wants more than one.
//!
//! Work is cut into parts by output, so that the result has the same bits for any number of threads. To hand a part
//! to another thread costs some microseconds; each kernel says from which size on it asks for that. The calling thread
//! works too: for n threads, n − 1 are started.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// 0 until first asked for.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The pool, and how many threads it has.
static POOL: Mutex<Option<(usize, Arc<ThreadPool>)>> = Mutex::new(None);

/// The number of threads that a kernel may use.
///
/// At first this is `QUIETGRAD_THREADS` if the environment has it, else what the machine offers.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => detect(),
        threads => threads,
    }
}

/// Lets kernels use `threads` threads from now on, in the whole process; 0 counts as 1.
///
/// With 1, kernels run on the calling thread alone, and no other is ever started.
pub fn set_threads(threads: usize) {
    THREADS.store(threads.max(1), Ordering::Relaxed);
}

#[cold]
fn detect() -> usize {
    let asked = std::env::var("QUIETGRAD_THREADS").ok().and_then(|threads| threads.parse().ok());
    let offered = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    set_threads(asked.unwrap_or_else(offered));
    THREADS.load(Ordering::Relaxed)
}

type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// Calls `task(0)` … `task(parts - 1)`, each once, on the threads there are, and returns when all have returned.
///
/// This thread is one of them: it begins at once, and takes whatever part is left when it has done one, so that work goes on
/// while another thread wakes.
pub(crate) fn parallel(parts: usize, task: &Task) {
    let helpers = threads().min(parts).saturating_sub(1);
    let Some(pool) = (if helpers > 0 { pool() } else { None }) else { return (0..parts).for_each(task) };
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                part if part < parts => task(part),
                _ => return,
            }
            done.fetch_add(1, Ordering::Release);
        }
    };
    pool.in_place_scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|_| work());
        }
        work();
        // The others are about to finish: to sleep and be woken would take longer than most of them need.
        for _ in 0..SPINS {
            if done.load(Ordering::Acquire) >= parts {
                break;
            }
            std::hint::spin_loop();
        }
    });
}

/// How often to look whether the others have finished before going to sleep: for 50 to 200 microseconds, by processor.
const SPINS: usize = 4096;

/// Runs two tasks, at the same time if there are threads.
pub(crate) fn join(one: impl FnOnce() + Send, other: impl FnOnce() + Send) {
    match if threads() > 1 { pool() } else { None } {
        Some(pool) => pool.in_place_scope(|scope| {
            scope.spawn(|_| other());
            one();
        }),
        None => {
            one();
            other();
        }
    }
}

/// The numbers of one part, of `parts` that share `count`.
pub(crate) fn share(count: usize, part: usize, parts: usize) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

/// A pointer that threads share.
pub(crate) struct Shared<T>(pub *mut T);

// SAFETY: who uses the pointer says why its threads do not collide.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn get(&self) -> *mut T {
        self.0
    }
}

/// The pool of the other threads; none if the system gives none.
fn pool() -> Option<Arc<ThreadPool>> {
    let wanted = threads().saturating_sub(1).max(1);
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.as_ref().is_none_or(|(threads, _)| *threads != wanted) {
        let name = |number| format!("quietgrad {number}");
        let built = ThreadPoolBuilder::new().num_threads(wanted).thread_name(name).build().ok()?;
        *pool = Some((wanted, Arc::new(built)));
    }
    pool.as_ref().map(|(_, pool)| Arc::clone(pool))
}
