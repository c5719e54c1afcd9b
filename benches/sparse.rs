//! The sparse products by themselves, against the dense product of the same run: `cargo bench --bench sparse`.
//!
//! First a table: both sizes, every product and density, interleaved, best of many, with GFLOP/s of the multiply-adds
//! done and the ratio to the dense product; then where the two meet. Then criterion's statistics for some of them.
//! `SPARSE=spmm` keeps only products whose name contains it, `SPARSE_THREADS=2` gives them threads.

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion};
use quietgrad::kernels::isa::Isa;
use quietgrad::kernels::support::{find, gather, scatter, sum_columns};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, Sparse, Support};
use quietgrad::{Accum, Random, set_threads};

const DENSITIES: [f64; 6] = [0.5, 0.3, 0.2, 0.1, 0.05, 0.01];

/// Batch, hidden units, columns: the decoder of a wide autoencoder, and of a small one.
const SIZES: [(&str, [usize; 3]); 2] = [("large", [1024, 6144, 768]), ("small", [128, 256, 64])];

/// A layer h of hidden units and what its products take and give.
struct Case {
    size: [usize; 3],
    h: Vec<f32>,
    support: Support,
    values: Vec<f32>,
    by_row: Vec<f32>,
    w: Vec<f32>,
    dy: Vec<f32>,
    y: Vec<f32>,
    dw: Vec<f32>,
    dh: Vec<f32>,
    out: Vec<f32>,
}

impl Case {
    fn new(size @ [m, k, n]: [usize; 3], density: f64) -> Self {
        let mut random = Random::new(1);
        let mut numbers = |len: usize| -> Vec<f32> { (0..len).map(|_| random.normal() as f32).collect() };
        let (w, dy, mut h) = (numbers(k * n), numbers(m * n), numbers(m * k));
        for h in &mut h {
            *h = if random.unit() < density { h.abs() } else { 0.0 };
        }
        let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
        find(&h, k, &mut support, &mut values, &mut by_row);
        let out = vec![0.0; values.len()];
        let [y, dw, dh] = [m * n, k * n, m * k].map(|len| vec![0.0; len]);
        Case { size, h, support, values, by_row, w, dy, y, dw, dh, out }
    }

    /// Runs a product once; its dense form has the same name after `dense `.
    fn run(&mut self, product: &str) {
        let [m, k, n] = self.size;
        let (w, dy) = (Mat::row_major(&self.w, n), Mat::row_major(&self.dy, n));
        let a = Sparse { support: &self.support, values: &self.values, by_row: &self.by_row };
        let h = Mat::row_major(&self.h, k);
        let turned = |data| MatMut { data, row_stride: 1, col_stride: k };
        let (replace, none) = (Accum::Replace, Epilogue::None);
        let gemm = f32::gemm;
        match product {
            "y = h W" => f32::spmm(a, w, n, &mut self.y, replace, none),
            "dW = hT dy" => f32::spmm_t(a, dy, n, MatMut::row_major(&mut self.dw, n), replace),
            "dW, turned" => f32::spmm_t(a, dy, n, turned(&mut self.dw), replace),
            "dh = dy WT" => f32::sddmm(&self.support, dy, w, n, &mut self.out, replace),
            "dW and dh" => {
                let dw = (MatMut::row_major(&mut self.dw, n), replace);
                f32::spmm_t_sddmm(a, dy, w, n, dw, (&mut self.out, replace));
            }
            "find" => find(&self.h, k, &mut self.support, &mut self.values, &mut self.by_row),
            "gather" => gather(&self.h, &self.support, &mut self.out, replace),
            "scatter" => scatter(a, &mut self.dh, replace),
            "sum columns" => sum_columns(a, &mut self.dw[..k], replace),
            "dense y = h W" => gemm([m, k, n], h, w, MatMut::row_major(&mut self.y, n), replace, none),
            "dense dW = hT dy" => {
                gemm([k, m, n], h.t(), dy, MatMut::row_major(&mut self.dw, n), replace, none)
            }
            "dense dW, turned" => gemm([k, m, n], h.t(), dy, turned(&mut self.dw), replace, none),
            "dense dh = dy WT" => {
                gemm([m, n, k], dy, w.t(), MatMut::row_major(&mut self.dh, k), replace, none)
            }
            "dense dW and dh" => {
                gemm([k, m, n], h.t(), dy, MatMut::row_major(&mut self.dw, n), replace, none);
                gemm([m, n, k], dy, w.t(), MatMut::row_major(&mut self.dh, k), replace, none);
            }
            _ => unreachable!("{product}"),
        }
        black_box((&self.y, &self.dw, &self.dh, &self.out));
    }

