//! A user's own op: the jump-relu of sparse autoencoders, whose threshold learns from a smoothed derivative.
//!
//! Source: S. Rajamanoharan et al., Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders,
//! 2024, equations 11 and 12.

use quietgrad::ops::{CustomRule, Op, Output, ZeroRule};
use quietgrad::{
    Accum, Cotangents, Element, Params, Random, Shape, ShapeError, Tape, Tensor, View, ViewMut, gradcheck,
    kernels,
};

/// y = x where x > θ, else 0, for inputs x \[rows, units\] and thresholds θ \[units\].
///
/// The true derivative by θ is 0 almost everywhere, and nothing would move θ. Instead the jump at θ is taken to be
/// smeared over a window of width ε: ∂y/∂θ = −θ/ε where |x − θ| < ε/2.
#[derive(Debug)]
struct JumpRelu {
    /// ε
    width: f64,
}

impl CustomRule for JumpRelu {
    fn name(&self) -> &'static str {
        "jump_relu"
    }

    /// The output has many zeros, which the next product skips. But θ's derivative reads the cotangent near θ, also where
    /// the output is zero: it is wanted everywhere.
    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule { output: Output::Sparse, ..ZeroRule::DENSE }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        match (x[0], x[1]) {
            ([_, units], [thresholds]) if units == thresholds => Ok(x[0].into()),
            (x, thresholds) => {
                Err(ShapeError::new(format!("{x:?} needs a threshold a unit, not {thresholds:?}")))
            }
        }
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (x, thresholds) = (x[0].data(), x[1].data());
        for (x, y) in x.chunks_exact(thresholds.len()).zip(y.data.chunks_exact_mut(thresholds.len())) {
            for ((&x, &threshold), y) in x.iter().zip(thresholds).zip(y) {
                *y = if x > threshold { x } else { T::ZERO };
            }
        }
    }

    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let (x, thresholds) = (x[0].data(), x[1].data());
        gx.add(0, |gx, accum| {
            let open = |[y, gy]: [T; 2]| if y == T::ZERO { T::ZERO } else { gy };
            kernels::map([y.data(), gy.data()], gx.data, accum, open);
        });
        let half = T::from_f64(0.5 * self.width);
        let slope = T::from_f64(-1.0 / self.width);
        gx.add(1, |gt, accum| {
            if accum == Accum::Replace {
                gt.data.fill(T::ZERO);
            }
            let near = |[x, t, gy]: [T; 3]| if (x - t).abs() < half { slope * t * gy } else { T::ZERO };
            for (x, gy) in x.chunks_exact(thresholds.len()).zip(gy.data().chunks_exact(thresholds.len())) {
                kernels::map([x, thresholds, gy], gt.data, Accum::Add, near);
            }
        });
    }
}

/// y = x where x > θ, else 0, for one fixed θ: as relu, it lets nothing through where it has made a zero, so that products
/// skip those zeros forward and backward.
#[derive(Debug)]
struct FixedJumpRelu {
    threshold: f64,
}

impl CustomRule for FixedJumpRelu {
    fn name(&self) -> &'static str {
        "fixed_jump_relu"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule::RELU
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let open = |[x]: [T; 1]| if x > T::from_f64(self.threshold) { x } else { T::ZERO };
        kernels::map([x[0].data()], y.data, Accum::Replace, open);
    }

    /// gx = gy where y ≠ 0, else 0
    fn vjp<T: Element>(&self, _: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            let open = |[y, gy]: [T; 2]| if y == T::ZERO { T::ZERO } else { gy };
            kernels::map([y.data(), gy.data()], gx.data, accum, open);
        });
    }
}

/// What the product behind a layer skips, in words.
fn what_is_skipped() -> String {
    let mut params = Params::<f32>::new();
    let mut random = Random::new(1);
    let w = params.add("w", Tensor::from_fn([256, 64], |_| random.normal() as f32));
    let z = Tensor::from_fn([128, 256], |_| random.normal() as f32);
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let h = r.apply(Op::custom(FixedJumpRelu { threshold: 1.3 }), &[r.input(&z)]);
    let y = h.matmul(r.param(w));
    y.square().mean().backward(&mut params.zeros());
    r.skipping(y).to_string()
}

fn main() {
    let jump_relu = Op::custom(JumpRelu { width: 0.4 });
    let mut params = Params::new();
    let x = params.add("x", Tensor::from([[0.3, 0.9, -0.5], [2.0, 0.45, 0.1]]));
    let theta = params.add("theta", Tensor::from([0.5, 0.5, 0.5]));

    let mut grads = params.zeros();
    let mut tape = Tape::<f64>::new();
    let r = tape.record(&params);
    let y = r.apply(jump_relu.clone(), &[r.param(x), r.param(theta)]);
    println!("y =\n{y}");
    y.sum().backward(&mut grads);
    println!("dy/dx =\n{}\ndy/dtheta = {}", grads.tensor(x), grads.tensor(theta));

    // Away from the window the vjp is the derivative. Inside it is not, on purpose, and the check says so.
    let check = |params: &Params<f64>| {
        gradcheck::check(params, |r| r.apply(jump_relu.clone(), &[r.param(x), r.param(theta)]))
    };
    println!("inside the window: {}", check(&params).expect_err("a smeared jump is not the jump"));
    params.get_mut(x).copy_from_slice(&[0.2, 0.9, -0.5, 2.0, 0.8, 0.1]);
    println!("outside: {} derivatives agree", check(&params).expect("nothing is smeared there").duals);

    println!("a product behind a fixed jump-relu {}", what_is_skipped());
}
