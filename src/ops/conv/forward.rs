//! y = w * x + b, or max(w * x + b, 0): the sum of a kernel's products with the pixels under it, at each of its positions.

use super::{Convolution, LONGEST, Moves, Padding, image_of, of_two};
use crate::kernels::{self, conv::pull_relu, conv::sum_channels};
use crate::matrix::conv::{ConvFinish, ConvSize};
use crate::matrix::{Accum, Products, size};
use crate::ops::{OnEntries, Real, Rule, Sample, ZeroRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// A convolution of x [batch, in, ..] with weights [out, in / groups, kernel ..] and perhaps a bias \[out\].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conv {
    /// Axes of the image: 1 or 2. Of one, the second of each pair below counts.
    pub axes: usize,
    /// From one position of the kernel to the next.
    pub stride: [usize; 2],
    /// Zeros before and after each axis.
    pub padding: [[usize; 2]; 2],
    /// From one pixel that the kernel covers to the next.
    pub dilation: [usize; 2],
    /// Groups of channels.
    pub groups: usize,
    /// Whether the result goes through relu.
    pub relu: bool,
}

impl Conv {
    fn new<const D: usize>(of: Convolution<D>, x: &[usize], w: &[usize], relu: bool) -> Self {
        let [image, kernel] = [x, w].map(|shape| shape.get(2..).unwrap_or(&[]));
        Conv {
            axes: D,
            stride: of_two(of.stride, 1),
            padding: of_two(of.padding.resolve([image, kernel], [of.stride, of.dilation]), [0, 0]),
            dilation: of_two(of.dilation, 1),
            groups: of.groups,
            relu,
        }
    }

    fn moves(&self) -> Moves {
        let Conv { axes, stride, padding, dilation, groups, .. } = *self;
        Moves { axes, stride, padding, dilation, groups }
    }

    /// The sizes of the convolution of x [batch, in, ..] with w [out, in / groups, kernel ..], if these shapes fit.
    fn size(&self, x: &[usize], w: &[usize]) -> Result<ConvSize, ShapeError> {
        let moves = self.moves();
        moves.check(x, w)?;
        let error = |text: String| Err(ShapeError::new(text));
        let (groups, [out, channels]) = (self.groups, [w[0], w[1]]);
        if channels.saturating_mul(groups) != x[1] || !out.is_multiple_of(groups) {
            return error(format!(
                "an input {} with {} channels and weights {} do not fit in {groups} group(s): weights are [out, in / groups, ..]",
                Show(x),
                x[1],
                Show(w)
            ));
        }
        let (image, kernel) = (image_of(x), image_of(w));
        let reach = moves.reach(kernel);
        let mut map = [0; 2];
        for axis in 0..2 {
            let [before, after] = self.padding[axis];
            let padded = image[axis].saturating_add(before).saturating_add(after);
            if reach[axis] > padded || padded > LONGEST {
                let covered = moves.listed(&reach);
                let padding = moves.listed(&self.padding);
                return error(format!(
                    "a kernel that covers {covered} pixels does not fit into an input {} with padding {padding}",
                    Show(x)
                ));
            }
            map[axis] = (padded - reach[axis]) / self.stride[axis] + 1;
        }
        Ok(ConvSize { image, map, ..moves.size(x[0], [out / groups, channels], kernel) })
    }

    /// The sizes of inputs that the shape rule has let pass.
    fn sizes<T>(&self, x: &[View<T>]) -> ConvSize {
        self.size(x[0].shape, x[1].shape).expect("shapes were checked by the shape rule")
    }
}

