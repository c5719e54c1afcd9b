//! Layers beside their fixtures: what is frozen, tied, masked, ignored or of one row, and what happens at the edges.

use quietgrad::nn::{
    self, BatchNorm, BatchStatistics, Dense, Embedding, Init, LayerNorm, MultiHeadAttention, Running,
};
use quietgrad::optim::{Adagrad, Adam, Average, Factors, Groups, Lbfgs, Lion, Optimizer, RmsProp, Sgd};
use quietgrad::pointwise::{Binary, SquaredError, Unary};
use quietgrad::{ParamId, Params, Random, Reduction, Tape, Tensor, Var, gradcheck, loss, reg};

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn random_tensor(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut Random::new(seed))
}

/// Two dense layers.
fn two_layers() -> (Params<f64>, [Dense; 2]) {
    let (mut params, mut random) = (Params::new(), Random::new(1));
    let first = Dense::new(&mut params, "first", [3, 5], Init::HeNormal, &mut random);
    let second = Dense::new(&mut params, "second", [5, 2], Init::HeNormal, &mut random);
    (params, [first, second])
}

fn loss_of<'r>(layers: &[Dense; 2], x: Var<'r, f64>) -> Var<'r, f64> {
    layers[1].forward(layers[0].forward_relu(x)).square().mean()
}

#[test]
fn no_operation_is_counted_for_what_is_frozen() {
    let (mut params, layers) = two_layers();
    let x = random_tensor(&[4, 3], 2);
    let mut tape = Tape::new();
    let backward = |params: &Params<f64>, tape: &mut Tape<f64>| {
        let r = tape.record(params);
        loss_of(&layers, r.constant(&x)).backward(&mut params.zeros());
        let products = r.summary();
        let of =
            |name: &str| products.ops.iter().find(|op| op.name == name).expect("recorded").backward_flops;
        [of("linear_relu"), of("linear")]
    };
    // gw of 3 x 5 and gb; then gh, gw and gb of 5 x 2, for 4 rows.
    assert_eq!(backward(&params, &mut tape), [2 * 4 * 15 + 20, 2 * (2 * 4 * 10) + 8]);
    params.freeze_layer("first");
    // Not even the cotangent that stands between the layers.
    assert_eq!(backward(&params, &mut tape), [0, 2 * 4 * 10 + 8]);
    params.unfreeze_layer("first");
    params.freeze_layer("second");
    assert_eq!(backward(&params, &mut tape), [2 * 4 * 15 + 20, 2 * 4 * 10]);
    params.freeze(layers[0].b);
    assert_eq!(backward(&params, &mut tape), [2 * 4 * 15, 2 * 4 * 10]);
}

#[test]
fn a_warmed_tape_gives_the_gradients_of_a_fresh_one_when_parameters_are_frozen_and_unfrozen() {
    let _turn = crate::turn();
    let (mut params, layers) = two_layers();
    let x = random_tensor(&[4, 3], 2);
    let gradients = |params: &Params<f64>, tape: &mut Tape<f64>| {
        let mut grads = params.zeros();
        grads.data_mut().fill(7.0);
        loss_of(&layers, tape.record(params).constant(&x)).backward(&mut grads);
        grads
    };
    let (mut warm, all) = (Tape::new(), gradients(&params, &mut Tape::new()));
    for frozen in [&[][..], &[0], &[0, 1], &[3], &[1, 2], &[]] {
        for (i, id) in params.ids().enumerate() {
            if frozen.contains(&i) { params.freeze(id) } else { params.unfreeze(id) }
        }
        let (grads, fresh) = (gradients(&params, &mut warm), gradients(&params, &mut Tape::new()));
        assert_eq!(bits(grads.data()), bits(fresh.data()), "{frozen:?}");
        for (i, id) in params.ids().enumerate() {
            // A layer with few inputs has its gradients in one pass, if all are wanted: then sums are made in another order.
            for (&g, &whole) in grads.get(id).iter().zip(all.get(id)) {
                let expected = if frozen.contains(&i) { 0.0 } else { whole };
                approx::assert_relative_eq!(g, expected, max_relative = 1e-12);
            }
        }
    }
}

