//! Layers at their edges: padding that holds NaN, empty batches, views, second derivatives, parameters that are shared or frozen.

use quietgrad::nn::{
    self, BatchNorm, Bidirectional, Conv1d, Conv2d, ConvTranspose2d, Embedding, GroupNorm, Gru, Init,
    LayerNorm, Lstm, MultiHeadAttention, Recurrent, Reset, RmsNorm, Rnn, Stack, Steps,
};
use quietgrad::ops::checkpoint::Checkpoint;
use quietgrad::ops::conv::{Convolution, Transposed};
use quietgrad::ops::pool::Pooling;
use quietgrad::ops::upsample::Align;
use quietgrad::{
    ParamId, Params, Random, Real, Recording, SkipZeros, Tape, Tensor, Var, derivatives, gradcheck, loss, reg,
};

fn noise<T: Real>(shape: &[usize], seed: u64) -> Tensor<T> {
    Tensor::randn(shape, &mut Random::new(seed))
}

#[test]
fn what_a_step_that_does_not_count_holds_is_never_read() {
    type Penalty = for<'r> fn(Var<'r, f64>) -> reg::Penalty<'r, f64>;
    let penalties: [Penalty; 7] = [
        |h| reg::l1(h),
        |h| reg::l2(h),
        |h| reg::lp(h, 1.5),
        |h| reg::log(h, 0.3),
        |h| reg::elastic_net(h, 0.5, 0.25),
        |h| reg::ar(h),
        |h| reg::tar(h, 1),
    ];
    let (mut tape, params) = (Tape::new(), Params::new());
    for (number, penalty) in penalties.into_iter().enumerate() {
        for way in ["summed", "per_sample", "per_step"] {
            let mut of = |padding: f64| {
                let r = tape.record(&params);
                let h = r.input(&Tensor::from([[[1.0], [-2.0], [padding], [padding]]]));
                let masked = penalty(h).masked(r.mask(&[2], 4));
                let value = match way {
                    "summed" => masked.summed(),
                    "per_sample" => masked.per_sample(),
                    _ => masked.per_step(),
                };
                value.backward(&mut params.zeros());
                (value.item(), h.gradient().unwrap())
            };
            let expected = of(0.0);
            for padding in [7.0, f64::NAN, f64::INFINITY] {
                assert_eq!(of(padding), expected, "penalty {number}, {way}, padding of {padding}");
            }
        }
    }
    let r = tape.record(&params);
    let errors = r.constant(&Tensor::from([[1.0, f64::NAN]]));
    assert_eq!(loss::masked_mean(errors, r.mask(&[1], 2)).item(), 1.0);
}

#[test]
fn a_mask_that_is_differentiated_has_the_slope_of_each_step() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let h = r.input(&Tensor::from([[[1.0], [-2.0], [3.0]]]));
    let mask = r.input(&Tensor::from([[1.0, 1.0, 0.0]]));
    reg::l1(h).masked(mask).summed().backward(&mut params.zeros());
    assert_eq!(mask.gradient().unwrap(), Tensor::from([[1.0, 2.0, 3.0]]));
}

#[test]
fn a_window_larger_than_the_image_may_hang_over_by_less_than_a_stride() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([[[1.0, 5.0]]]));
    let of = Pooling::new(3).stride(2).overhang();
    let (max, mean) = (x.max_pool1d(of), x.avg_pool1d(of));
    assert_eq!((max.value(), mean.value()), (Tensor::from([[[5.0]]]), Tensor::from([[[3.0]]])));
    (max + mean).sum().backward(&mut params.zeros());
    assert_eq!(x.gradient().unwrap(), Tensor::from([[[0.5, 1.5]]]));
}

