//! Classes found against classes that are true.

use std::fmt;

use quietgrad::Element;

/// The share of classes found that are the true ones: NaN if there are none.
///
/// ```
/// use quietgrad_lab::train::metrics::accuracy;
///
/// assert_eq!(accuracy(&[0, 1, 1, 2], &[0, 1, 2, 2]), 0.75);
/// assert!(accuracy(&[], &[]).is_nan());
/// ```
///
/// # Panics
/// If there are not as many of both.
#[track_caller]
pub fn accuracy(found: &[usize], truth: &[usize]) -> f64 {
    expect_pairs("accuracy", found.len(), truth.len());
    let right = found.iter().zip(truth).filter(|(found, truth)| found == truth).count();
    right as f64 / truth.len() as f64
}

/// How often each true class was taken for each class.
///
/// ```
/// use quietgrad_lab::train::metrics::Confusion;
///
/// let mut confusion = Confusion::new(2);
/// confusion.add(&[0, 0, 1, 1], &[0, 0, 0, 1]); // found, true
/// assert_eq!(confusion.count(0, 1), 1, "one of class 0 was taken for class 1");
/// assert_eq!(confusion.accuracy(), 0.75);
/// assert_eq!((confusion.recall(0), confusion.precision(1)), (2.0 / 3.0, 0.5));
/// assert_eq!(confusion.balanced_accuracy(), (2.0 / 3.0 + 1.0) / 2.0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// A row for each true class, a column for each class found.
    counts: Vec<u64>,
}

impl Confusion {
    /// Of this many classes, none counted yet.
    pub fn new(classes: usize) -> Self {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a batch.
    ///
    /// # Panics
    /// If there are not as many of both, or a class is not below the number of classes.
    #[track_caller]
    pub fn add(&mut self, found: &[usize], truth: &[usize]) {
        expect_pairs("confusion", found.len(), truth.len());
        for (&found, &truth) in found.iter().zip(truth) {
            let classes = self.classes;
            assert!(found.max(truth) < classes, "confusion: class {} of {classes}", found.max(truth));
            self.counts[truth * classes + found] += 1;
        }
    }

    /// How often `truth` was taken for `found`.
    ///
    /// # Panics
    /// If a class is not below the number of classes.
    #[track_caller]
    pub fn count(&self, truth: usize, found: usize) -> u64 {
        assert!(truth < self.classes && found < self.classes, "confusion: no such class");
        self.counts[truth * self.classes + found]
    }

    /// The share of all that was taken for what it is: the diagonal over the sum. NaN if nothing was counted.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Of those that are of this class, the share that was found to be. NaN if there are none.
    ///
    /// # Panics
    /// As [`count`](Self::count).
    #[track_caller]
    pub fn recall(&self, class: usize) -> f64 {
        let all: u64 = (0..self.classes).map(|found| self.count(class, found)).sum();
        self.count(class, class) as f64 / all as f64
    }

    /// Of those that were found to be of this class, the share that is. NaN if there are none.
    ///
    /// # Panics
    /// As [`count`](Self::count).
    #[track_caller]
    pub fn precision(&self, class: usize) -> f64 {
        let all: u64 = (0..self.classes).map(|truth| self.count(truth, class)).sum();
        self.count(class, class) as f64 / all as f64
    }

    /// The mean recall of the classes that occur: chance is one over their number, whatever their sizes. NaN if nothing was
    /// counted.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> =
            (0..self.classes).map(|class| self.recall(class)).filter(|recall| !recall.is_nan()).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }
}

/// A row for each true class, a column for each class found.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.counts.iter().max().map_or(1, |most| most.to_string().len());
        let row = |counts: &[u64]| {
            counts.iter().map(|count| format!("{count:>width$}")).collect::<Vec<_>>().join(" ")
        };
        self.counts.chunks(self.classes.max(1)).try_for_each(|counts| writeln!(f, "{}", row(counts)))
    }
}

/// The area under the receiver operating characteristic: the probability that a positive has a larger score than a negative,
/// ties counted as half.
///
/// ```text
/// AUC = (Σ ranks of the positives − P (P + 1) / 2) / (P N),  tied scores having the mean of their ranks
/// ```
///
/// NaN if all are of one class, or a score is NaN. Source: J. Hanley and B. McNeil, The meaning and use of the area under a
/// receiver operating characteristic (ROC) curve, 1982.
///
/// ```
/// use quietgrad_lab::train::metrics::auc;
///
/// assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), 0.75);
/// assert_eq!(auc(&[0.5, 0.5, 0.5], &[false, true, false]), 0.5, "ties say nothing");
/// assert!(auc(&[0.1, 0.2], &[true, true]).is_nan());
/// ```
///
/// # Panics
/// If there are not as many of both.
#[track_caller]
pub fn auc<T: Element>(scores: &[T], positive: &[bool]) -> f64 {
    expect_pairs("auc", scores.len(), positive.len());
    if scores.iter().any(|score| score.is_nan()) {
        return f64::NAN;
    }
    let mut sorted: Vec<(f64, bool)> =
        scores.iter().zip(positive).map(|(score, &positive)| (score.to_f64(), positive)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the number of pairs in which the positive is larger: whole numbers, without rounding.
    let (mut twice, mut negatives) = (0u128, 0u128);
    // −0 and 0 tie, though they are sorted apart.
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let positives = tied.iter().filter(|(_, positive)| *positive).count() as u128;
        let others = tied.len() as u128 - positives;
        twice += positives * (2 * negatives + others);
        negatives += others;
    }
    twice as f64 / 2.0 / ((sorted.len() as u128 - negatives) as f64 * negatives as f64)
}

#[track_caller]
pub(super) fn expect_pairs(what: &str, found: usize, truth: usize) {
    assert!(found == truth, "{what}: {found} found, {truth} true ones");
}
