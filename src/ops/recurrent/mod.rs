//! Recurrent layers over whole sequences: an op goes through all steps, and its vjp through all steps back.
//!
//! What a step adds to its input depends on the state before it, so each step needs a product of its own. All else is
//! done for all steps at once: the product with the input is an ordinary one before the op, which skips zeros as any
//! other; and on the way back the gradient of the recurrent weights is one product over all steps, of the states they
//! began with and the cotangents of what went into their gates. For that an op keeps states and gates behind its output,
//! and has room for those cotangents behind the output's ([`Room`]).
//!
//! An op has one output: the states of all steps, `[batch · time, units]`, and below them the final states, `[batch, units]`
//! each. Its method of [`Var`] takes these apart.

pub mod gru;
pub mod lstm;
pub mod rnn;

use crate::element::Element;
use crate::kernels;
use crate::kernels::recurrent::Sequences;
use crate::matrix::{Mat, size};
use crate::ops::{Real, Room, SampleInput};
use crate::tape::{Indices, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Cotangent, Shape, ShapeError, View};

/// Which steps of its sequences a recurrent layer takes, and in which order: all of them, from the first to the last,
/// unless it is told otherwise.
///
/// ```
/// use quietgrad::nn::Steps;
/// use quietgrad::{Params, Tape};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let steps = Steps::masked(r.mask(&[3, 1], 4)); // three steps of the first sequence and one of the second
/// let backwards = steps.reversed(); // the same steps, from the last to the first
/// ```
#[derive(Clone, Copy)]
pub struct Steps<'r, T> {
    mask: Option<Var<'r, T>>,
    reverse: bool,
}

impl<'r, T> Steps<'r, T> {
    /// Every step, from the first to the last.
    pub fn all() -> Self {
        Steps { mask: None, reverse: false }
    }

    /// The steps at which the mask, `[batch, time]`, is 1 and not 0. At the others the output is 0, and the state stays as it
    /// was: final states are those of the last step that counts. [`Recording::mask`](crate::Recording::mask) makes a mask
    /// of lengths; any comparison is one.
    pub fn masked(mask: Var<'r, T>) -> Self {
        Steps { mask: Some(mask), reverse: false }
    }

    /// These steps in the opposite order. The output of a step still stands at its time.
    #[must_use]
    pub fn reversed(self) -> Self {
        Steps { reverse: !self.reverse, ..self }
    }

    /// The mask, if there is one.
    pub fn mask(self) -> Option<Var<'r, T>> {
        self.mask
    }
}

impl<T> Default for Steps<'_, T> {
    fn default() -> Self {
        Steps::all()
    }
}

/// What a recurrent op does besides its cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Course {
    /// Whether it runs from the last step to the first.
    pub reverse: bool,
    /// Whether it is given the states that it begins with; else they are 0.
    pub initial: bool,
    /// Whether its last input is a mask.
    pub masked: bool,
}

/// The inputs of an op of this folder, by its kind of cell: z \[batch, time, gates · units\], recurrent weights
/// \[units, gates · units\], `biases` of \[units\], and, as its course says, `states` of \[batch, units\] and a mask.
#[derive(Clone, Copy)]
struct Cell {
    /// How many products of a unit with the state a step needs.
    gates: usize,
    /// How many biases there are besides the one in z.
    biases: usize,
    /// How many numbers a unit remembers from step to step.
    states: usize,
    course: Course,
}

impl Cell {
    /// The number of the first initial state.
    fn first_state(self) -> usize {
        2 + self.biases
    }

    /// How many inputs there are.
    fn inputs(self) -> usize {
        let states = if self.course.initial { self.states } else { 0 };
        self.first_state() + states + usize::from(self.course.masked)
    }

    /// The input that is a mask.
    fn mask(self) -> Option<usize> {
        self.course.masked.then(|| self.inputs() - 1)
    }