/// A layer as a function of its input, with a name and the shape of an input.
type Layer = (&'static str, Vec<usize>, Box<dyn for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>>);

fn convolutions(params: &mut Params<f64>, random: &mut Random) -> Vec<Layer> {
    let [of, by_two] = [Convolution::new().padding(1), Convolution::new().padding(1).stride(2)];
    let conv = Conv2d::new(params, "conv2d", [2, 3], 3, by_two, Init::HeNormal, random);
    let each = Conv2d::new(params, "each", [2, 4], [2, 3], of.groups(2), Init::HeNormal, random);
    let apart = Convolution::new().dilation(2);
    let line = Conv1d::new(params, "conv1d", [2, 3], 3, apart, Init::HeNormal, random);
    let spread = Transposed::new().stride(2);
    let back = ConvTranspose2d::new(params, "back", [2, 3], 3, spread, Init::HeNormal, random);
    let image = || vec![2, 2, 5, 4];
    vec![
        ("conv2d", image(), Box::new(move |x| conv.forward(x))),
        ("depthwise conv2d", image(), Box::new(move |x| each.forward(x))),
        ("conv1d", vec![2, 2, 6], Box::new(move |x| line.forward(x))),
        ("conv_transpose2d", vec![2, 2, 3, 2], Box::new(move |x| back.forward(x))),
        ("max_pool2d", image(), Box::new(|x| x.max_pool2d(Pooling::new(2).padding(1)))),
        ("avg_pool2d", image(), Box::new(|x| x.avg_pool2d(Pooling::new(3).stride(2).overhang()))),
        ("max_pool1d", vec![2, 2, 5], Box::new(|x| x.max_pool1d(Pooling::new(2).stride(1)))),
        ("global_max_pool2d", image(), Box::new(|x| x.global_max_pool2d())),
        ("global_avg_pool2d", image(), Box::new(|x| x.global_avg_pool2d())),
        ("upsample_nearest", image(), Box::new(|x| x.upsample_nearest([2, 3]))),
        ("upsample_bilinear", image(), Box::new(|x| x.upsample_bilinear([7, 3], Align::Edges))),
    ]
}

fn sequences(params: &mut Params<f64>, random: &mut Random) -> Vec<Layer> {
    let lstm = Lstm::new(params, "lstm", [2, 3], random);
    let mut gru = |name: &str, sizes, reset| Gru::new(params, name, sizes, reset, random);
    let before = gru("before", [2, 3], Reset::BeforeProduct);
    let mut both = |name: &str, inputs| Bidirectional {
        forward: gru(&format!("{name}.there"), [inputs, 2], Reset::AfterProduct),
        backward: gru(&format!("{name}.back"), [inputs, 2], Reset::AfterProduct),
    };
    let stack = Stack([both("lower", 2), both("upper", 4)]);
    let rnn = Rnn::tanh(params, "rnn", [2, 3], random);
    let heads = MultiHeadAttention::new(params, "heads", 2, 2, Init::GlorotUniform, random);
    let shape = || vec![2, 3, 2];
    // As many steps as there are, and one fewer, if there is one.
    let masked = |x: Var<'_, f64>| {
        let (batch, time) = (x.shape()[0], x.shape()[1]);
        (0..batch).map(|b| time.saturating_sub(b % 2)).collect::<Vec<_>>()
    };
    vec![
        (
            "lstm",
            shape(),
            Box::new(move |x| {
                let mask = x.recording().mask(&masked(x), x.shape()[1]);
                lstm.run(x, Steps::masked(mask), None).h
            }),
        ),
        ("gru", shape(), Box::new(move |x| before.run(x, Steps::all().reversed(), None).h)),
        ("stack", shape(), Box::new(move |x| stack.forward(x).h)),
        ("rnn", shape(), Box::new(move |x| rnn.forward(x).h)),
        (
            "attention",
            shape(),
            Box::new(move |x| {
                let past = x.recording().constant(&nn::causal_mask(x.shape()[1]));
                heads.forward(x, Some(past))
            }),
        ),
    ]
}