impl Rule for Conv {
    fn name(&self) -> &'static str {
        match (self.axes, self.relu) {
            (1, false) => "conv1d",
            (1, true) => "conv1d_relu",
            (_, false) => "conv2d",
            (_, true) => "conv2d_relu",
        }
    }

    fn arguments(&self) -> String {
        self.moves().arguments()
    }

    fn flops(&self, x: &[&[usize]], _: &[usize]) -> u64 {
        self.size(x[0], x[1]).map_or(u64::MAX, |size| size.work() as u64).saturating_mul(2)
    }

    fn vjp_flops(&self, k: usize, x: &[&[usize]], y: &[usize]) -> u64 {
        if k == 2 { size::product(y) as u64 } else { self.flops(x, y) }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let size = self.size(x[0], x[1])?;
        if let Some(b) = x.get(2).filter(|b| **b != [x[1][0]]) {
            let text = format!(
                "weights {} make {} channels, which a bias {} does not fit",
                Show(x[1]),
                x[1][0],
                Show(b)
            );
            return Err(ShapeError::new(text));
        }
        Ok([x[0][0], x[1][0]].into_iter().chain(size.map[2 - self.axes..].iter().copied()).collect())
    }

    /// With relu, the output is zero in many places, and gy is read where it is not; but the products with gy are dense, so
    /// that all of its memory must be there.
    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        if self.relu { ZeroRule { entries: OnEntries::Ignores, ..ZeroRule::RELU } } else { ZeroRule::DENSE }
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let bias = x.get(2).map(|b| b.data);
        let finish = ConvFinish { bias, relu: self.relu, accum: Accum::Replace };
        T::conv(&self.sizes(x), x[0].data, x[1].data, finish, y.data);
    }

    /// With relu, gy counts where y > 0 alone, whatever stands in it elsewhere.
    fn vjp_in_place<T: Real>(
        &self,
        x: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        if !self.relu {
            return false;
        }
        let (size, plus) = (self.sizes(x), std::mem::replace(gy.signs, T::ZERO));
        let mut summed = false;
        if x.len() > 2 {
            gx.add(2, |g, accum| {
                pull_relu(y.data, gy.data, plus, size.pixels(), (g.data, accum));
                summed = true;
            });
        }
        if !summed {
            kernels::keep_where_positive(y.data, gy.data, plus);
        }
        gy.read(y, |gy| products(&size, x, gy, gx));
        true
    }

    /// Forward, y[n, o, i] = Σ w[o, c, k] x[n, c, i · stride + k · dilation − before] + b\[o\], the sum over c and k. Each
    /// product hands gy on to both of its factors. So:
    ///
    /// gx = wᵀ * gy, gw = gy * x, gb = Σ gy of each channel
    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let size = self.sizes(x);
        products(&size, x, gy, gx);
        if x.len() > 2 {
            gx.add(2, |g, accum| sum_channels(gy.data, size.pixels(), g.data, accum));
        }
    }

    /// Which units fire.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        if !self.relu {
            return Vec::new();
        }
        let size = self.sizes(x);
        let mut z = vec![0.0; size.batch * size.groups * size.maps * size.pixels()];
        let finish = ConvFinish { bias: x.get(2).map(|b| b.data), relu: false, accum: Accum::Replace };
        f64::conv(&size, x[0].data, x[1].data, finish, &mut z);
        z.into_iter().map(|z| i64::from(z >= 0.0) + i64::from(z > 0.0)).collect()
    }

    fn samples() -> Vec<Sample> {
        let plain = Convolution::<2>::new();
        let line = Convolution::<1>::new();
        let of = |of: Convolution<2>, x: [usize; 4], w: [usize; 4], relu| {
            Sample::new(Conv::new(of, &x, &w, relu), [&x, &w, &[w[0]]])
        };
        let of_line = |of: Convolution<1>, x: [usize; 3], w: [usize; 3], relu| {
            Sample::new(Conv::new(of, &x, &w, relu), [&x, &w, &[w[0]]])
        };
        let (x, w) = ([2, 2, 5, 4], [3, 2, 3, 2]);
        vec![
            of(plain, x, w, false),
            of(plain, x, w, true),
            Sample::new(Conv::new(plain, &x, &w, false), [&x, &w]),
            of(plain.padding(Padding::SameAtEnd).stride([2, 3]), x, w, true),
            of(plain.padding([[2, 0], [1, 3]]).dilation([2, 1]), x, w, false),
            of(plain.padding(1).groups(4), [1, 4, 3, 3], [4, 1, 3, 3], false),
            of(plain.groups(2), [2, 4, 3, 3], [6, 2, 1, 1], true),
            of(plain, [2, 3, 2, 2], [4, 3, 1, 1], false),
            of(plain.padding(3), [1, 2, 2, 2], [2, 2, 5, 5], false),
            of(plain, [0, 2, 3, 3], [2, 2, 2, 2], false),
            of(plain, [1, 1, 1, 1], [1, 1, 1, 1], true),
            // The stride leaves inputs over.
            of_line(line.stride(4), [2, 1, 7], [1, 1, 4], false),
            of_line(line.stride(2).padding(1).dilation(2), [2, 1, 2], [2, 1, 2], false),
            of_line(line.padding([[2, 0]]), [1, 3, 6], [5, 3, 3], true),
        ]
    }
}

