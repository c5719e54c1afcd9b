//! What a recording knows of zeros: which values' entries have been found, and where cotangents need entries only.
//!
//! A matrix product asks for the entries of its first operand when it is recorded. They are looked for if the operand
//! is of a kind that tends to have zeros, a sample of its rows has many, and the [rule](crate::kernels::cost::finding_pays)
//! says that the product gains. What was found is remembered for as long as the recording lasts, so that all later ops use it
//! too.

use std::fmt;
use std::sync::OnceLock;

use smallvec::SmallVec;

use super::memory::{EntryValues, Pool};
use super::node::{Kind, Node, NodeId};
use super::values::{MOST_LISTED, Values};

use crate::kernels::cost::{finding_pays, worth_a_look};
use crate::kernels::{screen, support};
use crate::matrix::{Accum, Products, Sparse, Support};
use crate::ops::Output;
use crate::pointwise::Demand;
use crate::tensor::View;

/// When a tape looks for zeros, to skip them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipZeros {
    /// Where that is faster.
    WherePays,
    /// Never: every product is dense.
    Never,
    /// Wherever it can: for tests, and for measurements.
    Always,
}

/// Where it pays, unless `QUIETGRAD_ZEROS` (`never`, `always`) says otherwise: for tests and benchmarks. Any other word panics.
impl Default for SkipZeros {
    fn default() -> Self {
        static DEFAULT: OnceLock<SkipZeros> = OnceLock::new();
        *DEFAULT.get_or_init(|| {
            let asked = std::env::var_os("QUIETGRAD_ZEROS").unwrap_or_default();
            match asked.to_str() {
                Some("") => SkipZeros::WherePays,
                Some("never") => SkipZeros::Never,
                Some("always") => SkipZeros::Always,
                _ => panic!("QUIETGRAD_ZEROS is \"{}\", not `never` or `always`", asked.display()),
            }
        })
    }
}

/// What is known of one node. (Small: there is one for each node, made anew in each recording.)
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KnownZeros {
    /// The density, as far as a sample tells.
    estimate: Option<f32>,
    /// Its entries, if they have been found: the number of the support, and of the values.
    entries: Option<(u32, u32)>,
    /// The product that the entries were found for. A node before it that is computed again, since its segment is, is not told
    /// of them: it was not the first time.
    found_for: u32,
    /// Whether the whole gradient was asked for.
    pub kept: bool,
    /// The part of its elements that were computed, if it was screened.
    screened: Option<f32>,
    /// Whether it has not been computed, and will be when it is read.
    pub waits: bool,
}

impl KnownZeros {
    /// The number of its support, if its entries have been found.
    pub fn support(&self) -> Option<usize> {
        self.entries.map(|(support, _)| support as usize)
    }
}

/// The densities by which a product's parts were shortened: of the operand whose zeros were skipped. `None` for a part
/// that was dense, or was not computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Skipping {
    /// y = a b
    pub forward: Option<f64>,
    /// ga = gy bᵀ
    pub left: Option<f64>,
    /// gb = aᵀ gy
    pub right: Option<f64>,
    /// If y was [screened](crate::kernels::screen): the part of it that was computed, and was not zero for certain.
    pub screened: Option<f64>,
}

impl Skipping {
    /// The parts of the cotangents of a and b.
    pub(crate) fn backward(&self, k: usize) -> Option<f64> {
        [self.left, self.right].get(k).copied().flatten()
    }
}

/// In words: `skips zeros: y at 5.0 %, ga at 5.0 %, gb at 5.0 %`, or of a screened layer `screened: 15.9 % computed; skips
/// zeros: gb at 5.0 %`; empty if nothing was skipped.
impl fmt::Display for Skipping {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts = [("y", self.forward), ("ga", self.left), ("gb", self.right)];
        let mut lead = "skips zeros: ";
        if let Some(computed) = self.screened {
            write!(f, "screened: {:.1} % computed", 100.0 * computed)?;
            lead = "; skips zeros: ";
        }
        for (name, density) in parts {
            if let Some(density) = density {
                write!(f, "{lead}{name} at {:.1} %", 100.0 * density)?;
                lead = ", ";
            }
        }
        Ok(())
    }
}

/// What a recording knows of zeros: of each node, and the entries that were found.
#[derive(Debug, Default)]
pub(crate) struct Zeros<T> {
    pub when: SkipZeros,
    /// Whether the whole gradient of any node was asked for.
    pub keeps: bool,
    /// One for each node of this recording or, if that was longer, the last one.
    nodes: Vec<KnownZeros>,
    /// Whether anything is known of any node.
    any_known: bool,
    pub supports: Pool<Support>,
    values: Pool<EntryValues<T>>,
}

