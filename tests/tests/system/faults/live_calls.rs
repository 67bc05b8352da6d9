//! Faults of release 0.1: calls under way and their prices.
