//! Threads: parts that run at once, on the library's own pool and inside another one's, after a panic and after a fork.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use quietgrad::kernels::MOST_THREADS;
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, SkipZeros, Tape, Tensor, loss, reg};

/// The file below the kernels, compiled again: its door is closed to users.
#[path = "../src/kernels/threads.rs"]
#[allow(dead_code, unsafe_code)]
mod pool;

/// The number of threads is the whole process's: tests take turns.
fn with_threads<R>(threads: usize, test: impl FnOnce() -> R) -> R {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    quietgrad::set_threads(threads);
    pool::set_threads(threads);
    test()
}

/// Calls parts inside parts; every part must run once.
fn count_parts(parts: usize, depth: usize) -> usize {
    let (count, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    pool::parallel(parts, &|part| {
        seen.fetch_add(part + 1, Ordering::Relaxed);
        count.fetch_add(if depth == 0 { 1 } else { count_parts(parts, depth - 1) }, Ordering::Relaxed);
    });
    assert_eq!(seen.into_inner(), parts * (parts + 1) / 2);
    count.into_inner()
}

#[test]
fn every_part_runs_once_also_inside_parts_and_for_many_callers() {
    for threads in [1, 2, 3, 8] {
        with_threads(threads, || {
            assert_eq!(count_parts(0, 0), 0);
            assert_eq!(count_parts(1, 3), 1);
            std::thread::scope(|scope| {
                for caller in 0..6 {
                    scope.spawn(move || {
                        for parts in [2, 3, 5, 17] {
                            for _ in 0..20 {
                                assert_eq!(count_parts(parts, caller % 3), parts.pow(caller as u32 % 3 + 1));
                            }
                        }
                    });
                }
            });
        });
    }
}

#[test]
fn what_a_part_wrote_is_seen_by_the_caller() {
    with_threads(4, || {
        for round in 0..2000 {
            let mut numbers = [0; 9];
            let shared = pool::Shared(numbers.as_mut_ptr());
            pool::parallel(9, &|part| {
                // SAFETY: each part has a number of its own.
                #[allow(unsafe_code)]
                unsafe {
                    shared.get().add(part).write(round + part);
                }
            });
            assert_eq!(numbers, std::array::from_fn(|part| round + part));
        }
    });
}

#[test]
fn a_part_that_panics_panics_at_its_caller_and_the_threads_live_on() {
    with_threads(3, || {
        for bad in 0..6 {
            let (running, caller) = (AtomicUsize::new(0), std::thread::current().id());
            let task = |part: usize| {
                running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                let panics = part == bad || bad == 5 && std::thread::current().id() != caller;
                running.fetch_sub(1, Ordering::SeqCst);
                assert!(!panics, "part {part}");
            };
            let panicked = catch_unwind(AssertUnwindSafe(|| pool::parallel(5, &task)));
            assert_eq!(running.load(Ordering::SeqCst), 0, "a part was still running");
            if bad < 5 {
                let message = panicked.unwrap_err().downcast::<String>().unwrap();
                assert_eq!(*message, format!("part {bad}"));
            }
        }
        let nested =
            catch_unwind(|| pool::parallel(4, &|_| pool::parallel(4, &|part| assert!(part != 2, "two"))));
        assert!(nested.is_err());
        assert_eq!(count_parts(7, 2), 343);
    });
}

#[test]
fn two_tasks_are_both_run() {
    for threads in [1, 2] {
        with_threads(threads, || {
            let (mut a, mut b) = (0, 0);
            pool::join(|| a += 1, || b += 2);
            assert_eq!([a, b], [1, 2]);
        });
    }
}

#[test]
fn the_number_of_threads_has_bounds() {
    with_threads(1_000_000, || assert_eq!(quietgrad::threads(), MOST_THREADS));
    with_threads(0, || assert_eq!(quietgrad::threads(), 1));
    with_threads(7, || assert_eq!(quietgrad::threads(), 7));
}

#[test]
fn as_many_threads_as_there_may_be_are_started_and_serve() {
    with_threads(usize::MAX, || assert_eq!(count_parts(2 * MOST_THREADS, 0), 2 * MOST_THREADS));
}

/// Runs one test of this binary in a process of its own, with an environment variable.
fn run_alone(test: &str, variable: &str, value: &str) -> std::process::Output {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.args(["--exact", test, "--nocapture"]).env(variable, value).env("QUIETGRAD_TEST_ALONE", "1");
    itself.output().unwrap()
}

fn is_alone() -> bool {
    std::env::var_os("QUIETGRAD_TEST_ALONE").is_some()
}

#[test]
fn a_word_that_says_nothing_of_zeros_is_refused() {
    if is_alone() {
        drop(Tape::<f32>::new());
        return;
    }
    let test = "a_word_that_says_nothing_of_zeros_is_refused";
    for (value, taken) in [("never", true), ("always", true), ("", true), ("nver", false)] {
        let output = run_alone(test, "QUIETGRAD_ZEROS", value);
        assert_eq!(output.status.success(), taken, "{value}");
    }
}

#[test]
fn the_environment_gives_the_number_of_threads_or_is_refused() {
    if is_alone() {
        println!("threads: {}", quietgrad::threads());
        return;
    }
    let test = "the_environment_gives_the_number_of_threads_or_is_refused";
    for (value, expected) in [("3", "3"), ("0", "1"), (" 2 ", "2"), ("4096", &MOST_THREADS.to_string())] {
        let output = run_alone(test, "QUIETGRAD_THREADS", value);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("threads: {expected}\n")), "{value}: {said}");
    }
    for value in ["two", "-1", "2.0", "99999999999999999999999"] {
        let output = run_alone(test, "QUIETGRAD_THREADS", value);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(&format!("QUIETGRAD_THREADS is {value:?}")),
            "{said}"
        );
    }
    assert!(run_alone(test, "QUIETGRAD_THREADS", "").status.success());
}

