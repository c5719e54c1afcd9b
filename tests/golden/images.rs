//! Convolutions, pooling and upsampling.

use quietgrad::ops::conv::{Convolution, EachAxis, Transposed};
use quietgrad::ops::pool::Pooling;
use quietgrad::ops::upsample::Align;
use quietgrad::{Var, reg};

use super::args::Args;
use super::nets::{Case, Outcome};

impl Args<'_> {
    /// Numbers for each axis, of an argument that is one number or a list; `otherwise` if there is none.
    fn each_axis<const D: usize>(self, name: &str, otherwise: usize) -> [usize; D] {
        if self.0[name].is_null() {
            return otherwise.each_axis();
        }
        let sizes = self.sizes(name);
        std::array::from_fn(|axis| sizes[axis.min(sizes.len() - 1)])
    }

    pub fn convolution<const D: usize>(self) -> Convolution<D> {
        Convolution::new()
            .stride(self.each_axis("stride", 1))
            .padding(self.each_axis("padding", 0))
            .dilation(self.each_axis("dilation", 1))
            .groups(if self.0["groups"].is_null() { 1 } else { self.size("groups") })
    }

    fn transposed<const D: usize>(self) -> Transposed<D> {
        Transposed::new()
            .stride(self.each_axis("stride", 1))
            .padding(self.each_axis("padding", 0))
            .output_padding(self.each_axis("output_padding", 0))
            .dilation(self.each_axis("dilation", 1))
            .groups(self.size("groups"))
    }

    /// Padding counts in the other engine unless it is told otherwise.
    pub fn pooling<const D: usize>(self) -> Pooling<D> {
        let window: [usize; D] = self.each_axis("kernel_size", 1);
        let stride = std::array::from_fn(|axis| self.each_axis::<D>("stride", window[axis])[axis]);
        let of = Pooling { stride, ..Pooling::new(window) }.padding(self.each_axis("padding", 0));
        Pooling {
            overhang: self.0["ceil_mode"] == true,
            count_padding: self.0["count_include_pad"] != false,
            ..of
        }
    }
}

/// The layer of a case, or none if it is of another kind.
pub fn run(case: &Case) -> Option<Outcome> {
    let args = case.args;
    let layer =
        |f: for<'r> fn(&[Var<'r, f64>], Args) -> Var<'r, f64>| Some(case.of_inputs(|x, _| vec![f(x, args)]));
    match case.op {
        "conv1d" => layer(|x, args| x[0].conv1d(x[1], x.get(2).copied(), args.convolution())),
        "conv2d_more" => layer(|x, args| x[0].conv2d(x[1], x.get(2).copied(), args.convolution())),
        "conv2d_padded" => layer(|x, args| {
            let pad = args.sizes("pad");
            let padding = [[pad[2], pad[3]], [pad[0], pad[1]]];
            x[0].conv2d(x[1], x[2], Convolution::new().stride(args.size("stride")).padding(padding))
        }),
        "conv_transpose1d" => {
            layer(|x, args| x[0].conv_transpose1d(x[1], x.get(2).copied(), args.transposed()))
        }
        "conv_transpose2d" => {
            layer(|x, args| x[0].conv_transpose2d(x[1], x.get(2).copied(), args.transposed()))
        }
        "max_pool1d" => layer(|x, args| x[0].max_pool1d(args.pooling())),
        "max_pool2d_more" => layer(|x, args| x[0].max_pool2d(args.pooling())),
        "avg_pool1d" => layer(|x, args| x[0].avg_pool1d(args.pooling())),
        "avg_pool2d_more" => layer(|x, args| x[0].avg_pool2d(args.pooling())),
        "global_avg_pool2d" => layer(|x, _| x[0].global_avg_pool2d().unsqueeze(2).unsqueeze(3)),
        "global_max_pool2d" => layer(|x, _| x[0].global_max_pool2d().unsqueeze(2).unsqueeze(3)),
        "upsample_nearest" => layer(|x, args| x[0].upsample_nearest(args.each_axis::<2>("scale", 1))),
        "upsample_bilinear" => layer(|x, args| {
            let align = if args.0["align_corners"] == true { Align::Corners } else { Align::Edges };
            x[0].upsample_bilinear(args.each_axis::<2>("size", 1), align)
        }),
        "feature_map_l1" => layer(|x, args| {
            let h = x[0].conv2d_relu(x[1], x[2], Convolution::new().padding(1));
            reg::l1(h).per_sample() * args.number("lam")
        }),
        _ => None,
    }
}
