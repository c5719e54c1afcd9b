//! Laws of single ops that a derivative does not see: ties, NaN, infinities, masks, memory that is shared.

use quietgrad::ops::{Op, Real, map::Map, zip::Zip};
use quietgrad::pointwise::{Binary, Unary};
use quietgrad::{Params, Random, Recording, Reduction, Tape, Tensor, Var, gradcheck, loss};

/// Records something on a tape of its own.
fn record<R>(f: impl for<'r> FnOnce(Recording<'r, f64>) -> R) -> R {
    let (mut tape, params) = (Tape::new(), Params::new());
    f(tape.record(&params))
}

/// The value of y = f(x), and the gradient of Σ y.
fn value_and_gradient(
    x: &Tensor<f64>,
    f: impl for<'r> FnOnce(Var<'r, f64>) -> Var<'r, f64>,
) -> (Tensor<f64>, Tensor<f64>) {
    record(|r| {
        let x = r.input(x);
        let y = f(x);
        y.sum().backward(&mut r.params().zeros());
        (y.value(), x.gradient().expect("something flows back"))
    })
}

/// The k largest by sorting, equal ones in their order.
fn top_k_by_sorting(row: &[f64], k: usize, key: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| key(row[b]).total_cmp(&key(row[a])).then(a.cmp(&b)));
    let mut kept = vec![0.0; row.len()];
    order.truncate(k);
    order.into_iter().for_each(|i| kept[i] = row[i]);
    kept
}

#[test]
fn top_k_agrees_with_sorting() {
    let mut random = Random::new(11);
    for cols in [1, 2, 7, 33, 200] {
        let ascending = Tensor::from_fn([1, cols], |i| i as f64 - 20.0);
        let descending = Tensor::from_fn([1, cols], |i| -(i as f64));
        let random_rows = Tensor::from_fn([5, cols], |_| random.normal());
        let with_ties = Tensor::from_fn([5, cols], |_| random.below(4) as f64 - 1.5);
        for x in [ascending, descending, random_rows, with_ties] {
            for k in [0, 1, 3, cols / 2, cols, cols + 1] {
                let (y, gradient) = value_and_gradient(&x, |x| x.top_k(k));
                let (by_magnitude, _) = value_and_gradient(&x, |x| x.top_k_by_magnitude(k));
                let rows = x.rows().zip(y.rows()).zip(by_magnitude.rows().zip(gradient.rows()));
                for ((x, y), (by_magnitude, gradient)) in rows {
                    assert_eq!(y, top_k_by_sorting(x, k, |x| x));
                    assert_eq!(by_magnitude, top_k_by_sorting(x, k, f64::abs));
                    let slopes: Vec<f64> = y.iter().map(|&y| f64::from(u8::from(y != 0.0))).collect();
                    assert_eq!(gradient, slopes);
                }
            }
        }
    }
}

#[test]
fn a_nan_stays_among_the_k_largest() {
    let mut x = Tensor::from_fn([1, 100], |i| (i as f64).sin());
    for place in [0, 50, 99] {
        let before = std::mem::replace(&mut x[[0, place]], f64::NAN);
        assert!(value_and_gradient(&x, |x| x.top_k(5)).0[[0, place]].is_nan(), "{place}");
        x[[0, place]] = before;
    }
}

#[test]
fn maxima_and_minima_pass_a_nan_on_and_share_ties() {
    let x = Tensor::from([[1.0, 5.0, 5.0, 0.0], [2.0, f64::NAN, 0.0, 0.0], [3.0, 3.0, 3.0, 3.0]]);
    let (max, slopes) = value_and_gradient(&x, |x| x.max_axes([1]));
    assert!(max[[0]] == 5.0 && max[[1]].is_nan() && max[[2]] == 3.0);
    assert_eq!(slopes.rows().next().unwrap(), [0.0, 0.5, 0.5, 0.0]);
    assert_eq!(slopes.rows().last().unwrap(), [0.25; 4]);
    let (min, _) = value_and_gradient(&x, |x| x.min_axes([1]));
    assert!(min[[0]] == 0.0 && min[[1]].is_nan() && min[[2]] == 3.0);
}

#[test]
fn a_mask_keeps_nan_on_the_side_not_taken() {
    let x = Tensor::from([-4.0, 9.0]);
    let (y, slopes) = value_and_gradient(&x, |x| {
        let zero = x.recording().scalar(0.0);
        x.gt(zero).where_cond(x.sqrt(), zero)
    });
    assert_eq!(y, Tensor::from([0.0, 3.0]));
    // The root's slope at −4 is NaN, and 0 · NaN is NaN: a known trap. Hold x inside the root's domain first.
    assert!(slopes[[0]].is_nan() && slopes[[1]] == 1.0 / 6.0);
    let (_, slopes) = value_and_gradient(&x, |x| {
        let zero = x.recording().scalar(0.0);
        let inside = x.gt(zero).where_cond(x, x.recording().scalar(1.0));
        x.gt(zero).where_cond(inside.sqrt(), zero)
    });
    assert_eq!(slopes, Tensor::from([0.0, 1.0 / 6.0]));
}