#[test]
fn every_optimizer_leaves_frozen_parameters_and_what_it_remembers_of_them_as_they_are() {
    let _turn = crate::turn();
    let (mut sgd, mut amsgrad) = (Sgd::nesterov(0.1, 0.9), Adam::new(0.1));
    (sgd.weight_decay, amsgrad.amsgrad) = (0.1, true);
    let optimizers: [Box<dyn Optimizer<f64>>; 6] = [
        Box::new(sgd),
        Box::new(RmsProp::new(0.1)),
        Box::new(Adagrad::new(0.1)),
        Box::new(Adam::adamw(0.1, 0.1)),
        Box::new(amsgrad),
        Box::new(Lion::new(0.1)),
    ];
    let (params, layers) = two_layers();
    let x = random_tensor(&[4, 3], 3);
    for (mut optimizer, grouped) in
        optimizers.into_iter().flat_map(|o| [(o, false)]).chain([(Box::new(Adam::new(0.1)) as _, true)])
    {
        let (mut params, mut tape) = (params.clone(), Tape::new());
        let groups = Groups::new(&params, |name, _| Factors {
            lr: if name.ends_with('b') { 0.5 } else { 1.0 },
            ..Factors::default()
        });
        let mut step = |params: &mut Params<f64>| {
            let mut grads = params.zeros();
            loss_of(&layers, tape.record(params).constant(&x)).backward(&mut grads);
            // Even where something stands in their gradients.
            let frozen: Vec<ParamId> = params.ids().filter(|&id| params.is_frozen(id)).collect();
            if !frozen.is_empty() {
                grads.data_mut()[..params.get(frozen[0]).len()].fill(1e3);
            }
            if grouped {
                optimizer.step_groups(params, &grads, &groups)
            } else {
                optimizer.step(params, &grads)
            }
            optimizer.state()
        };
        let before = step(&mut params);
        params.freeze_layer("first");
        let frozen: usize = [layers[0].w, layers[0].b].map(|id| params.get(id).len()).iter().sum();
        let values = bits(&params.data()[..frozen]);
        let after = (0..3).map(|_| step(&mut params)).last().expect("three steps");
        assert_eq!(bits(&params.data()[..frozen]), values);
        for (name, array) in after.arrays.iter().filter(|(_, array)| !array.is_empty()) {
            assert_eq!(bits(&array[..frozen]), bits(&before.arrays[name][..frozen]), "{name}");
            assert_ne!(bits(&array[frozen..]), bits(&before.arrays[name][frozen..]), "{name}");
        }
        params.unfreeze_layer("first");
        step(&mut params);
        assert_ne!(bits(&params.data()[..frozen]), values);
    }
}

#[test]
fn an_average_of_a_frozen_parameter_is_the_parameter_and_lbfgs_leaves_it() {
    let mut params = Params::new();
    let [a, b] = ["a", "b"].map(|name| params.add(name, Tensor::from([0.1, 0.7])));
    params.freeze(a);
    let mut average = Average::new(&params, 0.9);
    params.get_mut(a)[0] = 0.3;
    params.get_mut(b)[0] = 0.3;
    average.update(&params);
    assert_eq!(average.params().get(a), params.get(a));
    assert_ne!(average.params().get(b), params.get(b));
    let mut tape = Tape::new();
    let minimum = Lbfgs::new().minimize(&mut params, |params, grads| {
        let r = tape.record(params);
        let loss = (r.param(a) - r.param(b) * 2.0).square().sum();
        loss.backward(grads);
        loss.item()
    });
    assert!(minimum.converged);
    assert_eq!(params.get(a), [0.3, 0.7]);
    approx::assert_relative_eq!(params.get(b)[1], 0.35, max_relative = 1e-6);
}

#[test]
#[should_panic(expected = "no parameter is named \"frist\"")]
fn a_mistyped_layer_is_not_frozen_silently() {
    two_layers().0.freeze_layer("frist");
}

#[test]
fn a_layer_is_frozen_by_whole_parts_of_names() {
    let mut params = Params::<f64>::new();
    let [w, other] = ["enc.w", "encoder.w"].map(|name| params.add(name, Tensor::from([1.0])));
    assert_eq!(params.freeze_layer("enc"), 1);
    assert!(params.is_frozen(w) && !params.is_frozen(other));
}

