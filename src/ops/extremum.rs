//! y = max x, or min x, over chosen axes. Equal ones share the gradient evenly.

use crate::cotangents::Cotangents;
use crate::element::{Accum, Element};
use crate::kernels::for_each_offset;
use crate::ops::{Real, Rule, Sample};
use crate::shape::{Axes, Shape, ShapeError, Show, Strides, broadcast_strides, row_major};
use crate::tensor::{View, ViewMut};
use crate::var::Var;

/// The largest element over some axes, or the smallest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Extremum {
    /// The axes that go.
    pub axes: Axes,
    /// The smallest instead of the largest.
    pub smallest: bool,
}

impl Extremum {
    /// The larger of two, or the smaller; NaN if either is.
    #[inline(always)]
    fn of<T: Element>(&self, a: T, b: T) -> T {
        if self.smallest { -(-a).maximum(-b) } else { a.maximum(b) }
    }

    /// What every number is larger than, or smaller.
    fn start(&self) -> f64 {
        if self.smallest { f64::INFINITY } else { f64::NEG_INFINITY }
    }

    /// Strides that walk the output while the input's elements are walked in row-major order.
    fn output_strides(&self, shape: &[usize]) -> Strides {
        let kept = self.axes.keep(shape);
        broadcast_strides(&kept, &row_major(&kept), shape)
    }
}

impl Rule for Extremum {
    fn name(&self) -> &'static str {
        if self.smallest { "min" } else { "max" }
    }

    fn arguments(&self) -> String {
        format!("{:?}", self.axes)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if self.axes.count(x[0]) == 0 {
            return Err(ShapeError::new(format!("{} has no elements to choose from", Show(x[0]))));
        }
        Ok(self.axes.drop(x[0]))
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    /// A NaN among the elements is the result.
    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let x = x[0];
        y.data.fill(T::from_f64(self.start()));
        for_each_offset(x.shape, [&x.strides(), &self.output_strides(x.shape)], |[from, to]| {
            y.data[to] = self.of(y.data[to], x.data[from]);
        });
    }

    /// gx = gy / (how many are equal) where x = y, else 0
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let x = x[0];
        let to = self.output_strides(x.shape);
        // The axes that stay outside, those that go inside: a walk over each output's own elements.
        let order = self.axes.inside(x.shape.len());
        let permuted = |strides: &[usize]| order.iter().map(|&axis| strides[axis]).collect::<Strides>();
        let shape = permuted(x.shape);
        let kept = x.shape.len() - self.axes.len();
        let [from, to, place] = [permuted(&x.strides()), permuted(&to), permuted(&row_major(x.shape))];
        let (inner, from_inner, place_inner) = (&shape[kept..], &from[kept..], &place[kept..]);
        gx.add(0, |gx, accum| {
            for_each_offset(
                &shape[..kept],
                [&from[..kept], &to[..kept], &place[..kept]],
                |[from, to, place]| {
                    let mut ties = T::ZERO;
                    for_each_offset(inner, [from_inner], |[step]| {
                        if x.data[from + step] == y.data[to] {
                            ties += T::ONE;
                        }
                    });
                    for_each_offset(inner, [from_inner, place_inner], |[step, across]| {
                        let hit = x.data[from + step] == y.data[to];
                        let g = if hit { gy.data[to] / ties } else { T::ZERO };
                        match accum {
                            Accum::Replace => gx.data[place + across] = g,
                            Accum::Add => gx.data[place + across] += g,
                        }
                    });
                },
            );
        });
    }

    /// Which element of each slice is the one.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let x = x[0];
        let mut best = vec![(self.start(), 0); self.axes.drop(x.shape).elements()];
        let mut number = 0;
        for_each_offset(x.shape, [&x.strides(), &self.output_strides(x.shape)], |[from, to]| {
            if self.of(x.data[from], best[to].0) != best[to].0 {
                best[to] = (x.data[from], number);
            }
            number += 1;
        });
        best.into_iter().map(|(_, index)| index).collect()
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 7] = [
            (&[3, 4, 5], &[0, 1, 2]),
            (&[3, 4, 5], &[0]),
            (&[3, 4, 5], &[0, 2]),
            (&[3, 1, 2], &[1]),
            (&[5, 7], &[1]),
            (&[], &[]),
            (&[0, 3], &[1]),
        ];
        let sample = |(shape, axes): (&[usize], &[usize])| {
            [false, true].map(|smallest| Sample::new(Extremum { axes: Axes::new(axes), smallest }, [shape]))
        };
        cases.into_iter().flat_map(sample).collect()
    }
}

impl<T: Real> Var<'_, T> {
    /// The largest of all elements; ties share the gradient evenly. NaN if any element is.
    ///
    /// # Panics
    /// If there are no elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([1.0, 3.0, 3.0]));
    /// x.max().backward(&mut params.zeros());
    /// assert_eq!(x.gradient().unwrap(), Tensor::from([0.0, 0.5, 0.5]));
    /// ```
    #[track_caller]
    pub fn max(self) -> Self {
        self.apply(Extremum { axes: Axes::all(self.shape().rank()), smallest: false }, &[self])
    }

    /// The largest over these axes, which go.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no elements along them.
    #[track_caller]
    pub fn max_axes(self, axes: &[usize]) -> Self {
        let axes = self.axes("max_axes", axes);
        self.apply(Extremum { axes, smallest: false }, &[self])
    }

    /// The smallest of all elements; ties share the gradient evenly. NaN if any element is.
    ///
    /// # Panics
    /// If there are no elements.
    #[track_caller]
    pub fn min(self) -> Self {
        self.apply(Extremum { axes: Axes::all(self.shape().rank()), smallest: true }, &[self])
    }

    /// The smallest over these axes, which go.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no elements along them.
    #[track_caller]
    pub fn min_axes(self, axes: &[usize]) -> Self {
        let axes = self.axes("min_axes", axes);
        self.apply(Extremum { axes, smallest: true }, &[self])
    }
}
