//! Every op's derivative, checked at every sample of its own file: an op that exists is covered.

use std::collections::BTreeSet;

use quietgrad::gradcheck::{self, Feed, Report};
use quietgrad::ops::map::Map;
use quietgrad::ops::{CustomRule, Op, SampleInput};
use quietgrad::pointwise::{Binary, Relu, Unary};
use quietgrad::{
    Accum, Cotangents, Element, Params, Random, Shape, ShapeError, Tensor, View, ViewMut, kernels,
};

/// Draws a sample's inputs.
pub fn draw(input: &SampleInput, random: &mut Random) -> Tensor<f64> {
    match input {
        SampleInput::Real(shape, (lo, hi)) => Tensor::from_fn(shape.clone(), |_| random.uniform(*lo, *hi)),
        SampleInput::Index(shape, bound) => Tensor::from_fn(shape.clone(), |_| random.below(*bound) as f64),
    }
}

/// Checks all samples that can be fed in this way; gives how many, and what was looked at.
fn check_all(feed: Feed, applies: impl Fn(&[SampleInput]) -> bool) -> (usize, Vec<Report>) {
    let mut random = Random::new(2024);
    let mut reports = Vec::new();
    for sample in Op::samples().iter().filter(|sample| applies(&sample.inputs)) {
        let inputs: Vec<_> = sample.inputs.iter().map(|input| draw(input, &mut random)).collect();
        match gradcheck::check_op(&sample.op, &inputs, feed) {
            Ok(report) => reports.push(report),
            Err(mismatch) => panic!("{mismatch}\n{:?} on {:?}, {feed:?}", sample.op, sample.inputs),
        }
    }
    (reports.len(), reports)
}

#[test]
fn every_op_agrees_with_dual_numbers_and_differences() {
    let (samples, reports) = check_all(Feed::Plain, |_| true);
    let duals: usize = reports.iter().map(|report| report.duals).sum();
    let differences: usize = reports.iter().map(|report| report.differences).sum();
    let skipped: usize = reports.iter().map(|report| report.skipped.len()).sum();
    let worst = reports.iter().map(|report| report.worst_dual).fold(0.0, f64::max);
    let worst_difference = reports.iter().map(|report| report.worst_difference).fold(0.0, f64::max);
    println!(
        "{samples} samples: {duals} derivatives by dual numbers (worst {worst:.1e}), {differences} by differences (worst {worst_difference:.1e}), {skipped} at kinks"
    );
    assert!(duals > 10 * samples, "only {duals} derivatives for {samples} samples");
    assert!(skipped * 100 < differences, "{skipped} of {differences} points skipped");
}

#[test]
fn every_op_is_derived_in_the_book() {
    let book = include_str!("../../docs/math.md");
    let functions =
        Unary::all().into_iter().map(Unary::name).chain(Binary::all().into_iter().map(Binary::name));
    let names: BTreeSet<_> = Op::samples().iter().map(|sample| sample.op.name()).chain(functions).collect();
    println!("{} ops", names.len());
    let missing: Vec<_> = names.iter().filter(|name| !book.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/math.md does not derive {missing:?}");
}

#[test]
fn every_op_takes_transposed_inputs() {
    let wide = |input: &SampleInput| matches!(input, SampleInput::Real(shape, _) if shape.rank() >= 2);
    let (samples, _) = check_all(Feed::Transposed, |inputs| inputs.iter().any(wide));
    assert!(samples > 100);
}

#[test]
fn every_op_takes_the_same_input_twice() {
    let (samples, _) =
        check_all(Feed::Repeated, |inputs| inputs.len() > 1 && inputs.iter().all(|x| *x == inputs[0]));
    assert!(samples > 20);
}

#[test]
fn a_point_at_a_kink_is_skipped_by_name() {
    let relu = Op::from(Map(Unary::Relu(Relu {})));
    let report = gradcheck::check_op(&relu, &[Tensor::from([1.0, 0.0, -2.0])], Feed::Plain).unwrap();
    assert_eq!((report.duals, report.differences), (3, 2), "dual numbers check the kink's slope as well");
    assert_eq!(
        report.skipped[0].to_string(),
        "input 0, element 1: skipped, since element 1 of relu is at a kink"
    );
}

/// y = x², with the derivative of x³.
#[derive(Debug)]
struct WrongSquare;

impl CustomRule for WrongSquare {
    fn name(&self) -> &'static str {
        "wrong_square"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        kernels::map([x[0].data()], y.data, Accum::Replace, |[x]: [T; 1]| x * x);
    }

    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            kernels::map([x[0].data(), gy.data()], gx.data, accum, |[x, g]: [T; 2]| {
                T::from_f64(3.0) * x * x * g
            });
        });
    }
}

#[test]
fn a_wrong_derivative_is_reported_with_op_element_values_and_line() {
    let mut params = Params::new();
    let w = params.add("w", Tensor::from([2.0, 3.0]));
    let mismatch =
        gradcheck::check(&params, |r| r.apply(Op::custom(WrongSquare), &[r.param(w)]).sum()).unwrap_err();
    assert_eq!((mismatch.op.as_str(), mismatch.input, mismatch.index), ("wrong_square", 0, 0));
    assert!((mismatch.reverse / mismatch.expected - 3.0).abs() < 1e-12, "{mismatch}");
    assert!(mismatch.to_string().contains("tests/ops/gradcheck.rs"), "{mismatch}");
}
