//! Elements per second of elementwise functions, a sum, a softmax and an optimizer's step, in cache:
//! every instruction set of this machine, and beside them a plain loop over the standard library's functions.
//!
//! `cargo bench --bench elementwise` runs all; `-- exp/f32` one group.

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use quietgrad::kernels::{self, Each, isa::Isa, softmax};
use quietgrad::optim::{Adam, Factors, Optimizer};
use quietgrad::{Accum, Element};

/// Two arrays of `f32` of this length fill a first-level cache of 32 KiB; those of `f64` reach into the second.
const LEN: usize = 4096;
const COLS: usize = 128;

fn group<'c, T>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(format!("{name}/{}", std::any::type_name::<T>()));
    group.throughput(Throughput::Elements(LEN as u64));
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20);
    group
}

fn on_every_isa(group: &mut BenchmarkGroup<WallTime>, mut f: impl FnMut()) {
    for isa in Isa::available() {
        Isa::force(isa);
        group.bench_function(format!("{isa:?}"), |b| b.iter(&mut f));
    }
}

/// Numbers between 0 and 8, in no order.
fn numbers<T: Element>() -> Vec<T> {
    (0..LEN).map(|i| T::from_f64(8.0 * (i as f64 * 0.618).fract() + 1e-3)).collect()
}

/// A group for a function of one number: ours against a loop over the other.
fn unary<T: Element>(c: &mut Criterion, name: &str, f: impl Each<T, 1>, std: impl Fn(T) -> T) {
    let (x, mut y) = (numbers::<T>(), vec![T::ZERO; LEN]);
    let mut group = group::<T>(c, name);
    on_every_isa(&mut group, || kernels::map([black_box(&x)], black_box(&mut y), Accum::Replace, f));
    group.bench_function("std", |b| {
        b.iter(|| {
            for (y, &x) in y.iter_mut().zip(black_box(&x)) {
                *y = std(x);
            }
            black_box(&mut y);
        })
    });
}

macro_rules! each {
    ($($name:ident = $method:ident;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl<T: Element> Each<T, 1> for $name {
            #[inline(always)]
            fn at(self, [x]: [T; 1]) -> T {
                x.$method()
            }
        }
    )*};
}

each! {
    Exp = exp;
    Ln = ln;
    Tanh = tanh;
    Sigmoid = sigmoid;
}

macro_rules! functions {
    ($name:ident, $t:ident) => {
        fn $name(c: &mut Criterion) {
            unary::<$t>(c, "exp", Exp, |x| x.exp());
            unary::<$t>(c, "ln", Ln, |x| x.ln());
            unary::<$t>(c, "tanh", Tanh, |x| x.tanh());
            unary::<$t>(c, "sigmoid", Sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
            unary::<$t>(c, "relu", |[x]: [$t; 1]| if x > 0.0 { x } else { 0.0 }, |x| x.max(0.0));

            let (x, mut y) = (numbers::<$t>(), numbers::<$t>());
            let mut sums = group::<$t>(c, "sum");
            on_every_isa(&mut sums, || {
                black_box(kernels::sum(black_box(&x)));
            });
            sums.bench_function("std", |b| b.iter(|| black_box(&x).iter().sum::<$t>()));
            sums.finish();

            let mut adds = group::<$t>(c, "add");
            on_every_isa(&mut adds, || {
                kernels::map([black_box(&x), &x], black_box(&mut y), Accum::Replace, |[a, b]: [$t; 2]| a + b)
            });
            adds.finish();

            let mut rows = group::<$t>(c, "softmax");
            on_every_isa(&mut rows, || softmax::softmax(black_box(&x), COLS, black_box(&mut y)));
            rows.finish();

            let mut params = quietgrad::Params::new();
            params.add("y", quietgrad::Tensor::from_fn([LEN], |i| x[i]));
            let mut grads = params.zeros();
            grads.data_mut().copy_from_slice(&x);
            let mut adam = Adam::<$t>::new(1e-3);
            adam.step(&mut params, &grads); // makes room for what it remembers
            let mut steps = group::<$t>(c, "adam");
            on_every_isa(&mut steps, || {
                adam.update(0..LEN, black_box(&mut y), black_box(&x), Factors::default())
            });
            steps.finish();
        }
    };
}

functions! { functions_of_f32, f32 }
functions! { functions_of_f64, f64 }

criterion_group!(benches, functions_of_f32, functions_of_f64);
criterion_main!(benches);
