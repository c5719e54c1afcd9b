//! Sizes that no memory holds, given to everything public that takes sizes: it panics, or it stays within its slices.
//!
//! Overflow wraps in a release build and is caught in others, so these tests are run in both (`.ci/run`).

mod operands;
mod sources;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use quietgrad::kernels::cost::{Form, pays};
use quietgrad::kernels::{reference, screen, softmax, support};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, ReluLayer, Sparse, Support};
use quietgrad::nn::{
    self, BatchNorm, Conv2d, Dense, Embedding, GroupNorm, Gru, Init, LayerNorm, Lstm, MultiHeadAttention,
    Reset, RmsNorm, Rnn,
};
use quietgrad::ops::conv::{Convolution, Transposed};
use quietgrad::ops::cross_entropy::{CrossEntropy, Target};
use quietgrad::ops::pool::Pooling;
use quietgrad::ops::upsample::Align;
use quietgrad::ops::{Op, Sample, gather, index_select, matmul, one_hot, slice, sum};
use quietgrad::{Accum, Axes, Dual, Element, Params, Random, Recording, Reduction, Shape, Tape, Tensor, Var};

/// Sizes near where products and sums wrap.
const HUGE: [usize; 9] = [
    1 << 32,
    (1 << 32) + 1,
    1 << 48,
    (1 << 48) + 1,
    1 << 62,
    1 << 63,
    (1 << 63) + 1,
    usize::MAX - 1,
    usize::MAX,
];

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<(String, String)> = const { RefCell::new((String::new(), String::new())) };
    /// Whether this thread's panics are expected, and not to be printed.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether `f` panics, without a word; [`PANIC`] knows what it said.
fn panics(f: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let file = info.location().map_or("", |at| at.file()).to_string();
            let text = info.payload().downcast_ref::<&str>().copied();
            let text = text.or(info.payload().downcast_ref::<String>().map(String::as_str));
            PANIC.set((text.unwrap_or("").to_string(), file));
            if !EXPECTED.get() {
                before(info);
            }
        }));
    });
    let before = EXPECTED.replace(true);
    let panicked = catch_unwind(AssertUnwindSafe(f)).is_err();
    EXPECTED.set(before);
    panicked
}

/// What `f` says when it panics, and the file that it blames.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> (String, String) {
    assert!(panics(f), "it was not refused");
    PANIC.take()
}

/// Refused by a check, not by arithmetic that overflows or by an index: those would be other faults in a release build.
#[track_caller]
fn refused(f: impl FnOnce()) -> String {
    let (message, _) = panic_of(f);
    for accident in ["with overflow", "out of range", "out of bounds", "capacity"] {
        assert!(!message.contains(accident), "refused by accident: {message}");
    }
    message
}

/// Refused with this line's file, and a message that has these parts.
#[track_caller]
fn refused_here(parts: &[&str], f: impl FnOnce()) {
    let (message, file) = panic_of(f);
    assert!(file.ends_with("hostile.rs"), "{message:?} blames {file}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message:?}");
    }
}

/// Calls `f` with a recording and a 2 x 3 matrix on it.
fn on_a_tape(f: impl FnOnce(Recording<f32>, Var<f32>)) {
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    f(r, r.input(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])));
}

/// For each huge size, a method of a 2 x 3 matrix that must be refused with the user's line.
#[track_caller]
fn refused_of_var(name: &str, call: impl Fn(Var<f32>, usize)) {
    for size in HUGE {
        on_a_tape(|_, x| refused_here(&[name], || call(x, size)));
    }
}

/// A layer of each huge size, which must be refused with the user's line.
#[track_caller]
fn refused_drawn(new: impl Fn(&mut Params<f32>, usize, &mut Random)) {
    for size in [1 << 32, usize::MAX] {
        refused_here(&["tensor", &size.to_string()], || new(&mut Params::new(), size, &mut Random::new(0)));
    }
}

fn a_support() -> (Support, Vec<f32>, Vec<f32>) {
    let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
    support::find(&[1.0, 0.0, 2.0, 3.0, 4.0, 0.0], 3, &mut support, &mut values, &mut by_row);
    (support, values, by_row)
}

type Gemm = fn([usize; 3], Mat<f32>, Mat<f32>, MatMut<f32>, Accum, Epilogue<f32>);
type Spmm = fn(Sparse<f32>, Mat<f32>, usize, &mut [f32], Accum, Epilogue<f32>);
type Sddmm = fn(&Support, Mat<f32>, Mat<f32>, usize, &mut [f32], Accum);
type Vjp = fn(ReluLayer<f32>, (&mut [f32], Accum), (&mut [f32], Accum));
type Batch = fn(usize, [usize; 3], Mat<f32>, Mat<f32>, MatMut<f32>, [usize; 3], Accum);

fn gemm(gemm: Gemm) {
    let (a, mut c) = ([1.0; 64], [0.0; 64]);
    // The distance of the last element is 2¹²⁸ + 2.
    let to = MatMut { data: &mut c[..], row_stride: usize::MAX, col_stride: 1 << 63 };
    let (x, size) = (Mat::row_major(&a[..], 1), [usize::MAX, 0, 7]);
    refused(|| gemm(size, x, x, to, Accum::Replace, Epilogue::None));
    for huge in HUGE {
        for at in 0..3 {
            let mut size = [2, 2, 2];
            size[at] = huge;
            for stride in [1, 2, huge, (1 << 63) - 1] {
                let x = Mat { data: &a[..], row_stride: stride, col_stride: 1 };
                let to = MatMut { data: &mut c[..], row_stride: stride, col_stride: 1 };
                refused(|| gemm(size, x, x, to, Accum::Replace, Epilogue::None));
            }
        }
        let to = MatMut::row_major(&mut c[..], huge);
        refused(|| gemm([2, 1, 2], x, x, to, Accum::Add, Epilogue::None));
        // Nothing is to be computed, so anything goes.
        let nothing = || MatMut { data: &mut [], row_stride: huge, col_stride: huge };
        let x = Mat { data: &a[..0], row_stride: huge, col_stride: huge };
        gemm([0, huge, 0], x, x, nothing(), Accum::Replace, Epilogue::None);
        gemm([huge, 0, 0], x, x, nothing(), Accum::Replace, Epilogue::None);
    }
    assert_eq!(c, [0.0; 64], "what is refused writes nothing");
}

