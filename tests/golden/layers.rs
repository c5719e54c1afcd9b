//! Attention, normalization, embeddings, losses, and penalties on feature maps and masked sequences.

use quietgrad::nn::{
    self, BatchNorm, BatchStatistics, Dense, Embedding, GroupNorm, MultiHeadAttention, RmsNorm,
};
use quietgrad::nn::{Init, Running};
use quietgrad::{ParamId, Params, Random, Reduction, Tape, Tensor, Var, loss};

use super::Array;
use super::nets::{Case, Outcome};

/// The layer of a case, or none if it is of another kind.
pub fn run(case: &Case) -> Option<Outcome> {
    Some(match case.op {
        "attention" => attention(case),
        "multi_head_attention" => multi_head_attention(case),
        "group_norm" => group_norm(case),
        "rms_norm" => rms_norm(case),
        "batch_norm_eval" => batch_norm_eval(case),
        "batch_norm_running" => batch_norm_running(case),
        "cross_entropy_more" => cross_entropy(case),
        "bce_weighted" => {
            let positive = case.args.0["pos"][0].as_f64().expect("a number");
            // The third input is a weight for each element; the mean divides by their number.
            case.of_inputs(|x, _| vec![(loss::bce_weighted(x[0], x[1], positive) * x[2]).mean()])
        }
        "embedding_padding" => embedding(case),
        _ => return None,
    })
}

/// A layer that holds its inputs after the first as parameters.
struct Layer<'a, 'c> {
    case: &'a Case<'c>,
    params: Params<f64>,
}

impl<'a, 'c> Layer<'a, 'c> {
    fn new(case: &'a Case<'c>) -> Self {
        Layer { case, params: Params::new() }
    }

    fn array(&self, k: usize) -> &'a Tensor<f64> {
        self.case.fixture.tensor(&format!("{}/in.{k}", self.case.key))
    }

    fn set(&mut self, id: ParamId, k: usize) {
        let value = self.array(k);
        assert_eq!(self.params.shape(id), value.shape());
        self.params.get_mut(id).copy_from_slice(value.data());
    }

    /// The outcome of the layer on the first input; `gradients` are those of the others.
    fn run(
        &self,
        layer: impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>,
        gradients: impl Fn(&dyn Fn(ParamId) -> Tensor<f64>) -> Vec<Tensor<f64>>,
    ) -> Outcome {
        let (mut tape, mut grads) = (Tape::new(), self.params.zeros());
        let r = tape.record(&self.params);
        let x = r.input(self.array(0));
        let y = layer(x);
        self.case.against_cotangents(&[y]).backward(&mut grads);
        let of_params = gradients(&|id| grads.tensor(id));
        let gradients = std::iter::once(x.gradient()).chain(of_params.into_iter().map(Some)).collect();
        Outcome { outputs: vec![y.value()], gradients }
    }
}

fn is_causal(case: &Case) -> bool {
    case.args.0["causal"] == true
}

fn attention(case: &Case) -> Outcome {
    case.of_inputs(|x, _| {
        let places = x[0].shape()[2];
        let mask = is_causal(case).then(|| x[0].recording().constant(&nn::causal_mask(places)));
        vec![nn::attention(x[0], x[1], x[2], mask)]
    })
}

/// PyTorch keeps the weights of queries, keys and values in one matrix, transposed.
fn multi_head_attention(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let width = layer.array(0).shape()[2];
    let heads = case.args.size("heads");
    let attention =
        MultiHeadAttention::new(&mut layer.params, "a", width, heads, Init::Zeros, &mut Random::new(0));
    let inward = [attention.query, attention.key, attention.value];
    let (all, bias) = (layer.array(1).t(), layer.array(2).data().to_vec());
    for (i, Dense { w, b }) in inward.into_iter().enumerate() {
        let part = Tensor::from_fn([width, width], |at| all[[at / width, i * width + at % width]]);
        layer.params.get_mut(w).copy_from_slice(part.data());
        layer.params.get_mut(b).copy_from_slice(&bias[i * width..(i + 1) * width]);
    }
    let out = layer.array(3).t();
    layer.params.get_mut(attention.output.w).copy_from_slice(out.data());
    layer.set(attention.output.b, 4);
    let causal = is_causal(case);
    layer.run(
        |x| {
            let mask = causal.then(|| x.recording().constant(&nn::causal_mask(x.shape()[1])));
            attention.forward(x, mask)
        },
        |grad| {
            let stacked = inward.map(|dense| grad(dense.w).t());
            let rows = stacked.iter().flat_map(|part| part.data().to_vec()).collect();
            let biases = inward.iter().flat_map(|dense| grad(dense.b).into_data()).collect();
            vec![
                Tensor::new([3 * width, width], rows).expect("three squares"),
                Tensor::new([3 * width], biases).expect("three rows"),
                grad(attention.output.w).t(),
                grad(attention.output.b),
            ]
        },
    )
}

