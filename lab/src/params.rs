//! Parameters saved to and loaded from safetensors files, by name.
//!
//! The files are ordinary ones: PyTorch, JAX and NumPy read them. One text stands beside the arrays, under the key
//! `quietgrad`: a JSON object with the version that wrote it, the model's name and its settings ([`Description`]).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use quietgrad::{Element, ParamId, Params};
use serde::{Deserialize, Serialize};

use crate::data::Value;
use crate::data::safetensors::{Reader, write_parts};
use crate::{Error, Mismatch, Place, Result};

/// The key of the description among a file's texts.
pub(crate) const KEY: &str = "quietgrad";

/// What is saved beside the parameters: what they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The version of this crate that wrote the file.
    pub version: String,
    /// The model's name.
    pub model: String,
    /// Hyper-parameters and whatever else is needed to build the model again, by name.
    pub settings: BTreeMap<String, String>,
}

impl Description {
    /// A description without settings, by this version of the crate.
    pub fn new(model: impl Into<String>) -> Self {
        Description {
            version: env!("CARGO_PKG_VERSION").into(),
            model: model.into(),
            settings: BTreeMap::new(),
        }
    }

    /// The description with one more setting.
    pub fn with(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.settings.insert(name.into(), value.to_string());
        self
    }
}

/// Saves all parameters under their names; a [tied](Params::tie) one once, under its first name. The file is replaced as a whole ([`replace`](crate::files::replace)).
///
/// # Errors
/// If a parameter's name is `__metadata__`, or the file cannot be written.
pub fn save<T: Element + Value>(
    path: impl AsRef<Path>,
    params: &Params<T>,
    description: &Description,
) -> Result<()> {
    let path = path.as_ref();
    let text = serde_json::to_string(description)
        .map_err(|error| Error::new(path, Place::File, format!("the description: {error}")))?;
    let parts: Vec<_> =
        params.ids().map(|id| (params.name(id), &params.shape(id)[..], params.get(id))).collect();
    write_parts(path, &parts, Some((KEY, text)))
}

/// Loads the parameters of a model: the file must have all of them, in their shapes, and nothing else. A tied parameter is found
/// under any of its names; if the file has several of them, as files of programs that do not know of ties have, they must agree.
///
/// Returns the description, or `None` if another program wrote the file. Numbers of another kind are converted
/// ([`Value`]). Either all parameters are loaded or none is changed; meanwhile both stand in memory.
///
/// # Errors
/// If names or shapes differ: the error lists every difference ([`Error::mismatches`]). If tied arrays differ, or the file is none
/// of safetensors, or cannot be read.
pub fn load<T: Element + Value>(
    path: impl AsRef<Path>,
    params: &mut Params<T>,
) -> Result<Option<Description>> {
    let path = path.as_ref();
    let mut file = Reader::open(path)?;
    let differences = mismatches(&file, params);
    if !differences.is_empty() {
        return Err(Error::mismatch(path, differences));
    }
    let description = description_of(&file, path)?;
    let mut data: Vec<T> = Vec::with_capacity(params.len());
    let ids: Vec<ParamId> = params.ids().collect();
    for id in ids {
        let held: Vec<&str> = params.names(id).filter(|name| file.shape(name).is_some()).collect();
        let array = file.read::<T>(held[0])?.into_data();
        for other in &held[1..] {
            if file.read::<T>(other)?.into_data() != array {
                let text = format!("expected the numbers of {:?}, which it is tied to in the model", held[0]);
                return Err(Error::new(path, Place::Array((*other).into()), text));
            }
        }
        data.extend(array);
    }
    params.data_mut().copy_from_slice(&data);
    Ok(description)
}

/// Reads the description alone, to build the model from; `None` if another program wrote the file.
///
/// # Errors
/// If the file is none of safetensors, or cannot be read, or its description is damaged.
pub fn describe(path: impl AsRef<Path>) -> Result<Option<Description>> {
    let path = path.as_ref();
    description_of(&Reader::open(path)?, path)
}

pub(crate) fn description_of(file: &Reader, path: &Path) -> Result<Option<Description>> {
    let read = |text| {
        serde_json::from_str(text).map_err(|error| {
            Error::new(path, Place::File, format!("expected a description under {KEY:?}: {error}"))
        })
    };
    file.text(KEY).map(read).transpose()
}

/// All differences: first what the model expects, in its order, then what the file has besides, in the file's order.
fn mismatches<T: Element>(file: &Reader, params: &Params<T>) -> Vec<Mismatch> {
    let of_parameter = |id| {
        let model = &params.shape(id)[..];
        let held: Vec<_> = params.names(id).filter_map(|name| Some((name, file.shape(name)?))).collect();
        if held.is_empty() {
            return vec![Mismatch::Missing(params.name(id).into())];
        }
        let differ = held.into_iter().filter(|(_, shape)| *shape != model);
        differ
            .map(|(name, shape)| Mismatch::Shape {
                name: name.into(),
                model: model.into(),
                file: shape.into(),
            })
            .collect()
    };
    let extra = file.names().filter(|name| params.find(name).is_none());
    params.ids().flat_map(of_parameter).chain(extra.map(|name| Mismatch::Extra(name.into()))).collect()
}
