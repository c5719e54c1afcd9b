//! What stands around [quietgrad] when a program learns from files: the library computes and never opens a
//! file; the lab opens files.
//!
//! - [`params`]: a model's parameters, saved and loaded by name.
//! - [`data`]: tables and arrays in and out.
//! - [`report`]: pictures, for a light page and a dark one.
//! - [`train`]: the training loop's book-keeping, metrics, checkpoints, the search for a coefficient, runs over seeds.
//! - [`Error`]: which file, which place in it, what was expected there.
//!
//! ```
//! use quietgrad::{Params, Tensor};
//! use quietgrad_lab::params::{self, Description};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.safetensors");
//! let mut model = Params::<f32>::new();
//! let w = model.add("w", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
//! params::save(&path, &model, &Description::new("two by two").with("steps", 100))?;
//!
//! model.get_mut(w).fill(0.0);
//! let description = params::load(&path, &mut model)?.expect("a description was saved with it");
//! assert_eq!(model.get(w), [1.0, 2.0, 3.0, 4.0]);
//! assert_eq!(description.settings["steps"], "100");
//! # Ok::<(), quietgrad_lab::Error>(())
//! ```

pub mod data;
mod error;
pub mod files;
pub mod params;
pub mod report;
pub mod train;

pub use error::{Error, Mismatch, Place, Result};

/// Pages of the book that use the lab, so that `cargo test` runs their snippets.
#[cfg(doctest)]
#[doc = include_str!("../../docs/lab-training.md")]
mod lab_training {}
