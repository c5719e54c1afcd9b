//! Convolutions and pooling: small truths, and the kernels on awkward geometries, on every instruction set, against plain loops.

use quietgrad::nn::{Conv1d, Conv2d, ConvTranspose2d, Init};
use quietgrad::ops::conv::{Convolution, Padding, Transposed};
use quietgrad::ops::pool::Pooling;
use quietgrad::{Params, Real, Tape, Tensor, Var};

use crate::kernels::operands::Random;
use crate::on_every_isa;

/// What `f` makes of x, and the gradients of the sum of that.
fn value_and_gradients<T: Real>(
    tape: &mut Tape<T>,
    x: &[&Tensor<T>],
    f: impl for<'r> Fn(&[Var<'r, T>]) -> Var<'r, T>,
) -> (Tensor<T>, Vec<Tensor<T>>) {
    let params = Params::new();
    let r = tape.record(&params);
    let x: Vec<_> = x.iter().map(|x| r.input(x)).collect();
    let y = f(&x);
    y.sum().backward(&mut params.zeros());
    (y.value(), x.iter().map(|x| x.gradient().expect("a gradient")).collect())
}

fn of_f64(
    x: &[&Tensor<f64>],
    f: impl for<'r> Fn(&[Var<'r, f64>]) -> Var<'r, f64>,
) -> (Tensor<f64>, Vec<Tensor<f64>>) {
    value_and_gradients(&mut Tape::new(), x, f)
}

#[test]
fn a_dilated_convolution_with_padding_and_stride_is_what_it_is_by_hand() {
    let x = Tensor::from([[[7.0, 3.0]], [[3.0, 2.0]]]);
    let w = Tensor::from([[[3.0, 6.0]], [[4.0, 2.0]]]);
    let of = Convolution::new().padding(1).stride(2).dilation(2);
    let (y, gradients) = of_f64(&[&x, &w], |x| x[0].conv1d(x[1], None, of));
    assert_eq!(y, Tensor::from([[[18.0], [6.0]], [[12.0], [4.0]]]));
    assert_eq!(gradients[1], Tensor::from([[[0.0, 5.0]], [[0.0, 5.0]]]));
    assert_eq!(gradients[0], Tensor::from([[[0.0, 8.0]], [[0.0, 8.0]]]));
}

#[test]
fn inputs_that_a_stride_leaves_over_get_no_gradient() {
    let (x, w) = (Tensor::full([1, 1, 7], 2.0), Tensor::full([1, 1, 4], 1.0));
    let (y, gradients) = of_f64(&[&x, &w], |x| x[0].conv1d(x[1], None, Convolution::new().stride(4)));
    assert_eq!(y, Tensor::from([[[8.0]]]));
    assert_eq!(gradients[0], Tensor::from([[[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]]]));
}

#[test]
fn the_two_same_paddings_differ_with_a_stride() {
    let (x, w) = (Tensor::from([[[1.0, 2.0, 3.0, 4.0]]]), Tensor::full([1, 1, 3], 1.0));
    let of = |padding| Convolution::new().stride(2).padding(padding);
    let y = |padding| of_f64(&[&x, &w], |x| x[0].conv1d(x[1], None, of(padding))).0;
    assert_eq!(y(Padding::SameAtEnd), Tensor::from([[[6.0, 7.0]]]));
    assert_eq!(y(Padding::SameBothSides), Tensor::from([[[3.0, 9.0]]]));
}

#[test]
fn an_even_kernel_is_padded_once_more_at_the_end() {
    let (x, w) = (Tensor::from([[[1.0, 2.0, 4.0]]]), Tensor::from([[[1.0, 10.0]]]));
    for padding in [Padding::SameAtEnd, Padding::SameBothSides] {
        let of = Convolution::new().padding(padding);
        let (y, _) = of_f64(&[&x, &w], |x| x[0].conv1d(x[1], None, of));
        assert_eq!(y, Tensor::from([[[21.0, 42.0, 4.0]]]));
    }
}

