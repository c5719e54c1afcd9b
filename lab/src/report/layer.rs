//! What can lie in a frame, one over the other.

use super::raster::Raster;
use super::style::Ink;

#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Line { points: Vec<(f64, f64)>, ink: Ink, label: Option<Label> },
    Band { area: Vec<(f64, f64, f64)>, ink: Ink },
    Dots { points: Vec<(f64, f64)>, ink: Ink, size: f64, label: Option<Label> },
    Rects { rects: Vec<[f64; 4]>, ink: Ink, label: Option<Label> },
    Area { points: Vec<(f64, f64)>, ink: Ink, label: Option<Label> },
    Whiskers { bars: Vec<(f64, f64, f64, f64)>, ink: Ink },
    Rule { vertical: bool, at: f64, text: String },
    Words { at: (f64, f64), text: String, ink: Ink, side: Side },
    Image { raster: Raster, x: (f64, f64), y: (f64, f64) },
}

/// The name of a layer, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub text: String,
    /// Above or below the point that is nearest to this x, or in the margin behind the last point.
    pub place: Option<(f64, Side)>,
}

/// On which side of its point a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Above it, centered.
    Above,
    /// Below it, centered.
    Below,
    /// Left of it.
    Left,
    /// Right of it.
    Right,
    /// Upon it.
    On,
}

/// Points beside which a name may stand, its colour, and the name.
type Named<'a> = (Vec<(f64, f64)>, Ink, &'a Label);

impl Layer {
    /// The numbers that a layer needs the axes to span.
    pub fn extent(&self, xs: &mut Vec<f64>, ys: &mut Vec<f64>) {
        match self {
            Layer::Line { points, .. } | Layer::Dots { points, .. } | Layer::Area { points, .. } => {
                xs.extend(points.iter().map(|(x, _)| x));
                ys.extend(points.iter().map(|(_, y)| y));
            }
            Layer::Band { area, .. } => {
                xs.extend(area.iter().map(|(x, ..)| x));
                ys.extend(area.iter().flat_map(|(_, lo, hi)| [lo, hi]));
            }
            Layer::Rects { rects, .. } => {
                xs.extend(rects.iter().flat_map(|rect| &rect[..2]));
                ys.extend(rects.iter().flat_map(|rect| &rect[2..]));
            }
            Layer::Whiskers { bars, .. } => {
                xs.extend(bars.iter().flat_map(|(_, lo, hi, _)| [lo, hi]));
                ys.extend(bars.iter().map(|(.., y)| y));
            }
            Layer::Image { x, y, .. } => {
                xs.extend([x.0, x.1]);
                ys.extend([y.0, y.1]);
            }
            Layer::Words { at, .. } => {
                xs.push(at.0);
                ys.push(at.1);
            }
            Layer::Rule { vertical: true, at, .. } => xs.push(*at),
            Layer::Rule { vertical: false, at, .. } => ys.push(*at),
        }
    }

    /// The points beside which a layer's name may stand, its colour and its name.
    pub fn named(&self) -> Option<Named<'_>> {
        match self {
            Layer::Line { points, ink, label: Some(label) }
            | Layer::Area { points, ink, label: Some(label) }
            | Layer::Dots { points, ink, label: Some(label), .. } => Some((points.clone(), *ink, label)),
            Layer::Rects { rects, ink, label: Some(label), .. } => Some((
                rects.iter().map(|&[x0, x1, _, y1]| (f64::midpoint(x0, x1), y1)).collect(),
                *ink,
                label,
            )),
            _ => None,
        }
    }

    /// The name of a layer that stands in the right margin.
    pub fn behind(&self) -> Option<&Label> {
        self.named().map(|(_, _, label)| label).filter(|label| label.place.is_none())
    }
}
