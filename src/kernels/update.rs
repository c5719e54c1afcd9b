//! Optimizers' updates of flat parameters `p` by their gradient `g`: one pass over memory each.
//!
//! The formulas, and the order of their operations, are PyTorch's (`torch.optim`), so that a run can be compared
//! with one made there. State slices start as zeros.

use super::isa::vectorize;
use super::threads::{join, threads};
use crate::element::Element;

vectorize! {
    /// `p −= lr (g + weight_decay p)`
    ///
    /// # Panics
    /// Here and below: if the slices differ in length.
    pub fn sgd [T: Element] (p: &mut [T], g: &[T], lr: T, weight_decay: T) {
        check_lengths(p, [g]);
        for (p, &g) in p.iter_mut().zip(g) {
            *p = *p - lr * (g + weight_decay * *p);
        }
    }
}

/// Settings of [`momentum`].
#[derive(Clone, Copy, Debug)]
pub struct Momentum<T> {
    /// Step size.
    pub lr: T,
    /// What share of its velocity a parameter keeps.
    pub momentum: T,
    /// Added to the gradient, times the parameter.
    pub weight_decay: T,
    /// Whether to step along the velocity after the next step (Nesterov 1983), not the present one.
    pub nesterov: bool,
}

vectorize! {
    /// `v = momentum v + g`, then `p −= lr v`, or `p −= lr (g + momentum v)` after Nesterov; g with weight decay.
    pub fn momentum [T: Element] (p: &mut [T], g: &[T], v: &mut [T], rule: Momentum<T>) {
        check_lengths(p, [g, v]);
        let Momentum { lr, momentum, weight_decay, nesterov } = rule;
        for ((p, &g), v) in p.iter_mut().zip(g).zip(v) {
            let g = g + weight_decay * *p;
            *v = momentum * *v + g;
            let step = if nesterov { g + momentum * *v } else { *v };
            *p = *p - lr * step;
        }
    }
}

/// Settings of [`adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size.
    pub lr: f64,
    /// Decay of the gradient's mean.
    pub beta1: f64,
    /// Decay of the squared gradient's mean.
    pub beta2: f64,
    /// Added to the root of the squared gradient's mean.
    pub eps: f64,
    /// Added to the gradient, times the parameter; or taken from the parameter, times `lr`, if `decoupled`.
    pub weight_decay: f64,
    /// Whether weight decay bypasses the means: AdamW.
    pub decoupled: bool,
}

/// What [`adam`] remembers, a slice of the parameters' length each.
#[derive(Debug)]
pub struct AdamState<'a, T> {
    /// Mean of the gradient.
    pub mean: &'a mut [T],
    /// Mean of the squared gradient.
    pub square: &'a mut [T],
    /// The largest that this mean has been, if steps shall be divided by that (AMSGrad).
    pub largest: Option<&'a mut [T]>,
}

/// [`Adam`] at step t, in the parameters' type.
#[derive(Clone, Copy)]
struct AdamAt<T> {
    beta1: T,
    rest1: T,
    beta2: T,
    rest2: T,
    eps: T,
    /// lr / (1 − beta1ᵗ)
    step: T,
    /// 1 / √(1 − beta2ᵗ)
    unbias: T,
    coupled_decay: T,
    /// 1 − lr weight_decay, if decoupled
    keep: T,
}

impl Adam {
    /// beta1ᵗ and beta2ᵗ for the next step, from those for the last one; 1 and 1 before the first. (To raise to a power takes
    /// a loop over the bits of t, whose branches are others in every step: a tenth of a microsecond.)
    pub fn next_powers(&self, [power1, power2]: [f64; 2]) -> [f64; 2] {
        // What no longer shows beside 1 is 0: multiplied on, it would become subnormal, and slow.
        [power1 * self.beta1, power2 * self.beta2]
            .map(|power| if power < f64::EPSILON / 8.0 { 0.0 } else { power })
    }

    fn at<T: Element>(&self, [power1, power2]: [f64; 2]) -> AdamAt<T> {
        let (coupled, decoupled) =
            if self.decoupled { (0.0, self.weight_decay) } else { (self.weight_decay, 0.0) };
        AdamAt {
            beta1: T::from_f64(self.beta1),
            rest1: T::from_f64(1.0 - self.beta1),
            beta2: T::from_f64(self.beta2),
            rest2: T::from_f64(1.0 - self.beta2),
            eps: T::from_f64(self.eps),
            step: T::from_f64(self.lr / (1.0 - power1)),
            unbias: T::from_f64(1.0 / (1.0 - power2).sqrt()),
            coupled_decay: T::from_f64(coupled),
            keep: T::from_f64(1.0 - self.lr * decoupled),
        }
    }
}