fn gemm_batch(batch: Batch) {
    let (a, mut c) = ([1.0; 64], [0.0; 64]);
    let (x, y) = (Mat::row_major(&a[..], 2), Mat::row_major(&a[..0], 2));
    for huge in HUGE {
        for steps in [[4, 4, huge], [huge, 0, 4], [0, huge, 4], [0, 0, 4]] {
            let count = if steps == [0, 0, 4] { huge } else { 2 };
            refused(|| batch(count, [2, 2, 2], x, x, MatMut::row_major(&mut c, 2), steps, Accum::Add));
        }
        batch(huge, [0, 2, 0], x, x, MatMut::row_major(&mut c, 2), [huge; 3], Accum::Add);
        batch(2, [2, 0, 2], y, y, MatMut::row_major(&mut c, 2), [huge, huge, 4], Accum::Add);
        batch(0, [huge; 3], x, x, MatMut::row_major(&mut c, 2), [huge; 3], Accum::Add);
    }
}

fn find(find: fn(&[f32], usize, &mut Support, &mut Vec<f32>, &mut Vec<f32>)) {
    for cols in HUGE {
        for x in [&[][..], &[1.0, 2.0]] {
            let (mut support, mut values, mut by_row) = a_support();
            refused(|| find(x, cols, &mut support, &mut values, &mut by_row));
            // Whatever has become of it, it can be used.
            let mut dense = [7.0; 6];
            let a = Sparse::new(&support, &values);
            if values.len() >= support.entries() {
                support::scatter(a, &mut dense, Accum::Replace);
            }
            assert!(support.positions().all(|(i, j)| i < support.rows() && j < support.cols()));
        }
    }
}

fn spmm(spmm: Spmm) {
    let (support, values, by_row) = a_support();
    let a = Sparse { support: &support, values: &values, by_row: &by_row };
    let one = Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 };
    for n in HUGE {
        // 2 n wraps to a small number for half of them.
        let mut c = vec![0.0; n.wrapping_mul(2).min(8)];
        refused(|| spmm(a, one, n, &mut c, Accum::Replace, Epilogue::None));
        let far = Mat { data: &[1.0; 8][..], row_stride: n, col_stride: 1 };
        refused(|| spmm(a, far, 2, &mut [0.0; 4], Accum::Replace, Epilogue::None));
    }
    // 2¹⁶ rows of 2⁴⁸ + 1 elements wrap to 2¹⁶.
    let (mut support, mut values, mut by_row) = a_support();
    support::find(&vec![1.0; 1 << 16], 1, &mut support, &mut values, &mut by_row);
    let (a, mut c) = (Sparse::new(&support, &values), vec![0.0; 1 << 16]);
    refused(|| spmm(a, one, (1 << 48) + 1, &mut c, Accum::Replace, Epilogue::None));
}

fn spmm_t(spmm_t: fn(Sparse<f32>, Mat<f32>, usize, MatMut<f32>, Accum)) {
    let (support, values, _) = a_support();
    let a = Sparse::new(&support, &values);
    let one = Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 };
    for n in HUGE {
        refused(|| spmm_t(a, one, n, MatMut::row_major(&mut [0.0; 8], n), Accum::Add));
        refused(|| {
            spmm_t(a, one, n, MatMut { data: &mut [0.0; 8], row_stride: 1, col_stride: 0 }, Accum::Add)
        });
        refused(|| spmm_t(a, one, 2, MatMut::row_major(&mut [0.0; 8], n), Accum::Add));
        refused(|| {
            spmm_t(a, Mat::row_major(&[1.0; 8], n), 2, MatMut::row_major(&mut [0.0; 8], 2), Accum::Add)
        });
    }
}

fn sddmm(sddmm: Sddmm) {
    let (support, values, _) = a_support();
    let one = Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 };
    for n in HUGE {
        let mut to = values.clone();
        let far = Mat::row_major(&[1.0; 8][..], n);
        refused(|| sddmm(&support, far, far, n, &mut to, Accum::Add));
        refused(|| sddmm(&support, far, one, 2, &mut to, Accum::Add));
        refused(|| sddmm(&support, one, far, 2, &mut to, Accum::Add));
        assert_eq!(to, values);
    }
}

fn relu_layer_vjp(vjp: Vjp) {
    let x = Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 };
    let (y, replace) = ([1.0; 8], Accum::Replace);
    for huge in HUGE {
        for size in [[huge, 2, 2], [2, huge, 2], [2, 2, huge], [huge, 1, 0], [huge, 9, 1]] {
            let layer = ReluLayer { size, x, y: &y, gy: &y, plus: 0.0 };
            let [_, k, n] = size.map(|size| size.min(8));
            let (mut gw, mut gb) = (vec![0.0; (k * n).min(8)], vec![0.0; n]);
            if size == [huge, 1, 0] {
                vjp(layer, (&mut gw, replace), (&mut gb, replace));
            } else {
                refused(|| vjp(layer, (&mut gw, replace), (&mut gb, replace)));
            }
        }
        let far = ReluLayer { size: [2, 2, 2], x: Mat::row_major(&[1.0; 8], huge), y: &y, gy: &y, plus: 0.0 };
        refused(|| vjp(far, (&mut [0.0; 4], replace), (&mut [0.0; 2], replace)));
    }
}

fn screened(f: impl Fn([usize; 3], Mat<f32>, Mat<f32>, &[f32], &mut [f32]) -> Option<usize>) {
    let data = [1.0; 256];
    let (x, w) = (Mat { data: &data[..], row_stride: 0, col_stride: 1 }, Mat::row_major(&data[..], 2));
    let mut y = [7.0; 64];
    for huge in HUGE {
        refused(|| _ = f([huge, 64, 2], x, w, &data, &mut y));
        refused(|| _ = f([2, 64, huge], x, Mat::row_major(&data[..], 0), &data, &mut y));
        // Two rows more than wrap around.
        let far = Mat { data: &data[..], row_stride: huge, col_stride: 1 };
        refused(|| _ = f([3, 64, 2], far, w, &data, &mut y));
        refused(|| _ = f([2, 64, 2], x, far, &data, &mut y));
        refused(|| {
            _ = f([2, 64, 2], x, Mat { data: &data[..], row_stride: 1, col_stride: huge }, &data, &mut y)
        });
        f([huge, 64, 0], x, w, &data, &mut y);
        f([0, 64, 2], x, w, &data, &mut y);
    }
    assert_eq!(y, [7.0; 64]);
}

