//! The operator's settings: the legacy API tab and what the methods depend on.

pub(crate) mod owners;
mod service;
pub(crate) mod store;

use std::{collections::HashSet, net::IpAddr};

use jiff::tz::TimeZone;
use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    clock,
    error::{Error, Result},
    network::Networks,
    text::{check_note, check_text},
    users::taxes::TaxPlan,
    vault,
};

/// How long an old API secret key may count, in seconds: 30 days.
const LONGEST_GRACE: i32 = 30 * 24 * 3600;

/// The longest time for which repetitions may be told, in seconds: a day.
pub(crate) const LONGEST_REPLAY_WINDOW: i32 = 24 * 3600;

/// The highest number that a limit can be.
const HIGHEST_LIMIT: i32 = 1_000_000;

/// The settings as the core uses them. Their meaning is documented in `settings.proto`.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in the legacy GUI")]
pub(crate) struct Settings {
    pub(crate) allow_api: bool,
    pub(crate) allow_get_api: bool,
    /// `None` while none has been set.
    pub(crate) api_secret_key: Option<Secret>,
    /// The key before that, and until when it counts.
    pub(crate) old_api_secret_key: Option<(Secret, i64)>,
    /// Empty: all.
    pub(crate) api_addresses: Networks,
    /// The API answers whitelisted addresses alone.
    pub(crate) restrict_api_by_ip: bool,
    pub(crate) xml_api_extension: bool,
    pub(crate) allow_api_login_redirect: bool,
    pub(crate) login_redirect_url: String,
    pub(crate) disable_hash_checking: bool,
    pub(crate) api_allow_payments: bool,
    pub(crate) api_allow_registration: bool,
    pub(crate) balance_over_http: bool,
    pub(crate) rate_over_http: bool,
    pub(crate) conflines_over_api: bool,
    pub(crate) providers_over_api: bool,
    pub(crate) show_active_calls_for_users: bool,
    pub(crate) default_taxes: TaxPlan,
    pub(crate) time_zone: TimeZone,
    pub(crate) shared_api_key: bool,
    pub(crate) login_without_hash: bool,
    pub(crate) allow_login_by_email: bool,
    pub(crate) uniquehash_needs_hash: bool,
    pub(crate) uniquehash_as_hash: bool,
    pub(crate) resellers_use_admin_tariffs: bool,
    /// 0: none.
    pub(crate) replay_window_seconds: i32,
    /// 0: as many as one likes; so with the next.
    pub(crate) devices_per_user: i32,
    pub(crate) emails_per_hour: i32,
    /// What digests of devices' credentials are made with; `None` while there was no device. Nobody
    /// sets it, and nobody is told.
    pub(crate) device_digest_key: Option<Secret>,
}

/// A secret: never empty, because an empty one proves nothing, and never in a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret; `None` if the text is empty.
    pub(crate) fn new(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it can be guessed, or found by trying.
    pub(crate) fn is_weak(&self) -> bool {
        let different: HashSet<char> = self.0.chars().collect();
        self.0.chars().count() < 16 || different.len() < 8
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_api: false,
            allow_get_api: false,
            api_secret_key: None,
            old_api_secret_key: None,
            api_addresses: Networks::default(),
            restrict_api_by_ip: false,
            xml_api_extension: false,
            allow_api_login_redirect: false,
            login_redirect_url: "/billing/callc/main".to_owned(),
            disable_hash_checking: false,
            api_allow_payments: true,
            api_allow_registration: false,
            balance_over_http: true,
            rate_over_http: true,
            conflines_over_api: false,
            providers_over_api: false,
            show_active_calls_for_users: false,
            default_taxes: TaxPlan::default(),
            time_zone: TimeZone::UTC,
            shared_api_key: true,
            login_without_hash: false,
            allow_login_by_email: false,
            uniquehash_needs_hash: false,
            uniquehash_as_hash: false,
            resellers_use_admin_tariffs: false,
            replay_window_seconds: 0,
            devices_per_user: 1000,
            emails_per_hour: 500,
            device_digest_key: None,
        }
    }
}

