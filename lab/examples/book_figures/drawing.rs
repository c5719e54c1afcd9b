//! Drawings of graphs and memory: circles, boxes, arrows and words, on a light page and on a dark one. Plots are made by
//! `quietgrad_lab::report`, whose colours these are.

use std::fmt::Write;

/// What a line or a word is to the drawing's story.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Text,
    Quiet,
    Faint,
    Story,
    Second,
}

struct Theme {
    page: &'static str,
    inks: [&'static str; 5],
}

const THEMES: [Theme; 2] = [
    Theme { page: "#ffffff", inks: ["#1f2328", "#59636e", "#c3c9d0", "#d55e00", "#0072b2"] },
    Theme { page: "#0d1117", inks: ["#f0f3f6", "#9da7b3", "#4a535e", "#e69f00", "#56b4e9"] },
];

pub type Point = (f64, f64);

/// Where a word is beside its point.
#[derive(Clone, Copy)]
pub enum At {
    Left,
    Middle,
    Right,
}

pub struct Drawing {
    svg: String,
    theme: &'static Theme,
}

/// A drawing for a light page and one for a dark page.
pub fn both(title: &str, (width, height): Point, draw: impl Fn(&mut Drawing)) -> [String; 2] {
    [0, 1].map(|theme| {
        let mut d = Drawing { svg: String::new(), theme: &THEMES[theme] };
        let size = format!(r#"viewBox="0 0 {width} {height}" width="{width}" height="{height}""#);
        let font = r#"font-family="DejaVu Sans, Helvetica, Arial, sans-serif""#;
        d.put(&format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">"#));
        d.put(&format!("<title>{title}</title>"));
        d.put(&format!(r#"<rect width="{width}" height="{height}" rx="8" fill="{}"/>"#, d.theme.page));
        d.words((20.0, 38.0), title, 20.0, Ink::Text, At::Left);
        draw(&mut d);
        d.put("</svg>");
        d.svg
    })
}

impl Drawing {
    fn put(&mut self, element: &str) {
        writeln!(self.svg, "{element}").expect("memory");
    }

    fn color(&self, ink: Ink) -> &'static str {
        self.theme.inks[ink as usize]
    }

    pub fn words(&mut self, (x, y): Point, text: &str, size: f64, ink: Ink, at: At) {
        let anchor = match at {
            At::Left => "start",
            At::Middle => "middle",
            At::Right => "end",
        };
        let weight = if size > 18.0 || ink == Ink::Story || ink == Ink::Second { "bold" } else { "normal" };
        let (text, color) = (text.replace('<', "&lt;"), self.color(ink));
        self.put(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" fill="{color}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    pub fn line(&mut self, from: Point, to: Point, ink: Ink, thick: f64) {
        let color = self.color(ink);
        self.put(&format!(
            r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{color}" stroke-width="{thick}"/>"#,
            from.0, from.1, to.0, to.1
        ));
    }

    /// From the edge of one circle of this radius to that of another.
    pub fn arrow(&mut self, from: Point, to: Point, radius: f64, ink: Ink, thick: f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        let (ux, uy) = (dx / length, dy / length);
        let at = |d: f64, side: f64| (from.0 + ux * d - uy * side, from.1 + uy * d + ux * side);
        let (tip, neck) = (length - radius - 2.0, length - radius - 11.0);
        self.line(at(radius + 1.0, 0.0), at(neck, 0.0), ink, thick);
        self.area(&[at(tip, 0.0), at(neck, 5.0), at(neck, -5.0)], ink, 1.0);
    }

    pub fn area(&mut self, points: &[Point], ink: Ink, opacity: f64) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let color = self.color(ink);
        self.put(&format!(
            r#"<polygon points="{}" fill="{color}" fill-opacity="{opacity}"/>"#,
            points.join(" ")
        ));
    }

    /// A circle with a word in it.
    pub fn node(&mut self, (x, y): Point, radius: f64, word: &str, ink: Ink) {
        let (page, color) = (self.theme.page, self.color(ink));
        let thick = if ink == Ink::Story || ink == Ink::Second { 3.0 } else { 1.5 };
        self.put(&format!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{page}" stroke="{color}" stroke-width="{thick}"/>"#
        ));
        self.words((x, y + 5.0), word, 15.0, Ink::Text, At::Middle);
    }

    /// A box, pale, with an outline.
    pub fn box_(&mut self, (x, y): Point, (width, height): Point, ink: Ink, opacity: f64) {
        let color = self.color(ink);
        self.put(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="3" fill="{color}" fill-opacity="{opacity}" stroke="{color}" stroke-width="1.5"/>"#
        ));
    }
}
