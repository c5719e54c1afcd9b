//! From numbers to places along a side of a panel.

/// A side of a panel: what it measures, from where to where, on which scale.
///
/// ```
/// use quietgrad_lab::report::Axis;
///
/// let epochs = Axis::linear("epoch").range(0.0, 4000.0);
/// let coefficient = Axis::log("coefficient").ticks(&[1e-6, 1e-3, 1.0]);
/// let accuracy = Axis::linear("accuracy").percent();
/// # let _ = (epochs, coefficient, accuracy);
/// ```
#[derive(Clone, Debug)]
pub struct Axis {
    pub(crate) label: String,
    pub(crate) log: bool,
    pub(crate) range: Option<(f64, f64)>,
    ticks: Option<Vec<f64>>,
    names: Vec<String>,
    percent: bool,
}

impl Axis {
    /// Equal steps are equally far from each other.
    pub fn linear(label: impl Into<String>) -> Self {
        let label = label.into();
        Axis { label, log: false, range: None, ticks: None, names: Vec::new(), percent: false }
    }

    /// Equal ratios are equally far from each other. What is not positive is left out.
    pub fn log(label: impl Into<String>) -> Self {
        Axis { log: true, ..Axis::linear(label) }
    }

    /// The numbers 0, 1, 2 … with a name for each.
    pub fn names<S: AsRef<str>>(label: impl Into<String>, names: &[S]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let ticks = (0..names.len()).map(|i| i as f64).collect();
        let range = Some((-0.6, names.len() as f64 - 0.4));
        Axis { ticks: Some(ticks), names, range, ..Axis::linear(label) }
    }

    /// From `lo` to `hi`, in place of what the data span; `lo > hi` turns the axis around.
    pub fn range(self, lo: f64, hi: f64) -> Self {
        Axis { range: Some((lo, hi)), ..self }
    }

    /// Where numbers stand at the axis, in place of round ones.
    pub fn ticks(self, at: &[f64]) -> Self {
        Axis { ticks: Some(at.to_vec()), ..self }
    }

    /// Numbers are written as percent.
    pub fn percent(self) -> Self {
        Axis { percent: true, ..self }
    }

    /// The range, or what these numbers span, with a little room at both ends.
    pub(crate) fn span(&self, data: &[f64]) -> (f64, f64) {
        if let Some(range) = self.range {
            return range;
        }
        let seen = data.iter().copied().filter(|&x| self.place(x).is_finite());
        let (lo, hi) = seen.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
        match (lo <= hi, self.log) {
            (false, true) => (1.0, 10.0),
            (false, false) => (0.0, 1.0),
            (true, true) => (lo / 1.15, hi * 1.15),
            (true, false) if lo == hi => (lo - 0.5, hi + 0.5),
            (true, false) => {
                let room = 0.04 * (hi - lo);
                // Data that begin at 0 begin at the corner.
                (if lo == 0.0 { 0.0 } else { lo - room }, hi + room)
            }
        }
    }

    /// Where a number lies on a scale with equal steps.
    pub(crate) fn place(&self, x: f64) -> f64 {
        if self.log { x.log10() } else { x }
    }

    /// The numbers to be written at an axis of this range, at most about `count` of them, with their words.
    pub(crate) fn marks(&self, (lo, hi): (f64, f64), count: usize) -> Vec<(f64, String)> {
        let (lo, hi) = (lo.min(hi), lo.max(hi));
        let chosen = self
            .ticks
            .clone()
            .unwrap_or_else(|| if self.log { decades(lo, hi, count) } else { round_numbers(lo, hi, count) });
        let slack = 1e-9 * (self.place(hi) - self.place(lo));
        let inside =
            |x: &f64| self.place(*x) >= self.place(lo) - slack && self.place(*x) <= self.place(hi) + slack;
        let numbers: Vec<f64> = chosen.into_iter().filter(inside).collect();
        let powers = self.log && !self.percent && numbers.iter().any(|&x| !(0.9e-3..=1.1e4).contains(&x));
        let digits = if self.log { None } else { Some(digits(&numbers, self.percent)) };
        numbers.iter().map(|&x| (x, self.word(x, powers, digits))).collect()
    }

    fn word(&self, x: f64, powers: bool, digits: Option<usize>) -> String {
        if !self.names.is_empty() {
            return self.names.get(x as usize).cloned().unwrap_or_default();
        }
        let number = match (self.percent, digits) {
            (true, Some(digits)) => format!("{:.digits$} %", 100.0 * x),
            (true, None) => format!("{} %", (x * 1e11).round() / 1e9),
            (false, _) if powers && x > 0.0 => power(x),
            (false, _) if x.abs() >= 1e7 => format!("{x:e}"),
            (false, Some(digits)) => format!("{x:.digits$}"),
            (false, None) => format!("{}", (x * 1e9).round() / 1e9),
        };
        number.replace('-', "−")
    }
}

/// A power of ten, or a multiple of one, in words: `10⁻³`, `3·10⁻³`.
fn power(x: f64) -> String {
    let exponent = (x.log10() + 1e-9).floor() as i32;
    let factor = x / 10f64.powi(exponent);
    let raised: String = exponent
        .to_string()
        .chars()
        .map(|c| "⁻⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth("-0123456789".find(c).unwrap()).unwrap())
        .collect();
    let power = match exponent {
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        _ => format!("10{raised}"),
    };
    match (factor.round() as i32, exponent) {
        (1, _) => power,
        (factor, 0) => factor.to_string(),
        (factor, _) => format!("{factor}·{power}"),
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn round_numbers(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let rough = (hi - lo) / count.max(1) as f64;
    let unit = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * unit).into_iter().find(|&step| step >= 0.999 * rough);
    let step = step.unwrap_or(unit);
    let first = (lo / step - 1e-9).ceil() as i64;
    let last = (hi / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten, every second or third of them if they are many; 1, 2 and 5 times them if they are few.
fn decades(lo: f64, hi: f64, count: usize) -> Vec<f64> {
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let number = (last - first) as usize;
    if number <= 2 {
        return (first..=last).flat_map(|d| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(d))).collect();
    }
    let every = number.div_ceil(count.max(1)).max(1) as i32;
    (first..=last).filter(|d| d.rem_euclid(every) == 0).map(|d| 10f64.powi(d)).collect()
}

/// How many digits behind the point tell these numbers apart.
fn digits(numbers: &[f64], percent: bool) -> usize {
    let factor = if percent { 100.0 } else { 1.0 };
    let whole = |digits: usize| {
        let scale = factor * 10f64.powi(digits as i32);
        numbers.iter().all(|x| (x * scale - (x * scale).round()).abs() < 1e-6)
    };
    (0..6).find(|&digits| whole(digits)).unwrap_or(6)
}
