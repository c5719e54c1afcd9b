//! A training step allocates nothing once its tape is warm. The allocator counts, so this is a binary of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use quietgrad::kernels::{screen, support::find};
use quietgrad::nn::{Dense, Init};
use quietgrad::ops::{Op, SampleInput};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Accum, Epilogue, Mat, MatMut, Products, Sparse, Support};
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};

struct Counting;

thread_local! {
    /// Allocations of this thread: tests run side by side.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a step a few times, then counts the allocations of ten more.
fn allocations(mut step: impl FnMut()) -> u64 {
    for _ in 0..3 {
        step();
    }
    let before = COUNT.get();
    for _ in 0..10 {
        step();
    }
    COUNT.get() - before
}

#[test]
fn the_allocator_counts() {
    let mut kept = Vec::new();
    assert_eq!(allocations(|| kept.push(Box::new(1))) / 10, 1);
}

#[test]
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

#[test]
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

#[test]
fn a_step_that_skips_zeros_allocates_nothing() {
    let mut random = Random::new(4);
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [64, 512], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [512, 64], Init::HeNormal, &mut random);
    params.get_mut(encoder.b).fill(-2.0);
    let x = Tensor::from_fn([128, 64], |_| random.normal() as f32);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-3));
    let mut skipped = true;

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

#[test]
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

#[test]
fn warmed_sparse_products_allocate_nothing() {
    let ([m, k, n], mut random) = ([70, 300, 150], Random::new(4));
    let mut numbers = |len: usize| -> Vec<f32> { (0..len).map(|_| random.normal() as f32).collect() };
    let (w, dy, mut y, mut dw) = (numbers(k * n), numbers(m * n), numbers(m * n), numbers(k * n));
    let h: Vec<_> = numbers(m * k).iter().map(|h| (h - 1.0).max(0.0)).collect();
    let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
    let mut dh = numbers(m * k);
    let (w, dy) = (Mat::row_major(&w, n), Mat::row_major(&dy, n));

    quietgrad::set_threads(1);
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

#[test]
fn every_op_runs_without_allocating() {
    let none = Params::<f64>::new();
    let mut grads = none.zeros();
    for sample in Op::samples() {
        let real = |input: &SampleInput| match input {
            SampleInput::Real(shape, (lo, hi)) => (Tensor::full(shape.clone(), 0.5 * (lo + hi)), true),
            SampleInput::Index(shape, _) => (Tensor::zeros(shape.clone()), false),
        };
        let inputs: Vec<_> = sample.inputs.iter().map(real).collect();
        // A node's list of inputs is on the heap from the fifth on.
        let heap = u64::from(inputs.len() > 4);
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
        assert!(count <= 20 * heap, "{count} allocations by {:?} on {:?}", sample.op, sample.inputs);
    }
}

#[test]
fn a_warmed_screening_allocates_nothing() {
    quietgrad::set_threads(1); // a pool's queue may allocate
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
