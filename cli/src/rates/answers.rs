//! Which flags would answer the lines of a deck that are refused.

use std::collections::BTreeMap;

/// How many lines each answer is for.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<String, u64>);

impl Answers {
    /// Counts a line; `None`: no flag would help, the line has to be mended.
    pub(super) fn add(&mut self, answer: Option<String>) {
        if let Some(answer) = answer {
            *self.0.entry(answer).or_default() += 1;
        }
    }

    /// A text for each answer.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(answer, lines)| match lines {
            1 => format!("for 1 refused line: {answer}"),
            lines => format!("for {lines} refused lines: {answer}"),
        })
    }
}