/// Adam (Kingma and Ba 2015) at step t = 1, 2, …, with m and v the means of the gradient and of its square, and the
/// `powers` beta1ᵗ and beta2ᵗ:
/// `m = beta1 m + (1 − beta1) g`, `v = beta2 v + (1 − beta2) g²`,
/// `p −= lr / (1 − beta1ᵗ) m / (√v / √(1 − beta2ᵗ) + eps)`.
///
/// Weight decay is added to g, or, decoupled (Loshchilov and Hutter 2019), `p −= lr weight_decay p` comes first. With a
/// `largest`, that takes the place of v in the root (AMSGrad: Reddi, Kale and Kumar 2018).
pub fn adam<T: Element>(p: &mut [T], g: &[T], state: AdamState<T>, rule: &Adam, powers: [f64; 2]) {
    let AdamState { mean, square, largest } = state;
    check_lengths(p, [g, mean, square]);
    let parts = (p.len() / PART).clamp(1, threads());
    match largest {
        None => adam_parts(p, g, mean, square, [], rule.at(powers), parts),
        Some(largest) => adam_parts(p, g, mean, square, [largest], rule.at(powers), parts),
    }
}

/// The parameters that a thread must find to be worth waking: some 50 microseconds.
const PART: usize = 1 << 16;

/// Halves the parameters until there are enough parts, and updates the parts at the same time.
fn adam_parts<T: Element, const N: usize>(
    p: &mut [T],
    g: &[T],
    m: &mut [T],
    v: &mut [T],
    largest: [&mut [T]; N],
    rule: AdamAt<T>,
    parts: usize,
) {
    if parts == 1 {
        return adam_pass(p, g, m, v, largest, rule);
    }
    let middle = p.len() / parts * (parts / 2);
    let (p, p_rest) = p.split_at_mut(middle);
    let (g, g_rest) = g.split_at(middle);
    let (m, m_rest) = m.split_at_mut(middle);
    let (v, v_rest) = v.split_at_mut(middle);
    let mut rest = largest.map(Some);
    let largest = rest.each_mut().map(|whole| {
        let (part, left) = whole.take().expect("it was just put there").split_at_mut(middle);
        *whole = Some(left);
        part
    });
    let rest = rest.map(|left| left.expect("it was just put there"));
    join(
        || adam_parts(p, g, m, v, largest, rule, parts / 2),
        || adam_parts(p_rest, g_rest, m_rest, v_rest, rest, rule, parts - parts / 2),
    );
}

vectorize! {
    /// The largest squares are there or not: a loop for each case.
    fn adam_pass [T: Element, const N: usize] (
        p: &mut [T], g: &[T], m: &mut [T], v: &mut [T], largest: [&mut [T]; N], rule: AdamAt<T>
    ) {
        let n = p.len();
        check_lengths(p, [g, m, v]);
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        let mut largest = largest.map(|largest| &mut largest[..n]);
        for i in 0..n {
            let g = g[i] + rule.coupled_decay * p[i];
            m[i] = rule.beta1 * m[i] + rule.rest1 * g;
            v[i] = rule.beta2 * v[i] + rule.rest2 * g * g;
            let mut square = v[i];
            for largest in &mut largest {
                square = largest[i].maximum(square);
                largest[i] = square;
            }
            p[i] = rule.keep * p[i] - rule.step * m[i] / (square.sqrt() * rule.unbias + rule.eps);
        }
    }
}

/// Settings of [`rmsprop`].
#[derive(Clone, Copy, Debug)]
pub struct RmsProp<T> {
    /// Step size.
    pub lr: T,
    /// Decay of the squared gradient's mean.
    pub alpha: T,
    /// Added to the root of the squared gradient's mean.
    pub eps: T,
    /// Added to the gradient, times the parameter.
    pub weight_decay: T,
    /// What share of its velocity a parameter keeps.
    pub momentum: T,
}

/// What [`rmsprop`] remembers, a slice of the parameters' length each.
#[derive(Debug)]
pub struct RmsPropState<'a, T> {
    /// Mean of the squared gradient.
    pub square: &'a mut [T],
    /// Mean of the gradient, if the second moment shall be taken about it (Graves 2013).
    pub mean: Option<&'a mut [T]>,
    /// The velocity, if there is momentum.
    pub velocity: Option<&'a mut [T]>,
}

