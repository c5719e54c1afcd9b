//! Every op's derivative, checked at every sample of its own file: an op that exists is covered.

use quietgrad::gradcheck::{self, Feed, Report};
use quietgrad::ops::{Op, SampleInput};
use quietgrad::{Random, Tensor};

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
