//! A panel on a page.

use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::layer::{Layer, Side};
use super::page::{Page, SMALL, anchor, lines, width};
use super::panel::{Content, Panel};
use super::raster::Raster;
use super::style::{Ink, mix};

const HEADING: f64 = 16.0;
const LINE: f64 = 21.0;
/// Between tiles, in pixels.
const SLIT: f64 = 4.0;

/// How high a panel of this width is: tiles are as high as they must be, plots as high as is asked for.
pub(crate) fn height(panel: &Panel, wide: f64, asked: f64) -> f64 {
    match &panel.content {
        Content::Plot { .. } => asked,
        Content::Tiles { mosaics, across, captions } => {
            let words = if captions.is_empty() { 0.0 } else { LINE + 4.0 };
            heading_height(panel, wide) + tile_size(&mosaics[0], mosaics.len(), *across, wide).1 + words
        }
    }
}

fn heading_height(panel: &Panel, wide: f64) -> f64 {
    LINE * lines(&panel.title, HEADING, true, wide).len() as f64
        + if panel.title.is_empty() { 0.0 } else { 6.0 }
}

/// The size of each image beside others, where a row holds this many tiles.
fn tile_size(mosaic: &Raster, images: usize, across: usize, wide: f64) -> (f64, f64) {
    let wide = wide.min(130.0 * across as f64);
    let wide = (wide + SLIT) / images as f64 - SLIT;
    (wide, wide * mosaic.height() as f64 / mosaic.width as f64)
}

pub(crate) fn panel(page: &mut Page, panel: &Panel, (x, mut y): (f64, f64), (wide, high): (f64, f64)) {
    let bottom = y + high;
    for line in lines(&panel.title, HEADING, true, wide) {
        page.text((x, y), &line, HEADING, true, page.theme.ink(Ink::Text), anchor(HPos::Left, VPos::Top));
        y += LINE;
    }
    if !panel.title.is_empty() {
        y += 6.0;
    }
    match &panel.content {
        Content::Tiles { mosaics, across, captions } => {
            let (w, h) = tile_size(&mosaics[0], mosaics.len(), *across, wide);
            for (i, mosaic) in mosaics.iter().enumerate() {
                let left = x + (w + SLIT) * i as f64;
                // A frame, so that a tile ends where the page's colour begins in it.
                let frame = ((left - 1.0, y - 1.0), (left + w + 1.0, y + h + 1.0));
                page.rectangle(frame.0, frame.1, page.theme.gap(), 1.0);
                page.image((left, y), (left + w, y + h), mosaic);
                if let Some(words) = captions.get(i) {
                    let at = (left + w / 2.0, y + h + 6.0);
                    page.text(at, words, SMALL, false, page.theme.quiet, anchor(HPos::Center, VPos::Top));
                }
            }
        }
        Content::Plot { x: across, y: up, layers } => {
            Frame::new(across, up, layers, (x, y), (x + wide, bottom)).draw(page, layers);
        }
    }
}