fn norms(params: &mut Params<f64>) -> Vec<Layer> {
    let layer = LayerNorm::new(params, "layer", 4);
    let rms = RmsNorm::new(params, "rms", 4);
    let group = GroupNorm::new(params, "group", 2, 1);
    let batch = BatchNorm::new(params, "batch", 2);
    vec![
        ("layer norm", vec![3, 4], Box::new(move |x| layer.forward(x))),
        ("rms norm", vec![3, 4], Box::new(move |x| rms.forward(x))),
        ("group norm", vec![2, 2, 3], Box::new(move |x| group.forward(x))),
        ("batch norm", vec![2, 2, 3], Box::new(move |x| batch.forward(x))),
    ]
}

fn layers() -> (Params<f64>, Vec<Layer>) {
    let (mut params, mut random) = (Params::new(), Random::new(5));
    let mut layers = convolutions(&mut params, &mut random);
    layers.extend(sequences(&mut params, &mut random));
    layers.extend(norms(&mut params));
    (params, layers)
}

#[test]
fn an_empty_batch_has_an_empty_result_and_no_gradient() {
    let (mut params, layers) = layers();
    let words = Embedding::new(&mut params, "words", [5, 4], Init::LeCunNormal, &mut Random::new(1));
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for (name, mut shape, layer) in layers {
        shape[0] = 0;
        let r = tape.record(&params);
        let y = layer(r.input(&Tensor::zeros(&shape[..])));
        assert_eq!((y.shape()[0], y.shape().elements()), (0, 0), "{name}");
        grads.data_mut().fill(1.0);
        y.sum().backward(&mut grads);
        assert!(grads.data().iter().all(|&g| g == 0.0), "{name}");
    }
    let r = tape.record(&params);
    assert_eq!(words.forward(r.indices([0, 3], &[])).shape()[..], [0, 3, 4]);
}

#[test]
fn a_view_gives_what_a_copy_gives() {
    let (params, layers) = layers();
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for (name, shape, layer) in layers {
        let (last, x) = (shape.len() - 1, noise(&shape, 3));
        let mut of = |axes: Option<[usize; 2]>| {
            let turned = |x: Var<'_, f64>| axes.map_or(x.value(), |[a, b]| x.transpose(a, b).value());
            let stored = turned(Tape::new().record(&params).constant(&x));
            let r = tape.record(&params);
            let leaf = r.input(&stored);
            let y = layer(axes.map_or(leaf, |[a, b]| leaf.transpose(a, b)));
            (y.tanh() * r.constant(&noise(&y.shape(), 4))).sum().backward(&mut grads);
            let gradient = turned(r.constant(&leaf.gradient().unwrap()));
            [y.value().data(), gradient.data(), grads.data()].concat()
        };
        let expected = of(None);
        for axes in [[last - 1, last], [0, last]] {
            // A mean over a view may be summed in another order.
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-14 * (1.0 + b.abs());
            assert!(of(Some(axes)).iter().zip(&expected).all(near), "{name}, axes {axes:?}");
        }
    }
}

#[test]
fn every_layer_has_second_derivatives() {
    fn loss<'r>(r: Recording<'r, f64>, x: ParamId, layer: &Layer) -> Var<'r, f64> {
        let y = layer.2(r.param(x));
        (y.square() * r.constant(&noise(&y.shape(), 4))).sum() + y.tanh().sum()
    }
    let (params, layers) = layers();
    for layer in &layers {
        let mut params = params.clone();
        let x = params.add("x", noise(&layer.1, 3));
        let mut direction = params.zeros();
        direction.data_mut().copy_from_slice(noise(&[params.len()], 9).data());
        let (_, product) = derivatives::hvp(&params, &direction, |r| loss(r, x, layer));
        let [after, before] = [1e-5, -1e-5].map(|step| {
            let mut moved = params.clone();
            moved.data_mut().iter_mut().zip(direction.data()).for_each(|(p, d)| *p += step * d);
            let mut grads = moved.zeros();
            loss(Tape::new().record(&moved), x, layer).backward(&mut grads);
            grads.data().to_vec()
        });
        for (i, h) in product.data().iter().enumerate() {
            let difference = (after[i] - before[i]) / 2e-5;
            let near = (h - difference).abs() < 1e-6 * (1.0 + difference.abs());
            assert!(near, "{}, element {i}: {h}, by differences {difference}", layer.0);
        }
    }
}

