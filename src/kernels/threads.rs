//! The pool of threads that large kernels share.
//!
//! Work is cut into parts by output, one part a thread, so that the result has the same bits for any number of
//! threads. A general task library was not taken since it allocates for every hand-off, and since its sleeping
//! workers take longer to wake than a mid-sized product takes to compute. Here a worker looks out for work for a
//! few microseconds before it sleeps, so that products in quick succession find it awake; nothing is allocated,
//! and threads start once, when first needed. With one thread none starts.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};
use std::thread::{self, Thread};

/// How often a worker looks for work before it sleeps: for some 50 microseconds.
const LOOKS: usize = 4_000;

/// 0 until first asked for.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The number of threads that a kernel may use, the calling one among them.
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
    THREADS.store(threads.clamp(1, MOST_PARTS), Ordering::Relaxed);
}

#[cold]
fn detect() -> usize {
    let asked = std::env::var("QUIETGRAD_THREADS").ok().and_then(|threads| threads.parse().ok());
    let offered = || thread::available_parallelism().map_or(1, |threads| threads.get());
    set_threads(asked.unwrap_or_else(offered));
    THREADS.load(Ordering::Relaxed)
}

type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// Calls `task(0)` … `task(parts - 1)`, each once, on as many threads if they are free, and returns when all have
/// returned.
///
/// While another thread has the pool, or when called from within a task, the calling thread does everything.
pub(crate) fn parallel(parts: usize, task: &Task) {
    if parts <= 1 {
        return (0..parts).for_each(task);
    }
    match POOL.workers.try_lock() {
        Ok(mut workers) => POOL.run(&mut workers, parts, task),
        Err(TryLockError::Poisoned(poisoned)) => POOL.run(&mut poisoned.into_inner(), parts, task),
        Err(TryLockError::WouldBlock) => (0..parts).for_each(task),
    }
}

/// The largest number of parts: what fits a ticket.
const MOST_PARTS: usize = 0xffff;

struct Pool {
    /// The workers; whoever holds the lock may hand out a job.
    workers: Mutex<Vec<Thread>>,
    /// The job number (32 bits), its next part and its number of parts (16 bits each). To add 1 to the next part
    /// is to claim it; the job number keeps a late worker from claiming a part of another job than it looked at.
    ticket: AtomicU64,
    /// The task. Read only between a successful claim and its count in `done`.
    task: UnsafeCell<Option<*const Task<'static>>>,
    /// How many parts are done.
    done: AtomicUsize,
    /// Whether a part panicked.
    panicked: AtomicBool,
    /// How many workers sleep or are about to.
    asleep: AtomicUsize,
}

// SAFETY: `task` alone is not Sync by itself. It is written by the holder of `workers` while no part is left to
// claim and all claimed ones are done, and published by the store to `ticket`; it is read after a claim, which
// acquires that store, and before `done` counts the part, for which the writer waits. What it points to is Sync.
unsafe impl Sync for Pool {}
// SAFETY: as above; the pool is a static and never moves.
unsafe impl Send for Pool {}

static POOL: Pool = Pool {
    workers: Mutex::new(Vec::new()),
    ticket: AtomicU64::new(0),
    task: UnsafeCell::new(None),
    done: AtomicUsize::new(0),
    panicked: AtomicBool::new(false),
    asleep: AtomicUsize::new(0),
};

impl Pool {
    fn run(&'static self, workers: &mut Vec<Thread>, parts: usize, task: &Task) {
        assert!(parts <= MOST_PARTS);
        while workers.len() + 1 < parts {
            let worker = thread::Builder::new().name("quietgrad".into()).spawn(|| self.work());
            match worker {
                Ok(worker) => workers.push(worker.thread().clone()),
                // The threads there are do all parts.
                Err(_) => break,
            }
        }
        // SAFETY: only the lifetime is dropped; every claimed part is waited for below, and none is left to claim
        // after that. The cell is free for the reason given for `Sync`.
        unsafe {
            *self.task.get() = Some(std::mem::transmute::<*const Task<'_>, *const Task<'static>>(task))
        };
        self.done.store(0, Ordering::Relaxed);
        let job = (self.ticket.load(Ordering::Relaxed) >> 32) + 1;
        self.ticket.store(job << 32 | parts as u64, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            workers.iter().take(parts - 1).for_each(Thread::unpark);
        }
        let mut payload = None;
        while let Some(part) = self.claim() {
            payload = catch_unwind(AssertUnwindSafe(|| task(part))).err().or(payload);
            self.done.fetch_add(1, Ordering::Release);
        }
        let mut looks = 0;
        while self.done.load(Ordering::Acquire) < parts {
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { thread::yield_now() }
        }
        let panicked = self.panicked.swap(false, Ordering::Relaxed);
        if let Some(payload) = payload {
            resume_unwind(payload);
        }
        assert!(!panicked, "a kernel panicked on another thread");
    }

    /// Takes the next part of the current job.
    fn claim(&self) -> Option<usize> {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        loop {
            let (next, parts) = (ticket >> 16 & 0xffff, ticket & 0xffff);
            if next >= parts {
                return None;
            }
            match self.ticket.compare_exchange_weak(
                ticket,
                ticket + (1 << 16),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(next as usize),
                Err(now) => ticket = now,
            }
        }
    }

    /// The life of a worker.
    fn work(&self) {
        let mut looks = 0;
        loop {
            if let Some(part) = self.claim() {
                // SAFETY: the part is claimed and not yet counted as done, so the task is there and alive.
                let task = unsafe { &*(*self.task.get()).expect("a claimed part has a task") };
                if catch_unwind(AssertUnwindSafe(|| task(part))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                self.done.fetch_add(1, Ordering::Release);
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                // Whoever hands out a job after this addition wakes this thread; one handed out before it is
                // seen by the last look.
                self.asleep.fetch_add(1, Ordering::SeqCst);
                let ticket = self.ticket.load(Ordering::SeqCst);
                if ticket >> 16 & 0xffff >= ticket & 0xffff {
                    thread::park();
                }
                self.asleep.fetch_sub(1, Ordering::SeqCst);
                looks = 0;
            }
        }
    }
}
