//! The lab's tests, one module a subject.

mod arrays;
mod files;
mod house;
mod params;
mod pictures;
mod preparation;
mod search;
mod statistics;
mod tables;
mod toy;