#[test]
fn tied_parameters_are_one_with_the_gradient_of_both_uses() {
    let mut params = Params::<f64>::new();
    let table = params.add("embedding.table", random_tensor(&[4, 3], 5));
    params.tie("decoder.w", table);
    assert_eq!(params.find("decoder.w"), params.find("embedding.table"));
    assert_eq!(params.names(table).collect::<Vec<_>>(), ["embedding.table", "decoder.w"]);
    assert_eq!((params.ids().count(), params.len()), (1, 12));
    let report = gradcheck::check(&params, |r| {
        let h = r.param(table).embedding(r.indices([2], &[1, 3])).tanh();
        h.matmul(r.param(params.find("decoder.w").expect("tied")).t())
            .cross_entropy(r.indices([2], &[0, 1]), Reduction::Sum)
    });
    report.unwrap();
    params.freeze_layer("decoder");
    assert!(params.is_frozen(table), "a layer is frozen by any of its names");
}

#[test]
#[should_panic(expected = "there is a parameter named \"decoder.w\" already")]
fn a_tied_name_is_taken() {
    let mut params = Params::<f64>::new();
    let table = params.add("table", Tensor::from([1.0]));
    params.tie("decoder.w", table);
    params.add("decoder.w", Tensor::from([2.0]));
}

#[test]
fn a_batch_of_one_row_is_refused_and_leaves_everything_as_it_was() {
    let mut params = Params::<f64>::new();
    let norm = BatchNorm::new(&mut params, "norm", 2);
    let (mut tape, mut seen) = (Tape::new(), BatchStatistics::new());
    norm.train(tape.record(&params).constant(&Tensor::from([[1.0, 2.0], [3.0, 5.0]])), &mut seen);
    let (before, of_params) = (seen.clone(), params.clone());
    let one_row = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        norm.train(Tape::new().record(&params).constant(&Tensor::from([[1.0, 2.0]])), &mut seen);
    }));
    let message = *one_row.expect_err("there is no variance").downcast::<String>().expect("a text");
    assert!(message.contains("[1, 2]") && message.contains("no variance"), "{message}");
    assert_eq!((seen, &params), (before, &of_params));
    // One image of several places has a variance.
    let r = tape.record(&params);
    norm.train(r.constant(&random_tensor(&[1, 2, 3], 1)), &mut BatchStatistics::new());
}

#[test]
fn running_statistics_follow_by_either_convention() {
    for (running, mean, variance) in [
        (Running::pytorch(0.25), 0.25 * 2.0, 0.75 + 0.25 * 2.0),
        (Running::keras(0.75), 0.25 * 2.0, 0.75 + 0.25),
    ] {
        let mut params = Params::<f64>::new();
        let norm = BatchNorm { running, ..BatchNorm::new(&mut params, "norm", 1) };
        let (mut tape, mut seen) = (Tape::new(), BatchStatistics::new());
        norm.train(tape.record(&params).constant(&Tensor::from([[1.0], [3.0]])), &mut seen);
        assert_eq!((seen.mean(), seen.variance()), (&[2.0][..], &[1.0][..]));
        norm.follow(&mut params, &seen);
        assert_eq!((params.get(norm.mean), params.get(norm.variance)), (&[mean][..], &[variance][..]));
    }
}

#[test]
fn a_channel_that_does_not_vary_is_its_shift_and_hands_finite_gradients_on() {
    let mut params = Params::<f64>::new();
    let norm = BatchNorm::new(&mut params, "norm", 2);
    params.get_mut(norm.shift).copy_from_slice(&[5.0, 6.0]);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]]));
    let y = norm.train(x, &mut BatchStatistics::new());
    assert!(y.value().column(0).iter().all(|y| (y - 5.0).abs() < 1e-13), "but for the mean's rounding");
    y.powf(3.0).sum().backward(&mut grads);
    assert!(x.gradient().unwrap().data().iter().chain(grads.data()).all(|g| g.is_finite()));
}

