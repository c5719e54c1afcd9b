use quietgrad::*;
fn main() {
    let mut params = Params::<f32>::new();
    let w1 = params.add("w1", Tensor::from_fn([2, 8], |i| ((i * 7 % 5) as f32 - 2.0) / 3.0));
    let b1 = params.add("b1", Tensor::zeros([8]));
    let w2 = params.add("w2", Tensor::from_fn([8, 1], |i| ((i * 3 % 7) as f32 - 3.0) / 4.0));
    let b2 = params.add("b2", Tensor::zeros([1]));
    let x = Tensor::from([[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Tensor::from([[0.0f32], [1.0], [1.0], [0.0]]);
    let mut grads = params.zeros();
    let mut tape = Tape::<f32>::new();
    for rep in 0..5 {
        let t = std::time::Instant::now();
        let n = 100000;
        let mut last = 0.0;
        for _ in 0..n {
            let r = tape.record(&params);
            let h = r.constant(&x).linear(r.param(w1), r.param(b1)).tanh();
            let z = h.linear(r.param(w2), r.param(b2));
            let loss = z.pair_sum(
                r.constant(&y),
                pointwise::Binary::BceWithLogits(pointwise::BceWithLogits {}),
                Reduction::Mean,
            ) + h.map_sum(pointwise::Unary::Abs(pointwise::Abs {}), Reduction::PerSample) * 1e-3;
            loss.backward(&mut grads);
            last = loss.item();
            for (p, g) in params.data_mut().iter_mut().zip(grads.data()) {
                *p -= 0.1 * g;
            }
        }
        println!("{rep} {:.0} ns loss {last}", t.elapsed().as_secs_f64() * 1e9 / n as f64);
        if rep == 0 {
            let r = tape.record(&params);
            let h = r.constant(&x).linear(r.param(w1), r.param(b1)).tanh();
            print!("{}", h.recording().graph());
        }
    }
}