impl<T: Products> Zeros<T> {
    /// Begins a recording.
    pub fn start(&mut self) {
        self.supports.clear();
        self.values.clear();
        self.keeps = false;
        if self.any_known {
            self.nodes.fill(KnownZeros::default());
            self.any_known = false;
        }
    }

    /// Whether any entries have been found.
    #[inline]
    pub fn any(&self) -> bool {
        !self.supports.is_empty()
    }

    /// Makes room for what will be known of a new node.
    pub fn enter(&mut self, id: NodeId) {
        if id.index() == self.nodes.len() {
            self.nodes.push(KnownZeros::default());
        }
    }

    /// What is known of a node.
    #[inline]
    pub fn known(&self, id: NodeId) -> &KnownZeros {
        &self.nodes[id.index()]
    }

    /// What is known of a node, to be added to.
    fn learn(&mut self, id: NodeId) -> &mut KnownZeros {
        self.any_known = true;
        &mut self.nodes[id.index()]
    }

    /// The whole gradient of a node is to be kept: entries of it alone are not demanded any more, neither by products that
    /// read it nor by those that read what was made from it.
    pub fn keep(&mut self, id: NodeId) {
        self.learn(id).kept = true;
        self.keeps = true;
    }

    /// Notes that a node was screened, and which part of its elements was computed.
    pub fn screened(&mut self, id: NodeId, computed: f32) {
        self.learn(id).screened = Some(computed);
    }

    /// A node waits to be computed until it is read.
    pub fn wait(&mut self, id: NodeId) {
        self.learn(id).waits = true;
    }

    /// A node is read. Says whether it has waited, and is to be computed now: all of it, if it was screened before.
    #[inline]
    pub fn end_wait(&mut self, id: NodeId) -> bool {
        let known = &mut self.nodes[id.index()];
        let waited = std::mem::take(&mut known.waits);
        if waited {
            known.screened = None;
        }
        waited
    }

    /// Whether a node's op may wait, and leads to a gain where what follows it has many zeros.
    pub fn may_wait(&self, node: &Node) -> bool {
        let pays = |size| match self.when {
            SkipZeros::Never => false,
            SkipZeros::WherePays => screen::pays(size, 0.0), // no density is less
            SkipZeros::Always => true,
        };
        node.waits && node.product.is_some_and(pays)
    }

