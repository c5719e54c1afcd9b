//! Runs that are stopped at any moment and go on with the bits of an undisturbed one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Average, Descent, Lbfgs, Optimizer, Schedule};
use quietgrad::reg::DensityController;
use quietgrad::{Params, Random, State, Tape, Tensor, loss, reg};
use quietgrad_lab::data::safetensors::Reader;
use quietgrad_lab::data::split::Batches;
use quietgrad_lab::params::Description;
use quietgrad_lab::train::{Checkpoint, Fit};
use tempfile::tempdir;

/// Tells a child process where its checkpoint is and where its result belongs.
const FOLDER: &str = "QUIETGRAD_CHECKPOINT_TEST";

/// Trains a small autoencoder with everything that remembers something, saves a checkpoint at each step, goes on from the one
/// that it finds, and gives the bits of all it has at the end.
fn train(file: &Path) -> Vec<u64> {
    let mut random = Random::new(5);
    let x = Tensor::<f32>::randn([50, 6], &mut random);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [6, 12], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [12, 6], Init::GlorotUniform, &mut random);
    let (mut adam, mut lambda) = (Adam::new(0.01), DensityController::new(1e-3, 0.2));
    let (mut average, mut fit) = (Average::new(&params, 0.9), Fit::new(8).patience(3));
    let lr = Schedule::cosine(0.02, 0.001, 80);
    let batches = Batches::new(40, 8, 3);
    if let Some(mut saved) = Checkpoint::find(file).expect("a whole checkpoint") {
        saved.params(&mut params).unwrap();
        adam.restore(&params, &saved.state("adam").unwrap()).unwrap();
        average.restore(&saved.state("average").unwrap()).unwrap();
        lambda.restore(&saved.state("lambda").unwrap()).unwrap();
        random.restore(&saved.state("random").unwrap()).unwrap();
        fit.restore(&params, &saved.state("fit").unwrap()).unwrap();
    }
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    while let Some(epoch) = fit.epoch().unwrap() {
        for rows in batches.epoch(epoch.number).batches().skip(epoch.done) {
            adam.set_lr(lr.at(fit.steps()));
            let noise = Tensor::randn([rows.len(), 6], &mut random).map(|x: f32| 0.1 * x);
            let r = tape.record(&params);
            let batch = r.constant_rows(&x, rows);
            let h = encoder.forward(batch + r.constant(&noise)).relu();
            let loss = loss::mse(decoder.forward(h), batch) + reg::l1(h).per_sample() * lambda.coefficient();
            loss.backward(&mut grads);
            lambda.observe(h.density());
            let value = loss.item();
            adam.step(&mut params, &grads);
            average.update(&params);
            fit.step(value);
            save(file, &params, &adam, &average, &lambda, &random, &fit);
        }
        let r = tape.record(&params);
        let held_out: Vec<usize> = (40..50).collect();
        let rows = r.constant_rows(&x, &held_out);
        let value = loss::mse(decoder.forward(encoder.forward(rows).relu()), rows).item();
        fit.held_out(value, &params);
        save(file, &params, &adam, &average, &lambda, &random, &fit);
    }
    let mut bits: Vec<u64> = params.data().iter().map(|x| u64::from(x.to_bits())).collect();
    fit.restore_best(&mut params).expect("a held-out loss");
    bits.extend(params.data().iter().chain(average.params().data()).map(|x| u64::from(x.to_bits())));
    bits.extend(adam.state().arrays.values().flatten().map(|x| u64::from(x.to_bits())));
    bits.extend(fit.history().iter().map(|report| report.loss.to_bits()));
    bits.extend([random.bits(), lambda.coefficient().to_bits(), fit.steps() as u64]);
    bits
}

fn save(
    file: &Path,
    params: &Params<f32>,
    adam: &Adam<f32>,
    average: &Average<f32>,
    lambda: &DensityController,
    random: &Random,
    fit: &Fit<f32>,
) {
    Checkpoint::of(params)
        .with("adam", adam.state())
        .with("average", average.state())
        .with("lambda", lambda.state())
        .with("random", random.state())
        .with("fit", fit.state())
        .save(file, &Description::new("autoencoder").with("hidden", 12))
        .unwrap();
}

/// Trains, or goes on with training, and writes the bits of the result to a file beside the checkpoint.
fn train_to_the_end(folder: &Path) {
    let bits = train(&folder.join("run.safetensors"));
    let bytes: Vec<u8> = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(folder.join("result"), bytes).unwrap();
}

/// The files that a killed writer left behind.
fn parts(folder: &Path) -> Vec<std::path::PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|end| end == "part")).collect()
}

