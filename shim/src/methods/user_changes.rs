//! Changes of a user that come in several parameters: dates, and taxes.

use tollbook_proto::v1::TaxPatch;

use crate::request::Params;

/// A date that comes as year, month and day; none where neither was sent.
pub(crate) fn date(params: &Params, names: [&str; 3]) -> Result<Option<String>, String> {
    let parts = names.map(|name| params.filled(name));
    if parts == [None; 3] {
        return Ok(None);
    }
    let [Some(year), Some(month), Some(day)] = parts else {
        return Err(format!("{} belong together", names.join(", ")));
    };
    let number = |text: &str| text.parse::<u16>().ok();
    let date = number(year).zip(number(month)).zip(number(day));
    let ((year, month), day) =
        date.ok_or_else(|| format!("{} must be numbers", names.join(", ")))?;
    Ok(Some(format!("{year:04}-{month:02}-{day:02}")))
}

/// The changes of the four taxes. The first cannot be switched off.
pub(crate) fn taxes(params: &Params) -> Result<Vec<TaxPatch>, String> {
    let mut patches = Vec::new();
    for position in 1..=4 {
        let enabled_name = format!("tax{position}_enabled");
        let enabled = match position {
            1 => None,
            _ => params.toggled(&enabled_name, "0")?,
        };
        let patch = TaxPatch {
            position,
            name: params.get(&format!("tax{position}_name")).map(str::to_owned),
            percent: params.decimal(&format!("tax{position}_value")),
            enabled,
        };
        if patch.name.is_some() || patch.percent.is_some() || patch.enabled.is_some() {
            patches.push(patch);
        }
    }
    Ok(patches)
}
