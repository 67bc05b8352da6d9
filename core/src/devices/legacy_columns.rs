//! Columns of the legacy table of devices that mean nothing here, and are kept for clients and switches
//! that read them.

use std::collections::HashMap;

use crate::{
    error::{Error, Result},
    text::check_text,
};

const COLUMNS: [&str; 14] = [
    "comment",
    "copy_name_to_number",
    "emergency_callerid",
    "encryption",
    "extension",
    "fromuser",
    "inbound_call_limit",
    "istrunk",
    "language",
    "progressinband",
    "sendrpid",
    "t38pt_udptl",
    "total_call_limit",
    "transport",
];

/// Refuses names of columns that are not kept, and texts that are too long.
pub(super) fn check(columns: &HashMap<String, String>) -> Result<()> {
    for (name, text) in columns {
        let field = format!("device.legacy_columns.{name}");
        if !COLUMNS.contains(&name.as_str()) {
            return Err(Error::invalid(field, "is not a known column"));
        }
        check_text(&field, text)?;
    }
    Ok(())
}
