//! Attention: each query takes the mean of values, weighted by how well their keys fit it.

use crate::element::Element;
use crate::nn::{Dense, Init};
use crate::ops::Real;
use crate::params::Params;
use crate::random::Random;
use crate::tape::{Indices, Var};
use crate::tensor::Tensor;

/// softmax(q kᵀ / √d) v: scaled dot-product attention, for queries [.., n, d], keys [.., m, d] and values [.., m, e]; the
/// result is [.., n, e].
///
/// `mask` is 1 where a query may attend to a key and 0 elsewhere; it broadcasts to [.., n, m]. What is masked has the weight 0
/// exactly. A query that may attend to nothing gets the zero vector, and hands no gradient on. Keys and values must be finite
/// also where nobody attends to them, since a weight of 0 multiplies: 0 · NaN is NaN.
///
/// Source: A. Vaswani et al., Attention Is All You Need, 2017, section 3.2.1.
///
/// # Panics
/// If the sizes do not fit each other, or the mask does not broadcast.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, nn};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let [q, k] = [[[0.0], [0.0], [0.0]], [[1.0], [5.0], [3.0]]].map(|x| r.constant(&Tensor::from(x)));
/// let v = r.constant(&Tensor::from([[1.0], [2.0], [6.0]]));
/// assert_eq!(nn::attention(q, k, v, None).value(), Tensor::from([[3.0], [3.0], [3.0]]));
/// let past = r.constant(&nn::causal_mask(3));
/// assert_eq!(nn::attention(q, k, v, Some(past)).value(), Tensor::from([[1.0], [1.5], [3.0]]));
/// ```
#[doc(alias = "scaled_dot_product_attention")]
#[track_caller]
pub fn attention<'r, T: Real>(
    query: Var<'r, T>,
    key: Var<'r, T>,
    value: Var<'r, T>,
    mask: Option<Var<'r, T>>,
) -> Var<'r, T> {
    let (shape, rank) = (query.shape(), key.shape().rank());
    let fits = shape.rank() >= 2 && rank >= 2;
    assert!(fits, "attention: queries {shape} and keys {} must be matrices, or batches of them", key.shape());
    let scale = 1.0 / (shape[shape.rank() - 1] as f64).sqrt();
    let scores = (query * scale).matmul(key.transpose(rank - 2, rank - 1));
    let weights = match mask {
        Some(mask) => scores.masked_softmax(mask),
        None => scores.softmax(scores.shape().rank() - 1),
    };
    weights.matmul(value)
}

/// A mask [n, n] for sequences of n positions: each attends to itself and to what came before.
///
/// Made once, it goes onto the tape as a [`constant`](crate::Recording::constant).
///
/// ```
/// use quietgrad::{Tensor, nn};
///
/// assert_eq!(nn::causal_mask::<f64>(2), Tensor::from([[1.0, 0.0], [1.0, 1.0]]));
/// ```
#[doc(alias = "tril")]
#[track_caller]
pub fn causal_mask<T: Element>(positions: usize) -> Tensor<T> {
    let past = |i: usize| i % positions <= i / positions;
    Tensor::from_fn([positions, positions], |i| if past(i) { T::ONE } else { T::ZERO })
}

/// A mask [samples, 1, 1, m] for sequences [samples, m] that end in padding: nobody attends to that. It serves
/// [`MultiHeadAttention`]; multiplied by a [`causal_mask`] it allows what both allow.
///
/// ```
/// use quietgrad::{Params, Tape, nn};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let words = r.indices([1, 3], &[7, 3, 0]);
/// let mask = nn::padding_mask(words, 0) * r.constant(&nn::causal_mask(3));
/// assert_eq!(mask.shape()[..], [1, 1, 3, 3]);
/// assert_eq!(mask.value().data(), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
/// ```
#[track_caller]
pub fn padding_mask<T: Real>(indices: Indices<'_, T>, padding: usize) -> Var<'_, T> {
    indices.is_not(padding).unsqueeze(1).unsqueeze(1)
}

/// Several attentions side by side: queries, keys and values are dense layers of the inputs, cut into heads; a fourth dense
/// layer reads what all heads found.
///
/// Source: A. Vaswani et al., Attention Is All You Need, 2017, section 3.2.2.
///
/// ```
/// use quietgrad::nn::{Init, MultiHeadAttention, causal_mask};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let attention = MultiHeadAttention::new(&mut params, "attention", 8, 2, Init::GlorotUniform, &mut Random::new(1));
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let x = r.constant(&Tensor::ones([3, 5, 8])); // 3 sequences of 5 positions
/// let mask = r.constant(&causal_mask(5));
/// assert_eq!(attention.forward(x, Some(mask)).shape()[..], [3, 5, 8]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MultiHeadAttention {
    /// What is looked for.
    pub query: Dense,
    /// What is looked at.
    pub key: Dense,
    /// What is found.
    pub value: Dense,
    /// Reads what all heads found.
    pub output: Dense,
    /// How many there are.
    pub heads: usize,
}

impl MultiHeadAttention {
    /// Adds the dense layers `name.query`, `name.key`, `name.value` and `name.output`, each [width, width].
    ///
    /// # Panics
    /// If the width is not a multiple of the number of heads, or there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(
        params: &mut Params<T>,
        name: &str,
        width: usize,
        heads: usize,
        init: Init,
        random: &mut Random,
    ) -> Self {
        let fits = heads > 0 && width.is_multiple_of(heads);
        assert!(fits, "MultiHeadAttention::new: a width of {width} is not {heads} heads of equal size");
        let (part, sizes) = (|part: &str| format!("{name}.{part}"), [width, width]);
        let query = Dense::new(params, &part("query"), sizes, init, random);
        let key = Dense::new(params, &part("key"), sizes, init, random);
        let value = Dense::new(params, &part("value"), sizes, init, random);
        let output = Dense::new(params, &part("output"), sizes, init, random);
        MultiHeadAttention { query, key, value, output, heads }
    }

    /// Sequences [samples, positions, width] that attend to themselves. The mask, as of [`attention`], broadcasts to
    /// [samples, heads, positions, positions].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>, mask: Option<Var<'r, T>>) -> Var<'r, T> {
        self.forward_to(x, x, mask)
    }

    /// Sequences [samples, n, width] that attend to others [samples, m, width]. The mask broadcasts to [samples, heads, n, m].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn forward_to<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        context: Var<'r, T>,
        mask: Option<Var<'r, T>>,
    ) -> Var<'r, T> {
        let shape = x.shape();
        for shape in [&shape, &context.shape()] {
            assert!(shape.rank() == 3, "MultiHeadAttention: {shape} is not [samples, positions, width]");
        }
        // [samples, positions, heads · size] -> [samples, heads, positions, size]: a view, which products read in place
        let heads = |x: Var<'r, T>| {
            let [samples, positions, width] = [0, 1, 2].map(|axis| x.shape()[axis]);
            x.reshape([samples, positions, self.heads, width / self.heads]).permute(&[0, 2, 1, 3])
        };
        let [query, key, value] =
            [self.query.forward(x), self.key.forward(context), self.value.forward(context)].map(heads);
        let found = attention(query, key, value, mask).permute(&[0, 2, 1, 3]);
        self.output.forward(found.reshape(shape))
    }
}
