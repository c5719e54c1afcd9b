//! relu(x w + b) by screening against the dense product, at several sizes and shares of zeros.
//!
//! `cargo bench --bench screen`, or `cargo bench --bench screen -- 1024 768 6144` for one size. Both take turns; of each
//! the fastest run counts. What is left at 100 % zeros, where there is no candidate, is the screening alone; a layer of
//! one row leaves little but the quantization of w.

use std::time::Instant;

use quietgrad::kernels::screen;
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products};
use quietgrad::{Accum, Random};

/// Where a standard normal number is below with these probabilities.
const QUANTILES: [(&str, f32); 6] = [
    ("50", 0.0),
    ("90", 1.281_551_6),
    ("95", 1.644_853_6),
    ("97", 1.880_793_6),
    ("99", 2.326_347_9),
    ("100", f32::INFINITY),
];

const SIZES: [[usize; 3]; 5] =
    [[1, 768, 6144], [1024, 768, 6144], [256, 256, 1024], [1024, 64, 4096], [1024, 2048, 4096]];

fn main() {
    let args: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if let [m, k, n] = args[..] { vec![[m, k, n]] } else { SIZES.to_vec() };
    for size @ [m, k, n] in sizes {
        let mut random = Random::new(1);
        let x: Vec<f32> = (0..m * k).map(|_| random.normal() as f32).collect();
        let w: Vec<f32> = (0..k * n).map(|_| (random.normal() / (k as f64).sqrt()) as f32).collect();
        let mut y = vec![0.0; m * n];
        println!("{m} x {k} x {n}: threads, % zeros, dense ms, screened ms, ratio, % active, % candidates");
        for threads in [1, 2] {
            quietgrad::set_threads(threads);
            for (zeros, threshold) in QUANTILES {
                let bias = vec![-threshold; n];
                let (mut dense, mut screened, mut candidates) = (f64::INFINITY, f64::INFINITY, None);
                let runs = (40_000_000_000 / (m * k * n).max(1 << 24)).clamp(5, 40);
                for _ in 0..runs {
                    let (x, w) = (Mat::row_major(&x, k), Mat::row_major(&w, n));
                    let start = Instant::now();
                    let to = MatMut::row_major(&mut y, n);
                    f32::gemm(size, x, w, to, Accum::Replace, Epilogue::BiasRelu(&bias));
                    dense = dense.min(start.elapsed().as_secs_f64() * 1e3);
                    let start = Instant::now();
                    candidates = screen::linear_relu(size, x, w, &bias, &mut y);
                    screened = screened.min(start.elapsed().as_secs_f64() * 1e3);
                }
                let Some(candidates) = candidates else { return println!("no screening on this machine") };
                let active = y.iter().filter(|&&y| y != 0.0).count();
                let share = |count: usize| 100.0 * count as f64 / y.len() as f64;
                println!(
                    "{threads}  {zeros:>3}  {dense:8.2}  {screened:8.2}  {:5.2}  {:6.2}  {:6.2}",
                    dense / screened,
                    share(active),
                    share(candidates)
                );
            }
        }
    }
}
