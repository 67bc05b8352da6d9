//! `tollbook`: see the library of the same name.

use std::process::ExitCode;

// The default allocator of Linux keeps more memory, and takes longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tollbook::main()
}
