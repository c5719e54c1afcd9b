//! Layers: their values and their gradients. Each file beside this one runs the layers of one kind.

use std::collections::{BTreeMap, BTreeSet};

use quietgrad::{Indices, Params, Tape, Tensor, Var};
use serde_json::Value;

use super::args::Args;
use super::{Array, Fixture, compare_gradient, images, layers, sequences};

/// Layers of the fixtures that the crate does not have.
const NOT_YET: &[&str] = &["gru", "lstm", "lstm_lengths", "masked_activity_l1", "rnn"];

/// The largest error that is taken for rounding: sums of products, in another order, and functions made of exponentials.
const TOLERANCE: f64 = 1e-10;

/// A layer's case: its name, its arguments, and where its arrays are.
pub struct Case<'a> {
    pub fixture: &'a Fixture,
    pub key: &'a str,
    pub op: &'a str,
    pub args: Args<'a>,
    inputs: usize,
    outputs: usize,
    gradients: Vec<usize>,
}

/// What a layer made of a case: its outputs, and the gradient of Σ cotangent · output with respect to each input.
pub struct Outcome {
    pub outputs: Vec<Tensor<f64>>,
    pub gradients: Vec<Option<Tensor<f64>>>,
}

impl<'a> Case<'a> {
    fn new(fixture: &'a Fixture, case: &'a Value) -> Self {
        let text = |name: &str| case[name].as_str().expect("a text");
        let size = |value: &Value| value.as_u64().expect("a whole number") as usize;
        Case {
            fixture,
            key: text("key"),
            op: text("op"),
            args: Args(&case["args"]),
            inputs: size(&case["n_in"]),
            outputs: size(&case["n_out"]),
            gradients: case["grads"].as_array().expect("a list").iter().map(size).collect(),
        }
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The layer as a function of its real inputs and, if there are any, of its whole numbers. All outputs must be given.
    pub fn of_inputs(
        &self,
        layer: impl for<'r> Fn(&[Var<'r, f64>], Option<Indices<'r, f64>>) -> Vec<Var<'r, f64>>,
    ) -> Outcome {
        let (mut tape, params) = (Tape::new(), Params::new());
        let r = tape.record(&params);
        let (mut x, mut leaves, mut indices) = (Vec::new(), Vec::new(), None);
        for k in 0..self.inputs {
            match self.fixture.array(&format!("{}/in.{k}", self.key)) {
                Array::Real(value) => {
                    x.push(r.input(value));
                    leaves.push(x.last().copied());
                }
                Array::Index(shape, values) => {
                    indices = Some(r.indices(shape.clone(), values));
                    leaves.push(None);
                }
            }
        }
        let y = layer(&x, indices);
        if !self.gradients.is_empty() {
            self.against_cotangents(&y).backward(&mut params.zeros());
        }
        Outcome {
            outputs: y.iter().map(|y| y.value()).collect(),
            gradients: leaves
                .iter()
                .enumerate()
                .map(|(k, leaf)| {
                    leaf.filter(|_| self.gradients.contains(&k)).and_then(|leaf| leaf.gradient())
                })
                .collect(),
        }
    }

    /// Σ cotangent · output, over all outputs.
    pub fn against_cotangents<'r>(&self, y: &[Var<'r, f64>]) -> Var<'r, f64> {
        let term = |(i, y): (usize, &Var<'r, f64>)| {
            (*y * y.recording().constant(self.fixture.tensor(&format!("{}/ct.{i}", self.key)))).sum()
        };
        y.iter().enumerate().map(term).reduce(|a, b| a + b).expect("an output")
    }

    /// The largest error of an outcome.
    fn compare(&self, outcome: &Outcome) -> Result<f64, String> {
        assert_eq!(outcome.outputs.len(), self.outputs, "outputs of {}", self.key);
        let outputs = outcome.outputs.iter().enumerate().map(|(i, y)| (format!("{}/out.{i}", self.key), y));
        let gradients = self.gradients.iter().map(|&k| {
            let name = format!("{}/grad.{k}", self.key);
            let gradient = outcome.gradients[k].as_ref();
            (name, gradient.unwrap_or_else(|| panic!("{}: nothing flows to input {k}", self.key)))
        });
        outputs.chain(gradients).try_fold(0.0, |largest: f64, (name, ours)| {
            let error = compare_gradient(&name, ours, self.fixture.tensor(&name), TOLERANCE)
                .map_err(|error| format!("{name}: {error}"))?;
            Ok(largest.max(error))
        })
    }
}

#[test]
fn every_fixture_of_a_known_layer_agrees() {
    let fixture = Fixture::read("nets");
    let (mut errors, mut missing) = (BTreeMap::<_, Vec<f64>>::new(), BTreeSet::new());
    let mut failures = Vec::new();
    for case in fixture.manifest["cases"].as_array().expect("a list of cases") {
        let case = Case::new(&fixture, case);
        let outcome = images::run(&case).or_else(|| sequences::run(&case)).or_else(|| layers::run(&case));
        match outcome.map(|outcome| case.compare(&outcome)) {
            Some(Ok(error)) => errors.entry(case.op).or_default().push(error),
            Some(Err(failure)) => failures.push(failure),
            None => _ = missing.insert(case.op),
        }
    }
    for (op, errors) in &errors {
        let largest = errors.iter().copied().fold(0.0, f64::max);
        println!("{op:20} {:3} cases, largest error {largest:.1e} of {TOLERANCE:.0e}", errors.len());
    }
    assert!(failures.is_empty(), "{} cases disagree:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(
        missing,
        NOT_YET.iter().copied().collect(),
        "the layers that cannot be run are those of NOT_YET"
    );
}