    /// The shape of the output, [batch · (time + states), units], if those of the inputs fit.
    fn shape(self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if x.len() != self.inputs() {
            return Err(ShapeError::new(format!("{} inputs are not {}", x.len(), self.inputs())));
        }
        let wrong = |what: &str, shape: &[usize], wanted: &[usize]| {
            ShapeError::new(format!("{what} of shape {} instead of {}", Show(shape), Show(wanted)))
        };
        let &[batch, time, width] = x[0] else {
            return Err(ShapeError::new(format!("{} is not [batch, time, width]", Show(x[0]))));
        };
        let units = x[1].first().copied().unwrap_or(0);
        let wide = size::product(&[self.gates, units]);
        if x[1] != [units, wide] {
            return Err(wrong("recurrent weights", x[1], &[units, wide]));
        }
        if width != wide {
            return Err(wrong("an input", x[0], &[batch, time, wide]));
        }
        for bias in &x[2..self.first_state()] {
            if **bias != [units] {
                return Err(wrong("a bias", bias, &[units]));
            }
        }
        let states = if self.course.initial { self.states } else { 0 };
        for state in &x[self.first_state()..self.first_state() + states] {
            if **state != [batch, units] {
                return Err(wrong("an initial state", state, &[batch, units]));
            }
        }
        if let Some(mask) = self.mask()
            && x[mask] != [batch, time]
        {
            return Err(wrong("a mask", x[mask], &[batch, time]));
        }
        Ok(Shape::from([size::product(&[batch, time.saturating_add(self.states)]), units]))
    }

    /// Room for `kept` numbers for each unit of each step, `scratch` on the way back, and the states of all steps and the
    /// first.
    fn room(self, x: &[&[usize]], kept: usize, scratch: usize) -> Room {
        let [batch, time, units] = sizes(x);
        let steps = |count: usize| size::product(&[batch, time, units, count]);
        let states = |times: usize| size::product(&[batch, units, self.states, times]);
        Room {
            kept: steps(kept).saturating_add(states(time.saturating_add(1))),
            scratch: steps(scratch).saturating_add(states(1)),
        }
    }

    /// The products with the recurrent weights, and some arithmetic on each unit.
    fn flops(self, x: &[&[usize]]) -> u64 {
        let [batch, time, units] = sizes(x);
        let per_unit = (units as u64).saturating_mul(2).saturating_add(4).saturating_mul(self.gates as u64);
        (size::product(&[batch, time, units]) as u64).saturating_mul(per_unit)
    }

    /// The sizes of the sequences and their mask, as kernels take them.
    fn sequences<'a, T: Element>(self, x: &[View<'a, T>]) -> Sequences<'a, T> {
        let mask = self.mask().map(|k| x[k].data);
        let [batch, time] = [x[0].shape[0], x[0].shape[1]];
        Sequences { batch, time, units: x[1].shape[0], reverse: self.course.reverse, mask }
    }

    /// Writes the state with this number before the first step: that of the op's inputs, or 0.
    fn begin<T: Element>(self, x: &[View<T>], number: usize, to: &mut [T]) {
        if self.course.initial {
            to.copy_from_slice(x[self.first_state() + number].data);
        } else {
            to.fill(T::ZERO);
        }
    }

    /// Input shapes for the checks of a rule: ordinary ones, one step, sizes of 1, no sequence, no step, no unit.
    fn samples(self) -> Vec<Vec<SampleInput>> {
        let sizes = [[3, 4, 5], [2, 1, 3], [1, 1, 1], [0, 2, 2], [2, 0, 2], [2, 3, 0]];
        let of_sizes = |[batch, time, units]: [usize; 3]| {
            let real = |shape: &[usize]| SampleInput::Real(shape.into(), (-1.0, 1.0));
            let wide = self.gates * units;
            let mut inputs = vec![real(&[batch, time, wide]), real(&[units, wide])];
            inputs.extend((0..self.biases).map(|_| real(&[units])));
            if self.course.initial {
                inputs.extend((0..self.states).map(|_| real(&[batch, units])));
            }
            if self.course.masked {
                inputs.push(SampleInput::Index(Shape::from([batch, time]), 2));
            }
            inputs
        };
        sizes.map(of_sizes).to_vec()
    }
}