impl Settings {
    /// Whether the API answers an address; one that is not known is none of a list.
    pub(crate) fn admits(&self, address: Option<IpAddr>) -> bool {
        self.api_addresses.is_empty()
            || address.is_some_and(|address| self.api_addresses.contain(address))
    }

    /// The API secret keys that count: the current one, and the one before it for a while.
    pub(crate) fn api_secret_keys(&self, now: i64) -> impl Iterator<Item = &Secret> {
        let old = self.old_api_secret_key.as_ref();
        let old = old.filter(|(_, until)| now < *until).map(|(key, _)| key);
        self.api_secret_key.iter().chain(old)
    }

    /// Keeps the current API secret key for a while beside the one that comes.
    fn retire_key(&mut self, seconds: i32) -> Result<()> {
        if !(0..=LONGEST_GRACE).contains(&seconds) {
            return Err(Error::invalid("old_key_seconds", "must be 0 to 2592000"));
        }
        let until = clock::now() + i64::from(seconds) * 1_000_000;
        let kept = self.api_secret_key.clone().filter(|_| seconds > 0);
        self.old_api_secret_key = kept.map(|key| (key, until));
        Ok(())
    }

    /// Changes one setting to its value in `new`.
    fn set(&mut self, field: &str, new: &pb::Settings) -> Result<()> {
        match field {
            "allow_api" => self.allow_api = new.allow_api,
            "allow_get_api" => self.allow_get_api = new.allow_get_api,
            "api_secret_key" => {
                check_api_secret_key(&new.api_secret_key)?;
                self.api_secret_key = Secret::new(new.api_secret_key.clone());
            }
            "api_addresses" => {
                check_note("api_addresses", &new.api_addresses)?;
                self.api_addresses = Networks::parse(&new.api_addresses)
                    .ok_or_else(|| Error::invalid("api_addresses", "must be a list of networks"))?;
            }
            "restrict_api_by_ip" => self.restrict_api_by_ip = new.restrict_api_by_ip,
            "xml_api_extension" => self.xml_api_extension = new.xml_api_extension,
            "allow_api_login_redirect" => {
                self.allow_api_login_redirect = new.allow_api_login_redirect;
            }
            "login_redirect_url" => {
                check_text("login_redirect_url", &new.login_redirect_url)?;
                self.login_redirect_url.clone_from(&new.login_redirect_url);
            }
            "disable_hash_checking" => self.disable_hash_checking = new.disable_hash_checking,
            "api_allow_payments" => self.api_allow_payments = new.api_allow_payments,
            "api_allow_registration" => self.api_allow_registration = new.api_allow_registration,
            "balance_over_http" => self.balance_over_http = new.balance_over_http,
            "rate_over_http" => self.rate_over_http = new.rate_over_http,
            "conflines_over_api" => self.conflines_over_api = new.conflines_over_api,
            "providers_over_api" => self.providers_over_api = new.providers_over_api,
            "show_active_calls_for_users" => {
                self.show_active_calls_for_users = new.show_active_calls_for_users;
            }
            "default_taxes" => {
                self.default_taxes =
                    TaxPlan::from_proto(&new.default_taxes.clone().unwrap_or_default())?;
            }
            "time_zone" => self.time_zone = time_zone("time_zone", &new.time_zone)?,
            "shared_api_key" => self.shared_api_key = new.shared_api_key,
            "login_without_hash" => self.login_without_hash = new.login_without_hash,
            "allow_login_by_email" => self.allow_login_by_email = new.allow_login_by_email,
            "uniquehash_needs_hash" => self.uniquehash_needs_hash = new.uniquehash_needs_hash,
            "uniquehash_as_hash" => self.uniquehash_as_hash = new.uniquehash_as_hash,
            "resellers_use_admin_tariffs" => {
                self.resellers_use_admin_tariffs = new.resellers_use_admin_tariffs;
            }
            "replay_window_seconds" => {
                if !(0..=LONGEST_REPLAY_WINDOW).contains(&new.replay_window_seconds) {
                    return Err(Error::invalid("replay_window_seconds", "must be 0 to 86400"));
                }
                self.replay_window_seconds = new.replay_window_seconds;
            }
            "devices_per_user" => self.devices_per_user = limit(field, new.devices_per_user)?,
            "emails_per_hour" => self.emails_per_hour = limit(field, new.emails_per_hour)?,
            _ => {
                return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
            }
        }
        Ok(())
    }