#[test]
fn a_layer_that_is_used_twice_gets_the_gradient_of_both_uses() {
    let (mut params, mut random) = (Params::<f64>::new(), Random::new(1));
    let of = Convolution::new().padding(1);
    let conv = Conv2d::new(&mut params, "conv", [2, 2], 3, of, Init::HeNormal, &mut random);
    let lstm = Lstm::new(&mut params, "lstm", [2, 2], &mut random);
    let gru = Gru::new(&mut params, "gru", [2, 2], Reset::AfterProduct, &mut random);
    let x = params.add("x", noise(&[2, 2, 3, 4], 4));
    let report = gradcheck::check(&params, |r| {
        let h = conv.forward(conv.forward(r.param(x)).tanh()).reshape([4, 6, 2]);
        let h = lstm.forward(lstm.forward(h).h).h;
        Stack([gru, gru]).forward(h).h.square().sum()
    });
    report.unwrap();
}

#[test]
fn a_frozen_parameter_of_a_layer_leaves_the_other_gradients_as_they_are() {
    let (params, layers) = layers();
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for (name, shape, layer) in layers {
        let mut gradients = |params: &Params<f64>| {
            let r = tape.record(params);
            let x = r.input(&noise(&shape, 3));
            layer(x).square().sum().backward(&mut grads);
            (grads.clone(), x.gradient().unwrap())
        };
        let (all, of_x) = gradients(&params);
        for id in params.ids().filter(|&id| all.get(id).iter().any(|&g| g != 0.0)) {
            let mut frozen = params.clone();
            frozen.freeze(id);
            let (grads, x) = gradients(&frozen);
            assert_eq!(x, of_x, "{name}, {} frozen", params.name(id));
            for other in params.ids() {
                let expected = if other == id { &vec![0.0; grads.get(id).len()][..] } else { all.get(other) };
                assert_eq!(grads.get(other), expected, "{name}, {} frozen", params.name(id));
            }
        }
    }
}

