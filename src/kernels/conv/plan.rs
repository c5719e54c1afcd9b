//! Into which blocks the pixels of a map and the channels of an image are cut.

use std::ops::Range;

use crate::kernels::micro::conv::ConvKernel;
use crate::matrix::conv::ConvSize;

/// Elements of a block of columns: in `f32` a fourth of a second cache of 1 MiB.
const COLUMNS: usize = 1 << 16;

/// Most pixels of a block.
const MOST_PIXELS: usize = 512;

/// Blocks of pixels by blocks of channels.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Channels of a block, of those in a group; the last block may have fewer.
    pub channels: usize,
    pub channel_blocks: usize,
    /// Pixels of a block, of those of a map; the last block may have fewer.
    pixels: usize,
    pub blocks: usize,
    /// From a row of the columns to the next.
    pub pitch: usize,
    all_pixels: usize,
    all_channels: usize,
}

impl Plan {
    /// All channels in one block, and as many pixels as fit.
    pub fn of_pixels<K: ConvKernel>(s: &ConvSize) -> Plan {
        Plan::new::<K>(s, s.channels)
    }

    /// So many channels in a block that it fits with a fair number of pixels.
    pub fn of_channels<K: ConvKernel>(s: &ConvSize) -> Plan {
        let pixels = s.pixels().min(4 * K::MR);
        let most = COLUMNS / (pixels * s.taps()).max(1);
        let blocks = s.channels.div_ceil(most.max(1)).max(1);
        Plan::new::<K>(s, s.channels.div_ceil(blocks))
    }

    fn new<K: ConvKernel>(s: &ConvSize, channels: usize) -> Plan {
        let all_pixels = s.pixels();
        let depth = channels.saturating_mul(s.taps()).max(1);
        let most = (COLUMNS / depth / K::MR * K::MR).clamp(K::MR, MOST_PIXELS);
        // As equal as possible, and all but the last of whole tiles.
        let blocks = all_pixels.div_ceil(most).max(1);
        let pixels = all_pixels.div_ceil(blocks).next_multiple_of(K::MR);
        // After the pixels there is room for a vector; rows an odd number of vectors apart share few sets of a cache.
        let pitch = ((pixels.div_ceil(K::LANES) + 1) | 1) * K::LANES;
        Plan {
            channels,
            channel_blocks: s.channels.div_ceil(channels.max(1)).max(1),
            pixels,
            blocks: all_pixels.div_ceil(pixels.max(1)),
            pitch,
            all_pixels,
            all_channels: s.channels,
        }
    }

    /// The pixels of a block.
    pub fn pixels(&self, block: usize) -> Range<usize> {
        block * self.pixels..((block + 1) * self.pixels).min(self.all_pixels)
    }

    /// The channels of a block.
    pub fn channels(&self, block: usize) -> Range<usize> {
        block * self.channels..((block + 1) * self.channels).min(self.all_channels)
    }

    /// Elements of the columns.
    pub fn columns(&self, s: &ConvSize) -> usize {
        self.pitch * self.channels * s.taps()
    }
}
