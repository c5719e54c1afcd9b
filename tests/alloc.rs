//! A training step allocates nothing once its tape is warm, on any thread. The allocator counts for the whole process, so this
//! binary runs its tests one after the other, without the harness, which allocates beside them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::mem::discriminant;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use quietgrad::inspect::Kind;
use quietgrad::kernels::{screen, support::find};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, Sparse, Support};
use quietgrad::nn::{
    self, BatchNorm, BatchStatistics, Conv2d, Dense, Embedding, Init, LayerNorm, MultiHeadAttention,
};
use quietgrad::ops::conv::{Convolution, Padding, Transposed};
use quietgrad::ops::pool::Pooling;
use quietgrad::ops::upsample::Align;
use quietgrad::ops::{Op, Reduction, Sample, SampleInput};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Accum, SkipZeros};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, loss, reg, set_threads, threads};

struct Counting;

/// Allocations of all threads.
static COUNT: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A test, and its name.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        const TESTS: &[(&str, fn())] = &[$((stringify!($test), $test)),*];
    };
}

tests![
    the_allocator_counts,
    an_allocation_of_another_thread_counts,
    a_warmed_xor_step_allocates_nothing,
    a_warmed_autoencoder_step_on_gathered_rows_allocates_nothing,
    a_step_that_skips_zeros_allocates_nothing,
    a_large_step_allocates_nothing_on_any_number_of_threads,
    a_step_of_a_convolutional_net_allocates_nothing_on_any_number_of_threads,
    losses_and_penalties_allocate_nothing,
    a_warmed_transformer_step_allocates_nothing,
    a_penalty_that_is_reduced_three_times_allocates_nothing,
    looking_for_a_penalty_that_flows_nowhere_allocates_nothing,
    warmed_sparse_products_allocate_nothing,
    every_op_runs_without_allocating,
    every_op_runs_on_six_axes_without_allocating,
    twelve_tensors_are_stacked_without_allocating,
    a_warmed_screening_allocates_nothing,
    threads_that_the_system_refuses_are_not_asked_for_again,
];

/// Runs the tests whose names contain one of the arguments, or all.
fn main() {
    // What the harness would find, and this list would not.
    assert!(!include_str!("alloc.rs").contains(concat!("#[", "test]")), "list the test above instead");
    let wanted: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (name, test) in TESTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(&**wanted)) {
            println!("test {name} ...");
            test();
        }
    }
}

/// Runs a step a few times, then counts the allocations of ten more, of this thread and of all others.
///
/// Counts again if there were any, since a thread of a pool makes its buffers when its turn first comes, which may be late:
/// what allocates in each step does so in each ten.
fn allocations(mut step: impl FnMut()) -> u64 {
    for _ in 0..3 {
        step();
    }
    let mut ten_steps = || {
        let before = COUNT.load(Ordering::SeqCst);
        for _ in 0..10 {
            step();
        }
        COUNT.load(Ordering::SeqCst) - before
    };
    let mut least = ten_steps();
    for _ in 0..5 {
        if least > 0 {
            least = least.min(ten_steps());
        }
    }
    least
}

fn the_allocator_counts() {
    let mut kept = Vec::new();
    assert!((10..20).contains(&allocations(|| kept.push(Box::new(1)))));
}

fn an_allocation_of_another_thread_counts() {
    let count = allocations(|| std::thread::scope(|scope| drop(scope.spawn(|| Box::new(1)))));
    assert!(count >= 10);
}

fn a_warmed_xor_step_allocates_nothing() {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    let mut random = Random::new(1);
    let mut params = Params::<f32>::new();
    let hidden = Dense::new(&mut params, "hidden", [2, 8], Init::GlorotUniform, &mut random);
    let output = Dense::new(&mut params, "output", [8, 1], Init::GlorotUniform, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.01));

    let count = allocations(|| {
        let r = tape.record(&params);
        let h = hidden.forward(r.constant(&x)).tanh();
        let fit = loss::bce_with_logits(output.forward(h), r.constant(&y));
        (fit + reg::l1(h).per_sample() * 1e-3).backward(&mut grads);
        adam.step(&mut params, &grads);
    });
    assert_eq!(count, 0);
}

