//! One style for all pictures: colours that are told apart with any kind of colour vision, on a light page and a dark one.
//!
//! Source of the colours: M. Okabe and K. Ito, Color Universal Design (2008).

use plotters::style::RGBColor;

/// What a line, a dot or a word is to the picture's story. The page, light or dark, gives it its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// What the picture is about: vermilion on the light page, orange on the dark one.
    Story,
    /// What it is compared with: blue.
    Second,
    /// Green.
    Third,
    /// Reddish purple.
    Fourth,
    /// All others: gray.
    Muted,
    /// Black on the light page, white on the dark one.
    Text,
}

/// How a number becomes a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramp {
    /// From the page's colour, at the range's lower end, to blue.
    Amount,
    /// From blue over the page's colour, in the range's middle, to vermilion or orange.
    Signed,
    /// As [`Signed`](Ramp::Signed), but pale, so that dots and words on it are seen.
    Pale,
}

/// The colours of a page.
pub(crate) struct Theme {
    /// What the file's name ends with.
    pub name: &'static str,
    pub page: RGBColor,
    pub quiet: RGBColor,
    pub grid: RGBColor,
    inks: [RGBColor; 6],
    /// The ends of a ramp: the lowest of the signed one, and the highest of both.
    ends: [RGBColor; 3],
}

pub(crate) const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        page: RGBColor(255, 255, 255),
        quiet: RGBColor(89, 99, 110),
        grid: RGBColor(228, 231, 235),
        inks: [
            RGBColor(213, 94, 0),
            RGBColor(0, 114, 178),
            RGBColor(0, 134, 98),
            RGBColor(178, 84, 140),
            RGBColor(145, 152, 161),
            RGBColor(31, 35, 40),
        ],
        ends: [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 62, 110)],
    },
    Theme {
        name: "dark",
        page: RGBColor(13, 17, 23),
        quiet: RGBColor(157, 167, 179),
        grid: RGBColor(42, 49, 58),
        inks: [
            RGBColor(230, 159, 0),
            RGBColor(86, 180, 233),
            RGBColor(0, 178, 132),
            RGBColor(212, 138, 180),
            RGBColor(122, 132, 144),
            RGBColor(240, 243, 246),
        ],
        ends: [RGBColor(86, 180, 233), RGBColor(230, 159, 0), RGBColor(150, 212, 248)],
    },
];

/// Colours of a ramp. Behind the last of them stands the gap's, for what is no number.
pub(crate) const STEPS: usize = 128;

impl Theme {
    pub fn ink(&self, ink: Ink) -> RGBColor {
        self.inks[ink as usize]
    }

    /// What lies between tiles.
    pub fn gap(&self) -> RGBColor {
        mix(self.grid, self.quiet, 0.4)
    }

    /// The colours of a ramp, from its lower end to its upper one, and the gap's.
    pub fn palette(&self, ramp: Ramp) -> Vec<RGBColor> {
        let [low, high, amount] = self.ends;
        let color = |i: usize| {
            let at = i as f64 / (STEPS - 1) as f64;
            match ramp {
                Ramp::Amount => mix(self.page, amount, at),
                Ramp::Signed if at < 0.5 => mix(self.page, low, 1.0 - 2.0 * at),
                Ramp::Signed => mix(self.page, high, 2.0 * at - 1.0),
                Ramp::Pale if at < 0.5 => mix(self.page, low, 0.45 * (1.0 - 2.0 * at)),
                Ramp::Pale => mix(self.page, high, 0.45 * (2.0 * at - 1.0)),
            }
        };
        (0..STEPS).map(color).chain([self.gap()]).collect()
    }
}

/// `a`, and `share` of the way to `b`.
pub(crate) fn mix(a: RGBColor, b: RGBColor, share: f64) -> RGBColor {
    let between = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(between(a.0, b.0), between(a.1, b.1), between(a.2, b.2))
}
