//! The lab's tests, one module a subject.

mod arrays;
mod checkpoints;
mod files;
mod fit;
mod house;
mod metrics;
mod pages;
mod params;
mod pictures;
mod preparation;
mod search;
mod statistics;
mod tables;
mod toy;