fn group_norm(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let (channels, groups) = (layer.array(0).shape()[1], case.args.size("groups"));
    let norm = GroupNorm {
        eps: case.args.number("eps"),
        ..GroupNorm::new(&mut layer.params, "n", channels, groups)
    };
    let learned = [norm.scale, norm.shift];
    let given = case.inputs() > 1;
    if given {
        layer.set(norm.scale, 1);
        layer.set(norm.shift, 2);
    }
    layer.run(
        |x| norm.forward(x),
        |grad| learned[..if given { 2 } else { 0 }].iter().map(|&id| grad(id)).collect(),
    )
}

fn rms_norm(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let norm = RmsNorm {
        eps: case.args.number("eps"),
        ..RmsNorm::new(&mut layer.params, "n", case.args.size("shape"))
    };
    let given = case.inputs() > 1;
    if given {
        layer.set(norm.scale, 1);
    }
    layer.run(|x| norm.forward(x), |grad| given.then(|| grad(norm.scale)).into_iter().collect())
}

fn batch_norm_eval(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let channels = layer.array(1).shape()[0];
    let norm = BatchNorm { eps: case.args.number("eps"), ..BatchNorm::new(&mut layer.params, "n", channels) };
    for (k, id) in [norm.scale, norm.shift, norm.mean, norm.variance].into_iter().enumerate() {
        layer.set(id, k + 1);
    }
    layer.run(|x| norm.forward(x), |grad| vec![grad(norm.scale), grad(norm.shift)])
}

fn batch_norm_running(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let channels = layer.array(1).shape()[0];
    let running = Running::pytorch(case.args.number("momentum"));
    let norm = BatchNorm { running, ..BatchNorm::new(&mut layer.params, "n", channels) };
    layer.set(norm.mean, 1);
    layer.set(norm.variance, 2);
    let (mut tape, mut seen) = (Tape::new(), BatchStatistics::new());
    let r = tape.record(&layer.params);
    norm.train(r.constant(layer.array(0)), &mut seen);
    norm.follow(&mut layer.params, &seen);
    Outcome {
        outputs: vec![layer.params.tensor(norm.mean), layer.params.tensor(norm.variance)],
        gradients: Vec::new(),
    }
}

fn cross_entropy(case: &Case) -> Outcome {
    let number = |name: &str| case.args.0[name].as_f64();
    case.of_inputs(|x, classes| {
        let mut loss = loss::CrossEntropy::new().smoothing(number("label_smoothing").unwrap_or(0.0));
        if case.args.is("reduction", "sum") {
            loss = loss.reduction(Reduction::Sum);
        }
        if let Some(class) = number("ignore_index") {
            loss = loss.ignore(class as usize);
        }
        if let Some(&weights) = x.get(1) {
            loss = loss.class_weights(weights);
        }
        vec![loss.of(x[0], classes.expect("classes"))]
    })
}

fn embedding(case: &Case) -> Outcome {
    let mut layer = Layer::new(case);
    let table = layer.array(0).clone();
    let Array::Index(shape, indices) = case.fixture.array(&format!("{}/in.1", case.key)) else {
        panic!("row numbers")
    };
    let id = layer.params.add("table", table);
    let embedding = Embedding { table: id, padding: Some(case.args.size("padding_idx")) };
    let (mut tape, mut grads) = (Tape::new(), layer.params.zeros());
    let r = tape.record(&layer.params);
    let y = embedding.forward(r.indices(shape.clone(), indices));
    case.against_cotangents(&[y]).backward(&mut grads);
    Outcome { outputs: vec![y.value()], gradients: vec![Some(grads.tensor(id))] }
}
