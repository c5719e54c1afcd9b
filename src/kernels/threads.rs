//! The threads that large kernels share, started when a kernel first wants more than one.
//!
//! Work is cut into parts by output, so that the result has the same bits for any number of threads. To hand a part
//! to another thread costs some microseconds; each kernel says from which size on it asks for that. The calling thread
//! works too: for n threads, n − 1 are started.
//!
//! A call allocates nothing: what the threads share of it stands on the caller's stack, and they are told where. The caller
//! takes parts until none is left, then waits for the threads that still have one. It never runs anything else meanwhile,
//! so a call may come from any thread: from several at once, from inside a part, from another library's pool.
//! `docs/adr/0020-threads-of-our-own.md` has the reasons.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The most threads that kernels use, however many are asked for.
pub const MOST_THREADS: usize = 256;

/// 0 until first asked for.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The number of threads that a kernel may use.
///
/// At first this is `QUIETGRAD_THREADS` if the environment has it and it is not empty, else what the machine offers; as with
/// [`set_threads`], 0 counts as 1, and more than [`MOST_THREADS`] as that many.
///
/// # Panics
/// If `QUIETGRAD_THREADS` is not a whole number.
#[track_caller]
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => detect(),
        threads => threads,
    }
}

/// Lets kernels use `threads` threads from now on, in the whole process; 0 counts as 1, and more than [`MOST_THREADS`] as
/// that many.
///
/// With 1, kernels run on the calling thread alone, and no other is ever started. Threads that the system refuses to start
/// are done without, and asked for again only when this function is called again.
pub fn set_threads(threads: usize) {
    THREADS.store(threads.clamp(1, MOST_THREADS), Ordering::Relaxed);
    if let Some(pool) = Pool::existing() {
        pool.lock().refused = false;
    }
}

