//! What a picture shows in one frame.

use super::axis::Axis;
use super::contour::contour;
use super::layer::{Label, Layer, Side};
use super::raster::{Raster, mosaic};
use super::style::{Ink, Ramp};

/// A frame with two axes, or a grid of small images.
///
/// What is added first lies behind what is added later. Words stand beside what they name, in its colour: there is no legend.
///
/// ```
/// use quietgrad_lab::report::{Axis, Ink, Panel};
///
/// let loss = [(0.0, 0.7), (1000.0, 0.3), (2000.0, 0.2)];
/// let panel = Panel::new(Axis::linear("epoch"), Axis::linear("loss"))
///     .title("Training")
///     .line(&loss, Ink::Story)
///     .label("with the penalty")
///     .band(&[(0.0, 0.6, 0.8), (2000.0, 0.1, 0.3)], Ink::Story)
///     .vertical(1500.0, "stopped here");
/// # let _ = panel;
/// ```
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) title: String,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Plot { x: Axis, y: Axis, layers: Vec<Layer> },
    Tiles { mosaics: Vec<Raster>, across: usize, captions: Vec<String> },
}

impl Panel {
    /// An empty frame.
    pub fn new(x: Axis, y: Axis) -> Self {
        Panel { title: String::new(), content: Content::Plot { x, y, layers: Vec::new() } }
    }

    /// Images of equal size beside and below each other, each of `height` rows of pixels, in `columns` columns. Each has
    /// the strength of its own largest number; 0 is the page's colour.
    ///
    /// ```
    /// use quietgrad_lab::report::{Panel, Ramp};
    ///
    /// let feature = |i: i32| (0..64).map(|j| f64::from((i * j) % 7) - 3.0).collect();
    /// let features: Vec<Vec<f64>> = (0..6).map(feature).collect();
    /// let tiles = Panel::tiles(&features, 8, 3, Ramp::Signed);
    /// # let _ = tiles;
    /// ```
    ///
    /// # Panics
    /// If the images are not all of the same whole number of rows, or there are none.
    #[track_caller]
    pub fn tiles(images: &[Vec<f64>], height: usize, columns: usize, ramp: Ramp) -> Self {
        let width = check(images, height, columns);
        let mosaics = vec![mosaic(images, width, columns, ramp)];
        Panel::of_tiles(mosaics, columns.min(images.len()), Vec::new())
    }

    /// As [`tiles`](Panel::tiles), all in one row, with words below each.
    ///
    /// # Panics
    /// If the images are not all of the same whole number of rows, or there are none.
    #[track_caller]
    pub fn captioned<S: AsRef<str>>(images: &[(S, Vec<f64>)], height: usize, ramp: Ramp) -> Self {
        let (words, images): (Vec<String>, Vec<Vec<f64>>) =
            images.iter().map(|(word, image)| (word.as_ref().to_owned(), image.clone())).unzip();
        let width = check(&images, height, images.len().max(1));
        let mosaics = images.chunks(1).map(|image| mosaic(image, width, 1, ramp)).collect();
        Panel::of_tiles(mosaics, images.len(), words)
    }

    fn of_tiles(mosaics: Vec<Raster>, across: usize, captions: Vec<String>) -> Self {
        Panel { title: String::new(), content: Content::Tiles { mosaics, across, captions } }
    }

    /// A number for each column and row of a table as a colour, with the number written into it; the first row is the
    /// uppermost. `range` are the numbers at the ends of the ramp.
    ///
    /// # Panics
    /// If there is not one number for each row and column.
    #[track_caller]
    pub fn heat_map<S: AsRef<str>>(
        values: &[Vec<f64>],
        columns: (impl Into<String>, &[S]),
        rows: (impl Into<String>, &[S]),
        range: (f64, f64),
        digits: usize,
    ) -> Self {
        let (wide, high) = (columns.1.len(), rows.1.len());
        assert!(
            values.len() == high && values.iter().all(|row| row.len() == wide),
            "heat_map: {high} rows of {wide}"
        );
        let (right, bottom) = (wide as f64 - 0.5, high as f64 - 0.5);
        let x = Axis::names(columns.0, columns.1).range(-0.5, right);
        let y = Axis::names(rows.0, rows.1).range(bottom, -0.5);
        let all: Vec<f64> = values.iter().flatten().copied().collect();
        let mut panel = Panel::new(x, y).image(&all, wide, range, Ramp::Pale, (-0.5, right), (bottom, -0.5));
        for (i, value) in all.iter().enumerate() {
            let at = ((i % wide) as f64, (i / wide) as f64);
            panel = panel.words(at, format!("{value:.digits$}").replace('-', "−"), Ink::Text, Side::On);
        }
        panel
    }

