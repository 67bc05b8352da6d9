//! Resellers and partners: whom they own, and what that lets them see and change.

mod matrix;
mod providers;
mod rules;
mod world;
