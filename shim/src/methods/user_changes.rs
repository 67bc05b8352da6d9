//! Changes of a user that come in several parameters: dates, and taxes.

use tollbook_proto::v1::TaxPatch;

use crate::{
    method::{Param, optional},
    values::Values,
};

/// A date that comes as year, month and day; none where neither was sent.
pub(crate) fn date(params: &Values, date: [Param; 3]) -> Result<Option<String>, String> {
    let parts = date.map(|param| params.filled(param));
    if parts == [None; 3] {
        return Ok(None);
    }
    let names = date.map(|param| param.name).join(", ");
    let [Some(year), Some(month), Some(day)] = parts else {
        return Err(format!("{names} belong together"));
    };
    let number = |text: &str| text.parse::<u16>().ok();
    let date = number(year).zip(number(month)).zip(number(day));
    let ((year, month), day) = date.ok_or_else(|| format!("{names} must be numbers"))?;
    Ok(Some(format!("{year:04}-{month:02}-{day:02}")))
}

pub(crate) const TAX1_NAME: Param = optional("tax1_name", "name of the first tax");
pub(crate) const TAX1_VALUE: Param = optional("tax1_value", "percentage of the first tax");
pub(crate) const TAX2_ENABLED: Param = optional("tax2_enabled", "1 or 0");
pub(crate) const TAX2_NAME: Param = optional("tax2_name", "name of the second tax");
pub(crate) const TAX2_VALUE: Param = optional("tax2_value", "percentage of the second tax");
pub(crate) const TAX3_ENABLED: Param = optional("tax3_enabled", "1 or 0");
pub(crate) const TAX3_NAME: Param = optional("tax3_name", "name of the third tax");
pub(crate) const TAX3_VALUE: Param = optional("tax3_value", "percentage of the third tax");
pub(crate) const TAX4_ENABLED: Param = optional("tax4_enabled", "1 or 0");
pub(crate) const TAX4_NAME: Param = optional("tax4_name", "name of the fourth tax");
pub(crate) const TAX4_VALUE: Param = optional("tax4_value", "percentage of the fourth tax");

/// The taxes: whether one is on, its name and its percentage. The first cannot be switched off.
const TAXES: [(Option<Param>, Param, Param); 4] = [
    (None, TAX1_NAME, TAX1_VALUE),
    (Some(TAX2_ENABLED), TAX2_NAME, TAX2_VALUE),
    (Some(TAX3_ENABLED), TAX3_NAME, TAX3_VALUE),
    (Some(TAX4_ENABLED), TAX4_NAME, TAX4_VALUE),
];

/// The changes of the four taxes.
pub(crate) fn taxes(params: &Values) -> Result<Vec<TaxPatch>, String> {
    let mut patches = Vec::new();
    for (position, (switch, name, percent)) in (1..).zip(TAXES) {
        let enabled = match switch {
            None => None,
            Some(switch) => params.toggled(switch, "0")?,
        };
        let name = params.get(name).map(str::to_owned);
        let patch = TaxPatch { position, name, percent: params.decimal(percent), enabled };
        if patch.name.is_some() || patch.percent.is_some() || patch.enabled.is_some() {
            patches.push(patch);
        }
    }
    Ok(patches)
}
