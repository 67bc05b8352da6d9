//! Reads the files of carriers and switches.

pub mod calls;