    /// A headline of this panel alone.
    pub fn title(self, title: impl Into<String>) -> Self {
        Panel { title: title.into(), ..self }
    }

    /// Points joined by a line. What is not finite interrupts it.
    pub fn line(self, points: &[(f64, f64)], ink: Ink) -> Self {
        self.add(Layer::Line { points: points.to_vec(), ink, label: None })
    }

    /// Points `(x, low, high)`: the area between the lows and the highs, pale.
    pub fn band(self, area: &[(f64, f64, f64)], ink: Ink) -> Self {
        self.add(Layer::Band { area: area.to_vec(), ink })
    }

    /// Points.
    pub fn dots(self, points: &[(f64, f64)], ink: Ink) -> Self {
        self.add(Layer::Dots { points: points.to_vec(), ink, size: 4.0, label: None })
    }

    /// Bars from 0: between one edge and the next, `heights[i]` high. One edge more than heights.
    ///
    /// # Panics
    /// If there is not one edge more than heights.
    #[track_caller]
    pub fn bars(self, edges: &[f64], heights: &[f64], ink: Ink) -> Self {
        assert_eq!(edges.len(), heights.len() + 1, "bars: an edge more than heights");
        let tops = edges.windows(2).zip(heights).flat_map(|(edge, &high)| [(edge[0], high), (edge[1], high)]);
        let (first, last) = ((edges[0], 0.0), (edges[heights.len()], 0.0));
        let points = [first].into_iter().chain(tops).chain([last]).collect();
        self.add(Layer::Area { points, ink, label: None })
    }

    /// How many of the numbers fall into each of `bins` equal parts of the range: [`bars`](Panel::bars).
    #[track_caller]
    pub fn histogram(self, numbers: &[f64], range: (f64, f64), bins: usize, ink: Ink) -> Self {
        let edges: Vec<f64> =
            (0..=bins).map(|i| range.0 + (range.1 - range.0) * i as f64 / bins as f64).collect();
        let mut counts = vec![0.0; bins];
        for x in numbers {
            let at = (x - range.0) / (range.1 - range.0) * bins as f64;
            if at >= 0.0 && at < bins as f64 {
                counts[at as usize] += 1.0;
            }
        }
        self.bars(&edges, &counts, ink)
    }

    /// Filled rectangles, from `x0` to `x1` and from `y0` to `y1` each.
    pub fn rects(self, rects: &[[f64; 4]], ink: Ink) -> Self {
        self.add(Layer::Rects { rects: rects.to_vec(), ink, label: None })
    }

    /// Dots with a horizontal interval: `(x, low, high, y)`.
    pub fn whiskers(self, bars: &[(f64, f64, f64, f64)], ink: Ink) -> Self {
        self.add(Layer::Whiskers { bars: bars.to_vec(), ink })
    }

    /// A thin vertical line, with words at its upper end.
    pub fn vertical(self, x: f64, text: impl Into<String>) -> Self {
        self.add(Layer::Rule { vertical: true, at: x, text: text.into() })
    }

    /// A thin horizontal line, with words at its left end.
    pub fn horizontal(self, y: f64, text: impl Into<String>) -> Self {
        self.add(Layer::Rule { vertical: false, at: y, text: text.into() })
    }

    /// Words beside a point.
    pub fn words(self, at: (f64, f64), text: impl Into<String>, ink: Ink, side: Side) -> Self {
        self.add(Layer::Words { at, text: text.into(), ink, side })
    }

    /// Numbers on a grid as colours, `width` in a row, the uppermost row first, over these parts of the axes. `range` are
    /// the numbers at the ends of the ramp.
    ///
    /// # Panics
    /// If the numbers do not fill the rows.
    #[track_caller]
    pub fn image(
        self,
        values: &[f64],
        width: usize,
        range: (f64, f64),
        ramp: Ramp,
        x: (f64, f64),
        y: (f64, f64),
    ) -> Self {
        assert!(
            width > 0 && !values.is_empty() && values.len().is_multiple_of(width),
            "image: {} numbers in rows of {width}",
            values.len()
        );
        self.add(Layer::Image { raster: Raster { width, values: values.to_vec(), range, ramp }, x, y })
    }

