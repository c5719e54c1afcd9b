//! y = Σ|x|, or √Σx², over chosen axes. Both have slope 0 where they are 0.

use crate::element::Element;
use crate::kernels::{self, Row, Strided};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::pointwise::{Abs, Unary, UnaryRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Axes, AxisList, Shape, ShapeError, View, ViewMut};

/// A norm over some axes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Norm {
    /// Which norm.
    pub order: Order,
    /// The axes that go.
    pub axes: Axes,
    /// At 0 the tangent of √Σx² is not 0 but the norm of the tangents ([`Rule::along_direction`]).
    pub along: bool,
}

/// A norm of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Σ|x|
    L1,
    /// √Σx²
    L2,
}

/// The cotangent of x where ‖x‖ = 0. Its value is 0. Its tangent, of numbers that carry one, is what forward mode found along
/// the direction v in which x moves away from 0: gy v / ‖v‖.
fn at_tip<T: Element>(x: T, y: T, gy: T) -> T {
    let along = y.tangent();
    if along == T::ZERO { T::ZERO } else { (gy.tangent() * (x.tangent() / along)).times_epsilon() }
}

impl Rule for Norm {
    fn name(&self) -> &'static str {
        match self.order {
            Order::L1 => "l1_norm",
            Order::L2 => "l2_norm",
        }
    }

    fn arguments(&self) -> String {
        format!("{:?}", self.axes)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.axes.expect_in(x[0])?;
        Ok(self.axes.drop(x[0]))
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let to = self.axes.reduced_strides(x[0].shape);
        let x_strided = Strided { data: x[0].data, strides: &x[0].strides() };
        match self.order {
            Order::L1 => {
                let abs = kernels::row(|[x]: [T; 1]| x.abs());
                kernels::sum_strided(x[0].shape, [x_strided], y.data, &to, Accum::Replace, &abs);
            }
            Order::L2 => kernels::norm_strided(x[0].shape, x_strided, y.data, &to, self.along),
        }
    }

    fn along_direction(&self) -> Self {
        Norm { along: true, ..*self }
    }

    /// L1, y = Σ|x|: gx = gy sign(x). L2, y = √Σx² and so y dy = Σ x dx: gx = gy x / y, and 0 where y = 0, the middle of the
    /// cone's slopes.
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let along = self.axes.reduced_strides(x[0].shape);
        let x_strided = Strided { data: x[0].data, strides: &x[0].strides() };
        let (y, gy) = (y.strided(&along), gy.strided(&along));
        let slope: Row<T, 3> = match self.order {
            Order::L1 => &kernels::row(|[x, y, gy]: [T; 3]| gy * Abs {}.df(x, y)),
            Order::L2 => {
                &kernels::row(|[x, y, gy]: [T; 3]| if y == T::ZERO { at_tip(x, y, gy) } else { gy * (x / y) })
            }
        };
        gx.add(0, |gx, accum| {
            kernels::map_strided(gx.shape, [x_strided, y, gy], gx.data, accum, slope);
        });
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        match self.order {
            Order::L1 => super::map::Map(Unary::Abs(Abs {})).pieces(x),
            Order::L2 => Vec::new(),
        }
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 7] = [
            (&[3, 4], &[1]),
            (&[3, 4], &[0]),
            (&[2, 3, 4], &[0, 2]),
            (&[2, 2], &[0, 1]),
            (&[3, 1], &[1]),
            (&[], &[]),
            (&[0, 3], &[0]),
        ];
        let mut samples = Vec::new();
        for &(shape, axes) in &cases {
            for &order in &[Order::L1, Order::L2] {
                samples.push(Sample::new(Norm { order, axes: Axes::new(axes), along: false }, [shape]));
            }
        }
        samples
    }
}

/// # Norms
impl<T: Real> Var<'_, T> {
    /// Σ|x| over these axes, which go. The slope of each |x| at 0 is 0.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[3.0, -4.0], [0.0, 0.0]]));
    /// assert_eq!(x.l1_norm_axes(&[1]).value(), Tensor::from([7.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn l1_norm_axes(self, axes: impl AxisList) -> Self {
        let axes = self.axes("l1_norm_axes", axes);
        self.apply(Norm { order: Order::L1, axes, along: false }, &[self])
    }

    /// √Σx² over these axes, which go. The gradient at the zero vector is 0.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([[3.0, 4.0], [0.0, 0.0]]));
    /// let norms = x.l2_norm_axes(&[1]);
    /// assert_eq!(norms.value(), Tensor::from([5.0, 0.0]));
    /// norms.sum().backward(&mut params.zeros());
    /// assert_eq!(x.gradient().unwrap(), Tensor::from([[0.6, 0.8], [0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn l2_norm_axes(self, axes: impl AxisList) -> Self {
        let axes = self.axes("l2_norm_axes", axes);
        self.apply(Norm { order: Order::L2, axes, along: false }, &[self])
    }

    /// Σ|x| over all elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([3.0, -4.0]));
    /// assert_eq!(x.l1_norm().item(), 7.0);
    /// ```
    #[track_caller]
    pub fn l1_norm(self) -> Self {
        self.apply(Norm { order: Order::L1, axes: Axes::all(self.shape().rank()), along: false }, &[self])
    }

    /// √Σx² over all elements. The gradient at zero is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([0.0, 0.0]));
    /// x.l2_norm().backward(&mut params.zeros());
    /// assert_eq!(x.gradient().unwrap(), Tensor::from([0.0, 0.0])); // and not NaN
    /// ```
    #[track_caller]
    pub fn l2_norm(self) -> Self {
        self.apply(Norm { order: Order::L2, axes: Axes::all(self.shape().rank()), along: false }, &[self])
    }
}