#[test]
fn comparisons_are_the_languages_own() {
    let numbers = [-1.0, 0.0, 0.5, f64::NAN];
    for a in numbers {
        for b in numbers {
            let masks = record(|r| {
                let (x, y) = (r.scalar(a), r.scalar(b));
                [x.gt(y), x.ge(y), x.lt(y), x.le(y), x.eq(y), x.ne(y)].map(|mask| mask.item() == 1.0)
            });
            assert_eq!(masks, [a > b, a >= b, a < b, a <= b, a == b, a != b], "{a} and {b}");
        }
    }
}

#[test]
fn log_sum_exp_of_infinities_is_what_arithmetic_says() {
    let inf = f64::INFINITY;
    let x = Tensor::from([[-inf, -inf], [-inf, 1.0], [inf, 1.0]]);
    let (y, slopes) = value_and_gradient(&x, |x| x.log_sum_exp_axes([1]));
    assert_eq!(y, Tensor::from([-inf, 1.0, inf]));
    assert_eq!(slopes.data()[..4], [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn deviation_and_norm_have_gradient_zero_at_zero() {
    let x = Tensor::from([[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]]);
    assert_eq!(value_and_gradient(&x, |x| x.std_axes([1], 1)).1, Tensor::zeros([2, 3]));
    let (norms, slopes) = value_and_gradient(&x, |x| x.l2_norm_axes([1]));
    assert_eq!(norms[[1]], 0.0);
    assert_eq!(slopes.rows().last().unwrap(), [0.0; 3]);
}

#[test]
fn variance_does_not_cancel_far_from_zero() {
    let x = Tensor::from_fn([1, 1000], |i| 1e8 + (i % 2) as f64);
    assert_eq!(value_and_gradient(&x, |x| x.variance(0)).0.item(), 0.25);
}

#[test]
fn dropout_drops_the_same_elements_forward_and_backward() {
    let x = Tensor::from_fn([40, 50], |i| i as f64 + 1.0);
    let (y, slopes) = value_and_gradient(&x, |x| x.dropout(0.4, &mut Random::new(9)));
    let mut dropped = 0;
    for ((x, y), slope) in x.data().iter().zip(y.data()).zip(slopes.data()) {
        dropped += usize::from(*y == 0.0);
        assert_eq!(*slope, if *y == 0.0 { 0.0 } else { 1.0 / 0.6 });
        approx::assert_relative_eq!(*y, x * slope);
    }
    assert!((dropped as f64 - 800.0).abs() < 5.0 * (2000.0 * 0.4 * 0.6f64).sqrt(), "{dropped} of 2000");
    let again = value_and_gradient(&x, |x| x.dropout(0.4, &mut Random::new(9))).0;
    let other = value_and_gradient(&x, |x| x.dropout(0.4, &mut Random::new(10))).0;
    assert!(y == again && y != other);
    assert_eq!(value_and_gradient(&x, |x| x.dropout(0.0, &mut Random::new(9))).0, x);
}

#[test]
fn slices_of_slices_and_of_transposes_share_memory_rightly() {
    let x = Tensor::from_fn([6, 8], |i| i as f64);
    let (y, slopes) =
        value_and_gradient(&x, |x| x.t().slice_step(0, 1.., 3).slice(1, 2..5).slice_step(1, .., 2) * 2.0);
    assert_eq!(y, Tensor::from([[34.0, 66.0], [40.0, 72.0], [46.0, 78.0]]));
    assert_eq!(slopes.data().iter().sum::<f64>(), 12.0);
    assert!(slopes[[2, 1]] == 2.0 && slopes[[4, 7]] == 2.0 && slopes[[3, 1]] == 0.0);
}

#[test]
fn split_concat_and_stack_are_inverses() {
    let x = Tensor::from_fn([3, 6, 2], |i| i as f64);
    for axis in 0..3 {
        let (y, slopes) = value_and_gradient(&x, |x| {
            let size = x.shape()[axis];
            let [a, b, c] = x.split([1, size - 1, 0], axis);
            Var::concat(&[a, b, c], axis)
        });
        assert_eq!(y, x);
        assert_eq!(slopes, Tensor::full([3, 6, 2], 1.0));
        let y = value_and_gradient(&x, |x| {
            let layers: Vec<_> = (0..x.shape()[axis]).map(|i| x.select(axis, i)).collect();
            Var::stack(&layers, axis)
        });
        assert_eq!(y.0, x);
    }
}

#[test]
fn flipping_twice_changes_nothing_and_padding_is_undone_by_a_slice() {
    let x = Tensor::from_fn([3, 4], |i| i as f64);
    assert_eq!(value_and_gradient(&x, |x| x.flip(0).flip(1).flip(0).flip(1)).0, x);
    let (y, slopes) = value_and_gradient(&x, |x| x.pad(&[(2, 1), (0, 3)], -1.0).slice(0, 2..5).slice(1, ..4));
    assert_eq!((y, slopes), (x, Tensor::full([3, 4], 1.0)));
}

#[test]
fn picked_rows_add_up_their_gradients() {
    let x = Tensor::from_fn([4, 2], |i| i as f64);
    let (_, slopes) = value_and_gradient(&x, |x| x.embedding(x.recording().indices([2, 2], &[3, 1, 3, 3])));
    assert_eq!(slopes, Tensor::from([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [3.0, 3.0]]));
}

#[test]
#[should_panic(expected = "gather: index 3 at place 1 is not below 3")]
fn an_index_out_of_range_is_refused() {
    record(|r| _ = r.constant(&Tensor::zeros([2, 3])).gather(1, r.indices([2, 1], &[0, 3])));
}

#[test]
fn smoothed_labels_are_soft_targets() {
    let mut random = Random::new(2);
    let z = Tensor::from_fn([4, 5], |_| random.normal());
    let classes = [2, 0, 4, 4];
    let smoothed = value_and_gradient(&z, |z| {
        z.cross_entropy_smoothed(z.recording().indices([4], &classes), 0.1, Reduction::Mean)
    });
    let soft = value_and_gradient(&z, |z| {
        let target = z.recording().indices([4], &classes).one_hot(5) * 0.9 + 0.1 / 5.0;
        z.cross_entropy_soft(target, Reduction::Mean)
    });
    let smoothed_soft = value_and_gradient(&z, |z| {
        let target = z.recording().indices([4], &classes).one_hot(5);
        z.cross_entropy_soft_smoothed(target, 0.1, Reduction::Mean)
    });
    let by_nll =
        value_and_gradient(&z, |z| loss::nll(z.log_softmax(1), z.recording().indices([4], &classes)));
    let plain = value_and_gradient(&z, |z| loss::cross_entropy(z, z.recording().indices([4], &classes)));
    for (a, b) in [(smoothed, soft.clone()), (smoothed_soft, soft), (by_nll, plain)] {
        approx::assert_relative_eq!(a.0.item(), b.0.item(), max_relative = 1e-14);
        for (a, b) in a.1.data().iter().zip(b.1.data()) {
            approx::assert_relative_eq!(a, b, epsilon = 1e-15, max_relative = 1e-13);
        }
    }
}

#[test]
fn losses_of_several_ops_have_the_right_gradient() {
    let mut random = Random::new(4);
    let mut params = Params::new();
    let a = params.add("a", Tensor::from_fn([4, 5], |_| random.normal()));
    let b = params.add("b", Tensor::from_fn([4, 5], |_| random.normal()));
    let report = gradcheck::check(&params, |r| {
        let (a, b) = (r.param(a), r.param(b));
        let classes = r.indices([4], &[2, 0, 4, 4]);
        loss::cosine_similarity(a, b, 1).mean()
            + loss::cosine_similarity(a, b, 0).square().sum()
            + loss::nll(a.log_softmax(1), classes)
            + loss::kl_div(a.log_softmax(1), b.softmax(1))
    });
    let report = report.unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert!(report.worst_dual < 1e-13 && report.skipped.is_empty());
}

#[test]
fn linear_relu_is_linear_and_relu_bit_for_bit() {
    let mut random = Random::new(3);
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from_fn([5, 40], |_| random.normal()));
    let b = params.add("b", Tensor::from_fn([40], |_| random.normal()));
    let x = Tensor::from_fn([7, 5], |_| random.normal());
    let run = |fused: bool| {
        let (mut tape, mut grads) = (Tape::new(), params.zeros());
        let r = tape.record(&params);
        let (x, w, b) = (r.input(&x), r.param(w), r.param(b));
        let h = if fused { x.linear_relu(w, b) } else { x.linear(w, b).relu() };
        (h * h).sum().backward(&mut grads);
        (h.value(), x.gradient(), grads.data().to_vec())
    };
    let (apart, fused) = (run(false), run(true));
    assert!(apart.0.data().contains(&0.0));
    assert_eq!(apart, fused);
}

/// The bits of y = op(x…) and of its cotangents, for inputs that each have one element and this shape.
fn bits_of<T: Real>(shape: &[usize], op: &Op, x: &[f64]) -> Vec<u64> {
    let (mut tape, params) = (Tape::<T>::new(), Params::new());
    let r = tape.record(&params);
    let inputs: Vec<_> = x.iter().map(|&x| r.input(&Tensor::full(shape, T::from_f64(x)))).collect();
    let y = r.apply(op.clone(), &inputs);
    (y * 0.7).sum().backward(&mut params.zeros());
    let cotangents = inputs.iter().map(|x| x.gradient().expect("something flows back"));
    let all = std::iter::once(y.value()).chain(cotangents);
    all.map(|x| x.data()[0].to_f64()).map(|x| if x.is_nan() { f64::NAN } else { x }.to_bits()).collect()
}

#[test]
fn numbers_get_the_bits_of_arrays() {
    let mut ops: Vec<Op> = Unary::all().into_iter().map(|f| Op::Map(Map(f))).collect();
    ops.extend(Binary::all().into_iter().map(|f| Op::Zip(Zip(f))));
    let arguments = [-3.3, -1.0, -0.4, -0.0, 0.0, 0.3, 1.0, 2.7, 1e4, f64::INFINITY, f64::NAN];
    for op in &ops {
        for a in arguments {
            for b in arguments {
                let x = if matches!(op, Op::Zip(_)) { &[a, b][..] } else { &[a][..] };
                let same = bits_of::<f32>(&[], op, x) == bits_of::<f32>(&[1], op, x)
                    && bits_of::<f64>(&[], op, x) == bits_of::<f64>(&[1], op, x);
                assert!(same, "{} of {x:?}", op.name());
            }
        }
    }
}

/// The gradients of a loss that is made of some tensors, by their bits.
fn gradients<T: Real>(x: &[Tensor<T>], loss: impl for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>) -> Vec<Vec<u64>> {
    let (mut tape, params) = (Tape::<T>::new(), Params::new());
    let r = tape.record(&params);
    let x: Vec<_> = x.iter().map(|x| r.input(x)).collect();
    loss(&x).backward(&mut params.zeros());
    let bits = |x: &Var<T>| {
        let g = x.gradient().expect("something flows back");
        g.data().iter().map(|g| g.to_f64().to_bits()).collect()
    };
    x.iter().map(bits).collect()
}

/// Longer than two blocks of 256, and not whole ones.
fn slopes_of_long_arrays<T: Real>() {
    let mut random = Random::new(5);
    let mut draw = |(lo, hi)| Tensor::from_fn([603], |_| T::from_f64(random.uniform(lo, hi)));
    let twice = |y: Vec<Vec<u64>>| -> Vec<Vec<u64>> {
        let double = |bits| (f64::from_bits(bits) * 2.0).to_bits();
        y.into_iter().map(|y| y.into_iter().map(double).collect()).collect()
    };
    for f in Unary::all() {
        let x = [draw(f.range())];
        let once = gradients(&x, |x| x[0].recording().apply(Map(f).into(), &[x[0]]).sum());
        let summed = gradients(&x, |x| x[0].map_sum(f, Reduction::Sum));
        let added = gradients(&x, |x| {
            x[0].recording().apply(Map(f).into(), &[x[0]]).sum()
                + x[0].recording().apply(Map(f).into(), &[x[0]]).sum()
        });
        let added_sums = gradients(&x, |x| x[0].map_sum(f, Reduction::Sum) + x[0].map_sum(f, Reduction::Sum));
        assert_eq!(summed, once, "{} summed", f.name());
        assert_eq!(added, twice(once.clone()), "{} added", f.name());
        assert_eq!(added_sums, twice(once), "{} summed and added", f.name());
    }
    for f in Binary::all() {
        let x = f.ranges().map(&mut draw);
        let once = gradients(&x, |x| x[0].recording().apply(Zip(f).into(), x).sum());
        let summed = gradients(&x, |x| x[0].zip_sum(x[1], f, Reduction::Sum));
        let added = gradients(&x, |x| {
            x[0].recording().apply(Zip(f).into(), x).sum() + x[0].recording().apply(Zip(f).into(), x).sum()
        });
        let added_sums =
            gradients(&x, |x| x[0].zip_sum(x[1], f, Reduction::Sum) + x[0].zip_sum(x[1], f, Reduction::Sum));
        assert_eq!(summed, once, "{} summed", f.name());
        assert_eq!(added, twice(once.clone()), "{} added", f.name());
        assert_eq!(added_sums, twice(once), "{} summed and added", f.name());
    }
}

#[test]
fn long_arrays_get_one_slope_replaced_added_or_summed() {
    crate::on_every_isa(|_| {
        slopes_of_long_arrays::<f32>();
        slopes_of_long_arrays::<f64>();
    });
}