/// Every way to go through sequences.
fn courses() -> impl Iterator<Item = Course> {
    let course = |bits: usize| {
        let [reverse, initial, masked] = [1, 2, 4].map(|bit| bits & bit > 0);
        Course { reverse, initial, masked }
    };
    (0..8).map(course)
}

/// Memory cut into parts of these sizes, one after the other, to be written.
fn parts<T, const N: usize>(mut x: &mut [T], sizes: [usize; N]) -> [&mut [T]; N] {
    std::array::from_fn(|i| x.split_off_mut(..sizes[i]).expect("a rule's room holds all its parts"))
}

/// Memory cut into parts of these sizes, one after the other, to be read.
fn parts_of<T, const N: usize>(mut x: &[T], sizes: [usize; N]) -> [&[T]; N] {
    let mut parts: [&[T]; N] = [&[]; N];
    for (part, &size) in parts.iter_mut().zip(&sizes) {
        *part = x.split_off(..size).expect("a rule's room holds all its parts");
    }
    parts
}

/// The columns `from..` of a row-major matrix with `cols` columns; nothing of a matrix without rows.
fn columns<T>(x: &[T], from: usize, cols: usize) -> Mat<'_, T> {
    Mat { data: x.get(from..).unwrap_or(&[]), row_stride: cols, col_stride: 1 }
}

/// The parts of an output and of its cotangent that a vjp works with: the cotangent of the output itself, with what is left to
/// be added to it; what `forward` has kept behind the output; and the scratch behind the cotangent.
fn taken_apart<'a, T: Element>(y: View<'a, T>, gy: &'a mut Cotangent<T>) -> (&'a [T], &'a [T], &'a mut [T]) {
    let own = y.shape.elements();
    let (gy_own, scratch) = gy.data.split_at_mut(own);
    let (y, kept) = y.data.split_at(own);
    let signs = std::mem::replace(gy.signs, T::ZERO);
    if !signs.adds_nothing() {
        kernels::add_signs(y, gy_own, signs);
    }
    (gy_own, kept, scratch)
}

/// The strides of z, [batch, time, gates · units], which may be a permuted or broadcast view.
fn strides_of<T: Element>(z: &View<T>) -> [usize; 3] {
    let strides = z.strides();
    [strides[0], strides[1], strides[2]]
}

/// The inputs of an op after z and its weights: initial states and mask. Checks the mask.
#[track_caller]
fn with_course<'r, T: Real, const N: usize>(
    name: &str,
    inputs: &mut smallvec::SmallVec<[Var<'r, T>; 5]>,
    initial: Option<[Var<'r, T>; N]>,
    steps: Steps<'r, T>,
) -> Course {
    inputs.extend(initial.into_iter().flatten());
    if let Some(mask) = steps.mask {
        Indices(mask).check_below(name, 2);
        inputs.push(mask);
    }
    Course { reverse: steps.reverse, initial: initial.is_some(), masked: steps.mask.is_some() }
}

/// Batch, time and units.
fn sizes(x: &[&[usize]]) -> [usize; 3] {
    [x[0][0], x[0][1], x[1][0]]
}

/// The states of all steps, `[batch, time, units]`, and the final ones, from an op's output.
#[track_caller]
fn outputs<T: Real, const N: usize>(
    y: Var<'_, T>,
    [batch, time, units]: [usize; 3],
) -> (Var<'_, T>, [Var<'_, T>; N]) {
    let steps = batch * time;
    let h = y.slice(0, ..steps).reshape([batch, time, units]);
    let mut last = [y; N];
    // A loop, since a closure would not know the caller's line.
    for (number, last) in last.iter_mut().enumerate() {
        *last = y.slice(0, steps + number * batch..steps + (number + 1) * batch);
    }
    (h, last)
}
