//! Checkpoints: all that a run needs to go on with the bits of an undisturbed one.

use std::collections::BTreeMap;
use std::path::Path;

use quietgrad::{Element, ParamId, Params, State};
use serde::{Deserialize, Serialize};

use crate::data::safetensors::{Reader, write_with};
use crate::data::{Dtype, Value};
use crate::params::{self, Description};
use crate::{Error, Mismatch, Place, Result};

/// The key of the states' names and numbers among a file's texts.
const STATES: &str = "quietgrad.states";

/// What a run is made of, about to be saved: its parameters, and the [`State`] of everything that remembers something.
///
/// The file is safetensors: parameters are the arrays `params/…`, the arrays of states `state/…`, and a header names the version
/// of this crate, the model and its settings ([`Description`]). It is replaced as a whole ([`files::replace`](crate::files::replace)):
/// whenever the program or the machine stops, a whole checkpoint stands there, the last one or the one before it.
///
/// What to save is whatever the next step depends on: the parameters, the optimizer, the random generators in use, a density
/// controller, an average, and the [`Fit`](super::Fit), which knows the epoch, the place in it and the best weights so far. A
/// [`Schedule`](quietgrad::optim::Schedule) remembers nothing: it is a function of the step.
///
/// ```
/// use quietgrad::optim::{Adam, Optimizer};
/// use quietgrad::{Params, Random, Tensor};
/// use quietgrad_lab::params::Description;
/// use quietgrad_lab::train::Checkpoint;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("run.safetensors");
/// let mut params = Params::<f32>::new();
/// params.add("w", Tensor::from([1.0, 2.0]));
/// let (mut adam, mut random) = (Adam::new(0.01), Random::new(7));
///
/// // At the beginning of the program: go on if there is something to go on from.
/// if let Some(mut saved) = Checkpoint::find(&path)? {
///     saved.params(&mut params)?;
///     adam.restore(&params, &saved.state("adam")?)?;
///     random.restore(&saved.state("random")?)?;
/// }
/// // Now and then:
/// Checkpoint::of(&params)
///     .with("adam", adam.state())
///     .with("random", random.state())
///     .save(&path, &Description::new("two numbers"))?;
/// # let mut saved = Checkpoint::find(&path)?.expect("it was saved");
/// # adam.restore(&params, &saved.state("adam")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    arrays: Vec<Packed>,
    heads: BTreeMap<String, Head>,
}

/// An array as a file holds it.
#[derive(Clone, Debug)]
struct Packed {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: Vec<u8>,
}

/// A [`State`] but for its arrays' numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    kind: String,
    /// As text, because JSON has neither infinities nor NaN.
    numbers: BTreeMap<String, String>,
    counts: BTreeMap<String, u64>,
    arrays: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint of these parameters.
    pub fn of<T: Element + Value>(params: &Params<T>) -> Self {
        let packed = |id: ParamId| pack(of_parameter(params.name(id)), params.shape(id), params.get(id));
        Checkpoint { arrays: params.ids().map(packed).collect(), heads: BTreeMap::new() }
    }

    /// The checkpoint with one more state, under a name of the caller's choice.
    ///
    /// # Panics
    /// If there is a state of this name already.
    #[track_caller]
    pub fn with<T: Value>(mut self, name: &str, state: State<T>) -> Self {
        let State { kind, numbers, counts, arrays } = state;
        let head = Head {
            kind,
            numbers: numbers.into_iter().map(|(name, x)| (name, x.to_string())).collect(),
            counts,
            arrays: arrays.keys().cloned().collect(),
        };
        assert!(
            self.heads.insert(name.into(), head).is_none(),
            "checkpoint: two states have the name {name:?}"
        );
        self.arrays
            .extend(arrays.iter().map(|(array, data)| pack(of_state(name, array), &[data.len()], data)));
        self
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written ([`files::replace`](crate::files::replace)).
    pub fn save(mut self, path: impl AsRef<Path>, description: &Description) -> Result<()> {
        let path = path.as_ref();
        let fail = |error: serde_json::Error| Error::new(path, Place::File, error.to_string());
        let texts = [
            (params::KEY, serde_json::to_string(description).map_err(fail)?),
            (STATES, serde_json::to_string(&self.heads).map_err(fail)?),
        ];
        // Wide numbers first: each array then begins at a multiple of its numbers' size.
        self.arrays.sort_by_key(|array| std::cmp::Reverse(array.dtype.size()));
        let infos: Vec<_> =
            self.arrays.iter().map(|array| (&array.name[..], &array.shape[..], array.dtype)).collect();
        write_with(path, &infos, &texts, |file| {
            self.arrays.iter().try_for_each(|array| file.write_all(&array.bytes))
        })
    }

    /// Opens a checkpoint; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file is no checkpoint, or cannot be read.
    pub fn find(path: impl AsRef<Path>) -> Result<Option<Saved>> {
        let path = path.as_ref();
        let exists = path.try_exists().map_err(|error| Error::io(path, error))?;
        exists.then(|| Checkpoint::open(path)).transpose()
    }

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If the file is none, or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        let reader = Reader::open(path)?;
        let fail = |text: String| Error::new(path, Place::File, text);
        let text =
            reader.text(STATES).ok_or_else(|| fail(format!("expected a checkpoint, with {STATES:?}")))?;
        let heads = serde_json::from_str(text).map_err(|error| fail(format!("under {STATES:?}: {error}")))?;
        let description = params::description_of(&reader, path)?
            .ok_or_else(|| fail("expected a description of the model".into()))?;
        Ok(Saved { path: path.into(), reader, heads, description })
    }
}