#[test]
fn batch_statistics_over_images_in_either_layout_agree() {
    let images = random_tensor(&[3, 4, 5, 2], 7); // [samples, channels, height, width]
    let mut outcomes = Vec::new();
    for last in [false, true] {
        let mut params = Params::<f64>::new();
        let norm = BatchNorm { axis: if last { 3 } else { 1 }, ..BatchNorm::new(&mut params, "norm", 4) };
        let (mut tape, mut grads) = (Tape::new(), params.zeros());
        let r = tape.record(&params);
        let x = r.input(&images);
        let laid = if last { x.permute(&[0, 2, 3, 1]) } else { x };
        let y = norm.train(laid, &mut BatchStatistics::new()).tanh();
        y.square().sum().backward(&mut grads);
        let y = if last { y.permute(&[0, 3, 1, 2]) } else { y };
        outcomes
            .push([y.value().into_data(), x.gradient().unwrap().into_data(), grads.data().to_vec()].concat());
    }
    for (a, b) in outcomes[0].iter().zip(&outcomes[1]) {
        approx::assert_relative_eq!(a, b, max_relative = 1e-9, epsilon = 1e-12);
    }
}

#[test]
fn rows_of_any_size_are_normalized() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let row = [1.0, -2.0, 4.0];
    let normalized = |scale: f64, center: bool| {
        let x = r.constant(&Tensor::from([row.map(|x| x * scale)]));
        if center { x.normalize(1, 0.0).value() } else { x.normalize_rms(1, 0.0).value() }
    };
    for center in [true, false] {
        let plain = normalized(1.0, center);
        for power in [-1020, -600, 600, 1020] {
            assert_eq!(normalized(2f64.powi(power), center), plain, "2^{power}");
        }
    }
    let huge = r.constant(&Tensor::from([[1e300, 1e300], [f64::NAN, 1.0]])).normalize(1, 0.0).value();
    assert_eq!(huge.row(0), [0.0, 0.0]);
    assert!(huge.row(1).iter().all(|y| y.is_nan()));
}

#[test]
fn gradients_of_normalized_rows_of_any_size_scale_as_they_should() {
    for power in [-1000, 0, 1000] {
        let scale = 2f64.powi(power);
        let (mut tape, params) = (Tape::<f64>::new(), Params::new());
        let r = tape.record(&params);
        let x = r.input(&Tensor::from([[1.0, -2.0, 4.0]].map(|row| row.map(|x| x * scale))));
        let weights = r.constant(&Tensor::from([[1.0, 2.0, 4.0]]));
        (x.normalize(1, 0.0) * weights).sum().backward(&mut params.zeros());
        let gradient = x.gradient().unwrap().map(|g| g * scale);
        let plain = gradient_of_plain();
        assert_eq!(gradient, plain, "2^{power}");
    }
}

fn gradient_of_plain() -> Tensor<f64> {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([[1.0, -2.0, 4.0]]));
    (x.normalize(1, 0.0) * r.constant(&Tensor::from([[1.0, 2.0, 4.0]]))).sum().backward(&mut params.zeros());
    x.gradient().unwrap()
}

#[test]
fn norms_give_the_same_bits_on_every_instruction_set() {
    let x = Tensor::<f32>::randn([37, 83], &mut Random::new(1));
    let mut first: Option<Vec<u32>> = None;
    crate::on_every_isa(|isa| {
        let mut params = Params::<f32>::new();
        let layer = LayerNorm::new(&mut params, "layer", 83);
        let batch = BatchNorm::new(&mut params, "batch", 83);
        let (mut tape, mut grads) = (Tape::new(), params.zeros());
        let r = tape.record(&params);
        let x = r.input(&x);
        let y = batch.train(layer.forward(x), &mut BatchStatistics::new());
        let mask = r.constant(&nn::causal_mask(83)).slice(0, ..37);
        let z = y.masked_softmax(mask);
        (z * y + y.normalize_rms(1, 1e-6)).square().sum().backward(&mut grads);
        let all = [z.value().into_data(), x.gradient().unwrap().into_data(), grads.data().to_vec()].concat();
        let bits: Vec<u32> = all.iter().map(|x| x.to_bits()).collect();
        assert_eq!(*first.get_or_insert_with(|| bits.clone()), bits, "{isa:?}");
    });
}

/// A transformer's block over 6 places of width 8, causal.
fn block(params: &mut Params<f64>) -> impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64> + use<> {
    let mut random = Random::new(4);
    let norms = ["norm1", "norm2"].map(|name| LayerNorm::new(params, name, 8));
    let attention = MultiHeadAttention::new(params, "attention", 8, 2, Init::LeCunNormal, &mut random);
    let wide = Dense::new(params, "wide", [8, 16], Init::HeNormal, &mut random);
    let narrow = Dense::new(params, "narrow", [16, 8], Init::LeCunNormal, &mut random);
    let past = nn::causal_mask(6);
    move |x| {
        let x = x + attention.forward(norms[0].forward(x), Some(x.recording().constant(&past)));
        x + narrow.forward(wide.forward_relu(norms[1].forward(x)))
    }
}

