//! Recurrent layers, f32: a whole training step of an LSTM encoder-decoder, and each kind of layer forward and back.
//!
//! `cargo bench --bench recurrent`, on one core `taskset -c 0 cargo bench --bench recurrent`. The step's peer:
//! `benches/peers/lstm.py`.

use criterion::{Criterion, criterion_group, criterion_main};
use quietgrad::nn::{Dense, Gru, Init, Lstm, Recurrent, Reset, Rnn, Steps};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};

const BATCH: usize = 32;
const TIME: usize = 16;
const FEATURES: usize = 8;
const UNITS: usize = 64;

/// The encoder's last h is given to the decoder at each step; mean squared error, an l1 penalty on the code, Adam.
fn encoder_decoder(c: &mut Criterion) {
    let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
    let encoder = Lstm::new(&mut params, "encoder", [FEATURES, UNITS], &mut random);
    let decoder = Lstm::new(&mut params, "decoder", [UNITS, UNITS], &mut random);
    let output = Dense::new(&mut params, "output", [UNITS, FEATURES], Init::GlorotUniform, &mut random);
    let x = Tensor::randn([BATCH, TIME, FEATURES], &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-3));
    let mut step = || {
        let r = tape.record(&params);
        let x = r.constant(&x);
        let code = encoder.forward(x).last.h;
        let y = output.forward(decoder.run_repeated(code, TIME, Steps::all(), None).h);
        (loss::mse(y, x) + reg::l1(code).per_sample() * 1e-3).backward(&mut grads);
        adam.step(&mut params, &grads);
    };
    c.bench_function("lstm encoder-decoder, 32 x 16 x 8, 64 units", |b| b.iter(&mut step));
}

/// Forward and back through one layer whose input product is as large as its recurrent one.
fn layers(c: &mut Criterion) {
    let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
    let sizes = [UNITS, UNITS];
    let lstm = Lstm::new(&mut params, "lstm", sizes, &mut random);
    let before = Gru::new(&mut params, "before", sizes, Reset::BeforeProduct, &mut random);
    let after = Gru::new(&mut params, "after", sizes, Reset::AfterProduct, &mut random);
    let rnn = Rnn::tanh(&mut params, "rnn", sizes, &mut random);
    let x = Tensor::randn([BATCH, TIME, UNITS], &mut random);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let mut group = c.benchmark_group("layer, 32 x 16 x 64, 64 units");
    let mut bench =
        |name: &str, layer: &dyn for<'r> Fn(quietgrad::Var<'r, f32>) -> quietgrad::Var<'r, f32>| {
            group.bench_function(name, |b| {
                b.iter(|| {
                    let r = tape.record(&params);
                    layer(r.input(&x)).sum().backward(&mut grads);
                });
            });
        };
    bench("lstm", &|x| lstm.forward(x).h);
    bench("gru, reset before the product", &|x| before.forward(x).h);
    bench("gru, reset after the product", &|x| after.forward(x).h);
    bench("rnn, tanh", &|x| rnn.forward(x).h);
    let steps = [4, 16, 1].map(|k| TIME / k).into_iter().cycle().take(BATCH).collect::<Vec<_>>();
    bench("lstm of lengths", &|x| lstm.run(x, Steps::masked(x.recording().mask(&steps, TIME)), None).h);
    group.finish();
}

criterion_group!(benches, encoder_decoder, layers);
criterion_main!(benches);
