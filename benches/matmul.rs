//! The matrix product by itself, against its peers: `cargo bench --bench matmul`, with OpenBLAS if
//! `--features bench-openblas` (which links the system's `libopenblas`).
//!
//! First a table: every size, form and implementation, interleaved, best of many, with GFLOP/s, the share of the
//! peak that a register-only loop reaches in the same run, and the ratio to the fastest peer. Then criterion's
//! statistics for some of the sizes. `QUIETGRAD_ISA=avx2` forces a path (give the same to OpenBLAS with
//! `OPENBLAS_CORETYPE=Haswell`), `MATMUL=1024` keeps only cases whose name contains it.

// The register-only loops that measure the peak, and the peers' raw interfaces.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use quietgrad::kernels::isa::Isa;
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products};
use quietgrad::{Accum, set_threads, threads};

#[cfg(feature = "bench-openblas")]
#[link(name = "openblas")]
unsafe extern "C" {
    fn openblas_set_num_threads(threads: i32);
    fn cblas_sgemm(
        order: i32,
        ta: i32,
        tb: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: f32,
        a: *const f32,
        lda: i32,
        b: *const f32,
        ldb: i32,
        beta: f32,
        c: *mut f32,
        ldc: i32,
    );
    fn cblas_dgemm(
        order: i32,
        ta: i32,
        tb: i32,
        m: i32,
        n: i32,
        k: i32,
        alpha: f64,
        a: *const f64,
        lda: i32,
        b: *const f64,
        ldb: i32,
        beta: f64,
        c: *mut f64,
        ldc: i32,
    );
}

/// C = A B with row-major C; `ta` and `tb` say that an operand is stored transposed.
struct Case<T> {
    size: [usize; 3],
    ta: bool,
    tb: bool,
    a: Vec<T>,
    b: Vec<T>,
    c: Vec<T>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Implementation {
    Quietgrad,
    Gemm,
    Matrixmultiply,
    #[cfg(feature = "bench-openblas")]
    OpenBlas,
}

#[cfg(feature = "bench-openblas")]
use Implementation::OpenBlas;
use Implementation::{Gemm, Matrixmultiply, Quietgrad};
const PEERS: &[Implementation] = &[
    Gemm,
    Matrixmultiply,
    #[cfg(feature = "bench-openblas")]
    OpenBlas,
];

/// What differs between `f32` and `f64`.
trait Float: Products {
    const NAME: &str;
    fn matrixmultiply(case: &mut Case<Self>);
    #[cfg(feature = "bench-openblas")]
    fn openblas(case: &mut Case<Self>);
    /// Multiply-adds a second, times two, in 10⁹, from a loop that touches no memory. NaN where there is none.
    fn peak() -> f64;
}

/// A function that runs twelve independent chains of multiply-adds: enough to hide their latency.
#[cfg(target_arch = "x86_64")]
macro_rules! peak_loop {
    ($name:ident, $features:literal, $splat:ident, $fma:ident) => {
        #[target_feature(enable = $features)]
        fn $name(rounds: usize) {
            let (x, y) = ($splat(black_box(0.9)), $splat(black_box(0.01)));
            let mut sums = [$splat(0.5); 12];
            for _ in 0..rounds {
                for sum in &mut sums {
                    *sum = $fma(*sum, x, y);
                }
            }
            black_box(sums);
        }
    };
}

#[cfg(target_arch = "x86_64")]
fn best_rate(lanes: usize, run: impl Fn(usize)) -> f64 {
    let rounds = 100_000;
    let time = || {
        let start = Instant::now();
        run(rounds);
        start.elapsed().as_secs_f64()
    };
    let best = (0..100).map(|_| time()).fold(f64::MAX, f64::min);
    2.0 * (12 * lanes * rounds) as f64 / best / 1e9
}

macro_rules! float {
    ($t:ident, $mm:ident, $blas:ident, $splat512:ident, $fma512:ident, $splat256:ident, $fma256:ident) => {
        impl Float for $t {
            const NAME: &str = stringify!($t);
            fn matrixmultiply(case: &mut Case<Self>) {
                let ([m, k, n], [a, b]) = (case.size, case.strides().map(|s| s.map(|s| s as isize)));
                let (pa, pb, pc) = (case.a.as_ptr(), case.b.as_ptr(), case.c.as_mut_ptr());
                // SAFETY: the vectors have the sizes that `Case::new` gave them.
                unsafe {
                    matrixmultiply::$mm(m, k, n, 1.0, pa, a[0], a[1], pb, b[0], b[1], 0.0, pc, n as isize, 1)
                }
            }
            #[cfg(feature = "bench-openblas")]
            fn openblas(case: &mut Case<Self>) {
                let ([m, k, n], [a, b]) = (case.size.map(|x| x as i32), case.strides());
                let (lda, ldb) = (a[0].max(a[1]) as i32, b[0].max(b[1]) as i32);
                let (ta, tb) = (111 + i32::from(case.ta), 111 + i32::from(case.tb));
                let (pa, pb, pc) = (case.a.as_ptr(), case.b.as_ptr(), case.c.as_mut_ptr());
                // SAFETY: as above; 101 is row-major, 111 and 112 are plain and transposed.
                unsafe { $blas(101, ta, tb, m, n, k, 1.0, pa, lda, pb, ldb, 0.0, pc, n) }
            }
            fn peak() -> f64 {
                #[cfg(target_arch = "x86_64")]
                {
                    use std::arch::x86_64::*;
                    peak_loop!(avx512, "avx512f", $splat512, $fma512);
                    peak_loop!(avx2, "avx2,fma", $splat256, $fma256);
                    let available: Vec<_> = Isa::available().collect();
                    if available.contains(&Isa::Avx512) {
                        // SAFETY: the machine has the instruction set.
                        return best_rate(64 / size_of::<$t>(), |rounds| unsafe { avx512(rounds) });
                    } else if available.contains(&Isa::Avx2) {
                        // SAFETY: the machine has the instruction set.
                        return best_rate(32 / size_of::<$t>(), |rounds| unsafe { avx2(rounds) });
                    }
                }
                f64::NAN
            }
        }
    };
}
float!(f32, sgemm, cblas_sgemm, _mm512_set1_ps, _mm512_fmadd_ps, _mm256_set1_ps, _mm256_fmadd_ps);
float!(f64, dgemm, cblas_dgemm, _mm512_set1_pd, _mm512_fmadd_pd, _mm256_set1_pd, _mm256_fmadd_pd);

impl<T: Float> Case<T> {
    fn new(size @ [m, k, n]: [usize; 3], form: &str) -> Self {
        let numbers =
            |len: usize| (0..len).map(|i| T::from_f64((i * 7919 % 1009) as f64 / 1009.0 - 0.5)).collect();
        let (ta, tb) = (form.starts_with('T'), form.ends_with('T'));
        Case { size, ta, tb, a: numbers(m * k), b: numbers(k * n), c: vec![T::ZERO; m * n] }
    }