/// With a frozen layer, batch statistics, padding and weights besides.
fn a_warmed_transformer_step_allocates_nothing() {
    let mut random = Random::new(3);
    let mut params = Params::<f32>::new();
    let words =
        Embedding::new(&mut params, "words", [7, 8], Init::LeCunNormal, &mut random).padded(&mut params, 0);
    let [norm, last] = ["norm", "last"].map(|name| LayerNorm::new(&mut params, name, 8));
    let attention = MultiHeadAttention::new(&mut params, "attention", 8, 2, Init::GlorotUniform, &mut random);
    let dense = Dense::new(&mut params, "dense", [8, 8], Init::HeNormal, &mut random);
    let batch = BatchNorm { axis: 2, ..BatchNorm::new(&mut params, "batch", 8) };
    params.freeze_layer("dense");
    let (past, weights) = (nn::causal_mask(4), Tensor::from([1.0, 2.0, 1.0, 1.0, 1.0, 3.0, 1.0]));
    let (given, wanted) = ([1, 2, 3, 0, 4, 5, 0, 0], [2, 3, 4, 0, 5, 6, 0, 0]);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.01));
    let mut seen = BatchStatistics::new();

    let count = allocations(|| {
        let r = tape.record(&params);
        let indices = r.indices([2, 4], &given);
        let x = words.forward(indices);
        let mask = nn::padding_mask(indices, 0) * r.constant(&past);
        let found = attention.forward(norm.forward(x), Some(mask));
        let x = x + found;
        let x = x + batch.train(dense.forward_relu(x), &mut seen);
        let logits = last.forward(x).matmul(r.param(words.table).t());
        let fit = loss::CrossEntropy::new().ignore(0).class_weights(r.constant(&weights));
        let loss = fit.smoothing(0.1).of(logits, r.indices([2, 4], &wanted));
        (loss + reg::l1(found).per_sample() * 1e-3).backward(&mut grads);
        adam.step(&mut params, &grads);
        batch.follow(&mut params, &seen);
    });
    assert_eq!(count, 0);
}

fn a_warmed_autoencoder_step_on_gathered_rows_allocates_nothing() {
    let mut random = Random::new(2);
    let data = Tensor::from_fn([200, 64], |_| random.normal() as f32);
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [64, 256], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [256, 64], Init::LeCunNormal, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.001));
    let mut order = random.permutation(200);

    let count = allocations(|| {
        random.shuffle(&mut order);
        for rows in order.chunks(64) {
            let r = tape.record(&params);
            let x = r.constant_rows(&data, rows);
            let h = encoder.forward(x).relu();
            let loss = loss::mse(decoder.forward(h), x) + reg::l1(h).per_sample() * 1e-3;
            loss.backward(&mut grads);
            adam.step(&mut params, &grads);
        }
    });
    assert_eq!(count, 0);
}

fn a_step_that_skips_zeros_allocates_nothing() {
    let mut random = Random::new(4);
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [64, 512], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [512, 64], Init::HeNormal, &mut random);
    params.get_mut(encoder.b).fill(-2.0);
    let x = Tensor::from_fn([128, 64], |_| random.normal() as f32);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-3));
    let mut skipped = true;
    tape.skip_zeros(SkipZeros::WherePays);

    let count = allocations(|| {
        let r = tape.record(&params);
        let x = r.constant(&x);
        let h = encoder.forward_relu(x);
        let y = decoder.forward(h.dropout(0.1, &mut random) * 1.1);
        (loss::mse(y, x) + reg::l1(h).per_sample() * 1e-4).backward(&mut grads);
        skipped &= r.skipping(y).right.is_some();
        adam.step(&mut params, &grads);
    });
    assert!(skipped);
    assert_eq!(count, 0);
}

/// A product of every kind that threads share, and an optimizer's step, in sizes that are worth sharing.
fn a_large_step_allocates_nothing_on_any_number_of_threads() {
    let default = threads();
    for (threads, when) in [
        (default, SkipZeros::WherePays),
        (4, SkipZeros::WherePays),
        (4, SkipZeros::Never),
        (3, SkipZeros::Always),
    ] {
        set_threads(threads);
        let mut random = Random::new(4);
        let mut params = Params::<f32>::new();
        let encoder = Dense::new(&mut params, "encoder", [256, 512], Init::HeNormal, &mut random);
        let decoder = Dense::new(&mut params, "decoder", [512, 256], Init::HeNormal, &mut random);
        params.get_mut(encoder.b).fill(-3.0);
        let x = Tensor::from_fn([256, 256], |_| random.normal() as f32);
        let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-4));
        tape.skip_zeros(when);
        let count = allocations(|| {
            let r = tape.record(&params);
            let x = r.constant(&x);
            let h = encoder.forward_relu(x);
            let loss = loss::mse(decoder.forward(h), x) + reg::l1(h).per_sample() * 1e-4;
            loss.backward(&mut grads);
            adam.step(&mut params, &grads);
        });
        assert_eq!(count, 0, "{threads} threads, {when:?}");
    }
    set_threads(default);
}

