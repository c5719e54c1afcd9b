//! Nothing that a training run keeps lingers in the subnormal numbers, where many processors are a hundred times slower.

use quietgrad::optim::{Adagrad, Average, FieldMut, Lion, Optimizer, Sgd, proximal_group_lasso};
use quietgrad::reg::DensityController;
use quietgrad::{Element, Params, Tensor};

use crate::on_every_isa;
use crate::optim::optimizers::every;

/// What the test needs to know of a kind of float.
trait Float: Element {
    /// Decimal digits between 1 and the smallest normal number.
    const DECADES: i32;
    fn is_subnormal(self) -> bool;
    fn bits(self) -> u64;
}

impl Float for f32 {
    const DECADES: i32 = 37;
    fn is_subnormal(self) -> bool {
        f32::is_subnormal(self)
    }
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Float for f64 {
    const DECADES: i32 = 307;
    fn is_subnormal(self) -> bool {
        f64::is_subnormal(self)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Numbers of every size that the type has, some of them subnormal, of both signs.
fn of_every_size<T: Float>(len: usize, seed: usize) -> Vec<T> {
    let number = |i: usize| {
        let decade = (i * 7 + seed) as i32 % (T::DECADES + 4);
        let sign = if i.is_multiple_of(3) { -1.0 } else { 1.0 };
        T::from_f64(sign * (1.0 + (i % 9) as f64) * 10f64.powi(-decade))
    };
    (0..len).map(number).collect()
}

fn params<T: Float>(len: usize) -> Params<T> {
    let mut params = Params::new();
    let numbers = of_every_size(len, 3);
    params.add("p", Tensor::from_fn([len], |i| numbers[i]));
    params
}

/// All that is kept after a step with gradients of every size and `steps` more with gradients of 0: names and numbers.
fn kept<T: Float>(mut optimizer: impl Optimizer<T>, len: usize, steps: usize) -> Vec<(String, Vec<T>)> {
    let mut params = params::<T>(len);
    let mut grads = params.zeros();
    let mut average = Average::new(&params, 0.9);
    grads.data_mut().copy_from_slice(&of_every_size::<T>(len, 5));
    for _ in 0..=steps {
        optimizer.step(&mut params, &grads);
        average.update(&params);
        grads.data_mut().fill(T::ZERO);
    }
    let state = optimizer.state();
    assert!(state.numbers.values().all(|number| !number.is_subnormal()), "{:?}", state.numbers);
    let mut all: Vec<(String, Vec<T>)> = state.arrays.into_iter().collect();
    all.push(("parameters".to_owned(), params.data().to_vec()));
    all.push(("average".to_owned(), average.params().data().to_vec()));
    all
}

fn bits<T: Float>(kept: &[(String, Vec<T>)]) -> Vec<u64> {
    kept.iter().flat_map(|(_, numbers)| numbers).map(|x| x.bits()).collect()
}

fn nothing_subnormal_after_silence<T: Float>() {
    let mut first: Vec<Vec<u64>> = Vec::new();
    on_every_isa(|isa| {
        for (i, optimizer) in every::<T>().into_iter().enumerate() {
            let kind = optimizer.kind();
            let all = kept(optimizer, 2 * T::DECADES as usize + 11, 2000);
            for (name, numbers) in &all {
                let subnormal = numbers.iter().filter(|x| x.is_subnormal()).count();
                assert_eq!(subnormal, 0, "{kind} number {i} on {isa:?}: of {name}");
            }
            match first.get(i) {
                None => first.push(bits(&all)),
                Some(first) => assert!(*first == bits(&all), "{kind} on {isa:?} has other bits"),
            }
        }
    });
    assert_eq!(first.len(), every::<T>().len());
}

#[test]
fn nothing_is_subnormal_after_2000_gradients_of_zero() {
    nothing_subnormal_after_silence::<f32>();
    nothing_subnormal_after_silence::<f64>();
}

/// More than one thread's part, of the optimizers that keep least as well; no multiple of anything.
const MANY: usize = 300_007;

fn threads_agree<T: Float>() {
    on_every_isa(|isa| {
        for (one, several) in every::<T>().into_iter().zip(every::<T>()) {
            let kind = one.kind();
            let one = kept(one, MANY, 2);
            quietgrad::set_threads(3);
            let several = kept(several, MANY, 2);
            quietgrad::set_threads(1);
            assert!(bits(&one) == bits(&several), "{kind} on {isa:?}: 3 threads differ from 1");
        }
    });
}

#[test]
fn any_number_of_threads_updates_every_parameter_alike() {
    quietgrad::set_threads(1);
    threads_agree::<f32>();
    threads_agree::<f64>();
}

#[test]
fn weights_that_only_decay_become_zero() {
    // The step in which a weight decays has products that are smaller than the weight: they are no subnormal numbers either.
    on_every_isa(|_| {
        let mut params = Params::<f32>::new();
        params.add("w", Tensor::from([1.0, -1e-20, 1e-30, 3e-39]));
        let grads = params.zeros();
        let mut sgd = Sgd::new(0.5);
        sgd.weight_decay = 0.1;
        for _ in 0..2000 {
            sgd.step(&mut params, &grads);
            assert!(params.data().iter().all(|w| *w == 0.0 || w.abs() >= f32::TINY));
        }
        assert_eq!(params.data(), [0.0; 4]);
    });
}

#[test]
fn a_gradient_too_small_to_square_does_not_make_the_step_infinite() {
    // Without an ε only the root of the squares stands below: where that is 0, nothing moves.
    for mut optimizer in every::<f32>() {
        optimizer.fields_mut(&mut |name, field| {
            if let (FieldMut::Rate(eps), "eps") = (field, name) {
                *eps = 0.0;
            }
        });
        let mut params = Params::<f32>::new();
        params.add("p", Tensor::from([1.0, 1.0, 0.0]));
        let mut grads = params.zeros();
        grads.data_mut()[1] = 1e-17;
        for _ in 0..3 {
            optimizer.step(&mut params, &grads);
        }
        assert!(params.data().iter().all(|p| p.is_finite()), "{}: {params:?}", optimizer.kind());
    }
}

#[test]
fn lion_comes_to_rest_when_its_gradients_are_zero() {
    let mut params = Params::<f32>::new();
    params.add("p", Tensor::from([1.0]));
    let mut grads = params.zeros();
    grads.data_mut()[0] = 1.0;
    let mut lion = Lion::new(1e-3);
    lion.step(&mut params, &grads);
    grads.data_mut()[0] = 0.0;
    let mut last = 0.0;
    for _ in 0..8000 {
        last = params.data()[0];
        lion.step(&mut params, &grads);
    }
    assert_eq!(params.data()[0], last);
}

#[test]
fn adagrads_sum_of_tiny_gradients_is_no_subnormal_number() {
    let mut params = Params::<f32>::new();
    params.add("p", Tensor::from([1.0]));
    let mut grads = params.zeros();
    grads.data_mut()[0] = 1e-21;
    let mut adagrad = Adagrad::new(1e-3);
    adagrad.step(&mut params, &grads);
    assert_eq!(adagrad.state().arrays["sum"], [0.0]);
}

#[test]
fn rows_that_shrink_become_zero() {
    let mut params = Params::<f32>::new();
    let w = params.add("w", Tensor::from([[1.0, 1e-20]]));
    for _ in 0..500 {
        proximal_group_lasso(&mut params, w, 0.1, 1.0);
        params.get_mut(w)[0] = 1.0;
    }
    assert_eq!(params.get(w)[1], 0.0);
}

#[test]
fn a_controller_that_sees_nothing_active_keeps_no_subnormal_number() {
    let mut lambda = DensityController::new(1e-3, 0.1);
    lambda.observe(1.0);
    for _ in 0..8000 {
        lambda.observe(0.0);
        assert!(lambda.state().numbers.values().all(|number| !number.is_subnormal()));
    }
    assert_eq!(lambda.density(), 0.0);
    assert!(lambda.coefficient() > 0.0);
}

#[test]
fn the_thresholds_are_what_the_rule_says() {
    fn check<T: Float>(smallest_normal: f64, unit: f64) {
        let (tiny, root) = (T::TINY.to_f64(), T::TINY_ROOT.to_f64());
        assert_eq!(root * root, tiny);
        assert!((smallest_normal / unit..=2.0 * smallest_normal / unit).contains(&tiny));
    }
    check::<f32>(f32::MIN_POSITIVE.into(), f32::EPSILON.into());
    check::<f64>(f64::MIN_POSITIVE, f64::EPSILON);
}
