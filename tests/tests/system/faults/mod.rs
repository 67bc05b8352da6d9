//! The faults that strangers found in release 0.1, by their numbers: `f07_…` is the test of the
//! seventh. `docs/promises.md` says what each was.

mod access;
mod ledger;
mod legacy;
mod live_calls;
mod load;
mod operating;
mod presence;
mod signatures;
