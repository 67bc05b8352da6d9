//! Faults of release 0.1: what unchanged clients of the XML API meet.
