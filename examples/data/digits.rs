//! The digits of this folder, ready to learn from: a module of several examples.

use quietgrad::Tensor;

/// Pixels of a digit.
pub const PIXELS: usize = 64;

/// The images, a row each, every pixel with mean 0 and variance 1 (or 0, where it never changes).
pub fn standardized() -> Tensor<f32> {
    // After a header of 16 bytes: the kind of file, the number of images, and the two sizes of each.
    let pixels = &include_bytes!("digits-images.idx3-ubyte")[16..];
    let count = pixels.len() / PIXELS;
    let mut x = Tensor::from_fn([count, PIXELS], |i| f32::from(pixels[i]));
    for column in 0..PIXELS {
        let mean = x.rows().map(|row| row[column]).sum::<f32>() / count as f32;
        let variance = x.rows().map(|row| (row[column] - mean).powi(2)).sum::<f32>() / count as f32;
        let scale = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        for row in 0..count {
            x[[row, column]] = (x[[row, column]] - mean) / scale;
        }
    }
    x
}
