//! Printing, drawing, summing up, profiling, and finding the first NaN.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quietgrad::inspect::{Graph, Kind};
use quietgrad::ops::{CustomRule, Op};
use quietgrad::{Cotangents, Element, Params, Shape, ShapeError, Tape, Tensor, View, ViewMut, reg};

/// A parameter with an awkward name, a matrix product, a relu, and a loss.
fn small_graph() -> Graph {
    let mut params = Params::new();
    let w = params.add("w \"<a>\\ %%", Tensor::from([[1.0, -1.0], [0.0, 0.5]]));
    let mut tape = Tape::<f64>::new();
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([[1.0, 2.0]]));
    let h = x.matmul(r.param(w)).relu();
    let _ = (h.sum_axes([1]) * 0.001).sum();
    r.measured_graph()
}

/// What `f` says when it panics.
fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message:?}");
    }
}

#[test]
fn a_printed_graph_has_a_line_a_node() {
    let graph = small_graph();
    let text = graph.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), graph.nodes().len());
    assert_says(lines[0], &["%0 = input", "[1, 2]", "100.0 %", "inspect.rs:"]);
    assert_says(lines[1], &["%1 = param \"w ", "[2, 2]", "75.0 %"]);
    assert_says(lines[2], &["%2 = matmul ", " %0 %1 "]);
    assert_says(lines[3], &["%3 = relu ", "50.0 %"]);
    assert_says(lines[4], &["%4 = sum [1] ", " %3 ", "[1]"]);
    assert_says(lines[5], &["%5 = scale 0.001 "]);
    assert!(lines.iter().all(|line| line.contains("inspect.rs:")), "operators too: {text}");
}

#[test]
fn every_op_can_be_labelled() {
    for sample in Op::samples() {
        let text = format!("{} {}", sample.op.name(), sample.op.arguments());
        assert!(!text.contains(['\n', '{', '}']) && text.len() < 80, "{text:?}");
    }
}

#[test]
fn dot_tells_leaves_parameters_ops_and_the_loss_apart() {
    let dot = small_graph().to_dot();
    assert_says(&dot, &["digraph tape {", "n0 -> n2;", "cylinder", "rounded", "doubleoctagon"]);
    assert_says(&dot, &[r#"param \"w \\\"<a>\\\\ %%\""#]);
    assert_eq!(dot.matches("doubleoctagon").count(), 1);
}

#[test]
fn mermaid_escapes_what_it_would_read_as_its_own() {
    let mermaid = small_graph().to_mermaid();
    assert_says(&mermaid, &["flowchart TD\n", "n0[/\"", "n1[(\"", "n2(\"", "n6{{\"", "n0 --> n2"]);
    assert!(!mermaid.contains("%%") && !mermaid.contains("<a>"), "{mermaid}");
}

#[test]
fn an_arrow_that_carries_no_gradient_is_dashed() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let _ = r.input(&Tensor::from(2.0)) * r.scalar(3.0);
    assert_says(&r.graph().to_dot(), &["n0 -> n2;", "n1 -> n2 [style=dashed];"]);
    assert_says(&r.graph().to_mermaid(), &["n0 --> n2", "n1 -.-> n2"]);
}

#[test]
fn a_summary_counts_what_a_step_computes() {
    let mut params = Params::new();
    let w = params.add("w", Tensor::<f32>::zeros([3, 4]));
    let b = params.add("b", Tensor::zeros([4]));
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let h = r.constant(&Tensor::zeros([2, 3])).linear(r.param(w), r.param(b)).relu();
    h.reshape([8]).sum();

    let summary = r.summary();
    assert_eq!((summary.nodes, summary.parameters), (7, 16));
    // x, the layer, relu, the sum; a reshape is no memory.
    assert_eq!(summary.value_bytes, 4 * (6 + 8 + 8 + 1));
    // The reshape has a cotangent of its own.
    assert_eq!(summary.cotangent_bytes, 4 * (8 + 8 + 8 + 1));
    let linear = summary.ops.iter().find(|op| op.name == "linear").expect("linear");
    // The constant's cotangent is not computed: only the weights' and the bias's.
    assert_eq!((linear.forward_flops, linear.backward_flops), (2 * 2 * 3 * 4, 2 * 2 * 3 * 4 + 8));
    assert_says(&summary.to_string(), &["7 nodes, 16 parameters", "linear", "all"]);
}

#[test]
fn a_batched_product_counts_every_matrix() {
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let [a, b] = [[5, 2, 3], [5, 3, 4]].map(|shape| r.input(&Tensor::zeros(shape)));
    let _ = a.matmul(b);
    let product = &r.summary().ops[0];
    assert_eq!((product.forward_flops, product.backward_flops), (5 * 48, 2 * 5 * 48));
}

#[test]
fn a_profile_covers_the_steps_between_start_and_stop() {
    let mut params = Params::new();
    let w = params.add("w", Tensor::full([100], 0.5));
    let mut grads = params.zeros();
    let mut tape = Tape::<f64>::new();
    let mut step = |tape: &mut Tape<f64>| {
        let h = tape.record(&params).param(w).tanh();
        (h * h).sum().backward(&mut grads);
    };
    step(&mut tape);
    tape.start_profile();
    step(&mut tape);
    step(&mut tape);
    let profile = tape.stop_profile();
    step(&mut tape);

    assert_eq!(profile.steps(), 2);
    assert_eq!(profile.total().calls, 6);
    let times: Vec<_> = profile.by_op().iter().map(|(_, cost)| cost.total()).collect();
    assert_eq!(times.len(), 3);
    assert!(times.is_sorted_by(|a, b| a >= b));
    assert!(profile.by_op().iter().all(|(_, cost)| cost.calls == 2 && !cost.backward.is_zero()));
    assert_eq!(profile.by_line().len(), 2);
    assert_says(&profile.to_string(), &["the mean of 2", "tanh", "inspect.rs:", "100.0 %"]);
    assert_eq!(tape.stop_profile().steps(), 0);
}

#[test]
fn a_nan_in_the_data_is_named_as_such() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    tape.detect_anomalies(true);
    let data = Tensor::from([[1.0, 2.0], [3.0, f64::NAN]]);
    for message in [
        panic_of(|| drop(tape.record(&params).constant(&data).value())),
        panic_of(|| drop(tape.record(&params).constant_rows(&data, &[0, 1]).value())),
    ] {
        assert_says(&message, &["in the data", "constant (%0)", "NaN at [1, 1] of [2, 2]", "inspect.rs:"]);
    }
}

