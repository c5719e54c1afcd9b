//! Whether a product is faster in its sparse form: what each form costs beside the dense product.

use crate::kernels::isa::Isa;

/// A product with a sparse matrix, as one kernel computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `c = a b`
    Rows,
    /// `c = aᵀ g`
    Columns,
    /// `c = aᵀ g` into a c whose columns are contiguous.
    ColumnsTurned,
    /// `values = g bᵀ` at the entries of a.
    Sampled,
    /// Columns and sampled, from one load of g.
    Both,
}

/// Whether a product is so small that what its sparse forms read again and again stays in the first two caches: the k x n
/// operand, and a panel of the one with m rows.
fn is_near([m, k, n]: [usize; 3]) -> bool {
    m <= 160 && k.saturating_mul(n) <= 1 << 16
}

/// What a product with a sparse a of m x k and n columns takes, in units of the dense product's time: `density * slowness +
/// edge / m`. A multiply-add of an entry costs `slowness` dense ones, since it waits for a cache, and every element of the
/// k x n operand `edge` of them, whatever the density.
///
/// The constants are the rounded results of `cargo bench --bench sparse` with AVX2, and err on the side of the dense form.
/// Other instruction sets: [`against_avx2`].
fn cost(form: Form, size: [usize; 3], density: f64) -> f64 {
    let (slowness, edge) = match (form, is_near(size)) {
        (Form::Rows, true) => (1.6, 4.0),
        (Form::Columns, true) => (1.5, 6.0),
        (Form::ColumnsTurned, true) => (1.7, 14.0),
        (Form::Sampled, true) => (2.0, 6.0),
        (Form::Both, true) => (1.4, 6.0),
        (Form::Rows | Form::Both, false) => (1.8, 30.0),
        (Form::Columns, false) => (2.3, 16.0),
        (Form::ColumnsTurned, false) => (2.5, 50.0),
        (Form::Sampled, false) => (2.9, 24.0),
    };
    density * slowness * against_avx2(Isa::current(), size) + edge / size[0] as f64
}

/// How many times as slow an entry is beside a dense multiply-add as it is with AVX2.
///
/// With AVX-512 a dense product takes less time, and an entry, which waits for a cache, does not. Measured by whole steps,
/// `cargo bench --bench sparse_step`, on an Intel Xeon at 2.8 GHz: with 1 the step of 128 x 64-256-64 whose layer is half zero
/// took 1.22 times as long as the dense one; with 1.7 that of 512 x 256-2048-256 stayed dense at 65 % zeros, where skipping
/// them makes it 1.27 times as fast. NEON and the portable kernels have not been measured; they are taken to be as AVX2.
fn against_avx2(isa: Isa, size: [usize; 3]) -> f64 {
    match isa {
        Isa::Avx512 if is_near(size) => 1.7,
        Isa::Avx512 => 1.2,
        _ => 1.0,
    }
}

/// What it takes to find the support of a, in the same units: so many multiply-adds an element, however few are entries.
fn cost_of_finding(size: [usize; 3]) -> f64 {
    let each = if is_near(size) { 28.0 } else { 55.0 };
    each / size[2] as f64
}

/// Whether a product with an a of m x k and n columns takes less time in its sparse form than in its dense one. The
/// support may be `found` already.
pub fn pays(form: Form, size: [usize; 3], density: f64, found: bool) -> bool {
    let finding = if found { 0.0 } else { cost_of_finding(size) };
    // NaN, the density of nothing, does not pay.
    cost(form, size, density) + finding < 1.0
}

/// Whether to find the entries of a layer's output, m x k, that the next layer multiplies by a k x n matrix: if they save
/// time in the four products of a training step that they serve, of which [`Form::Both`] is two.
pub(crate) fn finding_pays(size: [usize; 3], density: f64) -> bool {
    let forms = [(Form::Rows, 1.0), (Form::Both, 2.0), (Form::ColumnsTurned, 1.0)];
    let products: f64 = forms.iter().map(|&(form, count)| count * cost(form, size, density)).sum();
    products + cost_of_finding(size) < 4.0
}

/// Whether an a of m x k, multiplied by a k x n matrix, has so many elements that its density may be looked at, and so many
/// columns beside it that zeros could pay.
pub(crate) fn worth_a_look([m, k, n]: [usize; 3]) -> bool {
    m * k >= 1 << 13 && n >= 16
}
