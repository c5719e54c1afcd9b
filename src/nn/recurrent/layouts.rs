//! How PyTorch and Keras lay out the parameters of recurrent layers, turned into this crate's layout.

use crate::element::Element;
use crate::tensor::{Shape, ShapeError, Tensor};

/// PyTorch's `weight_ih` (gates · h, in), `weight_hh` (gates · h, h) and two biases (gates · h), with the weights transposed.
pub(super) fn pytorch<T: Element>(
    [weight_ih, weight_hh, bias_ih, bias_hh]: [&Tensor<T>; 4],
    gates: usize,
) -> Result<[Tensor<T>; 4], ShapeError> {
    let inputs = weight_ih.shape().get(1).copied().unwrap_or(0);
    let units = weight_hh.shape().get(1).copied().unwrap_or(0);
    let wide = gates * units;
    expect("weight_ih", weight_ih, &[wide, inputs])?;
    expect("weight_hh", weight_hh, &[wide, units])?;
    expect("bias_ih", bias_ih, &[wide])?;
    expect("bias_hh", bias_hh, &[wide])?;
    Ok([weight_ih.t(), weight_hh.t(), bias_ih.clone(), bias_hh.clone()])
}

/// Whether these are Keras' `kernel` (in, gates · h), `recurrent_kernel` (h, gates · h) and `bias` (gates · h).
pub(super) fn check_keras<T: Element>(
    [kernel, recurrent, bias]: [&Tensor<T>; 3],
    gates: usize,
) -> Result<(), ShapeError> {
    let inputs = kernel.shape().first().copied().unwrap_or(0);
    let units = recurrent.shape().first().copied().unwrap_or(0);
    let wide = gates * units;
    expect("kernel", kernel, &[inputs, wide])?;
    expect("recurrent_kernel", recurrent, &[units, wide])?;
    expect("bias", bias, &[wide])
}

fn expect<T: Element>(name: &str, x: &Tensor<T>, shape: &[usize]) -> Result<(), ShapeError> {
    if x.shape()[..] == *shape {
        return Ok(());
    }
    Err(ShapeError::new(format!("{name} has the shape {}, not {}", x.shape(), Shape::from(shape))))
}

/// a + b
pub(super) fn sum<T: Element>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    Tensor::from_fn(a.shape().clone(), |i| a.data()[i] + b.data()[i])
}

/// A GRU's biases b, of the gates r, u and n, and bn, inside the reset gate, from the biases of its input and of its product,
/// each for r, u and n: b is the sum of both for r and u, and the input's for n; bn is the product's for n.
pub(super) fn biases_of_gru<T: Element>(of_x: &Tensor<T>, of_h: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
    let units = of_x.data().len() / 3;
    let b = Tensor::from_fn([3 * units], |i| {
        if i < 2 * units { of_x.data()[i] + of_h.data()[i] } else { of_x.data()[i] }
    });
    (b, Tensor::from_fn([units], |i| of_h.data()[2 * units + i]))
}

/// Columns of three gates, the first two of which change places.
pub(super) fn first_two_swapped<T: Element>(x: &Tensor<T>) -> Tensor<T> {
    let wide = x.shape().last().copied().unwrap_or(0);
    let units = wide / 3;
    Tensor::from_fn(x.shape().clone(), |i| {
        let (row, column) = (i / wide, i % wide);
        let from = match column / units.max(1) {
            0 => column + units,
            1 => column - units,
            _ => column,
        };
        x.data()[row * wide + from]
    })
}