#[test]
fn a_nan_in_a_parameter_is_named_with_it() {
    let mut params = Params::new();
    let w = params.add("encoder.w", Tensor::from([0.0, f64::INFINITY]));
    let mut tape = Tape::new();
    tape.detect_anomalies(true);
    let message = panic_of(|| drop(tape.record(&params).param(w).value()));
    assert_says(&message, &["in the data", "parameter \"encoder.w\" (%0)", "inf at [1] of [2]"]);
}

#[test]
fn the_first_infinity_forward_is_named_also_when_a_recording_repeats() {
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    tape.detect_anomalies(true);
    let line = line!() + 3;
    let mut step = |x: f32| {
        let r = tape.record(&params);
        r.constant(&Tensor::from([[1.0, x]])).log().exp().value()
    };
    step(2.0);
    let message = panic_of(|| drop(step(0.0)));
    assert_says(&message, &["in forward", "log (%1)", "-inf at [0, 1] of [1, 2]"]);
    assert_says(&message, &[&format!("inspect.rs:{line}:")]);
}

#[test]
fn the_first_infinity_backward_is_named_with_op_and_input() {
    let mut params = Params::new();
    let w = params.add("w", Tensor::from([4.0, 0.0]));
    let mut tape = Tape::<f64>::new();
    tape.detect_anomalies(true);
    let r = tape.record(&params);
    let loss = r.param(w).sqrt().sum();
    let message = panic_of(|| loss.backward(&mut params.zeros()));
    assert_says(&message, &["in backward", "cotangent of param (%0)", "sqrt (%1)", "input 0"]);
    assert_says(&message, &["inf at [1] of [2]", "inspect.rs:"]);
}

#[test]
fn an_infinity_that_a_layer_is_to_add_later_is_blamed_on_the_penalty() {
    let (mut tape, mut params) = (Tape::<f64>::new(), Params::new());
    let (w, b) = (params.add("w", Tensor::from([[1.0]])), params.add("b", Tensor::from([1.0])));
    tape.detect_anomalies(true);
    let r = tape.record(&params);
    let h = r.constant(&Tensor::from([[2.0]])).linear_relu(r.param(w), r.param(b));
    let large = Tensor::from(1e308);
    let penalties = [(reg::l1(h).summed(), &large), (reg::l1(h).summed(), &large)];
    let message = panic_of(|| r.vjp(&penalties, &mut params.zeros()));
    assert_says(
        &message,
        &["in backward", "map_sum (%4)", "its input 0, linear_relu (%3)", "inf", "inspect.rs:"],
    );
}

#[test]
fn a_nan_in_a_given_cotangent_is_not_blamed_on_the_op() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    tape.detect_anomalies(true);
    let r = tape.record(&params);
    let y = r.input(&Tensor::from([1.0, 2.0])).exp();
    let message = panic_of(|| y.vjp(&Tensor::from([f64::NAN, 1.0]), &mut params.zeros()));
    assert_says(&message, &["the cotangent given for exp (%1)", "NaN at [0] of [2]"]);
}

#[test]
fn anomalies_pass_when_nobody_looks() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    tape.detect_anomalies(true);
    tape.detect_anomalies(false);
    assert!(tape.record(&params).scalar(-1.0).log().item().is_nan());
}

/// What an op's vjp leaves alone is not looked at: y = a, whatever b is.
#[derive(Debug)]
struct First;

impl CustomRule for First {
    fn name(&self) -> &'static str {
        "first"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        y.data.copy_from_slice(x[0].data());
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| quietgrad::kernels::map([gy.data()], gx.data, accum, |[g]: [T; 1]| g));
    }
}

#[test]
fn what_an_earlier_step_left_in_memory_is_no_anomaly() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let nan = Tensor::full([64], f64::NAN);
    tape.record(&params).input(&nan).neg().vjp(&nan, &mut params.zeros());
    tape.detect_anomalies(true);
    let r = tape.record(&params);
    let [a, b] = [1.0, 2.0].map(|x| r.input(&Tensor::from([x])));
    r.apply(Op::custom(First), &[a, b]).sum().backward(&mut params.zeros());
    assert_eq!(a.gradient(), Some(Tensor::from([1.0])));
    assert_eq!(b.gradient(), None);
    assert!(matches!(r.graph().nodes()[2].kind(), Kind::Op(op) if op.name() == "first"));
}
