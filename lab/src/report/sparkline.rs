//! A curve in a line of text.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Numbers as a line of bars, the least of them the lowest, for a terminal; a space for what is not finite.
///
/// At most `width` bars: of more numbers, each bar is the mean of its share.
///
/// ```
/// use quietgrad_lab::report::sparkline;
///
/// assert_eq!(sparkline(&[1.0, 2.0, 4.0, 8.0], 10), "▁▂▄█");
/// assert_eq!(sparkline(&[0.0, 2.0, 7.0, 9.0, f64::NAN, f64::NAN], 3), "▁█ ");
/// ```
pub fn sparkline(numbers: &[f64], width: usize) -> String {
    let width = width.min(numbers.len());
    let bars: Vec<f64> = (0..width)
        .map(|i| {
            let share = &numbers[i * numbers.len() / width..(i + 1) * numbers.len() / width];
            share.iter().sum::<f64>() / share.len() as f64
        })
        .collect();
    let finite = || bars.iter().copied().filter(|x| x.is_finite());
    let (lo, hi) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let bar = |x: &f64| {
        if !x.is_finite() {
            return ' ';
        }
        let at = if hi > lo { (x - lo) / (hi - lo) } else { 0.0 };
        BARS[(at * 7.0).round() as usize]
    };
    bars.iter().map(bar).collect()
}
