//! Larger images: pixels repeated, or made of their neighbours.

use super::conv::{EachAxis, LONGEST};
use crate::kernels::upsample::{Upsampling, bilinear, bilinear_vjp, nearest, nearest_vjp};
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// What of two images of different size coincides.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Align {
    /// Their outer edges: a pixel is a small square. `align_corners = False` in PyTorch, and what TensorFlow and JAX do.
    Edges,
    /// The centres of their corner pixels: a pixel is a point. `align_corners = True`.
    Corners,
}

/// How the pixels of a larger image are made.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Method {
    /// Each pixel so many times, down and across.
    Nearest([usize; 2]),
    /// Each pixel the weighted mean of the four around its position, in an image of this height and width.
    Bilinear([usize; 2], Align),
}

/// A larger image.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Upsample {
    /// How its pixels are made.
    pub method: Method,
}

impl Upsample {
    /// The sizes of both images, for an input of shape `x`.
    fn size(&self, x: &[usize]) -> Result<Upsampling, ShapeError> {
        let error = |text: &str| Err(ShapeError::new(format!("{text} {}", Show(x))));
        let &[batch, channels, height, width] = x else {
            return error("the input must be [batch, channels, height, width], not");
        };
        let to = match self.method {
            Method::Nearest([down, across]) => [height.saturating_mul(down), width.saturating_mul(across)],
            Method::Bilinear(to, _) => to,
        };
        if [height, width].contains(&0) || to.contains(&0) || to.iter().any(|&n| n > LONGEST) {
            return error(&format!("no image of {} is made of", Show(&to)));
        }
        Ok(Upsampling { planes: batch.saturating_mul(channels), from: [height, width], to })
    }

    /// The sizes for an input that the shape rule has let pass.
    fn sizes<T>(&self, x: View<T>) -> Upsampling {
        self.size(x.shape).expect("the shape was checked by the shape rule")
    }
}

impl Rule for Upsample {
    fn name(&self) -> &'static str {
        match self.method {
            Method::Nearest(_) => "upsample_nearest",
            Method::Bilinear(..) => "upsample_bilinear",
        }
    }

    fn arguments(&self) -> String {
        match self.method {
            Method::Nearest(times) => format!("times {}", Show(&times)),
            Method::Bilinear(to, Align::Edges) => format!("to {}, edges aligned", Show(&to)),
            Method::Bilinear(to, Align::Corners) => format!("to {}, corners aligned", Show(&to)),
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let to = self.size(x[0])?.to;
        Ok(Shape::from([x[0][0], x[0][1], to[0], to[1]]))
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let size = self.sizes(x[0]);
        match self.method {
            Method::Nearest(_) => nearest(&size, x[0].data, y.data),
            Method::Bilinear(_, align) => bilinear(&size, align == Align::Corners, x[0].data, y.data),
        }
    }

    /// Forward, each pixel of y is a mean Σ p x, where an element x of the input has the part p: of a repeated pixel the one
    /// element has the part 1, of a bilinear one each of four has the product of its parts down and across. So:
    ///
    /// gx = Σ p gy over the pixels that x has a part in
    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let size = self.sizes(x[0]);
        gx.add(0, |gx, accum| match self.method {
            Method::Nearest(_) => nearest_vjp(&size, gy.data, gx.data, accum),
            Method::Bilinear(_, align) => {
                bilinear_vjp(&size, align == Align::Corners, gy.data, gx.data, accum);
            }
        });
    }

    fn samples() -> Vec<Sample> {
        let sample = |method, x: [usize; 4]| Sample::new(Upsample { method }, [&x]);
        let mut samples = vec![
            sample(Method::Nearest([2, 2]), [2, 1, 3, 2]),
            sample(Method::Nearest([1, 3]), [1, 2, 2, 2]),
            sample(Method::Nearest([2, 2]), [0, 1, 3, 2]),
            sample(Method::Nearest([1, 1]), [1, 1, 1, 1]),
        ];
        for align in [Align::Edges, Align::Corners] {
            samples.extend([
                sample(Method::Bilinear([5, 6], align), [2, 1, 3, 4]),
                sample(Method::Bilinear([3, 1], align), [1, 2, 1, 1]),
                sample(Method::Bilinear([2, 2], align), [1, 1, 3, 4]),
                sample(Method::Bilinear([4, 4], align), [0, 1, 2, 2]),
            ]);
        }
        samples
    }
}

/// # Larger images
impl<T: Real> Var<'_, T> {
    /// Each pixel of `self` [batch, channels, height, width] so many times down and across.
    ///
    /// # Panics
    /// If `self` is no image, or has no pixels.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[[1.0, 2.0]]]]));
    /// assert_eq!(x.upsample_nearest([1, 2]).value(), Tensor::from([[[[1.0, 1.0, 2.0, 2.0]]]]));
    /// ```
    #[doc(alias = "repeat")]
    #[track_caller]
    pub fn upsample_nearest(self, times: impl EachAxis<2>) -> Self {
        self.apply(Upsample { method: Method::Nearest(times.each_axis()) }, &[self])
    }

    /// `self` [batch, channels, height, width] in another height and width, each pixel the weighted mean of the four around its
    /// place.
    ///
    /// # Panics
    /// If `self` is no image, or has no pixels.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::upsample::Align};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[[0.0, 3.0]]]]));
    /// let corners = x.upsample_bilinear([1, 4], Align::Corners);
    /// assert_eq!(corners.value(), Tensor::from([[[[0.0, 1.0, 2.0, 3.0]]]]));
    /// let edges = x.upsample_bilinear([1, 4], Align::Edges);
    /// assert_eq!(edges.value(), Tensor::from([[[[0.0, 0.75, 2.25, 3.0]]]]));
    /// ```
    #[doc(alias = "interpolate")]
    #[track_caller]
    pub fn upsample_bilinear(self, size: impl EachAxis<2>, align: Align) -> Self {
        self.apply(Upsample { method: Method::Bilinear(size.each_axis(), align) }, &[self])
    }
}
