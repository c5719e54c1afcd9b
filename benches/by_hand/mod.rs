//! The step that `benches/step.rs` measures, as one would write it out for one network: plain loops, no tape, nothing
//! that is not needed, vectorized as far as the compiler does by itself.

/// A classifier with two inputs and one hidden layer, its gradients, and Adam's moments. Parameters stand one after the
/// other: the hidden layer's weights [2, hidden] and bias, the output's weights and bias.
pub struct ByHand {
    hidden: usize,
    params: Vec<f32>,
    grads: Vec<f32>,
    moments: [Vec<f32>; 2],
    h: Vec<f32>,
    gz: Vec<f32>,
    steps: i32,
}

/// The parameters' parts, or the gradients'.
fn parts(mut rest: &mut [f32], n: usize) -> [&mut [f32]; 5] {
    [n, n, n, n, 1].map(|n| rest.split_off_mut(..n).expect("as many as the layers have"))
}

impl ByHand {
    pub fn new(params: &[f32]) -> Self {
        let hidden = (params.len() - 1) / 4;
        let zeros = || vec![0.0; params.len()];
        ByHand {
            hidden,
            params: params.to_vec(),
            grads: zeros(),
            moments: [zeros(), zeros()],
            h: vec![0.0; hidden],
            gz: vec![0.0; hidden],
            steps: 0,
        }
    }

    /// One step on samples `x` [batch, 2] with targets `y`: binary cross-entropy, an l1 penalty, Adam. Returns the loss.
    /// `f` is the activation function; `slope` its derivative, from its value.
    pub fn step(
        &mut self,
        x: &[f32],
        y: &[f32],
        [lr, lambda]: [f32; 2],
        f: impl Fn(f32) -> f32,
        slope: impl Fn(f32) -> f32,
    ) -> f32 {
        let (n, scale) = (self.hidden, 1.0 / y.len() as f32);
        self.grads.fill(0.0);
        let [w0, w1, b, w, bias] = parts(&mut self.params, n);
        let [gw0, gw1, gb, gw, gbias] = parts(&mut self.grads, n);
        let (h, gz) = (&mut self.h[..n], &mut self.gz[..n]);
        let mut loss = 0.0;
        for (x, &y) in x.chunks_exact(2).zip(y) {
            let mut z = bias[0];
            for j in 0..n {
                h[j] = f(x[0] * w0[j] + x[1] * w1[j] + b[j]);
            }
            for j in 0..n {
                z += h[j] * w[j];
                loss += lambda * scale * h[j].abs();
            }
            loss += scale * (z.max(0.0) - z * y + (-z.abs()).exp().ln_1p());
            let g = scale * (1.0 / (1.0 + (-z).exp()) - y);
            gbias[0] += g;
            for j in 0..n {
                let sign = if h[j] == 0.0 { 0.0 } else { 1f32.copysign(h[j]) };
                gz[j] = (g * w[j] + lambda * scale * sign) * slope(h[j]);
                gw[j] += g * h[j];
            }
            for j in 0..n {
                gw0[j] += x[0] * gz[j];
                gw1[j] += x[1] * gz[j];
                gb[j] += gz[j];
            }
        }
        self.update(lr);
        loss
    }

    /// Adam with its usual constants.
    fn update(&mut self, lr: f32) {
        self.steps += 1;
        let [first, second] = [0.9f32, 0.999].map(|beta| 1.0 - beta.powi(self.steps));
        let [m, v] = &mut self.moments;
        for (((p, &g), m), v) in self.params.iter_mut().zip(&self.grads).zip(m).zip(v) {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *p -= lr * (*m / first) / ((*v / second).sqrt() + 1e-8);
        }
    }
}
