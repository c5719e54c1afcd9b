//! Parameters by name: one parameter under several names, and the list of all.

use std::fmt;

use super::{ParamId, Params};
use crate::element::Element;
use crate::text::Table;

/// # Names
impl<T: Element> Params<T> {
    /// A second name for a parameter: weights that two layers share, such as those of an embedding and of the layer that reads
    /// words off again. There is one parameter, one gradient (the sum of both uses) and one step; both names find it.
    ///
    /// # Panics
    /// If there is no such parameter, or the name is taken.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let table = params.add("embedding.table", Tensor::from([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]));
    /// params.tie("decoder.w", table);
    /// assert_eq!(params.find("decoder.w"), Some(table));
    ///
    /// let (mut tape, mut grads) = (Tape::<f64>::new(), params.zeros());
    /// let r = tape.record(&params);
    /// let h = r.param(table).embedding(r.indices([1], &[1]));
    /// let scores = h.matmul(r.param(table).t());
    /// assert_eq!(scores.value(), Tensor::from([[0.0, 4.0, 2.0]]));
    /// ```
    #[doc(alias = "weight tying")]
    #[track_caller]
    pub fn tie(&mut self, name: impl Into<String>, id: ParamId) {
        let name = name.into();
        assert!(self.find(&name).is_none(), "tie: there is a parameter named {name:?} already");
        self.param_mut(id).ties.push(name);
    }

    /// All names of a parameter: the one that it was added with, then those tied to it.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    pub fn names(&self, id: ParamId) -> impl Iterator<Item = &str> {
        let param = self.param(id);
        std::iter::once(&param.name).chain(&param.ties).map(String::as_str)
    }
}

/// Prints a table of all parameters: names, shapes, how many elements, which are frozen.
///
/// ```
/// use quietgrad::{Params, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let table = params.add("embedding.table", Tensor::zeros([10, 4]));
/// let b = params.add("decoder.b", Tensor::zeros([10]));
/// params.tie("decoder.w", table);
/// params.freeze(b);
/// let text = params.to_string();
/// assert!(text.contains("embedding.table = decoder.w"));
/// assert!(text.contains("frozen") && text.contains("40 learn"));
/// ```
impl<T: Element> fmt::Display for Params<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new(["parameter", "shape", "elements", ""]);
        for id in self.ids() {
            let names = self.names(id).collect::<Vec<_>>().join(" = ");
            let state = if self.is_frozen(id) { "frozen" } else { "" };
            table.row([names, self.shape(id).to_string(), self.get(id).len().to_string(), state.into()]);
        }
        table.row([
            "all".into(),
            String::new(),
            self.len().to_string(),
            format!("{} learn", self.learning()),
        ]);
        write!(f, "{table}")
    }
}
