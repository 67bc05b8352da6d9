//! Which flags answer what is refused in a deck.

use super::{Problem, line::Reader};
use crate::values::ValueError;

impl Reader {
    /// The flags that would answer the problem of a row; `None` if the row has to be mended.
    pub(super) fn answer(&self, problem: &Problem) -> Option<String> {
        let either = |flags: &[&str]| Some(flags.join(" or "));
        match problem {
            Problem::Value { error: ValueError::AmbiguousDate(_), .. } => {
                either(&["--date-format DD/MM/YYYY", "--date-format MM/DD/YYYY"])
            }
            Problem::Value { error: ValueError::AmbiguousNumber(_), .. } => {
                either(&["--decimal .", "--decimal ,"])
            }
            Problem::Value { column: "effective_from", .. } => self
                .passing_over("effective_from", "--effective-from DATE says from when rates count"),
            Problem::Value {
                column: "increment" | "min_time" | "first_interval" | "next_interval",
                ..
            } => {
                let Problem::Value { column, .. } = problem else { return None };
                self.passing_over(column, "--increment and --minimum-time say it for all lines")
            }
            Problem::Status(_) => self
                .passing_over("status", "what it says of closed and blocked prefixes is lost then"),
            Problem::Blocked(_) => {
                self.passing_over("blocked", "what it says of blocked prefixes is lost then")
            }
            Problem::Steps(_) => {
                self.passing_over("steps", "--steps zero or --steps minimum says it for all lines")
            }
            Problem::NoRate(_) => either(&["--block-not-offered"]),
            Problem::Row(crate::table::RowProblem::Unfinished) => {
                either(&["--take-unfinished-line"])
            }
            Problem::Currency { written, tariff } => Some(format!(
                "a tariff in {written}; or --skip-bad-lines leaves out what is not in {tariff}"
            )),
            Problem::DependsOnCaller { column, .. } => Some(format!(
                "--ignore-column {column:?}, or --skip-bad-lines leaves such lines out"
            )),
            _ => None,
        }
    }

    /// The flag that passes over a field's column, and what that means.
    fn passing_over(&self, field: &str, means: &str) -> Option<String> {
        let position = self.columns.position(field)?;
        let name = self.columns.names().get(position).filter(|name| !name.is_empty());
        let column = name.map_or_else(|| (position + 1).to_string(), |name| format!("{name:?}"));
        Some(format!("--ignore-column {column} ({means})"))
    }
}