    /// What nobody does by accident, among the settings that a request changes; `of_owner` says that
    /// some reseller's hashes are not checked.
    fn check_dangers(&self, paths: &[String], of_owner: bool) -> Result<()> {
        let changes = |name: &str| paths.iter().any(|path| path == name);
        if changes("api_secret_key") && self.api_secret_key.as_ref().is_some_and(Secret::is_weak) {
            return Err(Error::WeakSecret);
        }
        let unchecked = self.disable_hash_checking || of_owner;
        let anywhere = unchecked && self.api_addresses.is_empty();
        if anywhere && (changes("disable_hash_checking") || changes("api_addresses")) {
            return Err(Error::HashCheckingNeeded);
        }
        Ok(())
    }

    /// What must hold between settings.
    fn check(&self) -> Result<()> {
        if self.allow_api && self.api_secret_key.is_none() {
            return Err(Error::ApiSecretMissing);
        }
        Ok(())
    }

    /// The IANA name of the system's time zone.
    #[must_use]
    pub(crate) fn time_zone_name(&self) -> &str {
        self.time_zone.iana_name().unwrap_or("UTC")
    }

    pub(crate) fn to_proto(&self, default_currency: &str) -> pb::Settings {
        pb::Settings {
            allow_api: self.allow_api,
            allow_get_api: self.allow_get_api,
            api_secret_key: String::new(),
            has_api_secret_key: self.api_secret_key.is_some(),
            xml_api_extension: self.xml_api_extension,
            allow_api_login_redirect: self.allow_api_login_redirect,
            login_redirect_url: self.login_redirect_url.clone(),
            disable_hash_checking: self.disable_hash_checking,
            api_allow_payments: self.api_allow_payments,
            api_allow_registration: self.api_allow_registration,
            balance_over_http: self.balance_over_http,
            rate_over_http: self.rate_over_http,
            conflines_over_api: self.conflines_over_api,
            providers_over_api: self.providers_over_api,
            show_active_calls_for_users: self.show_active_calls_for_users,
            default_taxes: Some(self.default_taxes.to_proto()),
            time_zone: self.time_zone_name().to_owned(),
            default_currency: default_currency.to_owned(),
            api_addresses: self.api_addresses.to_string(),
            old_api_secret_key_until: self
                .old_api_secret_key
                .as_ref()
                .filter(|(_, until)| clock::now() < *until)
                .map(|(_, until)| clock::to_proto(*until)),
            shared_api_key: self.shared_api_key,
            login_without_hash: self.login_without_hash,
            allow_login_by_email: self.allow_login_by_email,
            uniquehash_needs_hash: self.uniquehash_needs_hash,
            uniquehash_as_hash: self.uniquehash_as_hash,
            resellers_use_admin_tariffs: self.resellers_use_admin_tariffs,
            replay_window_seconds: self.replay_window_seconds,
            devices_per_user: self.devices_per_user,
            emails_per_hour: self.emails_per_hour,
            restrict_api_by_ip: self.restrict_api_by_ip,
        }
    }
}

/// A number of things that there may be at most; 0: as many as one likes.
fn limit(field: &str, number: i32) -> Result<i32> {
    match (0..=HIGHEST_LIMIT).contains(&number) {
        true => Ok(number),
        false => Err(Error::invalid(field, "must be 0 to 1000000")),
    }
}

/// Whether a text can be the API secret key, whoever sets it.
pub(crate) fn check_api_secret_key(key: &str) -> Result<()> {
    check_text("api_secret_key", key)?;
    if key.starts_with(vault::SEALED) {
        return Err(Error::invalid("api_secret_key", "must not begin with sealed:"));
    }
    Ok(())
}

/// The time zone of an IANA name.
pub(crate) fn time_zone(field: &'static str, name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|_| Error::invalid(field, "is not an IANA time zone"))
}
