//! Faults of release 0.1: what is counted, and once.
