//! A dark version of a picture that was drawn for a light page: each colour keeps its hue and turns its lightness around.

/// The text of an SVG file, for a dark page.
pub fn dark(svg: &str) -> String {
    let mut pieces = svg.split('#');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let color = piece.get(..6).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match color {
            Some(color) => out += &format!("#{:06x}{}", turned(color), &piece[6..]),
            None => out += &format!("#{piece}"),
        }
    }
    out
}

/// White becomes the dark page's colour, black nearly white; a hue stays.
fn turned(color: u32) -> u32 {
    const PAGE: [f64; 3] = [13.0, 17.0, 23.0];
    let rgb = [16, 8, 0].map(|shift| f64::from(color >> shift & 0xff) / 255.0);
    let (most, least) = (rgb.iter().copied().fold(0.0, f64::max), rgb.iter().copied().fold(1.0, f64::min));
    // Of HSL: to add the same to all three keeps hue and chroma.
    let shift = 1.0 - (most + least);
    let channels = rgb.iter().zip(PAGE).map(|(x, page)| {
        let turned = (x + shift).clamp(0.0, 1.0);
        (page + (245.0 - page) * turned).round() as u32
    });
    channels.fold(0, |color, channel| color << 8 | channel)
}