/// A checkpoint that is open for reading. Its numbers are read as they are asked for.
#[derive(Debug)]
pub struct Saved {
    path: std::path::PathBuf,
    reader: Reader,
    heads: BTreeMap<String, Head>,
    description: Description,
}

impl Saved {
    /// The version that wrote it, the model and its settings.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The names of the states.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        self.heads.keys().map(String::as_str)
    }

    /// Puts the parameters back: all of them, or none is changed.
    ///
    /// # Errors
    /// If names or shapes differ ([`Error::mismatches`]), or the kind of numbers, or the file cannot be read.
    pub fn params<T: Element + Value>(&mut self, params: &mut Params<T>) -> Result<()> {
        let mut differences: Vec<Mismatch> = Vec::new();
        for id in params.ids() {
            let (name, model) = (params.name(id), &params.shape(id)[..]);
            match self.reader.shape(&of_parameter(name)) {
                None => differences.push(Mismatch::Missing(name.into())),
                Some(file) if file != model => differences.push(Mismatch::Shape {
                    name: name.into(),
                    model: model.into(),
                    file: file.into(),
                }),
                Some(_) => {}
            }
        }
        let names = self.reader.names().filter_map(|name| name.strip_prefix(PARAMS));
        let extra = names.filter(|name| params.find(name).is_none());
        differences.extend(extra.map(|name| Mismatch::Extra(name.into())));
        if !differences.is_empty() {
            return Err(Error::mismatch(&self.path, differences));
        }
        let mut data: Vec<T> = Vec::with_capacity(params.len());
        for id in params.ids() {
            data.extend(self.read::<T>(&of_parameter(params.name(id)))?);
        }
        params.data_mut().copy_from_slice(&data);
        Ok(())
    }

    /// A state that was saved under this name, to be handed to the `restore` of what it is the state of.
    ///
    /// # Errors
    /// If there is none, or its numbers are damaged or of another kind than `T`, or the file cannot be read.
    pub fn state<T: Value>(&mut self, name: &str) -> Result<State<T>> {
        let fail = |text: String| Error::new(&self.path, Place::File, text);
        let Some(head) = self.heads.get(name).cloned() else {
            let names: Vec<&str> = self.states().collect();
            return Err(fail(format!("expected a state named {name:?}; the file has {names:?}")));
        };
        let mut state = State::new(&head.kind);
        state.counts = head.counts;
        for (number, text) in &head.numbers {
            let x = text.parse().map_err(|_| fail(format!("{name}: {number} is {text:?}, and no number")))?;
            state.numbers.insert(number.clone(), x);
        }
        for array in &head.arrays {
            let data = self.read::<T>(&of_state(name, array))?;
            state.arrays.insert(array.clone(), data);
        }
        Ok(state)
    }

    /// The numbers of an array. Rounded to another kind they would not be those that were saved.
    fn read<T: Value>(&mut self, array: &str) -> Result<Vec<T>> {
        match self.reader.dtype(array) {
            Some(found) if found != T::DTYPE => {
                let text = format!("expected numbers of kind {}, found {found}", T::DTYPE);
                Err(Error::new(&self.path, Place::Array(array.into()), text))
            }
            _ => Ok(self.reader.read::<T>(array)?.into_data()),
        }
    }
}

const PARAMS: &str = "params/";

fn of_parameter(name: &str) -> String {
    format!("{PARAMS}{name}")
}

fn of_state(name: &str, array: &str) -> String {
    format!("state/{name}/{array}")
}

fn pack<T: Value>(name: String, shape: &[usize], data: &[T]) -> Packed {
    let mut bytes = Vec::with_capacity(size_of_val(data));
    data.iter().for_each(|x| x.write(&mut bytes));
    Packed { name, shape: shape.into(), dtype: T::DTYPE, bytes }
}