/// RMSprop (Hinton 2012): `s = alpha s + (1 − alpha) g²`, `p −= lr g / (√s + eps)`; g with weight decay.
///
/// With a mean, `√(s − mean²)` takes the place of √s; with a velocity, `v = momentum v + g / (√s + eps)`, `p −= lr v`.
pub fn rmsprop<T: Element>(p: &mut [T], g: &[T], state: RmsPropState<T>, rule: RmsProp<T>) {
    let RmsPropState { square, mean, velocity } = state;
    match (mean, velocity) {
        (None, None) => rmsprop_pass(p, g, square, [], [], rule),
        (Some(mean), None) => rmsprop_pass(p, g, square, [mean], [], rule),
        (None, Some(velocity)) => rmsprop_pass(p, g, square, [], [velocity], rule),
        (Some(mean), Some(velocity)) => rmsprop_pass(p, g, square, [mean], [velocity], rule),
    }
}

vectorize! {
    /// Mean and velocity are there or not: a loop for each of the four cases.
    fn rmsprop_pass [T: Element, const MEANS: usize, const VELOCITIES: usize] (
        p: &mut [T],
        g: &[T],
        s: &mut [T],
        means: [&mut [T]; MEANS],
        velocities: [&mut [T]; VELOCITIES],
        rule: RmsProp<T>,
    ) {
        let n = p.len();
        check_lengths(p, [g, s]);
        let (g, s) = (&g[..n], &mut s[..n]);
        let mut means = means.map(|mean| &mut mean[..n]);
        let mut velocities = velocities.map(|velocity| &mut velocity[..n]);
        let rest = T::ONE - rule.alpha;
        for i in 0..n {
            let g = g[i] + rule.weight_decay * p[i];
            s[i] = rule.alpha * s[i] + rest * g * g;
            let mut moment = s[i];
            for mean in &mut means {
                mean[i] = rule.alpha * mean[i] + rest * g;
                let variance = moment - mean[i] * mean[i];
                // Rounding may bring the variance of a constant gradient below 0, which has no root.
                moment = if variance < T::ZERO { T::ZERO } else { variance };
            }
            let mut step = g / (moment.sqrt() + rule.eps);
            for velocity in &mut velocities {
                step += rule.momentum * velocity[i];
                velocity[i] = step;
            }
            p[i] = p[i] - rule.lr * step;
        }
    }
}

vectorize! {
    /// Adagrad (Duchi, Hazan and Singer 2011): `s += g²`, `p −= lr g / (√s + eps)`; g with weight decay.
    pub fn adagrad [T: Element] (p: &mut [T], g: &[T], s: &mut [T], lr: T, eps: T, weight_decay: T) {
        check_lengths(p, [g, s]);
        for ((p, &g), s) in p.iter_mut().zip(g).zip(s) {
            let g = g + weight_decay * *p;
            *s += g * g;
            *p = *p - lr * g / (s.sqrt() + eps);
        }
    }
}

/// Settings of [`lion`].
#[derive(Clone, Copy, Debug)]
pub struct Lion<T> {
    /// Step size: every parameter moves by this much.
    pub lr: T,
    /// The mean's share in the direction of the step.
    pub beta1: T,
    /// Decay of the gradient's mean.
    pub beta2: T,
    /// Taken from the parameter, times `lr`.
    pub weight_decay: T,
}

vectorize! {
    /// Lion (Chen et al. 2023): `p −= lr (sign(beta1 m + (1 − beta1) g) + weight_decay p)`,
    /// `m = beta2 m + (1 − beta2) g`.
    pub fn lion [T: Element] (p: &mut [T], g: &[T], m: &mut [T], rule: Lion<T>) {
        check_lengths(p, [g, m]);
        let Lion { lr, beta1, beta2, weight_decay } = rule;
        for ((p, &g), m) in p.iter_mut().zip(g).zip(m) {
            let direction = beta1 * *m + (T::ONE - beta1) * g;
            let up = if direction > T::ZERO { T::ONE } else { T::ZERO };
            let down = if direction < T::ZERO { T::ONE } else { T::ZERO };
            *m = beta2 * *m + (T::ONE - beta2) * g;
            *p = *p - lr * ((up - down) + weight_decay * *p);
        }
    }
}

vectorize! {
    /// `mean = decay mean + (1 − decay) x`
    pub fn moving_average [T: Element] (mean: &mut [T], x: &[T], decay: T) {
        check_lengths(mean, [x]);
        for (mean, &x) in mean.iter_mut().zip(x) {
            *mean = decay * *mean + (T::ONE - decay) * x;
        }
    }
}

vectorize! {
    /// `x = sign(x) max(|x| − threshold, 0)`: the proximal map of threshold · |x|.
    pub fn soft_threshold [T: Element] (x: &mut [T], threshold: T) {
        for x in x {
            *x = *x - if *x > threshold { threshold } else if *x < -threshold { -threshold } else { *x };
        }
    }
}

fn check_lengths<T, const N: usize>(p: &[T], others: [&[T]; N]) {
    assert!(
        others.iter().all(|other| other.len() == p.len()),
        "parameters, gradient and state differ in length"
    );
}
