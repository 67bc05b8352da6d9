//! Faults of release 0.1: configuration, files on disk, replicas and first steps over gRPC.

mod configuration;
mod files;
mod first_steps;
mod replicas;
