//! Faults of release 0.1: one client that must not stop the rest.
