//! Zero, constant and saturated inputs, and empty ones: what is divided by may be 0 there. Reverse mode, forward mode and
//! second derivatives agree, and small and large scales give what middling ones do.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use quietgrad::ops::norm::{Norm, Order};
use quietgrad::{
    Axes, Dual, Params, Random, Reduction, Tape, Tensor, Var, derivatives, loss, pointwise, reg,
};

/// A scalar function of one tensor.
type Function = for<'r> fn(Var<'r, f64>) -> Var<'r, f64>;

/// A function of one tensor in f32.
type Single = for<'r> fn(Var<'r, f32>) -> Var<'r, f32>;

/// The value and gradient of a scalar function in f32.
fn single(x: &[f32], f: impl for<'r> Fn(Var<'r, f32>) -> Var<'r, f32>) -> (f32, Vec<f32>) {
    let (mut tape, params) = (Tape::new(), Params::new());
    let x = tape.record(&params).input(&Tensor::from_fn([1, x.len()], |i| x[i]));
    let y = f(x);
    y.backward(&mut params.zeros());
    (y.item(), x.gradient().unwrap().into_data())
}

/// Functions that divide by what can vanish, take its root or its logarithm.
const FUNCTIONS: [(&str, Function); 29] = [
    ("l1_norm", |x| x.l1_norm()),
    ("l2_norm", |x| x.l2_norm()),
    ("l2_norm of rows", |x| x.l2_norm_axes([1]).sum()),
    ("l2_norm of columns", |x| x.l2_norm_axes([0]).square().sum()),
    ("variance", |x| x.variance_axes([1], 0).sum()),
    ("std", |x| x.std(0)),
    ("std of rows", |x| x.std_axes([1], 1).sum()),
    ("square of std", |x| x.std_axes([1], 0).square().sum()),
    ("max", |x| x.max_axes([1]).sum()),
    ("min", |x| x.min_axes(..)),
    ("softmax", |x| x.softmax(1).square().sum()),
    ("log_softmax", |x| x.log_softmax(1).square().mean()),
    ("log_sum_exp", |x| x.log_sum_exp()),
    ("cross_entropy", |x| loss::cross_entropy(x, x.recording().indices([2], &[1, 0]))),
    ("cosine of the same", |x| loss::cosine_similarity(x, x, 1).sum()),
    ("cosine", |x| {
        loss::cosine_similarity(x, x.recording().constant(&Tensor::from([[1.0, 2.0, -1.0]])), 1).sum()
    }),
    ("l1", |x| reg::l1(x).summed()),
    ("l2", |x| reg::l2(x).summed()),
    ("elastic net", |x| reg::elastic_net(x, 0.5, 0.25).per_sample()),
    ("lp", |x| reg::lp(x, 1.0).summed()),
    ("log", |x| reg::log(x, 0.5).per_sample()),
    ("hoyer", |x| reg::hoyer(x).per_sample()),
    ("kl of a sigmoid", |x| reg::kl_sparsity(x.sigmoid(), 0.1)),
    ("kl of the number itself", |x| reg::kl_sparsity(x.clamp(0.0, 1.0), 0.1)),
    ("l2 norm penalty", |x| reg::l2_norm(x).per_sample()),
    ("group lasso", |x| reg::group_lasso(x, &[1]).summed()),
    ("square of a group", |x| (x.l2_norm_axes([1]) * x.l2_norm_axes([1])).sum()),
    ("ar", |x| reg::ar(x).summed()),
    ("tar", |x| reg::tar(x, 1).per_sample()),
];

/// Zeros, constants, one row of zeros, and saturated logits.
fn places() -> [Tensor<f64>; 7] {
    [
        Tensor::zeros([2, 3]),
        Tensor::from_fn([2, 3], |_| 0.1),
        Tensor::from_fn([2, 3], |_| 1.0),
        Tensor::from([[0.0, 0.0, 0.0], [0.5, -1.0, 2.0]]),
        Tensor::from([[0.0, 0.0, 0.7], [0.3, 0.3, 0.3]]),
        Tensor::from_fn([2, 3], |_| -800.0),
        Tensor::from([[800.0, -800.0, 0.0], [800.0, 800.0, 800.0]]),
    ]
}

