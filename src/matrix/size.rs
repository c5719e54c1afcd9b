//! Sizes and strides multiplied and added without wrapping: the checks that every shape, view and operand passes
//! before a kernel trusts it.
//!
//! What does not fit a `usize` counts as `usize::MAX`. No slice is that long, so a comparison with a length then fails
//! as it should, and costs no more than one of numbers that wrap.

/// The product of some sizes; `usize::MAX` if it is larger.
#[inline(always)]
pub fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product, &size| product.saturating_mul(size))
}

/// How many elements a tensor of these sizes has; `None` if a slice of `T`, which has at most `isize::MAX` bytes, cannot
/// hold them.
///
/// Sizes of 0 count as 1 in that limit: so the product of any of the sizes fits as well, and with it every stride.
#[inline]
pub fn elements<T>(sizes: &[usize]) -> Option<usize> {
    let bytes = sizes.iter().fold(size_of::<T>().max(1), |bytes, &size| bytes.saturating_mul(size.max(1)));
    isize::try_from(bytes).is_ok().then(|| product(sizes))
}

/// How many elements of memory a tensor spans, from its first element to its last; `usize::MAX` if they are more.
#[inline]
pub fn span(sizes: &[usize], strides: &[usize]) -> usize {
    if sizes.contains(&0) {
        return 0;
    }
    let steps = sizes.iter().zip(strides).map(|(size, stride)| (size - 1).saturating_mul(*stride));
    steps.fold(1, usize::saturating_add)
}

/// Panics unless the last element of a `rows x cols` operand stands within `len` elements.
#[inline(always)]
pub fn check_operand(name: &str, len: usize, size: [usize; 2], strides: [usize; 2]) {
    let [rows, cols] = size;
    if rows == 0 || cols == 0 {
        return;
    }
    let (down, right) = ((rows - 1).saturating_mul(strides[0]), (cols - 1).saturating_mul(strides[1]));
    if down.saturating_add(right) >= len {
        too_short(name, len, size, strides);
    }
}

/// Panics unless a row-major `rows x cols` operand has exactly `len` elements.
#[inline(always)]
pub fn check_exact(name: &str, len: usize, [rows, cols]: [usize; 2]) {
    if rows.saturating_mul(cols) != len {
        not_exact(name, len, [rows, cols]);
    }
}

/// Panics unless the last of `count` operands, each `step` elements after the one before, stands within `len` elements.
pub fn check_steps(name: &str, len: usize, size: [usize; 2], strides: [usize; 2], count: usize, step: usize) {
    if count > 0 && size[0] > 0 && size[1] > 0 {
        match (count - 1).saturating_mul(step) {
            start if start < len => check_operand(name, len - start, size, strides),
            _ => too_short(name, len, size, strides),
        }
    }
}

/// Panics if two elements of the output might share a place. Its last element is known to stand within memory,
/// so that no product here overflows.
#[inline(always)]
pub fn check_no_overlap([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) {
    if rows == 0 || cols == 0 {
        return;
    }
    // Each row (or column) ends before the next one begins.
    let by_rows = (rows == 1 || row_stride > (cols - 1) * col_stride) && (cols == 1 || col_stride > 0);
    let by_cols = || (cols == 1 || col_stride > (rows - 1) * row_stride) && (rows == 1 || row_stride > 0);
    if !(by_rows || by_cols()) {
        overlap([rows, cols], [row_stride, col_stride]);
    }
}

#[cold]
#[inline(never)]
fn too_short(name: &str, len: usize, [rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> ! {
    panic!(
        "{name} of {len} elements is too short for {rows} x {cols} with strides {row_stride}, {col_stride}"
    )
}

#[cold]
#[inline(never)]
fn not_exact(name: &str, len: usize, [rows, cols]: [usize; 2]) -> ! {
    panic!("{name} has {len} elements, not {rows} x {cols}")
}

#[cold]
#[inline(never)]
fn overlap([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> ! {
    panic!("elements of c share places: {rows} x {cols} with strides {row_stride}, {col_stride}")
}