/// The frame of a plot: where it lies on the page, and what its sides mean.
struct Frame<'a> {
    across: &'a Axis,
    up: &'a Axis,
    x: (f64, f64),
    y: (f64, f64),
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl<'a> Frame<'a> {
    fn new(
        across: &'a Axis,
        up: &'a Axis,
        layers: &[Layer],
        (left, top): (f64, f64),
        (right, bottom): (f64, f64),
    ) -> Self {
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        layers.iter().for_each(|layer| layer.extent(&mut xs, &mut ys));
        let mut frame = Frame { across, up, x: across.span(&xs), y: up.span(&ys), left, right, top, bottom };
        frame.top += if up.label.is_empty() { 8.0 } else { 28.0 };
        frame.bottom -= if across.label.is_empty() { 24.0 } else { 46.0 };
        let beside = frame.up_marks().iter().map(|(_, word)| width(word, SMALL, false)).fold(0.0, f64::max);
        let behind =
            layers.iter().filter_map(Layer::behind).map(|label| width(&label.text, SMALL, true) + 8.0);
        // Half of the room at most, whatever there is to be written.
        let most = 0.25 * (right - left);
        frame.right -= behind.fold(12.0, f64::max).min(most);
        frame.left += (beside + 8.0).min(most);
        frame
    }

    fn across_marks(&self) -> Vec<(f64, String)> {
        self.across.marks(self.x, ((self.right - self.left) / 70.0) as usize)
    }

    fn up_marks(&self) -> Vec<(f64, String)> {
        self.up.marks(self.y, ((self.bottom - self.top) / 45.0) as usize)
    }

    /// Where a point lies on the page.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |axis: &Axis, (lo, hi): (f64, f64), x: f64| {
            (axis.place(x) - axis.place(lo)) / (axis.place(hi) - axis.place(lo))
        };
        let (x, y) = (share(self.across, self.x, x), share(self.up, self.y, y));
        (self.left + x * (self.right - self.left), self.bottom + y * (self.top - self.bottom))
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        x >= self.left - 0.5 && x <= self.right + 0.5 && y >= self.top - 0.5 && y <= self.bottom + 0.5
    }

    fn clamp(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom))
    }

    fn draw(&self, page: &mut Page, layers: &[Layer]) {
        for layer in layers {
            if let Layer::Image { raster, x, y } = layer {
                page.image(self.at((x.0, y.1)), self.at((x.1, y.0)), raster);
            }
        }
        let covered = layers.iter().any(|layer| matches!(layer, Layer::Image { .. }));
        self.axes(page, covered);
        for layer in layers {
            self.layer(page, layer);
        }
        self.names(page, layers);
    }

    fn axes(&self, page: &Page, covered: bool) {
        let (grid, quiet) = (page.theme.grid, page.theme.quiet);
        for (x, word) in self.across_marks() {
            let (at, _) = self.at((x, self.y.0));
            if !covered {
                page.line(&[(at, self.top), (at, self.bottom)], grid, 1.0);
            }
            page.text((at, self.bottom + 8.0), &word, SMALL, false, quiet, anchor(HPos::Center, VPos::Top));
        }
        for (y, word) in self.up_marks() {
            let (_, at) = self.at((self.x.0, y));
            if !covered {
                page.line(&[(self.left, at), (self.right, at)], grid, 1.0);
            }
            page.text((self.left - 8.0, at), &word, SMALL, false, quiet, anchor(HPos::Right, VPos::Center));
        }
        page.line(&[(self.left, self.bottom), (self.right, self.bottom)], quiet, 1.0);
        page.line(&[(self.left, self.top), (self.left, self.bottom)], quiet, 1.0);
        let below = (f64::midpoint(self.left, self.right), self.bottom + 29.0);
        page.text(below, &self.across.label, SMALL, false, quiet, anchor(HPos::Center, VPos::Top));
        let above = (self.left, self.top - 24.0);
        page.text(above, &self.up.label, SMALL, false, quiet, anchor(HPos::Left, VPos::Top));
    }

    fn layer(&self, page: &Page, layer: &Layer) {
        match layer {
            Layer::Image { .. } => {}
            Layer::Line { points, ink, .. } => {
                let thick = if *ink == Ink::Muted { 1.5 } else { 2.5 };
                let points: Vec<_> = points.iter().map(|&point| self.at(point)).collect();
                for run in self.runs(&points) {
                    page.line(&run, page.theme.ink(*ink), thick);
                }
            }
            Layer::Band { area, ink } => {
                let seen = || {
                    area.iter().filter(|(x, lo, hi)| {
                        self.at((*x, *lo)).0.is_finite() && lo.is_finite() && hi.is_finite()
                    })
                };
                let edge = |x: f64, y: f64| {
                    let at = self.at((x, y));
                    // What a logarithmic axis cannot show lies below it.
                    self.clamp((at.0, if at.1.is_finite() { at.1 } else { self.bottom }))
                };
                let upper = seen().map(|&(x, _, hi)| edge(x, hi));
                let lower = seen().rev().map(|&(x, lo, _)| edge(x, lo));
                let outline: Vec<_> = upper.chain(lower).collect();
                if outline.len() > 2 {
                    page.polygon(&outline, page.theme.ink(*ink), 0.22);
                }
            }
            Layer::Dots { points, ink, size, .. } => {
                for at in points.iter().map(|&point| self.at(point)).filter(|&at| self.holds(at)) {
                    page.dot(at, *size, page.theme.ink(*ink));
                }
            }
            Layer::Area { points, ink, .. } => {
                let outline: Vec<_> = points.iter().map(|&point| self.clamp(self.at(point))).collect();
                page.polygon(&outline, page.theme.ink(*ink), 0.3);
                page.line(&outline, page.theme.ink(*ink), 1.5);
            }
            Layer::Rects { rects, ink, .. } => {
                for &[x0, x1, y0, y1] in rects {
                    let (a, b) = (self.clamp(self.at((x0, y0))), self.clamp(self.at((x1, y1))));
                    page.rectangle(a, b, page.theme.ink(*ink), 1.0);
                }
            }
            Layer::Whiskers { bars, ink } => {
                let color = page.theme.ink(*ink);
                for &(x, lo, hi, y) in bars {
                    page.line(&[self.clamp(self.at((lo, y))), self.clamp(self.at((hi, y)))], color, 2.5);
                    if self.holds(self.at((x, y))) {
                        page.dot(self.at((x, y)), 5.0, color);
                    }
                }
            }
            Layer::Rule { vertical, at, text } => self.rule(page, *vertical, *at, text),
            Layer::Words { at, text, ink, side } => words(page, self.at(*at), text, *ink, *side),
        }
    }

    fn rule(&self, page: &Page, vertical: bool, value: f64, text: &str) {
        let (x, y) =
            self.at((if vertical { value } else { self.x.0 }, if vertical { self.y.0 } else { value }));
        let color = mix(page.theme.grid, page.theme.quiet, 0.6);
        let (from, to) =
            if vertical { ((x, self.top), (x, self.bottom)) } else { ((self.left, y), (self.right, y)) };
        page.line(&[from, to], color, 1.5);
        let wide = width(text, SMALL, false);
        let (at, h, v) = match vertical {
            // On the side where there is room for it.
            true if x + wide + 6.0 > self.right => ((x - 6.0, self.top + 2.0), HPos::Right, VPos::Top),
            true => ((x + 6.0, self.top + 2.0), HPos::Left, VPos::Top),
            false => ((self.left + 6.0, y - 4.0), HPos::Left, VPos::Bottom),
        };
        page.text(at, text, SMALL, false, page.theme.quiet, anchor(h, v));
    }

    /// The names of the layers: beside a chosen point, or in the right margin, where they make room for each other.
    fn names(&self, page: &Page, layers: &[Layer]) {
        let mut margin = Vec::new();
        for (points, ink, label) in layers.iter().filter_map(Layer::named) {
            let seen =
                || points.iter().map(|&point| (point, self.at(point))).filter(|(_, at)| at.1.is_finite());
            match label.place {
                Some((x, side)) => {
                    let (wanted, _) = self.at((x, self.y.0));
                    let nearest =
                        seen().min_by(|a, b| (a.1.0 - wanted).abs().total_cmp(&(b.1.0 - wanted).abs()));
                    if let Some((_, at)) = nearest {
                        words(page, self.clamp(at), &label.text, ink, side);
                    }
                }
                None => {
                    if let Some((_, at)) = seen().next_back() {
                        margin.push((self.clamp(at).1, ink, &label.text));
                    }
                }
            }
        }
        margin.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted: Vec<f64> = margin.iter().map(|(y, ..)| *y).collect();
        for (y, (_, ink, text)) in spread(&wanted, 18.0, (self.top, self.bottom)).into_iter().zip(margin) {
            let color = if ink == Ink::Muted { page.theme.quiet } else { page.theme.ink(ink) };
            let at = (self.right + 8.0, y);
            page.text(at, text, SMALL, ink != Ink::Muted, color, anchor(HPos::Left, VPos::Center));
        }
    }

    /// The pieces of a line that lie inside the frame, cut at its edges.
    fn runs(&self, points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let mut runs = Vec::new();
        let mut run: Vec<(f64, f64)> = Vec::new();
        for pair in points.windows(2) {
            let finite = |p: (f64, f64)| p.0.is_finite() && p.1.is_finite();
            let piece = if finite(pair[0]) && finite(pair[1]) { self.cut(pair[0], pair[1]) } else { None };
            match piece {
                Some((from, to)) => {
                    if run.last() != Some(&from) {
                        runs.push(std::mem::replace(&mut run, vec![from]));
                    }
                    run.push(to);
                }
                None => runs.push(std::mem::take(&mut run)),
            }
        }
        runs.push(run);
        runs.retain(|run| run.len() > 1);
        runs
    }

    /// The part of a segment that is inside (Liang and Barsky, 1984).
    fn cut(&self, a: (f64, f64), b: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut from, mut to) = (0.0f64, 1.0f64);
        let sides =
            [(-dx, a.0 - self.left), (dx, self.right - a.0), (-dy, a.1 - self.top), (dy, self.bottom - a.1)];
        for (p, q) in sides {
            if p == 0.0 && q < -0.5 {
                return None;
            }
            if p < 0.0 {
                from = from.max(q / p);
            } else if p > 0.0 {
                to = to.min(q / p);
            }
        }
        let point = |t: f64| {
            if t == 0.0 {
                a
            } else if t == 1.0 {
                b
            } else {
                (a.0 + t * dx, a.1 + t * dy)
            }
        };
        (from <= to).then(|| (point(from), point(to)))
    }
}

