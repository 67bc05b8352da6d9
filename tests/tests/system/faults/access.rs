//! Faults of release 0.1: who may do and see what.