fn a_step_of_a_convolutional_net_allocates_nothing_on_any_number_of_threads() {
    let default = threads();
    for threads in [1, 3] {
        set_threads(threads);
        let mut random = Random::new(4);
        let mut params = Params::<f32>::new();
        let of = Convolution::new().padding(1);
        let mut conv = |name: &str, channels| {
            Conv2d::new(&mut params, name, channels, 3, of, Init::HeNormal, &mut random)
        };
        let (first, second) = (conv("first", [1, 16]), conv("second", [16, 32]));
        let last = Dense::new(&mut params, "last", [32 * 49, 10], Init::HeNormal, &mut random);
        let x = Tensor::from_fn([32, 1, 28, 28], |_| random.normal() as f32);
        let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-4));
        let count = allocations(|| {
            let r = tape.record(&params);
            let a = first.forward_relu(r.constant(&x));
            let b = second.forward_relu(a.max_pool2d(Pooling::new(2)));
            let logits = last.forward(b.avg_pool2d(Pooling::new(2)).reshape([32, 32 * 49]));
            let classes = r.indices([32], &[3; 32]);
            let penalty = (reg::l1(a) + reg::l1(b)).per_sample() * 1e-4;
            (loss::cross_entropy(logits, classes) + penalty).backward(&mut grads);
            adam.step(&mut params, &grads);
        });
        assert_eq!(count, 0, "{threads} threads");
    }
    set_threads(default);
}

fn losses_and_penalties_allocate_nothing() {
    let mut random = Random::new(3);
    let mut params = Params::<f64>::new();
    let a = params.add("a", Tensor::from_fn([6, 5], |_| random.uniform(0.2, 1.0)));
    let b = params.add("b", Tensor::from_fn([6, 5], |_| random.uniform(0.2, 1.0)));
    let (mut tape, mut grads) = (Tape::new(), params.zeros());

    let count = allocations(|| {
        let r = tape.record(&params);
        let (a, b) = (r.param(a), r.param(b));
        let classes = r.indices([6], &[0, 1, 2, 3, 4, 0]);
        let fit = loss::cross_entropy(a.softplus().minimum(b), classes)
            + loss::nll(a.log_softmax(1), classes)
            + loss::kl_div(a.t().log_softmax(0).t(), b)
            + loss::cosine_similarity(a, b, 1).mean()
            + loss::huber(a.dropout(0.5, &mut random), b, 0.5);
        let penalty = reg::elastic_net(a, 1e-2, 1e-3).summed()
            + reg::l2(b).summed() * 0.5
            + reg::lp(a, 0.5).per_sample()
            + reg::log(a, 1.0).per_sample()
            + reg::hoyer(b).per_sample()
            + reg::kl_sparsity(a.sigmoid(), 0.05)
            + reg::group_lasso(a, &[1]).summed()
            + reg::tar(a.top_k(3), 1).summed();
        (fit + penalty).backward(&mut grads);
    });
    assert_eq!(count, 0);
}

fn a_penalty_that_is_reduced_three_times_allocates_nothing() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([[1.0, -2.0], [0.5, 3.0]]));
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let count = allocations(|| {
        let r = tape.record(&params);
        let penalty = reg::l1(r.param(w));
        let forms =
            [penalty.summed(), penalty.per_sample(), penalty.summed() * 0.5, penalty.per_sample() * 2.0];
        forms.into_iter().reduce(|sum, form| sum + form).unwrap().backward(&mut grads);
    });
    assert_eq!(count, 0);
}

fn looking_for_a_penalty_that_flows_nowhere_allocates_nothing() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([[1.0, -2.0], [0.5, 3.0]]));
    let (mut tape, mut for_all, mut for_w) = (Tape::new(), params.zeros(), params.zeros());
    let count = allocations(|| {
        let r = tape.record(&params);
        let w = r.param(w);
        let losses = [w.square().sum() + reg::l2(w).summed(), w.exp().sum()];
        losses[0].backward_among(&losses, &mut for_all);
        losses[1].backward_among(&losses, &mut for_w);
    });
    assert_eq!(count, 0);
}

