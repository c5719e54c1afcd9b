//! Rows parted for training, validation and test, and put into batches: by number, so that the data stay where they are.
//!
//! Everything is drawn from a seed, and an epoch's order from the seed and the epoch's number alone: a run that goes on after a
//! stop sees what it would have seen.

use quietgrad::Random;

/// The rows of a data set in three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is learned from.
    pub train: Vec<usize>,
    /// What choices are made by.
    pub validation: Vec<usize>,
    /// What is looked at once, at the end.
    pub test: Vec<usize>,
}

/// One of several partings: each row is held out in exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What is learned from.
    pub train: Vec<usize>,
    /// What is held out.
    pub held_out: Vec<usize>,
}

/// Parts `rows` rows at random: these shares of them for validation and test, to the nearest row, the rest for training.
///
/// # Panics
/// If a share is not in [0, 1), or nothing is left for training.
///
/// ```
/// use quietgrad_lab::data::split::split;
///
/// let parts = split(100, 0.1, 0.2, 7);
/// assert_eq!((parts.train.len(), parts.validation.len(), parts.test.len()), (70, 10, 20));
/// ```
#[track_caller]
pub fn split(rows: usize, validation: f64, test: f64, seed: u64) -> Split {
    parts(Random::new(seed).permutation(rows), validation, test)
}

/// As [`split`], so that each class has its share of each part, to the row before or after.
///
/// # Panics
/// As [`split`].
///
/// ```
/// use quietgrad_lab::data::split::stratified_split;
///
/// let classes: Vec<usize> = (0..100).map(|row| usize::from(row < 10)).collect();
/// let parts = stratified_split(&classes, 0.0, 0.2, 7);
/// assert_eq!(parts.test.iter().filter(|&&row| classes[row] == 1).count(), 2);
/// ```
#[track_caller]
pub fn stratified_split(classes: &[usize], validation: f64, test: f64, seed: u64) -> Split {
    parts(by_class(classes, seed), validation, test)
}

/// `folds` partings at random; each holds out as many rows as the others, or one more.
///
/// # Panics
/// If there are fewer than two folds, or fewer rows than folds.
///
/// ```
/// use quietgrad_lab::data::split::k_folds;
///
/// let folds = k_folds(10, 3, 7);
/// assert_eq!(folds.iter().map(|fold| fold.held_out.len()).collect::<Vec<_>>(), [4, 3, 3]);
/// ```
#[track_caller]
pub fn k_folds(rows: usize, folds: usize, seed: u64) -> Vec<Fold> {
    folds_of(&Random::new(seed).permutation(rows), folds)
}

/// As [`k_folds`], so that each class is spread over the folds evenly, to one row.
///
/// # Panics
/// As [`k_folds`].
#[track_caller]
pub fn stratified_k_folds(classes: &[usize], folds: usize, seed: u64) -> Vec<Fold> {
    folds_of(&by_class(classes, seed), folds)
}

/// The rows in random order within each class, one class after the other.
fn by_class(classes: &[usize], seed: u64) -> Vec<usize> {
    let mut order = Random::new(seed).permutation(classes.len());
    order.sort_by_key(|&row| classes[row]);
    order
}

/// Deals rows in this order: each goes to the part that is furthest behind its share. So do those of any stretch, and of
/// any class.
#[track_caller]
fn parts(order: Vec<usize>, validation: f64, test: f64) -> Split {
    for share in [validation, test] {
        assert!((0.0..1.0).contains(&share), "a share of {share} is not in [0, 1)");
    }
    let rows = order.len();
    let shares = [1.0 - validation - test, validation, test];
    assert!(shares[0] > 0.0, "nothing is left for training");
    // To the nearest row, whatever the order of dealing leaves of fractions.
    let wanted = [validation, test].map(|share| (share * rows as f64).round() as usize);
    assert!(wanted[0] + wanted[1] < rows, "nothing is left of {rows} rows for training");
    let wanted = [rows - wanted[0] - wanted[1], wanted[0], wanted[1]];
    let mut dealt = [const { Vec::new() }; 3];
    for (number, row) in order.into_iter().enumerate() {
        let behind =
            |part: usize| (number + 1) as f64 * wanted[part] as f64 / rows as f64 - dealt[part].len() as f64;
        let part = (0..3).max_by(|&a, &b| behind(a).total_cmp(&behind(b))).expect("three parts");
        dealt[part].push(row);
    }
    let [train, validation, test] = dealt;
    Split { train, validation, test }
}

#[track_caller]
fn folds_of(order: &[usize], folds: usize) -> Vec<Fold> {
    assert!(folds >= 2, "{folds} folds: at least two are needed");
    assert!(order.len() >= folds, "{} rows cannot be spread over {folds} folds", order.len());
    let fold = |number: usize| {
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for (i, &row) in order.iter().enumerate() {
            if i % folds == number { &mut held_out } else { &mut train }.push(row);
        }
        Fold { train, held_out }
    };
    (0..folds).map(fold).collect()
}

/// Rows in batches, shuffled anew for each epoch.
///
/// ```
/// use quietgrad_lab::data::split::Batches;
///
/// let batches = Batches::new(10, 4, 7);
/// let epoch = batches.epoch(0);
/// let sizes: Vec<usize> = epoch.batches().map(<[usize]>::len).collect();
/// assert_eq!(sizes, [4, 4, 2], "the short one is kept");
/// assert_eq!(epoch, Batches::new(10, 4, 7).epoch(0));
/// assert_ne!(epoch, batches.epoch(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    rows: usize,
    size: usize,
    seed: u64,
}

/// The batches of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    order: Vec<usize>,
    size: usize,
}

impl Batches {
    /// Batches of `size` rows of `rows`.
    ///
    /// # Panics
    /// If there are no rows, or batches have none: an epoch would be over without a step.
    #[track_caller]
    pub fn new(rows: usize, size: usize, seed: u64) -> Self {
        assert!(rows > 0 && size > 0, "batches of {size} rows of {rows}: an epoch without a step");
        Batches { rows, size, seed }
    }

    /// How many batches an epoch has.
    pub fn count(&self) -> usize {
        self.rows.div_ceil(self.size)
    }

    /// The batches of an epoch.
    pub fn epoch(&self, number: u64) -> Epoch {
        Epoch { order: of_epoch(self.seed, number).permutation(self.rows), size: self.size }
    }
}

impl Epoch {
    /// The rows of each batch, to be handed to [`Tensor::select_rows`](quietgrad::Tensor::select_rows).
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.order.chunks(self.size)
    }
}

/// The generator of an epoch's order: of the seed and the epoch's number, and of nothing that happened before.
pub(crate) fn of_epoch(seed: u64, epoch: u64) -> Random {
    Random::new(Random::new(seed).bits().wrapping_add(epoch))
}