/// Words beside a place on the page.
fn words(page: &Page, (x, y): (f64, f64), text: &str, ink: Ink, side: Side) {
    let (at, h, v) = match side {
        Side::Above => ((x, y - 8.0), HPos::Center, VPos::Bottom),
        Side::Below => ((x, y + 8.0), HPos::Center, VPos::Top),
        Side::Left => ((x - 9.0, y), HPos::Right, VPos::Center),
        Side::Right => ((x + 9.0, y), HPos::Left, VPos::Center),
        Side::On => ((x, y), HPos::Center, VPos::Center),
    };
    let color = if ink == Ink::Muted { page.theme.quiet } else { page.theme.ink(ink) };
    page.text(at, text, SMALL, ink != Ink::Muted, color, anchor(h, v));
}

/// Places from the top, each at least `gap` below the one before it, as near to the wanted ones as the space lets them be.
fn spread(wanted: &[f64], gap: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    // Neighbours that would overlap form a block around their mean; blocks that overlap are joined.
    let mut blocks: Vec<(f64, usize)> = Vec::new(); // the sum of the wanted places less their offsets, and the number
    let start = |(sum, n): (f64, usize)| {
        let first = sum / n as f64;
        first.clamp(top, (bottom - gap * (n - 1) as f64).max(top))
    };
    for &y in wanted {
        blocks.push((y, 1));
        while let [.., (a, m), (b, n)] = blocks[..] {
            if start((a, m)) + gap * m as f64 <= start((b, n)) {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((a + b - gap * (m * n) as f64, m + n));
        }
    }
    for block in blocks {
        places.extend((0..block.1).map(|i| start(block) + gap * i as f64));
    }
    places
}