#[test]
fn reverse_forward_and_second_derivatives_agree_where_quantities_vanish() {
    let mut random = Random::new(3);
    for (name, f) in FUNCTIONS {
        for place in places() {
            let mut params = Params::new();
            let id = params.add("x", place.clone());
            let mut gradient = params.zeros();
            let mut tape = Tape::new();
            f(tape.record(&params).param(id)).backward(&mut gradient);
            let size = gradient.data().iter().fold(1.0, |size: f64, g| size.max(g.abs()));
            assert!(size.is_finite(), "{name} at {place}: the gradient is {:?}", gradient.data());
            for _ in 0..3 {
                let mut direction = params.zeros();
                direction.data_mut().iter_mut().for_each(|v| *v = random.normal());
                let (value, slope) = derivatives::jvp(&params, &direction, |r| f(r.param(id)));
                assert!(value.data()[0].is_finite(), "{name} at {place}");
                let along: f64 = gradient.data().iter().zip(direction.data()).map(|(g, v)| g * v).sum();
                assert!(
                    (slope.data()[0] - along).abs() <= 1e-12 * size,
                    "{name} at {place}: {} forward, {along} in reverse",
                    slope.data()[0]
                );
                let (again, product) = derivatives::hvp(&params, &direction, |r| f(r.param(id)));
                assert_eq!(again.data(), gradient.data(), "{name} at {place}");
                assert!(
                    product.data().iter().all(|h| h.is_finite()),
                    "{name} at {place}: {:?}",
                    product.data()
                );
            }
            let hessian = derivatives::hessian(&place, f);
            let largest = hessian.data().iter().fold(1.0, |size: f64, h| size.max(h.abs()));
            for i in 0..6 {
                for j in 0..i {
                    assert!(
                        (hessian[[i, j]] - hessian[[j, i]]).abs() <= 1e-12 * largest,
                        "{name} at {place}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_squared_norm_has_the_curvature_of_a_sum_of_squares_at_zero() {
    let squares: [Function; 5] = [
        |x| x.l2_norm().square(),
        |x| x.l2_norm() * x.l2_norm(),
        |x| x.l2_norm().powf(2.0),
        |x| x.l2_norm_axes([0, 1]).square(),
        |x| (x.l2_norm_axes([1]).square()).sum(),
    ];
    let twice_identity = Tensor::from_fn([6, 6], |i| if i % 7 == 0 { 2.0 } else { 0.0 });
    for f in squares {
        for x in [Tensor::zeros([2, 3]), Tensor::from([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]])] {
            let hessian = derivatives::hessian(&x, f);
            for (i, (h, expected)) in hessian.data().iter().zip(twice_identity.data()).enumerate() {
                assert!((h - expected).abs() < 1e-14, "{hessian}, at {i}");
            }
            if x.data()[3] == 0.0 {
                assert_eq!(hessian, twice_identity);
            }
        }
    }
    // A norm alone has a tip there, and no curvature is given.
    assert_eq!(derivatives::hessian(&Tensor::zeros([2]), |x| x.l2_norm()), Tensor::zeros([2, 2]));
}

#[test]
fn a_squared_deviation_has_the_curvature_of_a_variance_where_all_are_equal() {
    for correction in [0, 1] {
        for x in [Tensor::zeros([3]), Tensor::from([0.1; 3])] {
            let [squared, variance] = [true, false].map(|root| {
                derivatives::hessian(&x, |x| {
                    if root { x.std(correction).square() } else { x.variance(correction) }
                })
            });
            for (a, b) in squared.data().iter().zip(variance.data()) {
                approx::assert_relative_eq!(a, b, epsilon = 1e-15);
            }
            assert!(variance[[0, 0]] > 0.4);
        }
    }
}

#[test]
fn forward_mode_on_a_tape_of_dual_numbers_gives_a_norm_at_zero_the_slope_zero() {
    let (mut tape, params) = (Tape::<Dual<f64>>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([Dual::new(0.0, 3.0), Dual::new(0.0, 4.0)]));
    for y in [x.l2_norm(), x.std(0), x.l1_norm()] {
        let y = y.item();
        assert_eq!([y.value, y.tangent], [0.0, 0.0]);
    }
}

#[test]
fn equal_numbers_have_the_deviation_zero_and_no_gradient() {
    for x in [0.1, 1e-30, 3e38, 0.0, 123_456.79] {
        for n in [1, 2, 3, 49, 5000] {
            assert_eq!(single(&vec![x; n], |x| x.std(0)), (0.0, vec![0.0; n]), "{n} of {x}");
            assert_eq!(single(&vec![x; n], |x| x.variance(0)), (0.0, vec![0.0; n]), "{n} of {x}");
        }
    }
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let x = tape.record(&params).input(&Tensor::from([0.1, 0.1, 0.1]));
    x.std(0).backward(&mut params.zeros());
    assert_eq!((x.std(0).item(), x.gradient().unwrap()), (0.0, Tensor::zeros([3])));
}

#[test]
fn what_does_not_depend_on_the_scale_is_alive_at_every_scale() {
    let base = [1.0f32, 2.0, 3.0, -1.5];
    for scale in [1e-38f32, 1e-30, 1e-20, 1e-8, 1.0, 1e10, 1e19, 1e30, 5e37] {
        let x: Vec<f32> = base.iter().map(|x| x * scale).collect();
        let [norm, deviation] = [16.25f32.sqrt(), 2.796_875f32.sqrt()];
        // (value / scale, gradient)
        let homogeneous: [(f32, Single); 3] = [
            (norm, |x| x.l2_norm()),
            (norm, |x| x.l2_norm_axes([1]).sum()),
            (deviation, |x| x.std_axes([1], 0).sum()),
        ];
        for (at_one, f) in homogeneous {
            let ((value, gradient), (_, middling)) = (single(&x, f), single(&base, f));
            approx::assert_relative_eq!(value / scale, at_one, max_relative = 1e-6);
            for (g, expected) in gradient.iter().zip(middling) {
                approx::assert_relative_eq!(*g, expected, max_relative = 2e-6, epsilon = 1e-6);
            }
        }
        let invariant: [Single; 2] = [
            |x| reg::hoyer(x).summed(),
            |x| {
                let other = x.recording().constant(&Tensor::from([[1.0, 0.0, 0.0, 0.0]]));
                loss::cosine_similarity(x, other, 1).sum()
            },
        ];
        for f in invariant {
            approx::assert_relative_eq!(single(&x, f).0, single(&base, f).0, max_relative = 2e-6);
        }
    }
    let (deviation, _) = single(&[1e-8, 2e-8, 3e-8], |x| x.std(0));
    approx::assert_relative_eq!(deviation, 8.164_966e-9, max_relative = 1e-6);
}

#[test]
fn norms_of_rows_of_every_scale_are_right_side_by_side() {
    let scales = [0.0f32, 1e38, 1e-38, 1.0, f32::INFINITY, f32::NAN];
    let x = Tensor::from_fn([6, 2], |i| if i % 2 == 0 { 0.6 * scales[i / 2] } else { 0.8 * scales[i / 2] });
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.constant(&x);
    for norms in [x.l2_norm_axes([1]), x.transpose(0, 1).l2_norm_axes([0])] {
        for (norm, scale) in norms.value().data().iter().zip(scales) {
            if scale.is_finite() {
                approx::assert_relative_eq!(*norm, scale, max_relative = 1e-6);
            } else {
                assert!(norm.is_nan() == scale.is_nan() && !norm.is_finite());
            }
        }
    }
    let huge = r.constant(&Tensor::from([3e38f32, -3e38, 0.0]));
    approx::assert_relative_eq!(huge.std(0).item(), 3e38 * (2.0f32 / 3.0).sqrt(), max_relative = 1e-6);
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let x = tape.record(&params).constant(&Tensor::from([3e200, 4e200]));
    approx::assert_relative_eq!(x.l2_norm().item(), 5e200, max_relative = 1e-15);
    approx::assert_relative_eq!((x * 1e-250 * 1e-150).l2_norm().item(), 5e-200, max_relative = 1e-15);
}

#[test]
fn gradients_are_clipped_by_their_norm_whatever_their_size() {
    let mut params = Params::<f32>::new();
    params.add("w", Tensor::from([0.0, 0.0]));
    for scale in [3.3e38f32, 1e38, 1.0, 1e-25, 1e-37] {
        let mut grads = params.zeros();
        grads.data_mut().copy_from_slice(&[scale, scale]);
        let norm = grads.norm();
        approx::assert_relative_eq!(norm, f64::from(scale) * 2f64.sqrt(), max_relative = 1e-6);
        assert_eq!(grads.clip_norm(norm / 2.0), norm);
        approx::assert_relative_eq!(grads.data()[0], scale / 2.0, max_relative = 1e-5);
    }
}

#[test]
fn a_saturated_unit_has_a_finite_kl_penalty_that_pulls_it_back() {
    for (x, sign) in [(-40.0f32, -1.0), (15.0, 1.0)] {
        let (value, gradient) = single(&[x], |x| reg::kl_sparsity(x.sigmoid(), 0.05));
        assert!(value > 0.5 && value.is_finite() && gradient[0].is_finite());
        assert!(gradient[0] * sign > 0.0, "{gradient:?} at {x}");
    }
    for mean in [0.0f32, 1.0] {
        let (value, gradient) = single(&[mean], |x| reg::kl_sparsity(x, 0.05));
        assert!(value > 0.5 && value.is_finite() && gradient[0].abs() > 1e3 && gradient[0].is_finite());
    }
    let (value, gradient) = single(&[0.05], |x| reg::kl_sparsity(x, 0.05));
    assert!(value.abs() < 1e-6 && gradient[0].abs() < 1e-5);
}

#[test]
fn nan_and_infinity_come_out_of_every_reduction() {
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    for at in [0, 1, 35, 99] {
        let mut x = vec![0.5f32; 100];
        x[at] = nan;
        let reductions: [Single; 12] = [
            |x| x.max_axes(..),
            |x| x.min_axes(..),
            |x| x.sum(),
            |x| x.mean(),
            |x| x.l1_norm(),
            |x| x.l2_norm(),
            |x| x.std(0),
            |x| x.variance(1),
            |x| x.log_sum_exp(),
            |x| x.softmax(1).sum(),
            |x| x.top_k(3).sum(),
            |x| x.top_k_by_magnitude(3).sum(),
        ];
        for (number, f) in reductions.into_iter().enumerate() {
            let (value, gradient) = single(&x, f);
            assert!(value.is_nan(), "reduction {number} with a NaN at {at}");
            // A maximum is the NaN itself: it takes the gradient.
            assert!(number > 1 || gradient[at] == 1.0, "reduction {number} with a NaN at {at}: {gradient:?}");
        }
        x[at] = infinity;
        let infinite =
            [single(&x, |x| x.max_axes(..)), single(&x, |x| x.log_sum_exp()), single(&x, |x| x.l2_norm())];
        assert!(infinite.iter().all(|(value, _)| *value == infinity));
        assert!(single(&x, |x| x.softmax(1).sum()).0.is_nan() && single(&x, |x| x.std(0)).0.is_nan());
    }
    assert!(single(&[infinity, infinity], |x| x.std(0)).0.is_nan());
    let nothing = [-infinity; 40];
    assert_eq!(single(&nothing, |x| x.log_sum_exp()), (-infinity, vec![0.0; 40]));
    assert!(single(&nothing, |x| x.softmax(1).max_axes(..)).0.is_nan());
    assert_eq!(single(&nothing, |x| x.max_axes(..)).0, -infinity);
}

/// What a panic says, and the line that it names, if it is a line of this file.
fn panic_of(f: impl FnOnce()) -> (String, u32) {
    thread_local!(static LINE: RefCell<u32> = const { RefCell::new(0) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let line =
                info.location().filter(|at| at.file().ends_with("vanishing.rs")).map_or(0, Location::line);
            LINE.with(|last| *last.borrow_mut() = line);
            before(info);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
    (text.unwrap_or_default(), LINE.with(|line| *line.borrow()))
}

/// Asserts that an expression panics with words, and names its own line.
macro_rules! assert_panics {
    ($r:ident, $($f:expr),* $(,)? => $words:expr) => {
        $({
            let (mut tape, params) = (Tape::<f64>::new(), Params::new());
            let $r = tape.record(&params);
            let (text, line) = panic_of(|| {
                let _ = (&$r, $f);
            });
            assert!(text.contains($words), "{} says: {text}", stringify!($f));
            assert!(line > 0, "{} does not name the caller's line: {text}", stringify!($f));
        })*
    };
}

#[test]
fn a_mean_over_no_samples_panics_with_the_line_that_asked_for_it() {
    let empty = Tensor::<f64>::zeros([0, 3]);
    assert_panics!(r,
        r.constant(&empty).mean(),
        r.constant(&empty).mean_axes([0]),
        r.constant(&empty).mean_axes([0, 1]),
        r.constant(&empty).map_sum(pointwise::Unary::Abs(pointwise::Abs {}), Reduction::Mean),
        r.constant(&empty).map_sum(pointwise::Unary::Abs(pointwise::Abs {}), Reduction::PerSample),
        loss::mse(r.constant(&empty), r.constant(&empty)),
        loss::mae(r.constant(&empty), r.constant(&empty)),
        loss::huber(r.constant(&empty), r.constant(&empty), 1.0),
        loss::bce_with_logits(r.constant(&empty), r.constant(&empty)),
        loss::kl_div(r.constant(&empty), r.constant(&empty)),
        loss::cross_entropy(r.constant(&empty), r.indices([0], &[])),
        loss::nll(r.constant(&empty), r.indices([0], &[])),
        r.constant(&empty).cross_entropy_soft(r.constant(&empty), Reduction::Mean),
        r.constant(&empty).cross_entropy_soft(r.constant(&empty), Reduction::PerSample),
        reg::l1(r.constant(&empty)).per_sample(),
        reg::hoyer(r.constant(&empty)).per_sample(),
        reg::group_lasso(r.constant(&empty), &[1]).per_sample(),
        reg::kl_sparsity(r.constant(&empty), 0.1) => "to take the mean over"
    );
    assert_panics!(r, r.constant(&empty).variance_axes([0], 0), r.constant(&empty).std(0) => "no variance");
    assert_panics!(r, r.constant(&empty).max_axes(..), r.constant(&empty).min_axes([0]) => "no elements to choose from");
}

#[test]
fn a_sum_over_nothing_is_zero() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let empty = r.constant(&Tensor::zeros([0, 3]));
    let sums = [
        empty.sum(),
        empty.l1_norm(),
        empty.l2_norm(),
        empty.cross_entropy(r.indices([0], &[]), Reduction::Sum),
        empty.cross_entropy_soft(empty, Reduction::Sum),
        empty.nll(r.indices([0], &[]), Reduction::Sum),
        reg::l1(empty).summed(),
        reg::hoyer(empty).summed(),
        reg::group_lasso(empty, &[1]).summed(),
    ];
    assert_eq!(sums.map(|sum| sum.item().abs()), [0.0; 9]);
    assert_eq!(empty.sum_axes([0]).value(), Tensor::zeros([3]));
    assert_eq!(empty.l2_norm_axes([0]).value(), Tensor::zeros([3]));
    // There are samples here, though they have no units.
    let flat = r.constant(&Tensor::zeros([3, 0]));
    assert_eq!(reg::l1(flat).per_sample().item(), 0.0);
    assert_eq!(flat.mean_axes([0]).shape()[..], [0]);
}

#[test]
fn a_loss_and_the_method_of_its_name_refuse_unequal_shapes() {
    let (column, flat) = (Tensor::from([[0.1], [0.2], [0.3], [0.4]]), Tensor::from([0.1, 0.2, 0.3, 0.4]));
    assert_panics!(r,
        r.constant(&column).squared_error(r.constant(&flat)),
        r.constant(&column).absolute_error(r.constant(&flat)),
        r.constant(&column).huber(r.constant(&flat), 1.0),
        r.constant(&column).bce_with_logits(r.constant(&flat)),
        r.constant(&column).kl_div(r.constant(&flat)),
        r.constant(&column).kl_div_log(r.constant(&flat)),
        loss::mse(r.constant(&column), r.constant(&flat)),
        loss::bce_with_logits(r.constant(&column), r.constant(&flat)),
        r.constant(&flat).squared_error(r.scalar(0.0)) => "must be the same shape"
    );
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    assert_eq!((r.constant(&column) - r.constant(&flat)).shape()[..], [4, 4]);
    assert_eq!(r.constant(&flat).huber(r.constant(&flat), 1.0).shape()[..], [4]);
}

#[test]
fn axes_that_a_tensor_cannot_have_are_an_error() {
    assert_panics!(r,
        r.constant(&Tensor::from([1.0])).sum_axes([32]),
        Axes::new(&[32]),
        Axes::all(33) => "32"
    );
    let flat = Tensor::from([1.0, 2.0]);
    assert_panics!(r,
        r.apply(quietgrad::ops::sum::Sum { axes: Axes::new(&[1]), mean: false }.into(), &[r.constant(&flat)]),
        r.apply(Norm { order: Order::L2, axes: Axes::new(&[31]), along: false }.into(), &[r.constant(&flat)]),
        r.constant(&flat).sum_axes([1]) => "no axis"
    );
    assert_eq!(Axes::all(32).len(), 32);
    assert!(!Axes::all(32).contains(32));
}
