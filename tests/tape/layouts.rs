//! Values of one recording, and parameters of one model, where those of another were meant: refused with the user's line.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Mutex;

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Sgd};
use quietgrad::{
    Axes, Grads, Params, Random, Recording, SkipZeros, Tape, Tensor, Var, gradcheck, scalar, terms,
};

/// What a panic says, if it says that this file is where it happened.
#[track_caller]
fn refused<R>(what: &str, f: impl FnOnce() -> R) -> String {
    static TURN: Mutex<()> = Mutex::new(());
    static FILE: Mutex<String> = Mutex::new(String::new());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let thread = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo| {
        if std::thread::current().id() == thread {
            *FILE.lock().unwrap() = info.location().map_or(String::new(), |at| at.file().to_owned());
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(|| drop(f())));
    std::panic::set_hook(before);
    let Err(payload) = result else { panic!("{what}: nothing panicked") };
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    };
    assert_eq!(*FILE.lock().unwrap(), file!(), "{what}: {message}");
    message
}

/// Two models of as many elements, with other names or shapes, and a clone of the first.
fn models() -> [Params<f64>; 3] {
    let (mut p, mut q) = (Params::new(), Params::new());
    p.add("w", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    p.add("b", Tensor::from([5.0, 6.0]));
    q.add("w", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    let clone = p.clone();
    [p, q, clone]
}

#[test]
fn gradients_of_another_model_are_refused_wherever_they_are_taken() {
    let [p, q, clone] = models();
    let (mut tape, w) = (Tape::new(), p.find("w").unwrap());
    let r = tape.record(&p);
    let loss = r.param(w).square().sum();
    let seed = Tensor::from(1.0);
    let mut foreign = q.zeros();
    type Take<'a> = Box<dyn FnMut(&mut Grads<f64>) + 'a>;
    let taken: [(&str, Take); 6] = [
        ("backward", Box::new(|grads| loss.backward(grads))),
        ("backward_add", Box::new(|grads| loss.backward_add(grads))),
        ("backward_among", Box::new(|grads| loss.backward_among(&[loss], grads))),
        ("vjp", Box::new(|grads| loss.vjp(&seed, grads))),
        ("vjp", Box::new(|grads| r.vjp(&[(loss, &seed)], grads))),
        ("terms::backward", Box::new(|grads| drop(terms::backward(&[("fit", loss)], grads)))),
    ];
    for (name, mut take) in taken {
        take(&mut p.zeros());
        take(&mut clone.zeros());
        let message = refused(name, || take(&mut foreign));
        let says = ["w", "[2, 3]", "[2, 2]", name];
        assert!(says.iter().all(|says| message.contains(says)), "{name}: {message}");
    }
    // Parameters that were added since are missing.
    let mut grown = p.clone();
    grown.add("c", Tensor::from([7.0]));
    assert!(refused("grown", || loss.backward(&mut grown.zeros())).contains("\"c\""));
}

#[test]
fn an_optimizer_refuses_gradients_of_another_model() {
    let [mut p, q, _] = models();
    let grads = q.zeros();
    assert!(refused("adam", || Adam::new(0.1).step(&mut p, &grads)).contains("[2, 3]"));
    assert!(refused("sgd", || Sgd::new(0.1).step(&mut p, &grads)).contains("[2, 3]"));
    p.expect_gradients("step", &p.zeros());
}

#[test]
fn a_parameter_of_another_model_is_refused_also_after_its_namesake_was_used() {
    let [p, q, clone] = models();
    let [of_p, of_q] = [&p, &q].map(|params| params.find("w").unwrap());
    let mut tape = Tape::new();
    for first in [None, Some(of_p)] {
        let r = tape.record(&p);
        if let Some(id) = first {
            r.param(id);
        }
        let message = refused("param", || r.param(of_q));
        assert!(message.contains("another model") && message.contains("\"w\" of shape [2, 2]"), "{message}");
    }
    assert!(refused("get", || p.get(of_q).to_vec()).contains("another model"));
    assert!(refused("name", || q.name(of_p).to_owned()).contains("another model"));
    assert!(refused("none", || q.get(p.find("b").unwrap()).to_vec()).contains("no parameter 1"));
    assert_eq!(clone.get(of_p), p.get(of_p));
    assert_eq!(p.map(|x| x as f32).get(of_p), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_layer_of_another_model_is_refused() {
    let mut random = Random::new(1);
    let (mut p, mut q) = (Params::<f32>::new(), Params::<f32>::new());
    let one = Dense::new(&mut p, "encoder", [4, 4], Init::HeNormal, &mut random);
    let other = Dense::new(&mut q, "critic", [4, 4], Init::HeNormal, &mut random);
    let mut tape = Tape::new();
    let r = tape.record(&p);
    let x = r.constant(&Tensor::zeros([1, 4]));
    assert!(refused("forward", || other.forward(x).value()).contains("encoder.w"));
    assert!(refused("forward_relu", || other.forward_relu(x).value()).contains("encoder.w"));
    assert_eq!(one.forward(x).shape(), [1, 4]);
}

#[test]
fn the_signature_is_of_names_and_shapes() {
    let [p, q, clone] = models();
    assert!(p.signature() == clone.signature() && p.signature() == p.zeros().signature());
    assert!(p.signature() != q.signature());
    let mut renamed = Params::new();
    renamed.add("w", Tensor::from([[0.0; 2]; 2]));
    renamed.add("c", Tensor::from([0.0, 0.0]));
    assert!(p.signature() != renamed.signature());
}

#[test]
fn values_of_two_recordings_do_not_meet() {
    let [p, ..] = models();
    let (mut first, mut second) = (Tape::new(), Tape::new());
    let (r, s) = (first.record(&p), second.record(&p));
    let id = p.find("w").unwrap();
    let (here, there) = (r.param(id).sum(), s.param(id).square().sum());
    let mut grads = p.zeros();
    let seed = Tensor::from(1.0);
    refused("vjp", || r.vjp(&[(here, &seed), (there, &seed)], &mut grads));
    refused("backward_among", || here.backward_among(&[here, there], &mut grads));
    refused("skipping", || r.skipping(there));
    refused("an op", || here + there);
    refused("meets", || here.meets(s.obligation("penalty")));
}

#[test]
fn a_seed_of_another_shape_is_refused() {
    let [p, ..] = models();
    let mut tape = Tape::new();
    let y = tape.record(&p).param(p.find("w").unwrap());
    let message = refused("vjp", || y.vjp(&Tensor::from([1.0, 2.0]), &mut p.zeros()));
    assert!(message.contains("[2, 2]") && message.contains("[2]"), "{message}");
}

/// A layer whose zeros are skipped by a product: its output, twice that, and the loss.
fn skipping(r: Recording<f64>, keep_first: bool) -> [Var<f64>; 4] {
    let z = r.input(&Tensor::from_fn([6, 40], |i| (i * 7 % 11) as f64 - 8.0));
    let h = z.relu();
    let h = if keep_first { h.keep_gradient() } else { h };
    let twice = h * 2.0;
    let loss = twice.matmul(r.constant(&Tensor::from_fn([40, 3], |i| (i % 5) as f64 - 1.0))).square().sum();
    [z, h, twice, loss]
}

#[test]
fn a_gradient_that_was_not_computed_whole_is_refused() {
    let none = Params::new();
    for when in [SkipZeros::Never, SkipZeros::Always] {
        let mut tape = Tape::new();
        tape.skip_zeros(when);
        let r = tape.record(&none);
        let [z, h, twice, loss] = skipping(r, false);
        assert_eq!(h.gradient(), None);
        loss.backward(&mut none.zeros());
        let message = refused("relu", || h.gradient());
        assert!(message.contains("keep_gradient") && message.contains("tests/tape/layouts.rs"), "{message}");
        refused("too late", || h.keep_gradient());
        if when == SkipZeros::Always {
            assert!(refused("scale", || twice.gradient()).contains("keep_gradient"));
        }
        // Before the relu it is zero where nothing was computed.
        let dz = z.gradient().unwrap();
        let mut kept = Tape::new();
        kept.skip_zeros(SkipZeros::Never);
        let [z, _, _, loss] = skipping(kept.record(&none), true);
        loss.backward(&mut none.zeros());
        assert_eq!(dz, z.gradient().unwrap());
    }
}

#[test]
fn a_gradient_is_kept_whole_also_if_asked_for_after_the_product() {
    let none = Params::new();
    let gradient = |when: SkipZeros, first: bool| {
        let mut tape = Tape::new();
        tape.skip_zeros(when);
        let [_, h, _, loss] = skipping(tape.record(&none), first);
        let h = h.keep_gradient();
        loss.backward(&mut none.zeros());
        h.gradient().unwrap()
    };
    let whole = gradient(SkipZeros::Never, true);
    assert!(whole.data().iter().filter(|&&g| g != 0.0).count() > 200);
    for first in [true, false] {
        assert_eq!(gradient(SkipZeros::Always, first), whole);
        assert_eq!(gradient(SkipZeros::Never, first), whole);
    }
}

#[test]
fn numbers_of_two_scalar_tapes_do_not_meet() {
    let (one, other) = (scalar::Tape::new(), scalar::Tape::new());
    let (a, b) = (one.var(1.0), other.var(2.0));
    refused("+", || (a + b).value());
    refused("-", || (a - b).value());
    refused("*", || (a * b).value());
    refused("/", || (a / b).value());
    refused("maximum", || a.maximum(b).value());
    refused("+=", || {
        let mut sum = a;
        sum += b;
    });
}

#[test]
fn axes_out_of_range_are_refused() {
    refused("new", || Axes::new(&[0, 32]));
    let none = Params::<f64>::new();
    let mut tape = Tape::new();
    let x = tape.record(&none).constant(&Tensor::zeros([2, 3]));
    refused("sum_axes", || x.sum_axes([2]));
    refused("permute", || x.permute(&[0, 2]));
    refused("softmax", || x.softmax(2));
    refused("apply", || {
        let op = quietgrad::ops::sum::Sum { axes: Axes::new(&[5]), mean: false };
        x.recording().apply(op.into(), &[x])
    });
}

#[test]
fn a_constant_cannot_be_checked() {
    let [p, ..] = models();
    let message = refused("check", || gradcheck::check(&p, |r| r.scalar(1.0)));
    assert!(message.contains("depends on no parameter and no input"), "{message}");
}
