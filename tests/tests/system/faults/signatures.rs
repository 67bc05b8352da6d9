//! Faults of release 0.1: what a legacy hash proves.
