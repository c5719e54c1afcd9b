//! The lab's tests, one module a subject.

mod house;
mod params;
