//! Drawing with `plotters` in pixels of the page: its SVG backend knows whole numbers alone, so that everything is drawn
//! larger and shown smaller.

use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, RGBColor};

use super::raster::Raster;
use super::style::Theme;

/// Units of the drawing in a pixel of the page.
const SCALE: f64 = 8.0;
/// What `plotters` divides a font's size by before it writes it.
const FONT: f64 = 1.24;

/// The smallest letters, in pixels.
pub(crate) const SMALL: f64 = 14.0;

/// How wide a text is, in pixels, in the widest of the fonts that it may be shown in.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'I' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '(' | ')' => 0.35,
            'm' | 'w' | 'M' | 'W' | '%' => 0.95,
            c if c.is_uppercase() => 0.68,
            '⁰'..='⁹' | '⁻' | '¹' | '²' | '³' => 0.42,
            _ => 0.62,
        })
        .sum();
    ems * size * if bold { 1.1 } else { 1.0 }
}

/// The text in lines of at most this width, in pixels.
pub(crate) fn lines(text: &str, size: f64, bold: bool, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size, bold) + width(word, size, bold) + 0.35 * size <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A page under construction. Places and sizes are in pixels, `y` from the top.
pub(crate) struct Page<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    pub theme: &'a Theme,
    images: Vec<(String, String)>,
}

fn unit(x: f64) -> i32 {
    (x * SCALE).round() as i32
}

fn place((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

impl Page<'_> {
    /// The SVG text of a page on which `draw` has drawn. `title` is what a screen reader says.
    pub fn draw(
        (width, height): (f64, f64),
        title: &str,
        theme: &Theme,
        draw: impl FnOnce(&mut Page),
    ) -> String {
        let mut svg = String::new();
        let size = (unit(width) as u32, unit(height) as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&theme.page).expect("memory");
        let mut page = Page { area, theme, images: Vec::new() };
        draw(&mut page);
        page.area.present().expect("memory");
        let images = std::mem::take(&mut page.images);
        drop(page);

        // The first line is the head, the line of each image a rectangle that keeps its place.
        let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\" role=\"img\">\n<title>{title}</title>",
            size.0, size.1
        );
        let rest = svg.split_once('\n').map_or("", |(_, rest)| rest).replace(" opacity=\"1\"", "");
        let mut whole = format!("{head}\n{rest}");
        for (rectangle, image) in images {
            whole = whole.replacen(&rectangle, &image, 1);
        }
        whole.replace("\n</text>", "</text>")
    }

    pub fn text(&self, at: (f64, f64), text: &str, size: f64, bold: bool, color: RGBColor, pos: Pos) {
        let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
        let font =
            ("Helvetica, Arial, DejaVu Sans, sans-serif", size * SCALE * FONT).into_font().style(style);
        let style = font.transform(FontTransform::None).color(&color).pos(pos);
        self.area.draw_text(text, &style, place(at)).expect("memory");
    }

    pub fn line(&self, points: &[(f64, f64)], color: RGBColor, thick: f64) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        let style = color.stroke_width((thick * SCALE) as u32);
        self.area.draw(&PathElement::new(points, style)).expect("memory");
    }

    pub fn polygon(&self, points: &[(f64, f64)], color: RGBColor, opacity: f64) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        self.area.draw(&Polygon::new(points, color.mix(opacity))).expect("memory");
    }

    pub fn rectangle(&self, a: (f64, f64), b: (f64, f64), color: RGBColor, opacity: f64) {
        let corners = [place((a.0.min(b.0), a.1.min(b.1))), place((a.0.max(b.0), a.1.max(b.1)))];
        self.area.draw(&Rectangle::new(corners, color.mix(opacity).filled())).expect("memory");
    }

    /// A dot with a thin edge in the page's colour, so that it is seen on others.
    pub fn dot(&self, at: (f64, f64), radius: f64, color: RGBColor) {
        let edge = Circle::new(place(at), ((radius + 1.0) * SCALE) as u32, self.theme.page.filled());
        self.area.draw(&edge).expect("memory");
        let dot = Circle::new(place(at), (radius * SCALE) as u32, color.filled());
        self.area.draw(&dot).expect("memory");
    }

    /// The backend would draw an image as one rectangle a pixel: a rectangle in a colour of its own keeps the place.
    pub fn image(&mut self, (left, top): (f64, f64), (right, bottom): (f64, f64), raster: &Raster) {
        let number = self.images.len() + 1;
        let color = RGBColor(1, (number / 256) as u8, (number % 256) as u8);
        self.rectangle((left, top), (right, bottom), color, 1.0);
        let (x, y) = place((left, top));
        let (width, height) = (unit(right) - x, unit(bottom) - y);
        let fill = format!("fill=\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2);
        let rectangle = format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {fill} stroke=\"none\"/>"
        );
        // Twice as fine as the page, so that a shown cell has sharp edges where the viewer smooths it.
        let zoom = (2.0 * (right - left) / raster.width as f64).ceil().max(1.0) as usize;
        let zoom = if raster.width > 100 { zoom.min(2) } else { zoom };
        let href = raster.uri(self.theme, zoom);
        let image = format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" href=\"{href}\"/>"
        );
        self.images.push((rectangle, image));
    }
}

/// How a text lies at its place.
pub(crate) const fn anchor(h: HPos, v: VPos) -> Pos {
    Pos { h_pos: h, v_pos: v }
}