/// A method of a tensor refuses huge numbers in its own name.
fn refused_of_tensor(method: &str, f: impl Fn(&Tensor<f64>, usize)) {
    let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    for huge in HUGE {
        refused_here(&[method], || f(&x, huge));
    }
}

/// What is public and takes sizes, and what is asked of it. `every_public_function_that_takes_sizes_is_called` compares the
/// list with the sources.
const DOORS: &[(&str, fn())] = &[
    ("kernels/screen/mod.rs linear_relu", || {
        if screen::linear_relu(
            [1, 1, 1],
            Mat::row_major(&[1.0], 1),
            Mat::row_major(&[1.0], 1),
            &[1.0],
            &mut [0.0],
        )
        .is_some()
        {
            screened(screen::linear_relu);
        }
    }),
    ("kernels/screen/pays.rs estimate_density", || {
        let data = [1.0; 8192];
        let (x, w) = (Mat { data: &data[..], row_stride: 0, col_stride: 1 }, Mat::row_major(&data[..], 128));
        for huge in HUGE {
            let far = Mat { data: &data[..], row_stride: huge, col_stride: huge };
            refused(|| _ = screen::estimate_density([64, huge, 128], x, w, &data));
            refused(|| _ = screen::estimate_density([64, 64, huge], x, w, &data));
            refused(|| _ = screen::estimate_density([64, 64, 128], far, w, &data));
            refused(|| _ = screen::estimate_density([64, 64, 128], x, far, &data));
        }
    }),
    ("kernels/screen/pays.rs pays", || HUGE.iter().for_each(|&m| assert!(!screen::pays([m, m, m], 0.01)))),
    ("kernels/softmax.rs softmax", || {
        for cols in HUGE {
            refused(|| softmax::softmax(&[1.0; 6], cols, &mut [0.0; 6]));
            softmax::softmax::<f32>(&[], cols, &mut []);
        }
    }),
    ("kernels/softmax.rs log_softmax", || {
        for cols in HUGE {
            refused(|| softmax::log_softmax(&[1.0; 6], cols, &mut [0.0; 6]));
            softmax::log_softmax::<f32>(&[], cols, &mut []);
        }
    }),
    ("kernels/softmax.rs log_sum_exp", || {
        for cols in HUGE {
            refused(|| softmax::log_sum_exp(&[1.0; 6], cols, &mut [0.0; 6]));
            // 16 times 2⁶⁰ and some wrap to nothing.
            refused(|| softmax::log_sum_exp::<f32>(&[], cols, &mut [0.0; 16]));
        }
    }),
    ("kernels/softmax.rs for_each_log_sum", || {
        for cols in HUGE {
            softmax::for_each_log_sum(&[1.0; 6], cols, &mut |_: usize, _: f64, _: f64| {
                panic!("there is no row")
            });
        }
    }),
    ("kernels/sparse/convert.rs estimate_density", || {
        HUGE.iter().for_each(|&cols| assert!(support::estimate_density(&[1.0; 6], cols).is_nan()));
    }),
    ("kernels/sparse/convert.rs find", || find(support::find)),
    ("kernels/sparse/convert.rs gather", || {
        let (support, values, _) = a_support();
        panic_of(|| support::gather(&[1.0; 5], &support, &mut values.clone(), Accum::Add));
        panic_of(|| support::gather(&[1.0; 6], &support, &mut values.clone()[1..], Accum::Add));
    }),
    ("kernels/sparse/convert.rs scatter", || {
        let (support, values, _) = a_support();
        panic_of(|| support::scatter(Sparse::new(&support, &values), &mut [1.0; 5], Accum::Add));
        panic_of(|| support::scatter(Sparse::new(&support, &values[1..]), &mut [1.0; 6], Accum::Add));
    }),
    ("kernels/sparse/convert.rs sum_columns", || {
        let (support, values, _) = a_support();
        panic_of(|| support::sum_columns(Sparse::new(&support, &values), &mut [1.0; 4], Accum::Add));
        panic_of(|| support::sum_columns(Sparse::new(&support, &values[1..]), &mut [1.0; 3], Accum::Add));
    }),
    ("matrix/support.rs new", || {
        let (support, values) = (Support::default(), [1.0f32; 2]);
        let (nothing, one) = (Sparse::new(&support, &values), Mat::row_major(&values[..], 1));
        f32::spmm(nothing, one, usize::MAX, &mut [], Accum::Add, Epilogue::None);
        f32::spmm_t(nothing, one, usize::MAX, MatMut::row_major(&mut [], 1), Accum::Add);
        f32::sddmm(&support, one, one, usize::MAX, &mut [], Accum::Replace);
        support::scatter(nothing, &mut [], Accum::Replace);
        assert_eq!((support.positions().count(), support.entries()), (0, 0));
    }),
    ("kernels/sparse/cost.rs pays", || {
        for m in HUGE {
            for form in [Form::Rows, Form::Columns, Form::ColumnsTurned, Form::Sampled, Form::Both] {
                assert!(pays(form, [m, m, m], 0.01, false));
            }
        }
    }),
    ("matrix/reference.rs gemm", || gemm(reference::gemm)),
    ("matrix/reference.rs gemm_batch", || gemm_batch(reference::gemm_batch)),
    ("matrix/reference.rs find", || find(reference::find)),
    ("matrix/reference.rs spmm", || spmm(reference::spmm)),
    ("matrix/reference.rs spmm_t", || spmm_t(reference::spmm_t)),
    ("matrix/reference.rs sddmm", || sddmm(reference::sddmm)),
    ("matrix/reference.rs relu_layer_vjp", || relu_layer_vjp(reference::relu_layer_vjp)),
    ("matrix/mod.rs row_major", || {
        for cols in HUGE {
            assert_eq!(
                (Mat::row_major(&[1.0], cols).row_stride, Mat::row_major(&[1.0], cols).t().col_stride),
                (cols, cols)
            );
        }
    }),
    ("matrix/mod.rs gemm", || gemm(f32::gemm)),
    ("matrix/mod.rs gemm_batch", || {
        gemm_batch(f32::gemm_batch);
        let (a, mut c) = ([Dual::<f64>::ONE; 8], [Dual::<f64>::ZERO; 8]);
        let a = Mat::row_major(&a[..], 2);
        refused(|| {
            Dual::gemm_batch(2, [2, 2, 2], a, a, MatMut::row_major(&mut c, 2), [4, 4, usize::MAX], Accum::Add)
        });
    }),
    ("matrix/mod.rs find", || find(f32::find)),
    ("matrix/mod.rs spmm", || spmm(f32::spmm)),
    ("matrix/mod.rs spmm_t", || spmm_t(f32::spmm_t)),
    ("matrix/mod.rs sddmm", || {
        sddmm(f32::sddmm);
        // What is to be copied wraps to nothing, or there is no memory for it.
        let (support, values, _) = a_support();
        let one = Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 };
        for n in HUGE.into_iter().filter(|&n| n >= 1 << 48) {
            refused(|| f32::sddmm(&support, one, one, n, &mut values.clone(), Accum::Add));
        }
    }),
    ("matrix/mod.rs spmm_t_sddmm", || {
        let (support, values, _) = a_support();
        let (a, one) =
            (Sparse::new(&support, &values), Mat { data: &[1.0; 8][..], row_stride: 0, col_stride: 0 });
        for n in HUGE {
            let (mut c, mut to) = ([0.0; 8], values.clone());
            let c = (MatMut::row_major(&mut c, n), Accum::Add);
            refused(|| f32::spmm_t_sddmm(a, one, one, n, c, (&mut to, Accum::Add)));
        }
    }),
    ("matrix/mod.rs screen", || {
        let one = Mat::row_major(&[1.0][..], 1);
        if f32::screen([1, 1, 1], one, one, &[1.0], &mut [0.0], true).is_some() {
            screened(|size, x, w, bias, y| f32::screen(size, x, w, bias, y, true));
        }
    }),
    ("matrix/mod.rs relu_layer_vjp", || relu_layer_vjp(f32::relu_layer_vjp)),
    ("tensor/mod.rs new", || {
        for size in HUGE {
            let large = size.max(1 << 62);
            for shape in
                [Shape::from([size, size]), Shape::from([large, 4, 0]), Shape::from([0, size, large])]
            {
                let error = Tensor::<f32>::new(shape.clone(), vec![]).expect_err("no tensor");
                assert!(error.to_string().contains(&shape.to_string()), "{error}");
            }
        }
        let error = Tensor::new(Shape::from([1; 33]), vec![1.0]).expect_err("too many axes");
        assert!(error.to_string().contains("more than 32 axes"), "{error}");
    }),
    ("tensor/mod.rs from_fn", || {
        for size in HUGE.into_iter().filter(|&size| size > 1 << 47) {
            refused_here(&["tensor", &size.to_string()], || _ = Tensor::from_fn([size], |_| 1.0));
            refused_here(&["tensor", &size.to_string()], || _ = Tensor::from_fn([0, 1 << 32, size], |_| 1.0));
        }
        refused_here(&["[4294967296, 4294967296]"], || _ = Tensor::from_fn([1 << 32, 1 << 32], |_| 1.0));
    }),
    ("tensor/mod.rs full", || {
        refused_here(&["[4294967296, 4294967296]"], || _ = Tensor::full([1 << 32; 2], 1.0))
    }),
    ("tensor/mod.rs zeros", || {
        refused_here(&["[4294967296, 4294967296]"], || _ = Tensor::<f32>::zeros([1 << 32; 2]));
    }),
    ("tensor/mod.rs select_rows", || {
        let x = Tensor::<f32>::zeros([1, 0, 1 << 58]);
        refused_here(&["select_rows", "[64, 0, "], || _ = x.select_rows(&[0; 64]));
        refused_here(&["no row"], || _ = x.select_rows(&[usize::MAX]));
    }),
    ("tensor/shape.rs broadcast", || {
        for size in HUGE {
            let shape = Shape::broadcast(&[size, 1], &[1, size]).expect("they broadcast");
            assert_eq!((&shape[..], shape.elements()), (&[size, size][..], usize::MAX));
        }
    }),
    ("tensor/shape.rs new", || {
        for axis in HUGE {
            refused_here(&["at most 32", &axis.to_string()], || _ = Axes::new(&[0, axis]));
        }
    }),
    ("tensor/shape.rs all", || {
        HUGE.iter().for_each(|&rank| refused_here(&["32 axes"], || _ = Axes::all(rank)));
        refused_here(&["32 axes"], || _ = Axes::all(33));
        assert_eq!((Axes::all(32).len(), Axes::all(0).len()), (32, 0));
    }),
    ("tensor/shape.rs all_but", || {
        for huge in HUGE {
            assert_eq!(Axes::all_but(huge, 3), Axes::all(3));
            refused_here(&["at most 32 axes"], || _ = Axes::all_but(0, huge));
        }
    }),
    ("tensor/shape.rs contains", || HUGE.iter().for_each(|&axis| assert!(!Axes::all(32).contains(axis)))),
    ("tensor/shape.rs count", || {
        for size in HUGE {
            assert_eq!(Axes::new(&[0, 1]).count(&[size, size, 3]), usize::MAX);
            assert_eq!(Axes::new(&[0, 2]).count(&[size, size, 0]), 0);
        }
    }),
    ("tensor/shape.rs drop", || assert_eq!(Axes::new(&[0]).drop(&[usize::MAX, 2])[..], [2])),
    ("tape/recording.rs constant_rows", || {
        let x = Tensor::<f32>::zeros([1, 0, 1 << 58]);
        on_a_tape(|r, _| refused_here(&["constant", "[64, 0, "], || _ = r.constant_rows(&x, &[0; 64])));
        on_a_tape(|r, _| refused_here(&["constant_rows: no row"], || _ = r.constant_rows(&x, &[usize::MAX])));
    }),
    ("tape/recording.rs mask", || {
        for size in HUGE {
            on_a_tape(|r, _| refused_here(&["mask: a length"], || _ = r.mask(&[size], 3)));
            on_a_tape(|r, _| refused_here(&["constant"], || _ = r.mask(&[1, 2], size)));
        }
    }),
    ("tape/recording.rs indices", || {
        for size in HUGE {
            on_a_tape(|r, _| refused_here(&["indices", &size.to_string()], || _ = r.indices([size, 4], &[])));
        }
        on_a_tape(|r, _| refused_here(&["constant", "[0, "], || _ = r.indices([0, 1 << 62, 4], &[])));
    }),
    ("ops/affine.rs affine", || refused_of_var("affine", |x, axis| _ = x.affine(axis, x, x))),
    ("ops/affine.rs affine_about", || {
        refused_of_var("affine_about", |x, axis| _ = x.affine_about(axis, x, x, x))
    }),
    ("ops/compare.rs is_not", || {
        HUGE.iter()
            .for_each(|&huge| on_a_tape(|r, _| assert_eq!(r.indices([1], &[0]).is_not(huge).item(), 1.0)));
    }),
    ("ops/concat.rs concat", || refused_of_var("concat", |x, axis| _ = Var::concat(&[x, x], axis))),
    ("ops/concat.rs stack", || refused_of_var("unsqueeze", |x, axis| _ = Var::stack(&[x, x], axis))),
    ("ops/cumsum.rs cumsum", || refused_of_var("cumsum", |x, axis| _ = x.cumsum(axis))),
    ("ops/extremum.rs max_axes", || refused_of_var("max_axes", |x, axis| _ = x.max_axes([axis]))),
    ("ops/extremum.rs min_axes", || refused_of_var("min_axes", |x, axis| _ = x.min_axes([axis]))),
    ("ops/flip.rs flip", || refused_of_var("flip", |x, axis| _ = x.flip(axis))),
    ("ops/gather.rs gather", || {
        refused_of_var("gather", |x, axis| _ = x.gather(axis, x.recording().indices([2, 1], &[0, 0])));
        refused_of_var("gather", |x, index| {
            let index = if index.is_power_of_two() { index } else { 3 };
            _ = x.gather(1, x.recording().indices([1, 1], &[index]));
        });
    }),
    ("ops/index_select.rs index_select", || {
        refused_of_var("index_select", |x, axis| _ = x.index_select(axis, x.recording().indices([1], &[0])));
    }),
    ("ops/log_sum_exp.rs log_sum_exp_axes", || {
        refused_of_var("log_sum_exp_axes", |x, axis| _ = x.log_sum_exp_axes([axis]));
    }),
    ("ops/mod.rs flops", || {
        let product = Op::from(matmul::MatMul);
        assert_eq!(product.flops(&[&[1 << 40; 2], &[1 << 40; 2]], &[1 << 40; 2]), u64::MAX);
        let huge = [1 << 40; 2];
        for Sample { op, inputs } in Op::samples() {
            let huge = vec![&huge[..]; inputs.len()];
            assert!(op.flops(&huge, huge[0]) >= 1 << 40, "{op:?}");
        }
    }),
    ("ops/mod.rs vjp_flops", || {
        let op = Op::from(slice::Slice { axis: 0, start: 0, step: 1, len: 1 });
        assert_eq!(op.vjp_flops(0, &[&[usize::MAX, 2]], &[usize::MAX, 2]), u64::MAX);
    }),
    ("ops/mean_square.rs mean_square_about", || {
        refused_of_var("mean_square_about", |x, axis| _ = x.mean_square_about(x, axis));
    }),
    ("ops/normalize.rs normalize", || refused_of_var("normalize", |x, axis| _ = x.normalize(axis, 0.1))),
    ("ops/normalize.rs normalize_rms", || {
        refused_of_var("normalize_rms", |x, axis| _ = x.normalize_rms(axis, 0.1))
    }),
    ("ops/norm.rs l1_norm_axes", || refused_of_var("l1_norm_axes", |x, axis| _ = x.l1_norm_axes([axis]))),
    ("ops/norm.rs l2_norm_axes", || refused_of_var("l2_norm_axes", |x, axis| _ = x.l2_norm_axes([axis]))),
    ("ops/one_hot.rs one_hot", || {
        refused_of_var("one_hot", |x, classes| {
            let classes = classes.max(1 << 60);
            _ = x.recording().indices([8], &[0; 8]).one_hot(classes);
        });
    }),
    ("ops/pad.rs pad", || {
        refused_of_var("pad", |x, width| {
            let huge = width.max(1 << 60);
            _ = x.pad(&[(huge, 2), (huge, huge)], 0.0);
        });
        refused_of_var("pad", |x, width| _ = x.pad(&[(0, 0), (width.max(1 << 62), 1)], 0.0));
        // The sum wraps to the old size.
        on_a_tape(|_, x| refused_here(&["pad"], || _ = x.pad(&[(0, 0), (1 << 63, 1 << 63)], 0.0)));
    }),
    ("ops/permute.rs permute", || refused_of_var("permute", |x, axis| _ = x.permute(&[0, axis]))),
    ("ops/permute.rs transpose", || refused_of_var("transpose", |x, axis| _ = x.transpose(0, axis))),
    ("ops/reduction.rs divisor", || {
        for size in HUGE {
            for reduction in [Reduction::Mean, Reduction::PerSample] {
                let divisor = reduction.divisor(&[size, size]);
                assert!(divisor > 1e9, "{reduction:?} of {size} gives {divisor}");
            }
        }
    }),
    ("ops/reshape.rs reshape", || {
        refused_of_var("reshape", |x, size| _ = x.reshape([6, size]));
        // 6 elements, but for what wraps.
        on_a_tape(|_, x| refused_here(&["reshape"], || _ = x.reshape([2, 3, 1 << 63, 2, 1 << 63])));
        on_a_tape(|_, x| {
            let none = x.slice(0, 0..0);
            refused_here(&["reshape", "0, 4611686018427387904, 4"], || _ = none.reshape([0, 1 << 62, 4]));
        });
        on_a_tape(|_, x| {
            refused_here(&["reshape", "32 axes"], || _ = x.slice(0, 0..1).slice(1, 0..1).reshape([1; 33]))
        });
    }),
    ("ops/reshape.rs unsqueeze", || refused_of_var("unsqueeze", |x, axis| _ = x.unsqueeze(axis))),
    ("ops/reshape.rs squeeze", || refused_of_var("squeeze", |x, axis| _ = x.squeeze(axis))),
    ("ops/broadcast.rs broadcast_to", || {
        on_a_tape(|_, x| {
            let one = x.slice(0, 0..1).slice(1, 0..1);
            for size in HUGE.into_iter().filter(|&size| size >= 1 << 62) {
                refused_here(&["broadcast_to", &size.to_string()], || _ = one.broadcast_to([1, size]));
            }
            refused_here(&["broadcast_to"], || _ = one.broadcast_to([1 << 32, 1 << 32]));
            // A view is no memory; what is made of it is.
            let wide = one.broadcast_to([1, (1 << 48) + 1]);
            refused_here(&["relu", "[1, 281474976710657]"], || _ = wide.relu());
            refused_here(&["value", "[1, 281474976710657]"], || _ = wide.value());
            refused_here(&["matmul", "[281474976710657, 2]"], || {
                _ = wide.t().matmul(one.broadcast_to([1, 2]))
            });
            assert_eq!(one.relu().value(), Tensor::from([[1.0]]), "the recording goes on");
        });
    }),
    ("ops/rule.rs new", || {
        let sample = Sample::new(sum::Sum { axes: Axes::new(&[0]), mean: false }, [&[usize::MAX; 2]]);
        assert_eq!(sample.inputs.len(), 1);
    }),
    ("ops/rule.rs within", || {
        let op = sum::Sum { axes: Axes::new(&[0]), mean: false };
        assert_eq!(Sample::within(op, [(&[usize::MAX; 2][..], (0.0, 1.0))]).inputs.len(), 1);
    }),
    ("ops/slice.rs slice", || {
        refused_of_var("slice", |x, axis| _ = x.slice(axis, ..));
        refused_of_var("slice", |x, end| _ = x.slice(0, 0..end));
        refused_of_var("slice", |x, start| _ = x.slice(0, start..));
        // It must not wrap to an empty one.
        on_a_tape(|_, x| refused_here(&["slice"], || _ = x.slice(0, 0..=usize::MAX)));
        on_a_tape(|_, x| {
            let after = (std::ops::Bound::Excluded(usize::MAX), std::ops::Bound::Unbounded);
            refused_here(&["slice"], || _ = x.slice(0, after));
        });
        for len in HUGE {
            let op = Op::from(slice::Slice { axis: 0, start: 1, step: usize::MAX, len });
            on_a_tape(|r, x| refused_here(&["slice"], || _ = r.apply(op, &[x])));
        }
    }),
    ("ops/slice.rs slice_step", || {
        for step in HUGE {
            on_a_tape(|_, x| {
                let y = x.slice_step(1, 1.., step);
                assert_eq!(y.value(), Tensor::from([[2.0], [5.0]]), "one element, however long the step");
                assert_eq!(y.t().relu().value(), Tensor::from([[2.0, 5.0]]));
            });
        }
        on_a_tape(|_, x| refused_here(&["slice"], || _ = x.slice_step(0, .., 0)));
    }),
    ("ops/slice.rs select", || {
        refused_of_var("slice", |x, index| _ = x.select(0, index));
        refused_of_var("slice", |x, axis| _ = x.select(axis, 0));
    }),
    ("ops/slice.rs split", || {
        refused_of_var("split", |x, size| _ = x.split([size, 3], 1));
        refused_of_var("split", |x, axis| _ = x.split([1, 2], axis));
        // The sum wraps to the right one.
        on_a_tape(|_, x| refused_here(&["split"], || _ = x.split([1 << 63, 1 << 63, 3], 1)));
    }),
    ("ops/softmax.rs softmax", || refused_of_var("softmax", |x, axis| _ = x.softmax(axis))),
    ("ops/softmax.rs log_softmax", || refused_of_var("log_softmax", |x, axis| _ = x.log_softmax(axis))),
    ("ops/sum.rs sum_axes", || refused_of_var("sum_axes", |x, axis| _ = x.sum_axes([axis]))),
    ("ops/sum.rs mean_axes", || refused_of_var("mean_axes", |x, axis| _ = x.mean_axes([axis]))),
    ("ops/top_k.rs top_k", || {
        HUGE.iter().for_each(|&k| on_a_tape(|_, x| assert_eq!(x.top_k(k).value(), x.value())));
    }),
    ("ops/top_k.rs top_k_by_magnitude", || {
        HUGE.iter().for_each(|&k| on_a_tape(|_, x| assert_eq!(x.top_k_by_magnitude(k).value(), x.value())));
    }),
    ("ops/variance.rs variance_axes", || {
        refused_of_var("variance_axes", |x, axis| _ = x.variance_axes([axis], 0));
        refused_of_var("variance", |x, correction| _ = x.variance_axes([0], correction));
    }),
    ("ops/variance.rs std_axes", || refused_of_var("std", |x, correction| _ = x.std_axes([0], correction))),
    ("ops/variance.rs variance", || refused_of_var("variance", |x, correction| _ = x.variance(correction))),
    ("ops/variance.rs std", || refused_of_var("std", |x, correction| _ = x.std(correction))),
    ("tape/recording.rs indices_rows", || {
        for row in HUGE {
            on_a_tape(|r, _| refused_here(&["indices_rows"], || _ = r.indices_rows(&[1, 0], &[row])));
        }
    }),
    ("tensor/compute.rs row", || refused_of_tensor("row", |x, row| _ = x.row(row))),
    ("tensor/compute.rs column", || refused_of_tensor("column", |x, column| _ = x.column(column))),
    ("tensor/compute.rs reshape", || {
        refused_of_tensor("reshape", |x, size| _ = x.clone().reshape([size, size]));
        refused_of_tensor("reshape", |x, size| _ = x.clone().reshape([size, 4, 0]));
    }),
    ("tensor/compute.rs transpose", || refused_of_tensor("transpose", |x, axis| _ = x.transpose(0, axis))),
    ("tensor/compute.rs sum_axes", || refused_of_tensor("sum_axes", |x, axis| _ = x.sum_axes(axis))),
    ("tensor/compute.rs mean_axes", || refused_of_tensor("mean_axes", |x, axis| _ = x.mean_axes(axis))),
    ("tensor/compute.rs std", || refused_of_tensor("std", |x, correction| _ = x.std(correction))),
    ("tensor/compute.rs std_axes", || {
        refused_of_tensor("std", |x, correction| _ = x.std_axes(0, correction));
        refused_of_tensor("std", |x, axis| _ = x.std_axes(axis, 0));
    }),
    ("tensor/compute.rs argmax", || refused_of_tensor("argmax", |x, axis| _ = x.argmax(axis))),
    ("tensor/mod.rs ones", || {
        HUGE.iter().for_each(|&size| refused_here(&["tensor"], || _ = Tensor::<f32>::ones([size, size])));
    }),
    ("tensor/mod.rs randn", || {
        for size in HUGE {
            refused_here(&["tensor"], || _ = Tensor::<f32>::randn([size, size], &mut Random::new(0)));
        }
    }),
    ("nn/conv.rs new", || {
        for size in HUGE {
            refused(|| {
                let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
                let (of, init) = (Convolution::<2>::new(), Init::GlorotNormal);
                _ = Conv2d::new(&mut params, "h", [size, size], 3, of, init, &mut random);
            });
        }
    }),
    ("ops/conv/mod.rs groups", || {
        refused_of_var("conv2d", |x, size| {
            let (x, w) = (x.reshape([1, 1, 2, 3]), x.reshape([2, 1, 3, 1]));
            _ = x.conv2d(w, None, Convolution::new().padding(1).groups(size));
        });
        refused_of_var("conv1d", |x, size| {
            let (x, w) = (x.reshape([1, 2, 3]), x.reshape([1, 2, 3]));
            _ = x.conv1d(w, None, Convolution::new().padding([[size, size]]).stride(size));
        });
        refused_of_var("conv1d", |x, size| {
            let (x, w) = (x.reshape([1, 2, 3]), x.reshape([1, 2, 3]));
            _ = x.conv1d(w, None, Convolution::new().padding(size / 2).dilation(size / 2 - 1));
        });
        refused_of_var("max_pool2d", |x, size| {
            let of = Pooling::new(size).padding(size - 1).stride(size);
            _ = x.reshape([1, 1, 2, 3]).max_pool2d(of);
        });
        refused_of_var("avg_pool1d", |x, size| {
            _ = x.reshape([1, 2, 3]).avg_pool1d(Pooling::new(2).padding([[0, size]]));
        });
        refused_of_var("upsample_nearest", |x, size| _ = x.reshape([1, 1, 2, 3]).upsample_nearest(size));
        refused_of_var("upsample_bilinear", |x, size| {
            _ = x.reshape([1, 1, 2, 3]).upsample_bilinear(size, Align::Edges);
        });
    }),
    ("ops/conv/transpose.rs groups", || {
        refused_of_var("conv_transpose2d", |x, size| {
            let (x, w) = (x.reshape([1, 1, 2, 3]), x.reshape([1, 2, 3, 1]));
            _ = x.conv_transpose2d(w, None, Transposed::new().groups(size));
        });
        refused_of_var("conv_transpose1d", |x, size| {
            let (x, w) = (x.reshape([1, 2, 3]), x.reshape([2, 1, 3]));
            _ = x.conv_transpose1d(w, None, Transposed::new().stride(size));
        });
        refused_of_var("conv_transpose1d", |x, size| {
            let (x, w) = (x.reshape([1, 2, 3]), x.reshape([2, 1, 3]));
            _ = x.conv_transpose1d(w, None, Transposed::new().stride(size).output_padding(size - 1));
        });
        refused_of_var("conv_transpose1d", |x, size| {
            let (x, w) = (x.reshape([1, 2, 3]), x.reshape([2, 1, 3]));
            _ = x.conv_transpose1d(w, None, Transposed::new().padding(size));
        });
    }),
    ("nn/dense.rs new", || {
        for size in [1 << 32, usize::MAX] {
            refused_here(&["tensor", &size.to_string()], || {
                let (mut params, mut random) = (Params::<f32>::new(), Random::new(0));
                _ = Dense::new(&mut params, "h", [size, size], Init::GlorotNormal, &mut random);
            });
        }
    }),
    ("nn/norm.rs new", || {
        for &size in &HUGE[4..] {
            refused_here(&["tensor"], || _ = LayerNorm::new(&mut Params::<f32>::new(), "n", size));
            refused_here(&["tensor"], || _ = RmsNorm::new(&mut Params::<f32>::new(), "n", size));
            refused_here(&["tensor"], || _ = GroupNorm::new(&mut Params::<f32>::new(), "n", size, 1));
            refused_here(&["groups of equal size"], || {
                _ = GroupNorm::new(&mut Params::<f32>::new(), "n", 6, size);
            });
        }
    }),
    ("nn/batch_norm.rs new", || {
        for &size in &HUGE[4..] {
            refused_here(&["tensor"], || _ = BatchNorm::new(&mut Params::<f32>::new(), "n", size));
        }
    }),
    ("nn/batch_norm.rs normalize_batch", || {
        refused_of_var("normalize_batch", |x, axis| _ = nn::normalize_batch(x, axis, 1e-5, [x, x]));
    }),
    ("nn/attention.rs new", || {
        for size in HUGE {
            let (mut params, mut random) = (Params::<f32>::new(), Random::new(0));
            refused_here(&["tensor"], || {
                _ = MultiHeadAttention::new(&mut params, "a", size, 1, Init::Zeros, &mut random);
            });
            refused_here(&["heads of equal size"], || {
                _ = MultiHeadAttention::new(&mut params, "b", 8, size, Init::Zeros, &mut random);
            });
        }
    }),
    ("nn/attention.rs causal_mask", || {
        for size in HUGE {
            refused_here(&["tensor"], || _ = nn::causal_mask::<f32>(size));
        }
    }),
    ("nn/attention.rs padding_mask", || {
        for padding in HUGE {
            on_a_tape(|r, _| {
                // No index is as large: nothing is padding.
                let mask = nn::padding_mask(r.indices([1, 2], &[0, 1]), padding);
                assert_eq!(mask.sum().item(), 2.0);
            });
        }
    }),
    ("nn/embedding.rs new", || {
        for size in HUGE {
            refused_here(&["tensor"], || {
                let (mut params, mut random) = (Params::<f32>::new(), Random::new(0));
                _ = Embedding::new(&mut params, "e", [size, size], Init::Zeros, &mut random);
            });
        }
    }),
    ("nn/embedding.rs padded", || {
        for index in HUGE {
            refused_here(&["no entry"], || {
                let (mut params, mut random) = (Params::<f32>::new(), Random::new(0));
                let e = Embedding::new(&mut params, "e", [3, 2], Init::Zeros, &mut random);
                _ = e.padded(&mut params, index);
            });
        }
    }),
    ("nn/embedding.rs sinusoids", || {
        for size in HUGE {
            refused_here(&["tensor"], || _ = nn::sinusoids::<f32>(size, size));
        }
    }),
    ("nn/recurrent/lstm.rs new", || {
        refused_drawn(|params, size, random| _ = Lstm::new(params, "h", [size, size], random));
    }),
    ("nn/recurrent/gru.rs new", || {
        refused_drawn(|params, size, random| {
            _ = Gru::new(params, "h", [size, size], Reset::AfterProduct, random);
        });
    }),
    ("nn/recurrent/rnn.rs tanh", || {
        refused_drawn(|params, size, random| _ = Rnn::tanh(params, "h", [size, size], random));
    }),
    ("nn/recurrent/rnn.rs relu", || {
        refused_drawn(|params, size, random| _ = Rnn::relu(params, "h", [size, size], random));
    }),
    ("nn/init.rs tensor", || {
        refused_here(&["tensor"], || {
            _ = Init::GlorotNormal.tensor::<f32>([1 << 32; 2], usize::MAX, usize::MAX, &mut Random::new(0));
        });
    }),
];