fn warmed_sparse_products_allocate_nothing() {
    let ([m, k, n], mut random) = ([70, 300, 150], Random::new(4));
    let mut numbers = |len: usize| -> Vec<f32> { (0..len).map(|_| random.normal() as f32).collect() };
    let (w, dy, mut y, mut dw) = (numbers(k * n), numbers(m * n), numbers(m * n), numbers(k * n));
    let h: Vec<_> = numbers(m * k).iter().map(|h| (h - 1.0).max(0.0)).collect();
    let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
    let mut dh = numbers(m * k);
    let (w, dy) = (Mat::row_major(&w, n), Mat::row_major(&dy, n));

    let count = allocations(|| {
        find(&h, k, &mut support, &mut values, &mut by_row);
        let a = Sparse { support: &support, values: &values, by_row: &by_row };
        f32::spmm(a, w, n, &mut y, Accum::Replace, Epilogue::None);
        let dh = (&mut dh[..values.len()], Accum::Add);
        let turned = MatMut { data: &mut dw, row_stride: 1, col_stride: k };
        f32::spmm_t_sddmm(a, dy, w, n, (turned, Accum::Add), dh);
    });
    assert_eq!(count, 0);
}

fn every_op_runs_without_allocating() {
    let none = Params::<f64>::new();
    let mut grads = none.zeros();
    for sample in Op::samples() {
        let real = |input: &SampleInput| match input {
            SampleInput::Real(shape, (lo, hi)) => (Tensor::full(shape.clone(), 0.5 * (lo + hi)), true),
            SampleInput::Index(shape, _) => (Tensor::zeros(shape.clone()), false),
        };
        let inputs: Vec<_> = sample.inputs.iter().map(real).collect();
        let mut tape = Tape::new();
        let seed = {
            let r = tape.record(&none);
            let x: Vec<_> = inputs.iter().map(|(x, _)| r.constant(x)).collect();
            Tensor::full(r.apply(sample.op.clone(), &x).shape(), 1.0)
        };
        let count = allocations(|| {
            let r = tape.record(&none);
            let leaf = |k: usize| match &inputs[k.min(inputs.len() - 1)] {
                (x, true) => r.input(x),
                (x, false) => r.constant(x),
            };
            let x: [_; 5] = std::array::from_fn(leaf);
            let y = r.apply(sample.op.clone(), &x[..inputs.len()]);
            (y + r.input(&seed)).vjp(&seed, &mut grads);
        });
        assert_eq!(count, 0, "{:?} on {:?}", sample.op, sample.inputs);
    }
}

/// What can be done with a tensor of six axes and its indices, to a number.
fn six_axes<'r>(r: Recording<'r, f64>, [x, w, b]: [&Tensor<f64>; 3], random: &mut Random) -> Var<'r, f64> {
    let [x, w, b] = [r.input(x), r.input(w), r.input(b)];
    let (y, shape) = (x.shift(0.5), x.shape());
    let index = r.indices([2], &[1, 0]);
    let along = r.indices([2, 1, 2, 3, 2, 4], &[0; 96]);
    let classes = r.indices([2, 2, 2, 3, 2], &[0; 48]);
    let turned = x.permute(&[5, 0, 3, 1, 2, 4]);
    let narrow = x.slice(3, 0..1);
    let stretched = narrow.broadcast_to(shape.clone());
    let image = x.reshape([2, 4, 6, 4]);
    let parts = [
        x.tanh() + turned.sigmoid().permute(&[1, 3, 4, 2, 5, 0]),
        x * narrow + x.maximum(y) - stretched,
        x.relu().top_k(2),
        x.dropout(0.5, random),
        x.gt(y).where_cond(x, y),
        x.ge(y) * x.eq(y),
        x.flip(2).cumsum(3),
        x.softmax(5) + x.log_softmax(2),
        x.reshape([2, 2, 6, 8]).reshape(shape.clone()),
        x.pad(&[(1, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)], 0.5).slice(0, 1..3),
        x.index_select(0, index) + x.gather(0, along).broadcast_to(shape.clone()),
        Var::concat(&[x, y], 1).slice_step(1, .., 2),
        turned.contiguous().permute(&[1, 3, 4, 2, 5, 0]) * x.detach(),
        x.matmul(x.transpose(4, 5)).matmul(y),
        turned.matmul(turned.transpose(4, 5)).sum_axes([0, 1, 2]).sum() + x,
        x.linear(w, b).mean() + x + x.linear_relu(w, b).sum(),
        image.conv2d(image.reshape([8, 4, 3, 2]), None, Convolution::new().padding(Padding::SameAtEnd)),
        image.conv_transpose2d(image.reshape([4, 8, 3, 2]), None, Transposed::new().stride(2)),
        image.max_pool2d(Pooling::new(2)) + image.avg_pool2d(Pooling::new(2)),
        image.upsample_nearest(2).global_max_pool2d()
            + image.upsample_bilinear(9, Align::Corners).global_avg_pool2d(),
    ];
    let sums = [
        x.sum_axes([0, 3, 5]).sum() + x.mean_axes([1, 2, 4]).sum(),
        x.max_axes([1, 3]).sum() + x.min_axes([0, 2]).sum() + turned.max_axes([1, 3]).sum(),
        x.l1_norm_axes([1, 3]).sum() + x.l2_norm_axes([0, 5]).sum() + turned.l2_norm_axes([0, 5]).sum(),
        x.variance_axes([0, 1, 2], 1).sum() + turned.variance_axes([0, 1, 2], 0).sum(),
        x.log_sum_exp_axes([1, 2]).sum() + turned.log_sum_exp_axes([1, 2]).sum(),
        x.cross_entropy(classes, Reduction::Sum) + reg::l1(x).summed(),
        loss::mse(x, y) + classes.one_hot(4).sum(),
    ];
    parts.into_iter().map(Var::sum).chain(sums).reduce(|sum, part| sum + part).unwrap()
}

