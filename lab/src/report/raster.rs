//! Numbers on a grid as one image, whatever their number: a thousand rectangles would be a hundred times as long.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::style::{Ramp, STEPS, Theme};

/// Numbers on a grid, row by row from the top, and how they become colours.
#[derive(Clone, Debug)]
pub(crate) struct Raster {
    pub width: usize,
    pub values: Vec<f64>,
    pub range: (f64, f64),
    pub ramp: Ramp,
}

impl Raster {
    pub fn height(&self) -> usize {
        self.values.len() / self.width
    }

    /// A PNG file with `zoom` x `zoom` pixels a number, as a data URI. NaN has the colour of a gap.
    pub fn uri(&self, theme: &Theme, zoom: usize) -> String {
        let (lo, hi) = self.range;
        let index = |x: &f64| {
            let at = (x - lo) / (hi - lo);
            if at.is_nan() { STEPS as u8 } else { (at.clamp(0.0, 1.0) * (STEPS - 1) as f64).round() as u8 }
        };
        let mut pixels = Vec::with_capacity(self.values.len() * zoom * zoom);
        for row in self.values.chunks_exact(self.width) {
            let row: Vec<u8> =
                row.iter().map(index).flat_map(|index| (0..zoom).map(move |_| index)).collect();
            (0..zoom).for_each(|_| pixels.extend_from_slice(&row));
        }
        let colors = theme.palette(self.ramp);
        let palette: Vec<u8> = colors.iter().flat_map(|color| [color.0, color.1, color.2]).collect();
        let mut file = Vec::new();
        let mut encoder =
            png::Encoder::new(&mut file, (self.width * zoom) as u32, (self.height() * zoom) as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter); // best for the numbers of a palette
        encoder.set_palette(palette);
        let mut writer = encoder.write_header().expect("a palette of an image that is not empty");
        writer.write_image_data(&pixels).expect("as many pixels as the header says");
        writer.finish().expect("memory");
        format!("data:image/png;base64,{}", STANDARD.encode(file))
    }
}

/// Images of one size beside and below each other as one, with a cell of NaN between them; each from its own smallest to its
/// own largest number, and symmetric around 0 on a ramp with a middle.
pub(crate) fn mosaic(tiles: &[Vec<f64>], width: usize, columns: usize, ramp: Ramp) -> Raster {
    let height = tiles[0].len() / width;
    let (across, down) = (columns.min(tiles.len()), tiles.len().div_ceil(columns));
    let (wide, high) = (across * (width + 1) - 1, down * (height + 1) - 1);
    let mut values = vec![f64::NAN; wide * high];
    for (i, tile) in tiles.iter().enumerate() {
        let largest = tile.iter().fold(0.0, |largest: f64, x| largest.max(x.abs())).max(f64::MIN_POSITIVE);
        let (left, top) = ((i % columns) * (width + 1), (i / columns) * (height + 1));
        for (j, x) in tile.iter().enumerate() {
            values[(top + j / width) * wide + left + j % width] = x / largest;
        }
    }
    Raster { width: wide, values, range: (if ramp == Ramp::Amount { 0.0 } else { -1.0 }, 1.0), ramp }
}