/// A convolution, pooling, dropout, and a masked LSTM over the rows of its maps, as one segment or as a part of the rest.
fn mixed(r: Recording<'_, f32>, checkpoint: bool) -> Var<'_, f32> {
    let param = |name: &str| r.param(r.params().find(name).expect("a parameter of this name"));
    let mut random = Random::new(3);
    let x = r.constant(&noise(&[3, 2, 8, 8], 1));
    let mut segment = || {
        let conv = x.conv2d_relu(param("conv.w"), param("conv.b"), Convolution::new().padding(1));
        let maps = conv.max_pool2d(Pooling::new(2));
        let z = maps.dropout(0.3, &mut random).reshape([3, 16, 4]).linear(param("lstm.wx"), param("lstm.b"));
        let (h, _) = z.lstm(param("lstm.wh"), None, Steps::masked(r.mask(&[16, 7, 1], 16)));
        [h.dropout(0.2, &mut random), reg::l1(maps).per_sample()]
    };
    let [h, penalty] =
        if checkpoint { r.checkpoint(segment) } else { segment().map(|y| r.apply(Checkpoint.into(), &[y])) };
    h.square().sum() + penalty * 0.1
}

/// The loss of [`mixed`] and all its gradients, on a tape's first recording and on its second.
fn run_mixed(when: SkipZeros, checkpoint: bool) -> Vec<f32> {
    let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
    let conv = Conv2d::new(&mut params, "conv", [2, 4], 3, Convolution::new(), Init::HeNormal, &mut random);
    params.get_mut(conv.b).fill(-1.0);
    Lstm::new(&mut params, "lstm", [4, 5], &mut random);
    let (mut tape, mut grads, mut all) = (Tape::new(), params.zeros(), Vec::new());
    tape.skip_zeros(when);
    for _ in 0..2 {
        let loss = mixed(tape.record(&params), checkpoint);
        loss.backward(&mut grads);
        all.push(loss.item());
        all.extend(grads.data());
    }
    all
}

#[test]
fn a_checkpoint_around_convolution_recurrence_and_dropout_changes_no_bit() {
    for when in [SkipZeros::Never, SkipZeros::Always, SkipZeros::WherePays] {
        let [with, without] =
            [true, false].map(|checkpoint| run_mixed(when, checkpoint).into_iter().map(f32::to_bits));
        assert!(with.eq(without), "{when:?}");
    }
}

#[test]
fn skipping_zeros_changes_convolution_and_recurrence_by_roundings() {
    let [always, never] = [SkipZeros::Always, SkipZeros::Never].map(|when| run_mixed(when, false));
    for (a, b) in always.iter().zip(&never) {
        assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{a} and {b}");
    }
}

#[test]
fn penalties_on_feature_maps_are_what_their_formulas_say() {
    let (mut tape, params) = (Tape::new(), Params::new());
    let r = tape.record(&params);
    let x = noise::<f64>(&[2, 3, 4, 5], 1);
    let h = r.input(&x);
    let [l1, l2] = [|x: f64| x.abs(), |x: f64| x * x].map(|f| x.data().iter().map(|&x| f(x)).sum::<f64>());
    let of_first: f64 = x.data()[..60].iter().map(|x| x.abs()).sum();
    let hoyer: f64 = x
        .data()
        .chunks(60)
        .map(|x| x.iter().map(|x| x.abs()).sum::<f64>().powi(2) / x.iter().map(|x| x * x).sum::<f64>())
        .sum();
    let first = r.constant(&Tensor::from([1.0, 0.0]));
    for (ours, formula) in [
        (reg::l1(h).summed(), l1),
        (reg::l1(h).per_sample(), l1 / 2.0),
        (reg::l1(h).per_step(), l1 / 6.0), // the second axis is that of time
        (reg::l1(h).masked(first).summed(), of_first),
        ((reg::l1(h) + reg::l2(h)).summed(), l1 + l2),
        (reg::elastic_net(h, 0.5, 0.25).per_sample(), 0.25 * l1 + 0.125 * l2),
        (reg::hoyer(h).per_sample(), hoyer / 2.0),
    ] {
        assert!((ours.item() - formula).abs() <= 1e-13 * formula, "{} and {formula}", ours.item());
    }
}

#[test]
#[should_panic(expected = "class weights [2, 1] are not one for each class of logits [2, 2]")]
fn class_weights_that_would_broadcast_are_refused() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let weights = r.constant(&Tensor::ones([2, 1]));
    let logits = r.constant(&Tensor::zeros([2, 2]));
    loss::CrossEntropy::new().class_weights(weights).of(logits, r.indices([2], &[0, 1]));
}

#[test]
#[should_panic(expected = "class weights [3] are not one for each class of logits [2, 2]")]
fn more_class_weights_than_classes_are_refused() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let (weights, logits) = (r.constant(&Tensor::ones([3])), r.constant(&Tensor::zeros([2, 2])));
    loss::CrossEntropy::new().class_weights(weights).nll(logits, r.indices([2], &[0, 1]));
}

#[test]
#[should_panic(expected = "a smoothing of 1.5 is not between 0 and 1")]
fn too_much_smoothing_is_refused_also_where_classes_have_weights() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let (weights, logits) = (r.constant(&Tensor::ones([2])), r.constant(&Tensor::zeros([2, 2])));
    let loss = loss::CrossEntropy::new().smoothing(1.5).class_weights(weights);
    loss.of(logits, r.indices([2], &[0, 1]));
}

#[test]
#[should_panic(expected = "weights of positives broadcast [3] to [2, 3]")]
fn weights_of_positives_do_not_multiply_the_losses() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = r.constant(&Tensor::zeros([3]));
    loss::bce_with_positives(z, z, r.constant(&Tensor::ones([2, 3])));
}
