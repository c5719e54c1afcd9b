//! Pictures and text curves: a figure is data and a few words.
//!
//! [`Figure::write`] makes two SVG files, for a light page and a dark one, which a page of Markdown shows as
//!
//! ```html
//! <picture>
//!   <source media="(prefers-color-scheme: dark)" srcset="figures/name-dark.svg">
//!   <img alt="what is seen, in a sentence" src="figures/name-light.svg">
//! </picture>
//! ```
//!
//! The style is the same for all: colours that are told apart with any kind of colour vision, one story a picture
//! ([`Ink::Story`]), names beside what they name, no letter smaller than 14 pixels at the figure's own width.
//!
//! ```
//! use quietgrad_lab::report::{Axis, Figure, Ink, Panel};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let stem = folder.path().join("loss");
//! let train: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), (-0.05 * f64::from(i)).exp())).collect();
//! let test: Vec<(f64, f64)> = train.iter().map(|&(x, y)| (x, y + 1e-3 * x)).collect();
//! Figure::new("The loss on new points stops falling")
//!     .note("100 points, one run")
//!     .panel(
//!         Panel::new(Axis::linear("epoch"), Axis::linear("loss").range(0.0, 1.0))
//!             .line(&train, Ink::Muted)
//!             .label("training")
//!             .line(&test, Ink::Story)
//!             .label("test"),
//!     )
//!     .write(stem)?; // loss-light.svg, loss-dark.svg
//! # Ok::<(), quietgrad_lab::Error>(())
//! ```
//!
//! In a terminal, [`sparkline`] draws a curve in a line.

mod axis;
mod contour;
mod draw;
mod figure;
mod layer;
mod page;
mod panel;
mod raster;
mod sparkline;
mod style;
mod table;

pub use axis::Axis;
pub use figure::Figure;
pub use layer::Side;
pub use panel::{Panel, front};
pub use sparkline::sparkline;
pub use style::{Ink, Ramp};
pub use table::Table;
