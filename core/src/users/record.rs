//! A user's many fields: defaults, checks, and the changes that a field mask makes.
//!
//! The full user is the contract's own message. Rules that compute with its fields read
//! them into types of their own (`TaxPlan`, `Money`), after the checks here.

use rust_decimal::Decimal;
use tollbook_proto::v1 as pb;

use super::{
    legacy_columns,
    taxes::{MAX_TAXES, TaxPlan},
};
use crate::{
    catalog::Snapshot,
    clock, contract, directions, enums,
    error::{Error, Result},
    ids::{ApiPermissionGroupId, CurrencyId, ManagerGroupId, PoolId, TariffId},
    money::{self, Money},
    settings::{self, Settings},
};

/// Fields that no request can set.
const FIXED_FIELDS: [&str; 7] =
    ["id", "role", "balance", "frozen_balance", "logged_in", "password_changed_at", "created_at"];

/// A new user as a request describes him, with the defaults of what it leaves out.
pub(crate) fn with_defaults(user: pb::User, settings: &Settings) -> pb::User {
    let or = |text: String, default: &str| {
        if text.is_empty() { default.to_owned() } else { text }
    };
    let mut new = pb::User {
        role: if user.role == 0 { pb::Role::User.into() } else { user.role },
        balance: None,
        frozen_balance: None,
        logged_in: false,
        password_changed_at: None,
        created_at: None,
        currency_id: if user.currency_id == 0 { CurrencyId::DEFAULT.0 } else { user.currency_id },
        language: or(user.language, "en"),
        time_zone: or(user.time_zone, settings.time_zone_name()),
        address: Some(user.address.unwrap_or_default()),
        taxes: user.taxes.or_else(|| Some(settings.default_taxes.to_proto())),
        ..user
    };
    let warning = new.balance_warning.get_or_insert_default();
    (warning.user_warned, warning.admin_warned, warning.manager_warned) = (false, false, false);
    let blocking = new.blocking.get_or_insert_default();
    if blocking.conditional_day == 0 {
        blocking.conditional_day = 15;
    }
    new
}

/// The user after the changes that a request asks for, not yet checked.
pub(super) fn changed(old: &pb::User, request: &pb::UpdateUserRequest) -> Result<pb::User> {
    let new = request.user.clone().unwrap_or_default();
    let from = contract::to_dynamic(&new)?;
    let mut to = contract::to_dynamic(old)?;
    for path in contract::paths(request.update_mask.as_ref()) {
        let root = path.split('.').next().unwrap_or_default();
        let fixed = FIXED_FIELDS.contains(&root) || path.ends_with("_warned");
        if fixed || !contract::copy_field(&mut to, &from, path) {
            return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
        }
    }
    let mut user: pb::User = contract::from_dynamic(&to)?;
    // A mask that replaces the warnings as a whole still does not touch who was warned.
    if let (Some(warning), Some(before)) = (&mut user.balance_warning, &old.balance_warning) {
        warning.user_warned = before.user_warned;
        warning.admin_warned = before.admin_warned;
        warning.manager_warned = before.manager_warned;
    }
    patch_taxes(&mut user, &request.tax_patches)?;
    Ok(user)
}

/// Makes changes of single taxes.
pub(super) fn patch_taxes(user: &mut pb::User, patches: &[pb::TaxPatch]) -> Result<()> {
    let taxes = user.taxes.get_or_insert_default();
    patches.iter().try_for_each(|patch| apply_tax_patch(taxes, patch))
}

fn apply_tax_patch(settings: &mut pb::TaxSettings, patch: &pb::TaxPatch) -> Result<()> {
    let position = usize::try_from(patch.position).unwrap_or_default();
    if !(1..=MAX_TAXES).contains(&position) {
        return Err(Error::invalid("tax_patches.position", "must be 1 to 4"));
    }
    while settings.taxes.len() < position {
        settings.taxes.push(pb::Tax::default());
    }
    let tax = &mut settings.taxes[position - 1];
    if let Some(name) = &patch.name {
        tax.name.clone_from(name);
    }
    if let Some(percent) = &patch.percent {
        tax.percent = Some(percent.clone());
    }
    if let Some(enabled) = patch.enabled {
        tax.enabled = enabled;
    }
    Ok(())
}

