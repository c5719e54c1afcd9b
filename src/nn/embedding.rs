//! Vectors for words, and for positions in a sequence.

use crate::element::Element;
use crate::nn::Init;
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::{Indices, Var};
use crate::tensor::Tensor;

/// A learned vector for each index: rows of a table.
///
/// ```
/// use quietgrad::{Params, Random, Tape, nn::{Embedding, Init}};
///
/// let mut params = Params::<f64>::new();
/// let words = Embedding::new(&mut params, "words", [10, 4], Init::LeCunNormal, &mut Random::new(1));
/// let words = words.padded(&mut params, 0);
/// let (mut tape, mut grads) = (Tape::new(), params.zeros());
/// let r = tape.record(&params);
/// let x = words.forward(r.indices([2, 3], &[7, 3, 0, 5, 0, 0]));
/// assert_eq!(x.shape()[..], [2, 3, 4]);
/// x.sum().backward(&mut grads);
/// assert_eq!(grads.tensor(words.table).sum_axes(1).data(), [0.0, 0.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Embedding {
    /// [entries, width]
    pub table: ParamId,
    /// The index whose vector does not learn, if there is one.
    pub padding: Option<usize>,
}

impl Embedding {
    /// Adds `name.table`, of shape [entries, width], drawn by `init` for a layer of `width` inputs and outputs.
    ///
    /// # Panics
    /// If there is a parameter of this name already.
    #[track_caller]
    pub fn new<T: Real>(
        params: &mut Params<T>,
        name: &str,
        [entries, width]: [usize; 2],
        init: Init,
        random: &mut Random,
    ) -> Self {
        let table = init.tensor([entries, width], width, width, random);
        Embedding { table: params.add(format!("{name}.table"), table), padding: None }
    }

    /// With an index for what is no word: its vector is 0, and no gradient arrives there.
    ///
    /// # Panics
    /// If there is no such entry.
    #[track_caller]
    pub fn padded<T: Real>(self, params: &mut Params<T>, index: usize) -> Self {
        let (entries, width) = (params.shape(self.table)[0], params.shape(self.table)[1]);
        assert!(index < entries, "Embedding::padded: no entry {index} among {entries}");
        params.get_mut(self.table)[index * width..][..width].fill(T::ZERO);
        Embedding { padding: Some(index), ..self }
    }

    /// The vectors of indices of shape [..]: [.., width].
    ///
    /// # Panics
    /// If an index is not below the number of entries.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, indices: Indices<'r, T>) -> Var<'r, T> {
        let vectors = indices.recording().param(self.table).embedding(indices);
        match self.padding {
            Some(padding) => {
                let learns = indices.is_not(padding).unsqueeze(indices.shape().rank());
                learns.where_cond(vectors, vectors.detach())
            }
            None => vectors,
        }
    }
}

/// A vector for each position of a sequence, [positions, width]: sines and cosines of position / 10000^(2i / width), i counting
/// pairs.
///
/// Added to the words' vectors it tells where each stands; made once, it goes onto the tape as a
/// [`constant`](crate::Recording::constant). Learned ones are an [`Embedding`] of the positions' numbers.
///
/// Source: A. Vaswani et al., Attention Is All You Need, 2017, section 3.5.
///
/// ```
/// use quietgrad::nn::sinusoids;
///
/// let positions = sinusoids::<f64>(50, 4);
/// assert_eq!(positions.row(0), [0.0, 1.0, 0.0, 1.0]);
/// assert!((positions[[1, 0]] - 1f64.sin()).abs() < 1e-15 && (positions[[1, 1]] - 1f64.cos()).abs() < 1e-15);
/// ```
#[doc(alias = "positional encoding")]
#[track_caller]
pub fn sinusoids<T: Element>(positions: usize, width: usize) -> Tensor<T> {
    Tensor::from_fn([positions, width], |i| {
        let (position, column) = (i / width, i % width);
        let power = (column - column % 2) as f64 / width as f64;
        let angle = T::from_f64(position as f64 / 10_000f64.powf(power));
        if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }
    })
}