#[test]
fn padding_never_wins_a_maximum() {
    let x = Tensor::from([[[-1.0, -2.0]]]);
    let of = Pooling::new(3).stride(1).padding(1);
    let (y, gradients) = of_f64(&[&x], |x| x[0].max_pool1d(of));
    assert_eq!(y, Tensor::from([[[-1.0, -1.0]]]));
    assert_eq!(gradients[0], Tensor::from([[[2.0, 0.0]]]));
}

#[test]
fn of_equal_elements_the_first_in_row_order_wins() {
    let x = Tensor::from([[[[3.0, 3.0, 0.0], [3.0, 3.0, 0.0], [0.0, 0.0, 0.0]]]]);
    for (of, expected) in [
        (Pooling::new(2), [[1.0, 0.0, 0.0], [0.0; 3], [0.0; 3]]),
        (Pooling::new(2).stride(1), [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0; 3]]),
    ] {
        let (_, gradients) = of_f64(&[&x], |x| x[0].max_pool2d(of));
        assert_eq!(gradients[0], Tensor::from([[expected]]), "{of:?}");
    }
}

#[test]
fn a_nan_in_a_window_is_its_maximum_and_gets_the_gradient() {
    for place in 0..4 {
        let x = Tensor::from_fn([1, 1, 2, 2], |i| if i == place { f64::NAN } else { i as f64 });
        for of in [Pooling::new(2), Pooling::new(2).stride(1)] {
            let (y, gradients) = of_f64(&[&x], |x| x[0].max_pool2d(of));
            assert!(y.data()[0].is_nan());
            let expected = Tensor::from_fn([1, 1, 2, 2], |i| f64::from(u8::from(i == place)));
            assert_eq!(gradients[0], expected);
        }
    }
}

/// Pooling by two of images whose elements are often equal, against its definition: long and short rows, odd sizes, and planes
/// that several rounds of the kernel share.
#[test]
fn max_pooling_by_two_is_as_defined() {
    fn check<T: Real>(shape: [usize; 4], random: &mut Random) {
        let [batch, channels, height, width] = shape;
        let [rows, cols] = [height / 2, width / 2];
        let [x, weights] = [shape, [batch, channels, rows, cols]].map(|shape| {
            let data = random.integers::<T>(shape.iter().product());
            Tensor::new(shape, data).expect("as many as the shape says")
        });
        let (y, gradients) = value_and_gradients(&mut Tape::new(), &[&x, &weights], |x| {
            x[0].max_pool2d(Pooling::new(2)) * x[1]
        });
        let mut gx = vec![T::ZERO; x.data().len()];
        for (window, (&y, &weight)) in y.data().iter().zip(weights.data()).enumerate() {
            let (plane, row, col) = (window / (rows * cols), window / cols % rows, window % cols);
            let start = plane * height * width + 2 * row * width + 2 * col;
            let mut first = start;
            for place in [start + 1, start + width, start + width + 1] {
                if x.data()[place] > x.data()[first] {
                    first = place;
                }
            }
            assert_eq!(y, x.data()[first] * weight, "{shape:?}, window {window}");
            gx[first] = weight;
        }
        assert_eq!(gradients[0].data(), &gx[..], "{shape:?}");
    }
    on_every_isa(|_| {
        let mut random = Random(0x1357_9bdf_2468_ace0);
        for shape in [
            [1, 1, 2, 2],
            [3, 2, 7, 11],
            [70, 3, 2, 3],
            [5, 8, 26, 26],
            [40, 9, 5, 4],
            [2, 3, 5, 129],
            [2, 1, 4, 128],
            [1, 2, 7, 301],
        ] {
            check::<f32>(shape, &mut random);
            check::<f64>(shape, &mut random);
        }
    });
}

