//! What users have who register with an owner, and their devices.

use tollbook_proto::v1 as pb;

use super::OwnerSettings;
use crate::{
    contract,
    currencies::Currencies,
    devices, enums,
    error::{Error, Result},
    money::Money,
    settings::time_zone,
    text::{check_note, check_text},
};

/// How short a password may be that an owner asks for.
const PASSWORD_LENGTHS: std::ops::RangeInclusive<i32> = 6..=30;
/// How long it is at least where the owner does not say.
const PASSWORD_LENGTH: usize = 8;

impl OwnerSettings {
    /// How many characters the password of a user needs who registers.
    pub(crate) fn password_length(&self) -> usize {
        let said = usize::try_from(self.default_user.password_length).unwrap_or_default();
        if said == 0 { PASSWORD_LENGTH } else { said }
    }

    /// Changes a default to its value in `new`.
    pub(super) fn set_default(&mut self, path: &str, new: &pb::OwnerSettings) -> Result<()> {
        let fixed = || Error::invalid("update_mask", "names a field that cannot be changed");
        if !matches!(path.split('.').next(), Some("default_user" | "default_device")) {
            return Err(fixed());
        }
        let from = contract::to_dynamic(new)?;
        let mut to = contract::to_dynamic(&self.to_proto())?;
        if !contract::copy_field(&mut to, &from, path) {
            return Err(fixed());
        }
        let changed: pb::OwnerSettings = contract::from_dynamic(&to)?;
        self.default_user = changed.default_user.unwrap_or_default();
        self.default_device = changed.default_device.unwrap_or_default();
        Ok(())
    }

    /// Checks everything about the defaults but the tariff, which is somebody's.
    pub(in crate::settings) fn check_defaults(&self, currencies: &Currencies) -> Result<()> {
        self.check_default_user(currencies)?;
        self.check_default_device()
    }

    fn check_default_user(&self, currencies: &Currencies) -> Result<()> {
        let user = &self.default_user;
        if let Some(credit) = &user.credit {
            let credit = Money::from_proto("default_user.credit", Some(credit))?.value();
            if credit.is_sign_negative() && credit != rust_decimal::Decimal::NEGATIVE_ONE {
                let problem = "must be zero or more, or -1 for no limit";
                return Err(Error::invalid("default_user.credit", problem));
            }
        }
        if let Some(balance) = &user.balance {
            Money::from_proto("default_user.balance", Some(balance))?;
        }
        if user.call_limit < 0 {
            return Err(Error::invalid("default_user.call_limit", "must not be negative"));
        }
        if user.password_length != 0 && !PASSWORD_LENGTHS.contains(&user.password_length) {
            return Err(Error::invalid("default_user.password_length", "must be 6 to 30"));
        }
        check_text("default_user.time_zone", &user.time_zone)?;
        if !user.time_zone.is_empty() {
            time_zone("default_user.time_zone", &user.time_zone)?;
        }
        match user.currency.is_empty() || currencies.by_code(&user.currency).is_some() {
            true => Ok(()),
            false => Err(Error::CurrencyNotFound),
        }
    }

    fn check_default_device(&self) -> Result<()> {
        let device = &self.default_device;
        enums::known::<pb::DeviceType>("default_device.type", device.r#type)?;
        for (field, number) in [
            ("default_device.call_limit", device.call_limit),
            ("default_device.grace_time_seconds", device.grace_time_seconds),
        ] {
            if number < 0 {
                return Err(Error::invalid(field, "must not be negative"));
            }
        }
        check_text("default_device.server_address", &device.server_address)?;
        check_note("default_device.registration_notice", &device.registration_notice)?;
        match &device.signaling {
            Some(signaling) => devices::check_signaling("default_device", signaling),
            None => Ok(()),
        }
    }
}