    fn strides(&self) -> [[usize; 2]; 2] {
        let [m, k, n] = self.size;
        [if self.ta { [1, m] } else { [k, 1] }, if self.tb { [1, k] } else { [n, 1] }]
    }

    fn flops(&self) -> f64 {
        2.0 * self.size.map(|x| x as f64).iter().product::<f64>()
    }

    fn run(&mut self, implementation: Implementation) {
        let [m, k, n] = self.size;
        let [a, b] = self.strides();
        match implementation {
            Quietgrad => {
                let mat = |data, [row_stride, col_stride]: [usize; 2]| Mat { data, row_stride, col_stride };
                let c = MatMut::row_major(&mut self.c, n);
                T::gemm(self.size, mat(&self.a, a), mat(&self.b, b), c, Accum::Replace, Epilogue::None)
            }
            Gemm => {
                let [a_row, a_col] = a.map(|s| s as isize);
                let [b_row, b_col] = b.map(|s| s as isize);
                let (pa, pb, pc) = (self.a.as_ptr(), self.b.as_ptr(), self.c.as_mut_ptr());
                let parallelism =
                    if threads() > 1 { gemm::Parallelism::Rayon(threads()) } else { gemm::Parallelism::None };
                let (zero, one) = (T::ZERO, T::ONE);
                // SAFETY: the vectors have the sizes that `Case::new` gave them.
                unsafe {
                    gemm::gemm(
                        m,
                        n,
                        k,
                        pc,
                        1,
                        n as isize,
                        false,
                        pa,
                        a_col,
                        a_row,
                        pb,
                        b_col,
                        b_row,
                        zero,
                        one,
                        false,
                        false,
                        false,
                        parallelism,
                    )
                }
            }
            Matrixmultiply => T::matrixmultiply(self),
            #[cfg(feature = "bench-openblas")]
            OpenBlas => T::openblas(self),
        }
    }
}

/// Workload W1 of the documentation: squares, then what layers of networks look like.
fn sizes() -> Vec<[usize; 3]> {
    let mut sizes: Vec<_> = [16, 32, 64, 128, 256, 512, 1024, 2048].map(|n| [n, n, n]).into();
    sizes.extend([[30, 2, 500], [256, 64, 512], [500, 30, 1], [1024, 768, 4096]]);
    sizes.extend([[1024, 768, 6144], [1024, 6144, 768], [768, 1024, 6144]]);
    sizes
}

/// The best seconds of each implementation, taking turns, so that all meet the same weather.
fn race<T: Float>(case: &mut Case<T>, field: &[Implementation]) -> Vec<f64> {
    let reps = (1e6 / case.flops()).ceil() as usize;
    let budget = Duration::from_secs_f64((case.flops() / 2.5e8).clamp(0.3, 12.0));
    let mut best = vec![f64::MAX; field.len()];
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || start.elapsed() < budget {
        for (best, &implementation) in best.iter_mut().zip(field) {
            let start = Instant::now();
            for _ in 0..reps {
                case.run(implementation);
            }
            *best = best.min(start.elapsed().as_secs_f64() / reps as f64);
        }
        rounds += 1;
    }
    best
}

fn table<T: Float>(filter: &str) {
    let peak = T::peak();
    let field: Vec<_> = [Quietgrad].iter().chain(PEERS).copied().collect();
    println!(
        "\n{} on {:?}, 1 thread, GFLOP/s; peak of a register-only loop {peak:.1}",
        T::NAME,
        Isa::current()
    );
    println!("{:>22} {field:>16?}   share of peak   to the fastest peer", "m x k x n");
    let mut logs = Vec::new();
    for size @ [m, k, n] in sizes() {
        for form in ["NN", "TN", "NT"] {
            let name = format!("{m}x{k}x{n} {form}");
            if !name.contains(filter) {
                continue;
            }
            let mut case = Case::<T>::new(size, form);
            let rates: Vec<_> = race(&mut case, &field).iter().map(|s| case.flops() / s / 1e9).collect();
            let ratio = rates[0] / rates[1..].iter().fold(0.0, |x, &y| f64::max(x, y));
            logs.push(ratio.ln());
            print!("{name:>22}");
            rates.iter().for_each(|rate| print!(" {rate:>9.1}"));
            println!("   {:>5.2}   {ratio:>5.2}", rates[0] / peak);
        }
    }
    println!(
        "geometric mean to the fastest peer: {:.3}",
        (logs.iter().sum::<f64>() / logs.len() as f64).exp()
    );
}

/// How much a second thread gains. Both counts take turns.
fn scaling(filter: &str) {
    println!("\nf32, 2 threads against 1");
    for size @ [m, k, n] in [[128; 3], [160; 3], [192; 3], [256; 3], [512; 3], [1024; 3], [1024, 768, 6144]] {
        let name = format!("{m}x{k}x{n}");
        if !name.contains(filter) {
            continue;
        }
        let mut case = Case::<f32>::new(size, "NN");
        let mut best = [f64::MAX; 2];
        for _ in 0..(2e10 / case.flops()).clamp(20.0, 2000.0) as usize {
            for threads in [1, 2] {
                set_threads(threads);
                let start = Instant::now();
                case.run(Quietgrad);
                best[threads - 1] = best[threads - 1].min(start.elapsed().as_secs_f64());
            }
        }
        set_threads(1);
        let rate = best.map(|s| case.flops() / s / 1e9);
        println!("{name:>22} {:>9.1} {:>9.1}   x {:.2}", rate[0], rate[1], rate[1] / rate[0]);
    }
}

fn main() {
    let filter = std::env::var("MATMUL").unwrap_or_default();
    set_threads(1);
    #[cfg(feature = "bench-openblas")]
    // SAFETY: a plain setter.
    unsafe {
        openblas_set_num_threads(1)
    };
    table::<f32>(&filter);
    table::<f64>(&filter);
    scaling(&filter);

    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut group = criterion.benchmark_group("f32");
    for size @ [m, k, n] in [[4, 2, 8], [30, 2, 500], [64; 3], [512; 3]] {
        let name = format!("{m}x{k}x{n}");
        if !name.contains(&filter) {
            continue;
        }
        let mut case = Case::<f32>::new(size, "NN");
        group.throughput(Throughput::Elements(case.flops() as u64));
        for &implementation in [Quietgrad].iter().chain(PEERS) {
            group.bench_function(BenchmarkId::new(format!("{implementation:?}"), &name), |bencher| {
                bencher.iter(|| case.run(implementation))
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