/// Trains an autoencoder for some steps; gives its weights. Its products are large enough to be shared among threads, and its
/// layers, by what `when` says, to be screened and to skip zeros.
fn train(seed: u64, when: SkipZeros) -> Vec<f32> {
    let mut random = Random::new(seed);
    let x = Tensor::from_fn([256, 256], |_| random.normal() as f32);
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [256, 512], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [512, 256], Init::HeNormal, &mut random);
    params.get_mut(encoder.b).fill(-3.0);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-4));
    tape.skip_zeros(when);
    let mut screened = false;
    for _ in 0..4 {
        let r = tape.record(&params);
        let x = r.input(&x); // of data, a constant, the zeros would be looked for instead
        let h = encoder.forward_relu(x);
        screened |= r.skipping(h).screened.is_some();
        let loss = loss::mse(decoder.forward(h), x) + reg::l1(h).per_sample() * 1e-4;
        loss.backward(&mut grads);
        adam.step(&mut params, &grads);
    }
    // Not every instruction set screens, but what asks for it on one must have it.
    let able = quietgrad::kernels::screen::linear_relu(
        [1, 1, 1],
        quietgrad::matrix::Mat::row_major(&[1.0], 1),
        quietgrad::matrix::Mat::row_major(&[1.0], 1),
        &[0.0],
        &mut [0.0],
    );
    assert_eq!(screened, able.is_some() && when == SkipZeros::Always);
    params.data().to_vec()
}

#[test]
fn layers_train_inside_another_pool_as_they_do_alone() {
    with_threads(3, || {
        let kinds = [SkipZeros::Always, SkipZeros::Never];
        let alone: Vec<_> =
            kinds.map(|when| [1, 2].map(|seed| train(seed, when))).into_iter().flatten().collect();
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let trained: Vec<_> = (0..8).map(|_| Mutex::new(Vec::new())).collect();
        // Tasks that start tasks: while one waits its thread is given others.
        pool.scope(|scope| {
            for (i, place) in trained.iter().enumerate() {
                scope.spawn(move |scope| {
                    scope.spawn(move |_| {
                        let run = || train(i as u64 % 2 + 1, kinds[i % 4 / 2]);
                        *place.lock().unwrap() = rayon_core::join(run, || ()).0;
                    });
                });
            }
        });
        for (i, place) in trained.iter().enumerate() {
            assert!(*place.lock().unwrap() == alone[i % 4], "run {i} has other bits");
        }
    });
}

#[cfg(unix)]
#[test]
fn a_forked_process_starts_threads_of_its_own() {
    with_threads(3, || {
        let before = train(1, SkipZeros::Always);
        // SAFETY: the child only computes, and leaves by `_exit`; allocation works in a forked process.
        #[allow(unsafe_code)]
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let same = catch_unwind(|| train(1, SkipZeros::Always) == before && count_parts(5, 1) == 25);
            let code = i32::from(!same.is_ok_and(|same| same));
            // SAFETY: it ends the process, without the parent's cleaning up.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(code)
            }
        }
        let mut status = 0;
        for _ in 0..6000 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            // SAFETY: the child is this process's, and `status` is there to be written.
            #[allow(unsafe_code)]
            let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
            if ended == child {
                assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status}");
                return;
            }
        }
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &raw mut status, 0);
        }
        panic!("the child hangs");
    });
}
