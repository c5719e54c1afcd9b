//! Readers under an allocator that counts: what they do with damaged files, and how much memory they take.

#![allow(unsafe_code)] // the allocator

mod counting;
mod mutations;
mod shards;
mod targets;