#[test]
fn a_causal_mask_lets_nothing_of_the_future_through() {
    let _turn = crate::turn();
    let mut params = Params::new();
    let block = block(&mut params);
    let x = random_tensor(&[2, 6, 8], 9);
    let run = |x: &Tensor<f64>| {
        let mut tape = Tape::new();
        let r = tape.record(&params);
        let x = r.input(x);
        let y = block(block(x));
        // The cotangent reads the first four places alone.
        y.slice(1, ..4).square().sum().backward(&mut params.zeros());
        (y.value(), x.gradient().unwrap())
    };
    let (y, gradient) = run(&x);
    let of_place = |i: usize| i / 8 % 6;
    let changed = Tensor::from_fn([2, 6, 8], |i| x.data()[i] + if of_place(i) >= 4 { 100.0 } else { 0.0 });
    let (other, other_gradient) = run(&changed);
    for i in 0..y.data().len() {
        if of_place(i) < 4 {
            assert_eq!(y.data()[i].to_bits(), other.data()[i].to_bits(), "place {}", of_place(i));
            assert_eq!(gradient.data()[i].to_bits(), other_gradient.data()[i].to_bits());
        } else {
            assert_ne!(y.data()[i].to_bits(), other.data()[i].to_bits());
            assert_eq!(gradient.data()[i], 0.0, "nothing of the past depends on the future");
        }
    }
}

#[test]
fn a_transformer_block_has_the_gradient_of_its_function() {
    let mut params = Params::new();
    let block = block(&mut params);
    params.freeze_layer("wide");
    let x = random_tensor(&[1, 6, 8], 9);
    let report = gradcheck::check(&params, |r| block(r.input(&x))).unwrap();
    assert!(report.duals > 1000, "{}", report.duals);
}

#[test]
fn a_query_that_may_attend_to_nothing_gets_zeros_and_hands_nothing_on() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let [q, k, v] = [1, 2, 3].map(|seed| r.input(&random_tensor(&[2, 3], seed)));
    let mask = r.constant(&Tensor::from([[0.0, 0.0], [1.0, 1.0]]));
    let y = nn::attention(q, k, v, Some(mask));
    assert_eq!(y.value().row(0), [0.0; 3]);
    y.square().sum().backward(&mut params.zeros());
    assert_eq!(q.gradient().unwrap().row(0), [0.0; 3]);
    assert!([q, k, v].iter().all(|x| x.gradient().unwrap().data().iter().all(|g| g.is_finite())));
}

#[test]
fn padding_is_not_attended_to() {
    let mut params = Params::new();
    let attention = MultiHeadAttention::new(&mut params, "a", 4, 2, Init::LeCunNormal, &mut Random::new(1));
    let run = |places: usize| {
        let mut tape = Tape::new();
        let r = tape.record(&params);
        let x = r.constant(&random_tensor(&[1, 5, 4], 2)).slice(1, ..places);
        let words = r.indices([1, places], &[3, 1, 2, 0, 0][..places]);
        attention.forward(x, Some(nn::padding_mask(words, 0))).slice(1, ..3).value()
    };
    for (a, b) in run(5).data().iter().zip(run(3).data()) {
        approx::assert_relative_eq!(a, b, max_relative = 1e-12);
    }
}

#[test]
fn the_padding_of_an_embedding_does_not_learn() {
    let mut params = Params::<f64>::new();
    let words = Embedding::new(&mut params, "words", [4, 2], Init::LeCunNormal, &mut Random::new(1));
    let words = words.padded(&mut params, 2);
    assert_eq!(params.tensor(words.table).row(2), [0.0, 0.0]);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let r = tape.record(&params);
    words.forward(r.indices([2, 2], &[2, 0, 0, 2])).exp().sum().backward(&mut grads);
    let gradient = grads.tensor(words.table);
    assert_eq!(gradient.row(2), [0.0, 0.0]);
    assert!(gradient.row(0).iter().all(|&g| g > 0.0));
}