/// A run of `QUIETGRAD_KILLS` kills, 100 unless something else is said: whenever a training ends, another is begun. The
/// processes that are killed run this same test, and are told by [`FOLDER`] to train.
#[test]
fn a_run_killed_at_any_moment_ends_with_the_bits_of_an_undisturbed_one() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return train_to_the_end(Path::new(&folder));
    }
    let kills = std::env::var("QUIETGRAD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let folder = tempdir().unwrap();
    let began = Instant::now();
    let expected = train(&folder.path().join("undisturbed.safetensors"));
    let whole = began.elapsed();

    let mut random = Random::new(9);
    let (mut killed, mut while_writing, mut at_work, mut runs) = (0, 0, 0, 0);
    let (checkpoint, result) = (folder.path().join("run.safetensors"), folder.path().join("result"));
    while killed < kills || checkpoint.exists() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "checkpoints::a_run_killed_at_any_moment_ends_with_the_bits_of_an_undisturbed_one",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let before = fs::read(&checkpoint).ok();
        if killed < kills {
            // To start takes a process some milliseconds: a good part of the kills is to come after that.
            sleep(Duration::from_millis(10) + whole.mul_f64(0.4 * random.unit()));
            child.kill().unwrap(); // SIGKILL, on Unix
        }
        let status = child.wait().unwrap();
        if !status.success() {
            assert!(killed < kills, "an undisturbed process failed");
            killed += 1;
            at_work += u32::from(fs::read(&checkpoint).ok() != before);
            let left = parts(folder.path());
            while_writing += u32::from(!left.is_empty());
            left.iter().for_each(|part| fs::remove_file(part).unwrap());
            continue;
        }
        let bits: Vec<u64> = fs::read(&result)
            .unwrap()
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        assert!(bits == expected, "after {killed} kills the bits are others");
        runs += 1;
        fs::remove_file(&checkpoint).unwrap();
        fs::remove_file(&result).unwrap();
    }
    println!(
        "{killed} kills over {runs} runs: {at_work} after steps of their own, {while_writing} while a checkpoint was written"
    );
    assert!(runs >= 1 && (kills < 100 || at_work > 0), "the kills came too early to be a test");
}

#[test]
fn states_come_back_with_their_bits() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("run.safetensors");
    let mut params = Params::<f32>::new();
    params.add("x", Tensor::from([-1.2f32, 1.0]));
    let mut state = State::<f32>::new("Everything");
    let numbers = [0.1, -0.0, 1e-310, f64::INFINITY, f64::NEG_INFINITY, f64::MAX];
    for (i, x) in numbers.into_iter().enumerate() {
        state.numbers.insert(format!("number {i}"), x);
    }
    state.counts.insert("large".into(), u64::MAX);
    state.arrays.insert("empty".into(), vec![]);
    state.arrays.insert("a/b \"c\"".into(), vec![1e-45, -0.0, f32::INFINITY]);
    // A state in double precision beside one in single.
    let mut descent = Descent::new();
    let quadratic = |params: &Params<f32>, grads: &mut quietgrad::Grads<f32>| {
        let x = params.data()[0];
        grads.data_mut()[0] = 2.0 * (x - 0.3);
        (x - 0.3).powi(2)
    };
    Lbfgs { steps: 2, ..Lbfgs::new() }.resume(&mut descent, &mut params, quadratic);
    Checkpoint::of(&params)
        .with("everything", state.clone())
        .with("descent", descent.state())
        .save(&file, &Description::new("m"))
        .unwrap();

    let mut saved = Checkpoint::open(&file).unwrap();
    assert_eq!(saved.states().collect::<Vec<_>>(), ["descent", "everything"]);
    assert_eq!(saved.description().model, "m");
    assert_eq!(saved.description().version, env!("CARGO_PKG_VERSION"));
    let back = saved.state::<f32>("everything").unwrap();
    assert_eq!(format!("{back:?}"), format!("{state:?}"));
    assert_eq!(saved.state::<f64>("descent").unwrap(), descent.state());
    let error = saved.state::<f32>("descent").unwrap_err().to_string();
    assert!(error.contains("expected numbers of kind f32, found f64"), "{error}");
    assert!(saved.params(&mut Params::<f64>::new()).is_err());
    let mut other = params.clone();
    other.data_mut().fill(7.0);
    saved.params(&mut other).unwrap();
    assert_eq!(other, params);
    // Other programs read it as well.
    let mut reader = Reader::open(&file).unwrap();
    assert_eq!(reader.read::<f32>("params/x").unwrap().data(), params.data());
}

#[test]
fn a_checkpoint_of_another_model_is_refused_with_all_differences() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("run.safetensors");
    let mut params = Params::<f32>::new();
    params.add("w", Tensor::from([1.0, 2.0]));
    params.add("b", Tensor::from([1.0]));
    Checkpoint::of(&params).save(&file, &Description::new("m")).unwrap();
    let mut other = Params::<f32>::new();
    other.add("w", Tensor::from([[7.0, 7.0]]));
    other.add("c", Tensor::from([7.0]));
    let mut saved = Checkpoint::open(&file).unwrap();
    assert_eq!(saved.params(&mut other).unwrap_err().mismatches().len(), 3);
    assert_eq!(other.data(), [7.0; 3], "nothing is loaded when something is wrong");
    let error = saved.state::<f32>("adam").unwrap_err().to_string();
    assert!(error.contains("\"adam\"; the file has []"), "{error}");
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("run.safetensors");
    assert!(Checkpoint::find(&file).unwrap().is_none());
    assert!(Checkpoint::open(&file).is_err());
    fs::write(&file, "no checkpoint").unwrap();
    assert!(Checkpoint::find(&file).is_err());
    quietgrad_lab::params::save(&file, &Params::<f32>::new(), &Description::new("m")).unwrap();
    let error = Checkpoint::find(&file).unwrap_err().to_string();
    assert!(error.contains("expected a checkpoint"), "{error}");
    let empty = || State::<f32>::new("Empty");
    let double = || Checkpoint::of(&Params::<f32>::new()).with("a", empty()).with("a", empty());
    assert!(std::panic::catch_unwind(double).is_err(), "two states of one name");
}