    /// A function of the plane as colours, and a line where it crosses the range's middle: a decision boundary, if it is a
    /// probability and the range is (0, 1).
    #[track_caller]
    pub fn field(self, x: (f64, f64), y: (f64, f64), range: (f64, f64), f: impl Fn(f64, f64) -> f64) -> Self {
        const SIDE: usize = 160;
        let at = |(lo, hi): (f64, f64), i: f64| lo + (hi - lo) * (i + 0.5) / SIDE as f64;
        let row = |i: f64| at((y.1, y.0), i);
        let values: Vec<f64> =
            (0..SIDE * SIDE).map(|i| f(at(x, (i % SIDE) as f64), row((i / SIDE) as f64))).collect();
        let panel = self.image(&values, SIDE, range, Ramp::Pale, x, y);
        contour(&values, SIDE, 0.5 * (range.0 + range.1)).into_iter().fold(panel, |panel, line| {
            let line: Vec<_> = line.into_iter().map(|(column, i)| (at(x, column), row(i))).collect();
            panel.line(&line, Ink::Text)
        })
    }

    /// Points as dots, and those that no other surpasses, a smaller x and a smaller y both being better, on a line: the
    /// Pareto front.
    pub fn pareto(self, points: &[(f64, f64)], ink: Ink) -> Self {
        let front = front(points);
        self.dots(points, Ink::Muted).line(&front, ink).dots(&front, ink)
    }

    /// Names what was added last. A line's name stands in the right margin, behind its last point.
    ///
    /// # Panics
    /// If there is nothing that has a name.
    #[track_caller]
    pub fn label(self, text: impl Into<String>) -> Self {
        self.name(Label { text: text.into(), place: None })
    }

    /// Names what was added last, beside its point that is nearest to this x.
    ///
    /// # Panics
    /// If there is nothing that has a name.
    #[track_caller]
    pub fn label_at(self, x: f64, text: impl Into<String>, side: Side) -> Self {
        self.name(Label { text: text.into(), place: Some((x, side)) })
    }

    #[track_caller]
    fn name(mut self, name: Label) -> Self {
        let Content::Plot { layers, .. } = &mut self.content else { panic!("label: a panel of tiles") };
        match layers.last_mut() {
            Some(
                Layer::Line { label, .. }
                | Layer::Dots { label, .. }
                | Layer::Area { label, .. }
                | Layer::Rects { label, .. },
            ) => *label = Some(name),
            _ => panic!("label: neither a line nor dots nor bars were added last"),
        }
        self
    }

    /// The radius of the dots that were added last, in pixels; 4 otherwise.
    pub fn size(mut self, radius: f64) -> Self {
        if let Content::Plot { layers, .. } = &mut self.content
            && let Some(Layer::Dots { size, .. }) = layers.last_mut()
        {
            *size = radius;
        }
        self
    }

    #[track_caller]
    fn add(mut self, layer: Layer) -> Self {
        match &mut self.content {
            Content::Plot { layers, .. } => layers.push(layer),
            Content::Tiles { .. } => panic!("a panel of tiles has no axes"),
        }
        self
    }
}

/// The width of images of this height, which all have one size.
#[track_caller]
fn check(images: &[Vec<f64>], height: usize, columns: usize) -> usize {
    let size = images.first().map_or(0, Vec::len);
    assert!(
        height > 0 && size > 0 && size.is_multiple_of(height),
        "tiles: images of {size} pixels in {height} rows"
    );
    assert!(
        columns > 0 && images.iter().all(|image| image.len() == size),
        "tiles: images of different sizes"
    );
    size / height
}

/// The points that no other surpasses, by x, if less is better on both axes.
///
/// ```
/// use quietgrad_lab::report::front;
///
/// assert_eq!(front(&[(1.0, 3.0), (2.0, 3.5), (3.0, 1.0)]), [(1.0, 3.0), (3.0, 1.0)]);
/// ```
pub fn front(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points: Vec<_> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    points.retain(|&(_, y)| {
        y < best && {
            best = y;
            true
        }
    });
    points
}