/// Those that take numbers which are no sizes of anything in memory.
const NO_DOORS: &[&str] = &["kernels/threads.rs set_threads"];

#[test]
fn huge_sizes_are_refused_or_harmless() {
    let mut faults = Vec::new();
    for (name, door) in DOORS {
        if panics(door) {
            faults.push(format!("{name}: {}", PANIC.take().0));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_public_function_that_takes_sizes_is_called() {
    let found = sources::functions_that_take_sizes();
    assert!(found.len() > 60, "only {} functions found", found.len());
    let listed = |name: &str| DOORS.iter().any(|(door, _)| *door == name) || NO_DOORS.contains(&name);
    let missing: Vec<_> = found.iter().filter(|name| !listed(name)).collect();
    assert!(missing.is_empty(), "public, takes sizes, and is not in DOORS: {missing:#?}");
    let listed = DOORS.iter().map(|(name, _)| *name).chain(NO_DOORS.iter().copied());
    let gone: Vec<_> = listed.filter(|name| !found.iter().any(|found| found == name)).collect();
    assert!(gone.is_empty(), "in DOORS, but not in the sources: {gone:#?}");
}

#[test]
fn operands_of_any_size_are_refused_or_give_what_the_reference_gives() {
    let mut random = crate::kernels::operands::Random(0x1357_9bdf_0246_8ace);
    crate::on_every_isa(|_| {
        for _ in 0..10_000 {
            let bytes: Vec<u8> = (0..64).map(|_| random.below(256) as u8).collect();
            assert!(!panics(|| operands::call(&bytes)), "{}", PANIC.take().0);
        }
    });
}

#[test]
fn an_op_given_to_apply_refuses_indices_that_are_none() {
    for bad in [3.0, 1e30, f64::INFINITY, -1.0, -0.5, 0.5, f64::NAN] {
        let (mut tape, params) = (Tape::<f64>::new(), Params::new());
        let r = tape.record(&params);
        let x = r.input(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
        let indices = r.constant(&Tensor::from([[0.0], [bad]]));
        refused_here(&["gather: index ", " at place 1 "], || {
            r.apply(gather::Gather { axis: 1 }.into(), &[x, indices]);
        });
        refused_here(&["index_select: index "], || {
            r.apply(index_select::IndexSelect { axis: 1 }.into(), &[x, indices]);
        });
        refused_here(&["one_hot: index "], || {
            r.apply(one_hot::OneHot { classes: 3 }.into(), &[indices]);
        });
        let smallest = r.constant(&Tensor::from([0.0, bad]));
        let op = CrossEntropy { target: Target::Index, smoothing: 0.0, reduction: Reduction::Sum };
        refused_here(&["cross_entropy: index "], || _ = r.apply(op.into(), &[x, smallest]));
        // Of a view only what belongs to it is looked at.
        let fine = indices.slice(0, 0..1);
        let picked = r.apply(gather::Gather { axis: 1 }.into(), &[x, fine]);
        assert_eq!(picked.value(), Tensor::from([[1.0]]));
    }
}

#[test]
fn an_index_that_is_not_exact_is_refused() {
    on_a_tape(|r, _| {
        for index in [(1 << 24) + 1, usize::MAX, usize::MAX - 1, (1 << 60) + 1] {
            refused_here(&["indices", &index.to_string(), "not exact"], || _ = r.indices([1], &[index]));
        }
    });
}

#[test]
fn parts_of_a_split_remember_the_line_that_asked_for_them() {
    on_a_tape(|r, x| {
        let [a, b] = x.split([1, 2], 1);
        let graph = r.graph();
        let slices: Vec<_> = graph.nodes().iter().filter(|node| node.name() == "slice").collect();
        assert_eq!((slices.len(), a.shape()), (2, Shape::from([2, 1])));
        assert!(slices.iter().all(|slice| slice.location().file().ends_with("hostile.rs")));
        assert_eq!(b.value(), Tensor::from([[2.0, 3.0], [5.0, 6.0]]));
    });
}

#[test]
fn a_sweep_without_memory_for_cotangents_says_so() {
    on_a_tape(|_, x| {
        let wide = x.slice(0, 0..1).slice(1, 0..1).broadcast_to([1, (1 << 48) + 1]);
        let mut grads = Params::new().zeros();
        let loss = wide.slice(1, 0..1).sum();
        refused_here(&["backward", "[1, 281474976710657]"], || loss.backward(&mut grads));
    });
    // Sixteen of them would wrap around and share their places.
    on_a_tape(|_, x| {
        let one = x.slice(0, 0..1).slice(1, 0..1);
        let widen = || one.broadcast_to([1, 1 << 60]).slice(1, 0..1);
        for _ in 0..15 {
            widen();
        }
        refused_here(&["broadcast_to", "no memory"], || _ = widen());
    });
}

#[test]
fn screening_keeps_the_sign_of_zero_as_relu_does() {
    let k = 64;
    let (x, w) = (vec![1e-30f32; k], vec![-1e-30f32; k * 2]);
    let mut y = [7.0; 2];
    let operands = (Mat::row_major(&x[..], k), Mat::row_major(&w[..], 2));
    if screen::linear_relu([1, k, 2], operands.0, operands.1, &[-0.0, 0.0], &mut y).is_none() {
        return;
    }
    let mut dense = [7.0; 2];
    let to = MatMut::row_major(&mut dense, 2);
    f32::gemm([1, k, 2], operands.0, operands.1, to, Accum::Replace, Epilogue::BiasRelu(&[-0.0, 0.0]));
    assert_eq!(y.map(f32::to_bits), dense.map(f32::to_bits));
    assert_eq!(
        y.map(f32::is_sign_negative),
        [true, false],
        "1e-60 underflows to -0, which the bias -0 leaves"
    );
}