/// gx = wᵀ * gy, gw = gy * x
fn products<T: Real>(size: &ConvSize, x: &[View<T>], gy: View<T>, gx: &mut Cotangents<T>) {
    gx.add(0, |g, accum| T::conv_transpose(size, x[1].data, gy.data, None, (g.data, accum)));
    gx.add(1, |g, accum| T::conv_weights(size, x[0].data, gy.data, (g.data, accum)));
}

/// # Convolutions
impl<T: Real> Var<'_, T> {
    /// The convolution of `self` [batch, in, width] with weights w [out, in / groups, kernel], plus a bias b \[out\] if there
    /// is one: [batch, out, width of the result]. As in all deep learning, the kernel is not turned around.
    ///
    /// # Panics
    /// If the shapes do not fit, the kernel is larger than the padded input, or a stride is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::conv::{Convolution, Padding}};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[1.0, 2.0, 3.0, 4.0]]]));
    /// let w = r.constant(&Tensor::from([[[1.0, 1.0, 1.0]]]));
    /// let of = Convolution::new().stride(2);
    /// let sums = |padding| x.conv1d(w, None, of.padding(padding)).value();
    /// assert_eq!(sums(Padding::None), Tensor::from([[[6.0]]]));
    /// assert_eq!(sums(Padding::SameAtEnd), Tensor::from([[[6.0, 7.0]]]));
    /// assert_eq!(sums(Padding::SameBothSides), Tensor::from([[[3.0, 9.0]]]));
    /// ```
    #[track_caller]
    pub fn conv1d(self, w: Self, b: impl Into<Option<Self>>, of: Convolution<1>) -> Self {
        self.conv(w, b.into(), of, false)
    }

    /// max(`self` * w + b, 0): the bits of [`conv1d`](Self::conv1d) and [`relu`](Self::relu), with two passes over the
    /// result less.
    ///
    /// # Panics
    /// As [`conv1d`](Self::conv1d).
    #[track_caller]
    pub fn conv1d_relu(self, w: Self, b: impl Into<Option<Self>>, of: Convolution<1>) -> Self {
        self.conv(w, b.into(), of, true)
    }

    /// The convolution of `self` [batch, in, height, width] with weights w [out, in / groups, kernel height, kernel width],
    /// plus a bias b \[out\] if there is one: [batch, out, height and width of the result].
    ///
    /// # Panics
    /// If the shapes do not fit, the kernel is larger than the padded input, or a stride is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::conv::Convolution};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from_fn([1, 1, 3, 3], |i| i as f64));
    /// let w = r.constant(&Tensor::from([[[[1.0, 0.0], [0.0, -1.0]]]]));
    /// let b = r.constant(&Tensor::from([5.0]));
    /// assert_eq!(x.conv2d(w, b, Convolution::new()).value(), Tensor::full([1, 1, 2, 2], 1.0));
    /// ```
    #[track_caller]
    pub fn conv2d(self, w: Self, b: impl Into<Option<Self>>, of: Convolution<2>) -> Self {
        self.conv(w, b.into(), of, false)
    }

    /// max(`self` * w + b, 0): the bits of [`conv2d`](Self::conv2d) and [`relu`](Self::relu), with two passes over the
    /// result less.
    ///
    /// # Panics
    /// As [`conv2d`](Self::conv2d).
    #[track_caller]
    pub fn conv2d_relu(self, w: Self, b: impl Into<Option<Self>>, of: Convolution<2>) -> Self {
        self.conv(w, b.into(), of, true)
    }

    #[track_caller]
    fn conv<const D: usize>(self, w: Self, b: Option<Self>, of: Convolution<D>, relu: bool) -> Self {
        let op = Conv::new(of, &self.shape(), &w.shape(), relu);
        match b {
            Some(b) => self.apply(op, &[self, w, b]),
            None => self.apply(op, &[self, w]),
        }
    }
}