#[cold]
#[track_caller]
fn detect() -> usize {
    let asked = std::env::var_os("QUIETGRAD_THREADS").filter(|asked| !asked.is_empty());
    let threads = match asked {
        Some(asked) => match asked.to_str().map(|asked| asked.trim().parse()) {
            Some(Ok(threads)) => threads,
            _ => panic!("QUIETGRAD_THREADS is \"{}\", not a number of threads", asked.display()),
        },
        None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    set_threads(threads);
    THREADS.load(Ordering::Relaxed)
}

type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// Calls `task(0)` … `task(parts - 1)`, each once, on the threads there are, and returns when all have returned.
///
/// This thread is one of them: it begins at once, and takes whatever part is left when it has done one, so that work goes on
/// while another thread wakes.
///
/// # Panics
/// If a part does; parts that have not begun by then are left out.
pub(crate) fn parallel(parts: usize, task: &Task) {
    let helpers = threads().min(parts).saturating_sub(1);
    if helpers == 0 {
        return (0..parts).for_each(task);
    }
    Pool::of_this_process().run(helpers, parts, task);
}

/// Runs two tasks, at the same time if there are threads.
pub(crate) fn join(one: impl FnOnce() + Send, other: impl FnOnce() + Send) {
    let (one, other) = (Mutex::new(Some(one)), Mutex::new(Some(other)));
    parallel(2, &|part| {
        if part == 0 {
            run_once(&one);
        } else {
            run_once(&other);
        }
    });
}

fn run_once(task: &Mutex<Option<impl FnOnce()>>) {
    let task = task.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(task) = task {
        task();
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

/// How often the caller looks whether the others have finished before it goes to sleep: for 50 to 200 microseconds, by
/// processor. To sleep and be woken would take longer than most of them need.
const CALLER_SPINS: usize = 4096;

/// How often a thread without work looks for more before it goes to sleep: a step has several large products, one soon
/// after the other.
const WORKER_SPINS: usize = 1024;

/// One call of [`parallel`], on its caller's stack.
struct Job<'a> {
    task: &'a Task<'a>,
    parts: usize,
    /// The next part that nobody has begun; `parts` or more if there is none.
    next: AtomicUsize,
    /// How many threads of the pool are at work on it. Counted up and down under the pool's lock.
    inside: AtomicUsize,
    /// What the first part that panicked panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Takes parts until none is left.
    fn work(&self) {
        let work = || {
            loop {
                match self.next.fetch_add(1, Ordering::Relaxed) {
                    part if part < self.parts => (self.task)(part),
                    _ => return,
                }
            }
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
            self.next.store(self.parts, Ordering::Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                *first = Some(payload);
            } else {
                std::mem::forget(payload); // dropping it might panic
            }
        }
    }
}

/// A job that threads may join, under the pool's lock.
struct Open {
    job: *const Job<'static>,
    /// How many more may.
    seats: usize,
}

// SAFETY: a job is shared by all threads that are at work on it; its parts are `Sync`.
unsafe impl Send for Open {}

/// The threads of a process, and what they are to do. Never freed: they use it as long as the process lives.
struct Pool {
    /// A forked process has none of its parent's threads, and needs a pool of its own.
    process: u32,
    state: Mutex<State>,
    /// Counts the jobs that were opened: a thread that looks for work need not lock to see that there is none.
    opened: AtomicUsize,
    /// Threads without work wait here, for a job.
    work: Condvar,
    /// Callers wait here, for the threads that are still at work.
    done: Condvar,
}

struct State {
    open: Vec<Open>,
    threads: usize,
    /// How many of them wait for work.
    asleep: usize,
    /// How many callers wait.
    waiting: usize,
    /// Whether the system has refused a thread.
    refused: bool,
}

static POOL: AtomicPtr<Pool> = AtomicPtr::new(ptr::null_mut());

/// The number of this process. (Where there are no processes there are no threads either.)
fn process() -> u32 {
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

impl Pool {
    /// The pool, if there is one: maybe the parent's.
    fn existing() -> Option<&'static Pool> {
        // SAFETY: a pool is never freed.
        let pool = unsafe { POOL.load(Ordering::Acquire).as_ref() };
        pool.filter(|pool| pool.process == process())
    }

    /// The pool of this process, made if there is none.
    fn of_this_process() -> &'static Pool {
        Pool::existing().unwrap_or_else(Pool::make)
    }

    #[cold]
    fn make() -> &'static Pool {
        let before = POOL.load(Ordering::Acquire);
        // SAFETY: a pool is never freed.
        if let Some(pool) = unsafe { before.as_ref() }
            && pool.process == process()
        {
            return pool; // made by another thread just now
        }
        let open = Vec::with_capacity(MOST_THREADS);
        let state = State { open, threads: 0, asleep: 0, waiting: 0, refused: false };
        let pool = Box::into_raw(Box::new(Pool {
            process: process(),
            state: Mutex::new(state),
            opened: AtomicUsize::new(0),
            work: Condvar::new(),
            done: Condvar::new(),
        }));
        match POOL.compare_exchange(before, pool, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: a pool is never freed.
            Ok(_) => unsafe { &*pool },
            Err(others) => {
                // SAFETY: nobody has seen this pool; the other one is never freed.
                unsafe {
                    drop(Box::from_raw(pool));
                    &*others
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts threads until there are `wanted`, unless the system has refused one.
    fn start_threads(&'static self, state: &mut State, wanted: usize) {
        while state.threads < wanted && !state.refused {
            let thread = std::thread::Builder::new().name(format!("quietgrad {}", state.threads + 1));
            match thread.spawn(|| self.serve()) {
                Ok(_) => state.threads += 1,
                Err(_) => state.refused = true,
            }
        }
    }

    /// Runs a task with the help of at most `helpers` threads.
    fn run(&'static self, helpers: usize, parts: usize, task: &Task) {
        let (next, inside, panic) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(None));
        let job = Job { task, parts, next, inside, panic };
        let asleep = {
            let mut state = self.lock();
            self.start_threads(&mut state, helpers);
            state.open.push(Open { job: (&raw const job).cast(), seats: helpers });
            self.opened.fetch_add(1, Ordering::Relaxed);
            state.asleep
        };
        // Nothing below unwinds before the job is closed and left: the threads use it.
        if helpers >= asleep && asleep > 1 {
            self.work.notify_all();
        } else {
            (0..helpers.min(asleep)).for_each(|_| self.work.notify_one());
        }
        job.work();
        self.lock().open.retain(|open| !ptr::eq(open.job, (&raw const job).cast()));
        self.wait_until_left(&job);
        let panic = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    /// Returns when no thread is at work on a job, which is no longer open.
    fn wait_until_left(&self, job: &Job) {
        for _ in 0..CALLER_SPINS {
            if job.inside.load(Ordering::Acquire) == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        let mut state = self.lock();
        state.waiting += 1;
        while job.inside.load(Ordering::Acquire) > 0 {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
    }

    /// What a thread of the pool does: it joins a job, works, and leaves it, for ever.
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.join() {
                drop(state);
                // SAFETY: its caller waits until `inside` is 0, and this thread has been counted.
                let job = unsafe { &*job };
                job.work();
                state = self.lock();
                // From here on the job may be gone.
                let others = job.inside.fetch_sub(1, Ordering::Release) - 1;
                if others == 0 && state.waiting > 0 {
                    self.done.notify_all();
                }
                continue;
            }
            let seen = self.opened.load(Ordering::Relaxed);
            drop(state);
            for _ in 0..WORKER_SPINS {
                if self.opened.load(Ordering::Relaxed) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            state = self.lock();
            if self.opened.load(Ordering::Relaxed) == seen {
                state.asleep += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.asleep -= 1;
            }
        }
    }
}

impl State {
    /// Joins a job that has parts left and takes more threads, if there is one.
    fn join(&mut self) -> Option<*const Job<'static>> {
        for Open { job, seats } in &mut self.open {
            // SAFETY: its caller closes it, under this lock, before it is gone.
            let open = unsafe { &**job };
            if *seats > 0 && open.next.load(Ordering::Relaxed) < open.parts {
                *seats -= 1;
                open.inside.fetch_add(1, Ordering::Relaxed);
                return Some(*job);
            }
        }
        None
    }
}