fn every_op_runs_on_six_axes_without_allocating() {
    let none = Params::<f64>::new();
    let (mut tape, mut grads, mut random) = (Tape::new(), none.zeros(), Random::new(1));
    let x = Tensor::from_fn([2, 2, 2, 3, 2, 4], |_| random.normal());
    let inputs = [&x, &Tensor::full([4, 3], 0.1), &Tensor::full([3], 0.1)];
    let mut kinds = HashSet::new();
    {
        let r = tape.record(&none);
        six_axes(r, inputs, &mut random);
        for node in r.graph().nodes() {
            if let Kind::Op(op) = node.kind() {
                kinds.insert(discriminant(op));
            }
        }
    }
    let count = allocations(|| {
        let r = tape.record(&none);
        six_axes(r, inputs, &mut random).backward(&mut grads);
    });
    assert_eq!(count, 0);
    for Sample { op, .. } in Op::samples() {
        assert!(kinds.contains(&discriminant(&op)), "`six_axes` leaves out {}", op.name());
    }
}

fn twelve_tensors_are_stacked_without_allocating() {
    let none = Params::<f64>::new();
    for when in [SkipZeros::Never, SkipZeros::Always] {
        let (mut tape, mut grads) = (Tape::new(), none.zeros());
        tape.skip_zeros(when);
        let x = Tensor::from_fn([3, 4], |i| i as f64 - 5.0);
        let w = Tensor::full([4, 2], 0.5);
        let count = allocations(|| {
            let r = tape.record(&none);
            let (x, w) = (r.input(&x).relu(), r.input(&w));
            let parts: [_; 12] = std::array::from_fn(|i| x.shift(i as f64));
            let all = Var::stack(&parts, 0).sum() + Var::concat(&parts, 1).square().sum() + x.matmul(w).sum();
            all.backward(&mut grads);
        });
        assert_eq!(count, 0, "{when:?}");
    }
}

fn a_warmed_screening_allocates_nothing() {
    let [m, k, n] = [40, 70, 200];
    let mut random = Random::new(4);
    let mut normal = |len| (0..len).map(|_| random.normal() as f32).collect::<Vec<_>>();
    let (x, w, bias, mut y) = (normal(m * k), normal(k * n), vec![-10.0; n], vec![0.0; m * n]);
    let count = allocations(|| {
        let (x, w) = (Mat::row_major(&x, k), Mat::row_major(&w, n));
        screen::linear_relu([m, k, n], x, w, &bias, &mut y);
    });
    assert_eq!(count, 0);
}

/// Where no thread can be started, work is done without, and the refusal is remembered: to try again would allocate.
fn threads_that_the_system_refuses_are_not_asked_for_again() {
    const STACK: &str = "RUST_MIN_STACK";
    let too_large = (1_u64 << 46).to_string();
    if std::env::var(STACK).is_ok_and(|stack| stack == too_large) {
        set_threads(4);
        let (a, b, mut c) = (vec![1.0_f32; 1 << 16], vec![2.0; 1 << 16], vec![0.0; 1 << 16]);
        let (a, b) = (Mat::row_major(&a, 256), Mat::row_major(&b, 256));
        let count = allocations(|| {
            f32::gemm(
                [256; 3],
                a,
                b,
                MatMut { data: &mut c, row_stride: 256, col_stride: 1 },
                Accum::Replace,
                Epilogue::None,
            );
        });
        assert_eq!(count, 0);
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "threads were to be refused");
        assert!(c.iter().all(|&c| c == 512.0));
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let name = "threads_that_the_system_refuses_are_not_asked_for_again";
    let done = Command::new(itself).arg(name).env(STACK, too_large).status().unwrap();
    assert!(done.success());
}