#[test]
fn one_value_for_each_sample_sums_to_the_sum() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let [a, b] = [1, 2].map(|seed| r.constant(&random_tensor(&[5, 3, 2], seed)));
    let f = Binary::SquaredError(SquaredError {});
    let each = a.zip_sum(b, f, Reduction::Each);
    assert_eq!(each.shape()[..], [5]);
    for (i, &loss) in each.value().data().iter().enumerate() {
        assert_eq!(loss, a.select(0, i).zip_sum(b.select(0, i), f, Reduction::Sum).item());
    }
    let square = Unary::Square(quietgrad::pointwise::Square {});
    let total = a.map_sum(square, Reduction::Each).sum().item();
    approx::assert_relative_eq!(total, a.map_sum(square, Reduction::Sum).item(), max_relative = 1e-12);
    let (z, classes) = (a.reshape([5, 6]), r.indices([5], &[0, 5, 2, 2, 1]));
    for (each, sum) in [
        (z.cross_entropy(classes, Reduction::Each), z.cross_entropy(classes, Reduction::Sum)),
        (z.log_softmax(1).nll(classes, Reduction::Each), z.cross_entropy(classes, Reduction::Sum)),
        (
            z.cross_entropy_soft(b.reshape([5, 6]), Reduction::Each),
            z.cross_entropy_soft(b.reshape([5, 6]), Reduction::Sum),
        ),
    ] {
        assert_eq!(each.shape()[..], [5]);
        approx::assert_relative_eq!(each.sum().item(), sum.item(), max_relative = 1e-12);
    }
}

#[test]
fn ignored_targets_count_for_nothing_whatever_their_logits_are() {
    let run = |bad: f64| {
        let (mut tape, params) = (Tape::<f64>::new(), Params::new());
        let r = tape.record(&params);
        let z = r.input(&Tensor::from([[0.5, 1.0, -1.0], [bad, bad, 2.0], [0.0, 1.0, 3.0]]));
        let loss = loss::CrossEntropy::new().ignore(1).smoothing(0.1).of(z, r.indices([3], &[0, 1, 2]));
        loss.backward(&mut params.zeros());
        (loss.item(), z.gradient().unwrap())
    };
    let (loss, gradient) = run(0.3);
    assert_eq!(gradient.row(1), [0.0; 3]);
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(run(bad), (loss, gradient.clone()));
    }
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let two = r.constant(&Tensor::from([[0.5, 1.0, -1.0], [0.0, 1.0, 3.0]]));
    let mean = two.cross_entropy_smoothed(r.indices([2], &[0, 2]), 0.1, Reduction::Mean);
    approx::assert_relative_eq!(loss, mean.item(), max_relative = 1e-12);
}

#[test]
#[should_panic(expected = "there is nothing to take the mean over")]
fn a_mean_over_ignored_targets_alone_is_refused() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = r.constant(&Tensor::from([[0.5, 1.0]]));
    loss::CrossEntropy::new().ignore(1).of(z, r.indices([1], &[1]));
}

#[test]
fn a_sum_over_ignored_targets_alone_is_0() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = r.constant(&Tensor::from([[0.5, 1.0]]));
    let loss = loss::CrossEntropy::new().ignore(1).reduction(Reduction::Sum);
    assert_eq!(loss.of(z, r.indices([1], &[1])).item(), 0.0);
    assert_eq!(loss.reduction(Reduction::Each).of(z, r.indices([1], &[1])).value(), Tensor::from([0.0]));
}

#[test]
fn a_weight_is_as_so_many_equal_samples() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = random_tensor(&[3, 4], 3);
    let classes = [2, 0, 2];
    let rows = [0, 0, 0, 1, 2, 2, 2];
    let repeated = loss::cross_entropy(r.constant_rows(&z, &rows), r.indices_rows(&classes, &rows)).item();
    let z = r.constant(&z);
    let of_samples = loss::CrossEntropy::new().sample_weights(r.constant(&Tensor::from([3.0, 1.0, 3.0])));
    let of_classes = loss::CrossEntropy::new().class_weights(r.constant(&Tensor::from([1.0, 9.0, 3.0, 7.0])));
    for loss in [of_samples, of_classes] {
        approx::assert_relative_eq!(
            loss.of(z, r.indices([3], &classes)).item(),
            repeated,
            max_relative = 1e-12
        );
        let nll = loss.nll(z.log_softmax(1), r.indices([3], &classes));
        approx::assert_relative_eq!(nll.item(), repeated, max_relative = 1e-12);
    }
    let soft = of_samples.soft(z, r.indices([3], &classes).one_hot(4));
    approx::assert_relative_eq!(soft.item(), repeated, max_relative = 1e-12);
}

