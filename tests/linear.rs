//! For tests of what reads what comes from outside: its time grows as the input does.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Asserts that four times the input takes no more than about four times as long: quadratic
/// work would take sixteen times. `prepare` makes an input of a size, `work` is measured.
///
/// The best of several runs counts, and all of it is tried again before it fails, as other
/// tests run at the same time.
pub(crate) fn assert<T>(what: &str, size: usize, prepare: impl Fn(usize) -> T, work: impl Fn(&T)) {
    let (small, large) = (prepare(size), prepare(4 * size));
    let best = |input: &T| {
        let times = (0..5).map(|_| {
            let begun = Instant::now();
            work(black_box(input));
            begun.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let noise = Duration::from_millis(2);
    let mut measured: Vec<(Duration, Duration)> = Vec::new();
    for _ in 0..3 {
        let (quarter, whole) = (best(&small), best(&large));
        if whole <= quarter * 8 + noise {
            return;
        }
        measured.push((quarter, whole));
    }
    panic!("{what}: {size} and four times as much took {measured:?}");
}