#[test]
fn an_empty_batch_gives_an_empty_map_and_no_gradient() {
    let (x, w, b) = (Tensor::zeros([0, 2, 5, 5]), Tensor::full([3, 2, 3, 3], 1.0), Tensor::zeros([3]));
    let (y, gradients) = of_f64(&[&x, &w, &b], |x| x[0].conv2d(x[1], x[2], Convolution::new()));
    assert_eq!(y.shape()[..], [0, 3, 3, 3]);
    assert_eq!(gradients[1], Tensor::zeros([3, 2, 3, 3]));
    assert_eq!(gradients[2], Tensor::zeros([3]));
}

/// A convolution by its definition.
struct Naive {
    batch: usize,
    groups: usize,
    /// Of a group.
    channels: usize,
    maps: usize,
    image: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
    dilation: [usize; 2],
}

impl Naive {
    fn draw(random: &mut Random) -> Naive {
        let mut pair = |least: usize, most: usize| [0, 1].map(|_| least + random.below(most - least + 1));
        let (image, kernel, stride, dilation) = (pair(1, 19), pair(1, 4), pair(1, 3), pair(1, 2));
        let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilation[axis] + 1);
        let mut padding = [pair(0, 2), pair(0, 2)];
        for axis in 0..2 {
            padding[axis][0] += reach[axis].saturating_sub(image[axis] + padding[axis][0] + padding[axis][1]);
        }
        let [groups, _] = pair(1, 3);
        let many = pair(0, 3) == [0, 0];
        let [channels, maps] = if many { pair(1, 40) } else { pair(1, 6) };
        let [batch, _] = pair(1, 3);
        Naive { batch, groups, channels, maps, image, kernel, stride, padding, dilation }
    }

    fn map(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            (self.image[axis] + self.padding[axis][0] + self.padding[axis][1] - reach) / self.stride[axis] + 1
        })
    }

    fn shapes(&self) -> [[usize; 4]; 3] {
        let (out, [rows, cols]) = (self.groups * self.maps, self.map());
        [
            [self.batch, self.groups * self.channels, self.image[0], self.image[1]],
            [out, self.channels, self.kernel[0], self.kernel[1]],
            [self.batch, out, rows, cols],
        ]
    }

    /// Calls `each` with the places in x, w and y of every product.
    fn for_each(&self, mut each: impl FnMut(usize, usize, usize)) {
        let [x, w, y] = self.shapes();
        let place = |shape: [usize; 4], at: [usize; 4]| {
            ((at[0] * shape[1] + at[1]) * shape[2] + at[2]) * shape[3] + at[3]
        };
        for n in 0..y[0] {
            for o in 0..y[1] {
                for c in 0..w[1] {
                    for (i, j) in (0..y[2]).flat_map(|i| (0..y[3]).map(move |j| (i, j))) {
                        for (ky, kx) in (0..w[2]).flat_map(|ky| (0..w[3]).map(move |kx| (ky, kx))) {
                            let row = i * self.stride[0] + ky * self.dilation[0];
                            let col = j * self.stride[1] + kx * self.dilation[1];
                            let (top, left) = (self.padding[0][0], self.padding[1][0]);
                            if (top..top + x[2]).contains(&row) && (left..left + x[3]).contains(&col) {
                                let channel = o / self.maps * self.channels + c;
                                each(
                                    place(x, [n, channel, row - top, col - left]),
                                    place(w, [o, c, ky, kx]),
                                    place(y, [n, o, i, j]),
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A tape whose memory is full of NaN.
fn soil<T: Real>(tape: &mut Tape<T>) {
    let params = Params::new();
    let nan = Tensor::full([1 << 16], T::from_f64(f64::NAN));
    tape.record(&params).input(&nan).neg().vjp(&nan, &mut params.zeros());
}

/// Compares values and gradients with the definition, in small whole numbers, which any order of summation adds exactly.
fn check<T: Real>(naive: &Naive, tape: &mut Tape<T>, random: &mut Random) {
    let [x_shape, w_shape, y_shape] = naive.shapes();
    let mut draw = |shape: &[usize]| {
        let data = random.integers::<T>(shape.iter().product());
        Tensor::new(shape, data).expect("as many as the shape says")
    };
    let (x, w, b, ct) = (draw(&x_shape), draw(&w_shape), draw(&[w_shape[0]]), draw(&y_shape));
    let mut expected = Tensor::<T>::zeros(y_shape);
    let area = y_shape[2] * y_shape[3];
    naive.for_each(|i, k, j| expected.data_mut()[j] += x.data()[i] * w.data()[k]);
    for (j, y) in expected.data_mut().iter_mut().enumerate() {
        *y += b.data()[j / area % w_shape[0]];
    }
    for relu in [false, true] {
        soil(tape);
        let of = Convolution::<2> {
            stride: naive.stride,
            padding: Padding::Zeros(naive.padding),
            dilation: naive.dilation,
            groups: naive.groups,
        };
        let params = Params::new();
        let r = tape.record(&params);
        let [vx, vw, vb] = [&x, &w, &b].map(|x| r.input(x));
        let y = if relu { vx.conv2d_relu(vw, vb, of) } else { vx.conv2d(vw, vb, of) };
        (y * r.constant(&ct)).sum().backward(&mut params.zeros());
        let clipped: Vec<T> =
            expected.data().iter().map(|&y| if relu { y.maximum(T::ZERO) } else { y }).collect();
        assert_eq!(y.value().data(), &clipped[..]);
        let pulled = |j: usize| if relu && expected.data()[j] <= T::ZERO { T::ZERO } else { ct.data()[j] };
        let [mut gx, mut gw] = [x_shape, w_shape].map(Tensor::<T>::zeros);
        let mut gb = Tensor::<T>::zeros([w_shape[0]]);
        naive.for_each(|i, k, j| gx.data_mut()[i] += pulled(j) * w.data()[k]);
        naive.for_each(|i, k, j| gw.data_mut()[k] += pulled(j) * x.data()[i]);
        (0..expected.data().len()).for_each(|j| gb.data_mut()[j / area % w_shape[0]] += pulled(j));
        assert_eq!(vx.gradient().unwrap(), gx);
        assert_eq!(vw.gradient().unwrap(), gw);
        assert_eq!(vb.gradient().unwrap(), gb);
    }
    // The transpose, which lays the map back on the image.
    let cut = [0, 1].map(|axis| naive.padding[axis][0]);
    if naive.padding.iter().all(|[before, after]| before == after) {
        let map = naive.map();
        let rest = [0, 1].map(|axis| {
            let reach = (naive.kernel[axis] - 1) * naive.dilation[axis] + 1;
            naive.image[axis] + 2 * cut[axis] - (map[axis] - 1) * naive.stride[axis] - reach
        });
        let of = Transposed::<2> {
            stride: naive.stride,
            padding: naive.padding,
            output_padding: rest,
            dilation: naive.dilation,
            groups: naive.groups,
        };
        let mut back = Tensor::zeros(x_shape);
        naive.for_each(|i, k, j| back.data_mut()[i] += ct.data()[j] * w.data()[k]);
        soil(tape);
        let params = Params::new();
        let r = tape.record(&params);
        let y = r.constant(&ct).conv_transpose2d(r.constant(&w), None, of);
        assert_eq!(y.value(), back);
    }
}

#[test]
fn convolutions_of_any_geometry_are_what_the_definition_says_on_every_instruction_set() {
    on_every_isa(|isa| {
        let mut random = Random(0x2468_ace0_1357_9bdf);
        let (mut single, mut double) = (Tape::<f32>::new(), Tape::<f64>::new());
        for case in 0..300 {
            let naive = Naive::draw(&mut random);
            println!("{isa:?} {case}");
            check(&naive, &mut single, &mut random);
            check(&naive, &mut double, &mut random);
        }
    });
}

#[test]
fn maps_of_many_blocks_are_what_the_definition_says() {
    on_every_isa(|_| {
        let mut random = Random(0x1122_3344_5566_7788);
        let mut tape = Tape::<f32>::new();
        let (groups, stride, dilation) = (1, [1, 1], [1, 1]);
        let padding = [[1, 1]; 2];
        for (batch, channels, maps, image) in
            [(9, 1, 13, [37, 41]), (2, 70, 33, [9, 23]), (1, 3, 2, [70, 70]), (1, 300, 20, [7, 6])]
        {
            let kernel = [3, 3];
            let naive = Naive { batch, groups, channels, maps, image, kernel, stride, padding, dilation };
            check(&naive, &mut tape, &mut random);
        }
    });
}

#[test]
#[should_panic(expected = "layer `first` takes inputs of shape [batch, 3, height, width], not [2, 1, 5, 5]")]
fn a_layer_names_itself_when_the_channels_do_not_fit() {
    let (mut params, mut random) = (Params::<f64>::new(), quietgrad::Random::new(1));
    let of = Convolution::new();
    let layer = Conv2d::new(&mut params, "first", [3, 4], 3, of, Init::HeNormal, &mut random);
    let mut tape = Tape::new();
    layer.forward(tape.record(&params).constant(&Tensor::zeros([2, 1, 5, 5])));
}

#[test]
#[should_panic(
    expected = "a kernel that covers 5 pixels does not fit into an input [1, 1, 3] with padding [0, 1]"
)]
fn a_kernel_that_is_larger_than_the_padded_input_is_refused() {
    let (x, w) = (Tensor::zeros([1, 1, 3]), Tensor::zeros([1, 1, 5]));
    of_f64(&[&x, &w], |x| x[0].conv1d(x[1], None, Convolution::new().padding([[0, 1]])));
}

#[test]
fn the_deviation_of_weights_follows_their_fans() {
    let (mut params, mut random) = (Params::<f64>::new(), quietgrad::Random::new(1));
    let variance = |params: &Params<f64>, id| {
        let w = params.tensor(id);
        w.data().iter().map(|w| w * w).sum::<f64>() / w.data().len() as f64
    };
    let of = Convolution::<1>::new().groups(2);
    let layer = Conv1d::new(&mut params, "a", [64, 128], 5, of, Init::HeNormal, &mut random);
    assert_eq!(params.shape(layer.w)[..], [128, 32, 5]);
    approx::assert_relative_eq!(variance(&params, layer.w), 2.0 / 160.0, max_relative = 0.05);
    let of = Transposed::<2>::new().stride(2);
    let layer = ConvTranspose2d::new(&mut params, "b", [64, 32], 4, of, Init::LeCunNormal, &mut random);
    assert_eq!(params.shape(layer.w)[..], [64, 32, 4, 4]);
    approx::assert_relative_eq!(variance(&params, layer.w), 1.0 / 256.0, max_relative = 0.05);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let _turn = crate::turn();
    let default = quietgrad::threads();
    let mut random = quietgrad::Random::new(6);
    let mut run = |channels: [usize; 2], of: Convolution<2>, image: [usize; 4]| {
        let mut draw = |shape: [usize; 4]| Tensor::from_fn(shape, |_| random.normal() as f32);
        let (x, w) = (draw(image), draw([channels[1], channels[0] / of.groups, 3, 3]));
        let b = Tensor::from_fn([channels[1]], |i| 0.1 * i as f32);
        [1, 2, 3, 7].map(|threads| {
            quietgrad::set_threads(threads);
            let (y, gradients) = value_and_gradients(&mut Tape::new(), &[&x, &w, &b], |x| {
                let y = x[0].conv2d_relu(x[1], x[2], of);
                y.square() + y.max_pool2d(Pooling::new(2)).upsample_nearest(2)
            });
            let all = [vec![y], gradients].concat();
            all.iter().flat_map(|x| x.data().iter().map(|x| x.to_bits())).collect::<Vec<_>>()
        })
    };
    let of = Convolution::new().padding(1);
    for bits in [
        run([1, 24], of, [33, 1, 64, 64]),
        run([32, 48], of, [7, 32, 26, 26]),
        run([16, 64], of.groups(4), [19, 16, 32, 32]),
        run([96, 40], of, [2, 96, 36, 30]),
    ] {
        assert!(bits.iter().all(|other| *other == bits[0]));
    }
    quietgrad::set_threads(default);
}