#[test]
fn weighted_losses_have_the_gradients_of_their_functions() {
    let mut params = Params::<f64>::new();
    let z = params.add("z", random_tensor(&[4, 3], 1));
    let u = params.add("class weights", Tensor::from([0.5, 2.0, 1.0]));
    let w = params.add("sample weights", Tensor::from([1.0, 0.3, 2.0, 0.7]));
    let t = params.add("target", random_tensor(&[4, 3], 2).map(|x| 1.0 / (1.0 + x * x)));
    for (smoothing, reduction) in
        [(0.0, Reduction::Mean), (0.2, Reduction::Mean), (0.2, Reduction::Each), (0.0, Reduction::PerSample)]
    {
        gradcheck::check(&params, |r| {
            let weighted = loss::CrossEntropy::new().smoothing(smoothing).reduction(reduction);
            let weighted = weighted.class_weights(r.param(u)).sample_weights(r.param(w));
            let hard = weighted.ignore(1).of(r.param(z), r.indices([4], &[0, 1, 2, 0]));
            hard.sum() + weighted.soft(r.param(z), r.param(t)).sum()
        })
        .unwrap();
    }
    gradcheck::check(&params, |r| {
        let positive = r.param(u).abs();
        loss::bce_with_positives(r.param(z), r.param(t), positive)
            + loss::bce_with_positives(r.param(z), r.param(t), 3.0)
    })
    .unwrap();
}

#[test]
fn far_out_a_weighted_binary_loss_neither_overflows_nor_vanishes() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = r.input(&Tensor::from([-1000.0, 1000.0, 40.0]));
    let t = r.constant(&Tensor::from([1.0, 0.0, 1.0]));
    let each = loss::bce_weighted(z, t, 3.0);
    assert_eq!(each.value().data()[..2], [3000.0, 1000.0]);
    each.sum().backward(&mut params.zeros());
    let gradient = z.gradient().unwrap();
    assert_eq!(gradient.data()[..2], [-3.0, 1.0]);
    approx::assert_relative_eq!(gradient.data()[2], -3.0 * (-40f64).exp(), max_relative = 1e-12);
}

#[test]
fn a_penalty_on_the_output_of_attention_reaches_every_dense_layer_of_it() {
    let mut params = Params::new();
    let attention = MultiHeadAttention::new(&mut params, "a", 4, 2, Init::LeCunNormal, &mut Random::new(1));
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let r = tape.record(&params);
    let y = attention.forward(r.constant(&random_tensor(&[2, 3, 4], 2)), None);
    reg::l1(y).per_sample().backward(&mut grads);
    for part in [attention.query, attention.key, attention.value, attention.output] {
        assert!(grads.get(part.w).iter().any(|&g| g != 0.0));
    }
}

#[test]
fn the_table_of_layers_counts_each_parameter_once() {
    let mut params = Params::new();
    let block = block(&mut params);
    params.freeze_layer("attention");
    let mut tape = Tape::new();
    let r = tape.record(&params);
    block(r.constant(&random_tensor(&[2, 6, 8], 1))).sum();
    let table = r.layers();
    assert_eq!(table.layers.iter().map(|layer| layer.parameters).sum::<usize>(), params.len());
    assert_eq!(
        table.layers.iter().map(|layer| layer.frozen).sum::<usize>(),
        params.len() - params.learning()
    );
    let names: Vec<&str> = table.layers.iter().map(|layer| &*layer.name).collect();
    assert_eq!(names[..3], ["norm1", "norm2", "attention.query"]);
    assert!(table.layers.iter().all(|layer| layer.output[..2] == [2, 6]));
    let summary = r.summary();
    let of_layers =
        |pick: fn(&quietgrad::inspect::LayerSummary) -> u64| table.layers.iter().map(pick).sum::<u64>();
    assert_eq!(of_layers(|layer| layer.forward_flops) + table.others[0], summary.forward_flops());
    assert_eq!(of_layers(|layer| layer.backward_flops) + table.others[1], summary.backward_flops());
    println!("{table}\n{params}");
}