    /// The entries of a node, if they have been found.
    #[inline]
    pub fn entries(&self, id: NodeId) -> Option<Sparse<'_, T>> {
        let (support, values) = self.known(id).entries?;
        let EntryValues { values, by_row, .. } = &self.values.all[values as usize];
        Some(Sparse { support: &self.supports.all[support as usize], values, by_row })
    }

    /// Calls `f` with the values of a node's inputs, each with the entries that have been found, or, if the node is being
    /// computed, that it may know of.
    pub fn with_views(
        &self,
        values: Values<T>,
        nodes: &[Node],
        node: &Node,
        computed: Option<NodeId>,
        f: impl FnOnce(&[View<T>]),
    ) {
        let known = |&id: &NodeId| {
            let knows = computed.is_none_or(|reader| self.known(id).found_for <= reader.0);
            if knows { self.entries(id) } else { None }
        };
        let mut entries: SmallVec<[_; MOST_LISTED]> = SmallVec::new();
        entries.extend(node.inputs.iter().map(known));
        let mut views: SmallVec<[View<T>; MOST_LISTED]> = SmallVec::new();
        for (&id, sparse) in node.inputs.iter().zip(&entries) {
            views.push(View { sparse: sparse.as_ref(), ..values.view_of(nodes, id) });
        }
        f(&views);
    }

    /// A node's values at the entries of a support, if they are its own entries.
    pub fn values_at(&self, id: NodeId, support: usize) -> Option<&[T]> {
        let (own, values) = self.known(id).entries?;
        (own as usize == support).then(|| &self.values.all[values as usize].values[..])
    }

    /// The support that a node's cotangent is wanted at, if it is not wanted everywhere: that of its own entries, if its op
    /// reads it there alone, or hands it on to an op that does.
    pub fn demanded(&self, nodes: &[Node], id: NodeId) -> Option<usize> {
        let (node, known) = (&nodes[id.index()], self.known(id));
        let support = known.support()?;
        let alone = node.zeros.reads == Demand::Support
            || node.zeros.output == Output::KeepsZeros
                && self.demanded(nodes, *node.inputs.first()?) == Some(support);
        (alone && !known.kept && node.is_active()).then_some(support)
    }

    /// How a product was shortened, if its output's cotangent consisted of the entries of `cotangent`.
    pub fn skipping(&self, nodes: &[Node], id: NodeId, cotangent: Option<usize>) -> Skipping {
        let node = &nodes[id.index()];
        if node.zeros.product().is_none() {
            return Skipping::default();
        }
        let [a, b] = [node.inputs[0], node.inputs[1]];
        let density = |support: usize| self.supports.all[support].density();
        let of_a = self.known(a).support().map(density);
        let own = if node.zeros.reads == Demand::Support { self.known(id).support() } else { None };
        let of_gy = cotangent.or(own).map(density);
        let at_a = self.demanded(nodes, a).map(density);
        let active = |input: NodeId, density: Option<f64>| {
            density.filter(|_| node.is_active() && nodes[input.index()].is_active())
        };
        let screened = self.known(id).screened.map(f64::from);
        Skipping {
            forward: of_a,
            left: active(a, of_gy.or(at_a)),
            right: active(b, of_gy.or(of_a)),
            screened,
        }
    }

    /// Whether there is anything to do for a node before it is computed, or anything that its op must be told.
    #[inline]
    pub fn concerns(&self, node: &Node) -> bool {
        self.any_known || node.product.is_some_and(|size| self.looks(size))
    }

    /// Whether entries are looked for, for a product of this size.
    fn looks(&self, size: [usize; 3]) -> bool {
        match self.when {
            SkipZeros::Never => false,
            SkipZeros::WherePays => worth_a_look(size),
            SkipZeros::Always => true,
        }
    }

    /// What is to be done before a node is computed: if it is a product, looks for the entries of its first input. Says whether
    /// it is a product that may be screened, having found none.
    pub fn before(&mut self, nodes: &[Node], id: NodeId, values: Values<T>) -> bool {
        let node = &nodes[id.index()];
        let Some(size) = node.product.filter(|&size| self.looks(size)) else { return false };
        self.look(nodes, node.inputs[0], size, values, id).is_none()
    }

    /// Finds a node's entries, if that pays for a product of this size, the node `reader`.
    fn look(
        &mut self,
        nodes: &[Node],
        id: NodeId,
        size: [usize; 3],
        values: Values<T>,
        reader: NodeId,
    ) -> Option<(u32, u32)> {
        let node = &nodes[id.index()];
        if let Some(found) = self.known(id).entries {
            return (self.known(id).found_for <= reader.0).then_some(found);
        }
        if node.strides.is_some() || node.shape.rank() == 0 {
            return None;
        }
        let found = match (&node.kind, node.zeros.output) {
            (Kind::Constant, _) | (_, Output::Sparse) => self.find(values.elements(node), id, size)?,
            (_, Output::KeepsZeros) => {
                let input = &nodes[node.inputs[0].index()];
                if input.shape.elements() != node.shape.elements() {
                    return None;
                }
                if input.shape.last() == node.shape.last() {
                    let (support, of_input) = self.look(nodes, node.inputs[0], size, values, reader)?;
                    let values =
                        if node.aliases { of_input } else { self.derive(values.elements(node), support) };
                    (support, values)
                } else if has_zeros(nodes, node.inputs[0]) {
                    // Other rows, as of a flattened feature map: entries of its own.
                    self.find(values.elements(node), id, size)?
                } else {
                    return None;
                }
            }
            (_, Output::Any) => return None,
        };
        let known = self.learn(id);
        (known.entries, known.found_for) = (Some(found), reader.0);
        Some(found)
    }

    /// Finds the entries of a matrix, if they are few enough to gain; gives the numbers of the support and of its values.
    fn find(&mut self, x: &[T], id: NodeId, size: [usize; 3]) -> Option<(u32, u32)> {
        let cols = size[1];
        if u32::try_from(x.len()).is_err() {
            return None; // more elements than a support can number
        }
        if self.when == SkipZeros::WherePays {
            let known = self.learn(id);
            let density = *known.estimate.get_or_insert_with(|| support::estimate_density(x, cols) as f32);
            if !finding_pays(size, density.into()) {
                return None;
            }
        }
        let (of_support, of_values) = (self.supports.take(), self.values.take());
        let EntryValues { support, values, by_row } = &mut self.values.all[of_values];
        *support = of_support;
        support::find(x, cols, &mut self.supports.all[of_support], values, by_row);
        Some((of_support as u32, of_values as u32))
    }

    /// Picks the values of a node at the entries of a support outside of which it is zero; gives their number.
    fn derive(&mut self, x: &[T], support: u32) -> u32 {
        let number = self.values.take();
        let (values, found) = (&mut self.values.all[number], &self.supports.all[support as usize]);
        values.set_support(support as usize, found);
        support::gather(x, found, &mut values.values, Accum::Replace);
        number as u32
    }
}

/// Whether a node is of a kind that tends to have zeros, or keeps those of one that is.
fn has_zeros(nodes: &[Node], mut id: NodeId) -> bool {
    loop {
        let node = &nodes[id.index()];
        match (&node.kind, node.zeros.output, node.inputs.first()) {
            (Kind::Constant, ..) | (_, Output::Sparse, _) => return true,
            (_, Output::KeepsZeros, Some(&input)) => id = input,
            _ => return false,
        }
    }
}
