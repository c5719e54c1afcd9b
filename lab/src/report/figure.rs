//! A picture: a headline, panels side by side, and two files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use plotters::style::text_anchor::{HPos, VPos};

use super::draw;
use super::page::{Page, SMALL, anchor, lines};
use super::panel::Panel;
use super::style::{Ink, THEMES, Theme};
use crate::Result;
use crate::files::replace;

/// The space around everything, in pixels.
const MARGIN: f64 = 20.0;
const TITLE: f64 = 20.0;

/// A picture of one or several [panels](Panel), 760 pixels wide.
///
/// ```
/// use quietgrad_lab::report::{Axis, Figure, Ink, Panel};
///
/// let panel = |name: &str| {
///     Panel::new(Axis::linear("x"), Axis::linear("x²")).title(name).line(&[(0.0, 0.0), (1.0, 1.0)], Ink::Story)
/// };
/// let figure = Figure::new("Two panels").panel(panel("left")).panel(panel("right")).height(240.0);
/// let [light, dark] = figure.svg();
/// assert!(light.starts_with("<svg") && dark.contains("Two panels"));
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    note: String,
    panels: Vec<Panel>,
    columns: Option<usize>,
    width: f64,
    height: f64,
}

impl Figure {
    /// A picture with this headline, which says what is seen.
    pub fn new(title: impl Into<String>) -> Self {
        Figure {
            title: title.into(),
            note: String::new(),
            panels: Vec::new(),
            columns: None,
            width: 760.0,
            height: 300.0,
        }
    }

    /// What must be known to read it: of what, how many runs, what a band means.
    pub fn note(self, note: impl Into<String>) -> Self {
        Figure { note: note.into(), ..self }
    }

    /// One more panel, right of the others.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// At most this many panels side by side, the others below them.
    ///
    /// # Panics
    /// For 0.
    #[track_caller]
    pub fn columns(self, columns: usize) -> Self {
        assert!(columns > 0, "columns: 0");
        Figure { columns: Some(columns), ..self }
    }

    /// Each panel's height in pixels; tiles are as high as they must be.
    pub fn height(self, height: f64) -> Self {
        Figure { height, ..self }
    }

    /// The picture's width in pixels; 760 otherwise.
    pub fn width(self, width: f64) -> Self {
        Figure { width, ..self }
    }

    /// Writes `stem-light.svg` and `stem-dark.svg`, each as a whole or not at all.
    ///
    /// # Errors
    /// If the folder does not exist or a file cannot be written ([`replace`](crate::files::replace)).
    pub fn write(&self, stem: impl AsRef<Path>) -> Result<()> {
        for (theme, svg) in THEMES.iter().zip(self.svg()) {
            let mut path = OsString::from(stem.as_ref());
            path.push(format!("-{}.svg", theme.name));
            replace(PathBuf::from(path), |file| file.write_all(svg.as_bytes()))?;
        }
        Ok(())
    }

    /// The texts of the two files, for a light page and for a dark one.
    pub fn svg(&self) -> [String; 2] {
        [self.draw(&THEMES[0]), self.draw(&THEMES[1])]
    }

    fn draw(&self, theme: &Theme) -> String {
        let room = self.width - 2.0 * MARGIN;
        let title = lines(&self.title, TITLE, true, room);
        let note = lines(&self.note, SMALL, false, room);
        let top = MARGIN + 26.0 * title.len() as f64 + 20.0 * note.len() as f64 + 10.0;
        let columns = self.columns.unwrap_or(self.panels.len()).clamp(1, self.panels.len().max(1));
        let gap = 20.0;
        let wide = (room - gap * (columns - 1) as f64) / columns as f64;
        let rows: Vec<(&[Panel], f64)> = self
            .panels
            .chunks(columns)
            .map(|row| {
                (row, row.iter().map(|panel| draw::height(panel, wide, self.height)).fold(0.0, f64::max))
            })
            .collect();
        let height = top + rows.iter().map(|(_, height)| height + gap).sum::<f64>() - gap + MARGIN;

        Page::draw((self.width, height.round()), &self.title, theme, |page| {
            let left = anchor(HPos::Left, VPos::Top);
            for (i, line) in title.iter().enumerate() {
                page.text((MARGIN, MARGIN + 26.0 * i as f64), line, TITLE, true, theme.ink(Ink::Text), left);
            }
            for (i, line) in note.iter().enumerate() {
                let y = MARGIN + 26.0 * title.len() as f64 + 2.0 + 20.0 * i as f64;
                page.text((MARGIN, y), line, SMALL, false, theme.quiet, left);
            }
            let mut y = top;
            for (row, height) in rows {
                for (i, panel) in row.iter().enumerate() {
                    let x = MARGIN + (wide + gap) * i as f64;
                    draw::panel(page, panel, (x, y), (wide, height));
                }
                y += height + gap;
            }
        })
    }
}