/// Checks everything about a user that needs no look at other users.
pub(super) fn check(user: &mut pb::User, snapshot: &Snapshot) -> Result<()> {
    check_texts(user)?;
    if user.username.is_empty() {
        return Err(Error::invalid("username", "is required"));
    }
    if user.language.len() > 10 {
        return Err(Error::invalid("language", "must be a language code"));
    }
    settings::time_zone("time_zone", &user.time_zone)?;
    if snapshot.currencies.by_id(CurrencyId(user.currency_id)).is_none() {
        return Err(Error::CurrencyNotFound);
    }
    if user.tariff_id != 0 {
        snapshot.tariffs.by_id(TariffId(user.tariff_id))?;
    }
    for (field, number) in [
        ("responsible_manager_id", user.responsible_manager_id),
        ("call_limit", i64::from(user.call_limit)),
    ] {
        if number < 0 {
            return Err(Error::invalid(field, "must not be negative"));
        }
    }
    for (field, list) in
        [("destination_list.use", &user.destination_list), ("source_list.use", &user.source_list)]
    {
        if let Some(list) = list {
            enums::known::<pb::ListUse>(field, list.r#use)?;
            // Without one, a blacklist has no numbers and refuses nobody; a whitelist allows nobody.
            let pool = list.number_pool_id;
            if pool != 0 && !snapshot.pools.contains_key(&PoolId(pool)) {
                return Err(Error::NumberPoolNotFound);
            }
        }
    }
    check_manager(user, snapshot)?;
    check_restriction(user, snapshot)?;
    check_days(user)?;
    check_amounts(user)?;
    let address_direction = user.address.as_ref().map_or(0, |address| address.direction_id);
    for id in [user.taxation_country, address_direction] {
        if id != 0 && directions::name(id).is_none() {
            return Err(Error::DirectionNotFound);
        }
    }
    user.taxes = Some(TaxPlan::from_proto(&user.taxes.clone().unwrap_or_default())?.to_proto());
    legacy_columns::check(&user.legacy_columns)
}

/// Managers have a group; nobody else has one.
fn check_manager(user: &pb::User, snapshot: &Snapshot) -> Result<()> {
    if user.role() == pb::Role::Manager {
        let group = snapshot.manager_groups.by_id(ManagerGroupId(user.manager_group_id));
        return group.map(drop).ok_or(Error::ManagerGroupNotFound);
    }
    if user.manager_group_id != 0 || user.show_only_assigned_users {
        return Err(Error::invalid("manager_group_id", "is for managers only"));
    }
    Ok(())
}

/// Simple users and managers may be restricted, and nobody else.
fn check_restriction(user: &pb::User, snapshot: &Snapshot) -> Result<()> {
    let group = ApiPermissionGroupId(user.api_permission_group_id);
    let has_group = group != ApiPermissionGroupId(0);
    if has_group {
        snapshot.api_permission_groups.by_id(group)?;
    }
    let may_be = matches!(user.role(), pb::Role::User | pb::Role::Manager);
    match (may_be, user.api_restricted, has_group) {
        (false, true, _) => {
            Err(Error::invalid("api_restricted", "is for simple users and managers only"))
        }
        (false, false, true) => {
            Err(Error::invalid("api_permission_group_id", "is for simple users and managers only"))
        }
        _ => Ok(()),
    }
}

fn check_days(user: &pb::User) -> Result<()> {
    clock::check_day("agreement_date", &user.agreement_date)?;
    clock::check_day("minimal_charge_start", &user.minimal_charge_start)?;
    if let Some(blocking) = &user.blocking {
        clock::check_day("blocking.block_at", &blocking.block_at)?;
        if !(1..=31).contains(&blocking.conditional_day) {
            return Err(Error::invalid("blocking.conditional_day", "must be 1 to 31"));
        }
    }
    if let Some(warning) = &user.balance_warning
        && !(0..=23).contains(&warning.hour)
    {
        return Err(Error::invalid("balance_warning.hour", "must be 0 to 23"));
    }
    Ok(())
}

fn check_amounts(user: &pb::User) -> Result<()> {
    let warning = user.balance_warning.as_ref();
    let protection = user.loss_protection.as_ref();
    let daily = user.daily_limit.as_ref();
    let amounts = [
        ("credit", user.credit.as_ref()),
        ("balance_min", user.balance_min.as_ref()),
        ("balance_max", user.balance_max.as_ref()),
        ("minimal_charge", user.minimal_charge.as_ref()),
        (
            "balance_warning.user_threshold",
            warning.and_then(|warning| warning.user_threshold.as_ref()),
        ),
        (
            "balance_warning.admin_threshold",
            warning.and_then(|warning| warning.admin_threshold.as_ref()),
        ),
        (
            "balance_warning.manager_threshold",
            warning.and_then(|warning| warning.manager_threshold.as_ref()),
        ),
        (
            "loss_protection.max_call_rate",
            protection.and_then(|protection| protection.max_call_rate.as_ref()),
        ),
        (
            "loss_protection.min_rate_margin",
            protection.and_then(|protection| protection.min_rate_margin.as_ref()),
        ),
        (
            "loss_protection.min_rate_margin_percent",
            protection.and_then(|protection| protection.min_rate_margin_percent.as_ref()),
        ),
        ("daily_limit.limit", daily.and_then(|daily| daily.limit.as_ref())),
        ("daily_limit.warning", daily.and_then(|daily| daily.warning.as_ref())),
    ];
    for (field, amount) in amounts {
        amount.map(|amount| Money::from_proto(field, Some(amount))).transpose()?;
    }
    let credit = user.credit.as_ref().and_then(|credit| money::parse(&credit.value));
    if credit.is_some_and(|credit| credit < Decimal::ZERO && credit != Decimal::NEGATIVE_ONE) {
        return Err(Error::invalid("credit", "must be zero or more, or -1 for no limit"));
    }
    Ok(())
}

/// Every text is short, and without control characters but line breaks and tabs.
fn check_texts(user: &pb::User) -> Result<()> {
    contract::visit_texts(&contract::to_dynamic(user)?, &mut |field, text| {
        let limit = if field == "comment" { 10_000 } else { 255 };
        if text.chars().count() > limit {
            return Err(Error::invalid(field, "is too long"));
        }
        if text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t')) {
            return Err(Error::invalid(field, "contains a control character"));
        }
        Ok(())
    })
}

/// Completes a user as read from the database.
pub(super) fn complete(user: &mut pb::User) {
    legacy_columns::fill(&mut user.legacy_columns);
    user.frozen_balance.get_or_insert_with(|| Money::ZERO.into());
}
