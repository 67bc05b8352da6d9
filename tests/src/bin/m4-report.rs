//! Prints the compatibility report on the M4 dialect.

fn main() {
    print!("{}", tollbook_tests::report::m4());
}