    /// Seconds of a run, the best of so many as fit a time, at least three.
    fn time(&mut self, product: &str) -> f64 {
        let begin = Instant::now();
        let (mut best, mut runs) = (f64::MAX, 0);
        while runs < 3 || begin.elapsed().as_secs_f64() < 0.15 {
            let start = Instant::now();
            self.run(product);
            best = best.min(start.elapsed().as_secs_f64());
            runs += 1;
        }
        best
    }
}

const PRODUCTS: [&str; 5] = ["y = h W", "dW = hT dy", "dW, turned", "dh = dy WT", "dW and dh"];
const OTHERS: [&str; 4] = ["find", "gather", "scatter", "sum columns"];

fn wanted(product: &str) -> bool {
    std::env::var("SPARSE").map_or(true, |part| product.contains(&part))
}

fn table(name: &str, size @ [m, k, n]: [usize; 3]) {
    println!("\n{name}: {m} x {k}, {n} columns, f32, {:?}: ms, GFLOP/s, dense / sparse", Isa::current());
    print!("{:12} {:>19}", "", "dense");
    DENSITIES.iter().for_each(|density| print!(" {:>21}", format!("{density}")));
    println!(" {:>10}", "break-even");
    let mut cases = DENSITIES.map(|density| Case::new(size, density));
    for product in PRODUCTS.into_iter().filter(|product| wanted(product)) {
        let flops = 2.0 * (m * k * n) as f64 * if product == "dW and dh" { 2.0 } else { 1.0 };
        let dense = cases[0].time(&format!("dense {product}"));
        print!("{product:12} {:>12.3} {:>6.1}", dense * 1e3, flops / dense / 1e9);
        let mut times = Vec::new();
        for case in &mut cases {
            let (time, density) = (case.time(product), case.support.density());
            let rate = flops * density / time / 1e9;
            print!("   {:>7.3} {rate:>5.1} {:>4.1}x", time * 1e3, dense / time);
            times.push((density, time));
        }
        println!(" {:>10.2}", break_even(&times, dense));
    }
    for other in OTHERS.into_iter().filter(|other| wanted(other)) {
        print!("{other:12} {:>19}", "");
        cases.iter_mut().for_each(|case| print!("   {:>7.3} {:>11}", case.time(other) * 1e3, ""));
        println!();
    }
}

/// The density at which a product takes the dense one's time: between two measured ones, or beyond the first.
fn break_even(times: &[(f64, f64)], dense: f64) -> f64 {
    let pair = times.windows(2).find(|pair| pair[1].1 <= dense).unwrap_or(&times[times.len() - 2..]);
    let [(d0, t0), (d1, t1)] = [pair[0], pair[1]];
    d1 + (dense - t1) * (d0 - d1) / (t0 - t1)
}

fn main() {
    let threads = std::env::var("SPARSE_THREADS").ok().and_then(|threads| threads.parse().ok());
    set_threads(threads.unwrap_or(1));
    let only_run = std::env::args().any(|argument| argument == "--test");
    if !only_run {
        SIZES.into_iter().for_each(|(name, size)| table(name, size));
    }
    let mut c = Criterion::default().configure_from_args();
    let mut group = c.benchmark_group("sparse");
    let (name, size) = SIZES[1];
    for density in [0.1, 0.01] {
        let mut case = Case::new(size, density);
        for product in PRODUCTS.into_iter().chain(["find"]).filter(|product| wanted(product)) {
            group.bench_function(BenchmarkId::new(format!("{name}, {density}"), product), |b| {
                b.iter(|| case.run(product));
            });
        }
    }
    group.finish();
}
