//! `SettingsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, settings_service_server::SettingsService};
use tonic::{Request, Response, Status};

use super::{
    Settings,
    owners::{self, OwnerSettings},
    store,
};
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    contract, currencies,
    error::{Error, Result},
    ids::{self, TariffId, UserId},
    resource::Resource,
    stats,
    store::Tx,
    tariffs,
    users::{self, Role},
    whitelist,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    fn current(&self) -> Result<pb::Settings> {
        let snapshot = self.0.catalog.load();
        let default_currency = &snapshot.currencies.default_currency()?.code;
        Ok(snapshot.settings.to_proto(default_currency))
    }
}

impl Service {
    /// The owner whose settings are asked for: resellers and partners have their own alone.
    fn owner(caller: &Principal, id: Option<i64>, own: bool) -> Result<UserId> {
        let id = match own {
            true => caller.user()?.id,
            false => ids::required::<UserId>("user_id", id)?,
        };
        match caller.scope().owner().is_none_or(|own| own == id) {
            true => Ok(id),
            false => Err(Error::UserNotFound),
        }
    }

    async fn update_owner(
        &self,
        caller: &Principal,
        request: pb::UpdateOwnerSettingsRequest,
    ) -> Result<pb::OwnerSettings> {
        let owner = Self::owner(caller, request.user_id, request.own)?;
        let new = request.settings.unwrap_or_default();
        let mask = request.update_mask.unwrap_or_default();
        if mask.paths.is_empty() {
            return Err(Error::invalid("update_mask", "is required"));
        }
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let operator = store::all(&mut tx).await?;
        let mut settings = owners::store::all(&mut tx).await?.remove(&owner).unwrap_or_default();
        let before = shown_to(owner, &settings, &operator);
        let (mut of_admin, mut paths) = (Vec::new(), Vec::new());
        for path in contract::paths(Some(&mask)) {
            match owner == UserId::ADMIN && owners::OF_OPERATOR.contains(&path) {
                true => of_admin.push(path),
                false => paths.push(path),
            }
        }
        for path in &paths {
            settings.set(path, &new)?;
        }
        // What is dangerous is so for the operator's money.
        let force = request.force && caller.user()?.role == Role::Admin;
        let operator = if owner == UserId::ADMIN {
            change_operators(&mut tx, operator, &of_admin, &new, force).await?
        } else {
            users::ownership::check_is_owner(&mut tx, owner).await?;
            settings.check()?;
            if !force {
                settings.check_dangers(&mask.paths, operator.api_addresses.is_empty())?;
            }
            operator
        };
        settings.check_defaults(&currencies::store::all(&mut tx).await?)?;
        self.check_default_tariff(&mut tx, caller, owner, &before, &settings).await?;
        owners::store::write(&mut tx, owner, &settings).await?;
        let after = shown_to(owner, &settings, &operator);
        let change = Change::of(Resource::UserSettings(owner), &before, &after)?;
        let rekeyed = mask.paths.iter().any(|path| path == "api_secret_key");
        tx.commit(if rekeyed { change.note("API secret key changed") } else { change }).await?;
        Ok(after)
    }

    /// Checks a tariff that those get from now on who register: it is one that the owner may give.
    async fn check_default_tariff(
        &self,
        tx: &mut Tx,
        caller: &Principal,
        owner: UserId,
        before: &pb::OwnerSettings,
        settings: &OwnerSettings,
    ) -> Result<()> {
        const FIELD: &str = "default_user.tariff_id";
        let tariff = settings.default_user.tariff_id;
        let known = before.default_user.as_ref().map_or(0, |user| user.tariff_id);
        if tariff == 0 || tariff == known {
            return Ok(());
        }
        let snapshot = self.0.catalog.load_full();
        let tariffs = tariffs::store::all(tx).await?;
        tariffs.check_given(caller, &snapshot.settings, owner, TariffId(tariff), FIELD)
    }
}

/// The settings of an owner, or of the admin.
fn shown_to(owner: UserId, settings: &OwnerSettings, operator: &Settings) -> pb::OwnerSettings {
    match owner == UserId::ADMIN {
        true => settings.to_proto_of_admin(operator),
        false => settings.to_proto(),
    }
}

/// Changes what the admin has as others have it of their own, and returns how it is then.
async fn change_operators(
    tx: &mut Tx,
    mut settings: Settings,
    paths: &[&str],
    new: &pb::OwnerSettings,
    force: bool,
) -> Result<Settings> {
    if paths.is_empty() {
        return Ok(settings);
    }
    let new = pb::Settings {
        allow_api: new.allow_api,
        api_secret_key: new.api_secret_key.clone(),
        disable_hash_checking: new.disable_hash_checking,
        balance_over_http: new.balance_over_http,
        ..Default::default()
    };
    if paths.contains(&"api_secret_key") {
        settings.retire_key(0)?;
    }
    for path in paths {
        settings.set(path, &new)?;
    }
    settings.check()?;
    if !force {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        settings.check_dangers(&paths, false)?;
    }
    store::write(tx, &settings).await?;
    Ok(settings)
}

/// Settings as a transaction would leave them.
async fn shown(tx: &mut Tx, settings: &Settings) -> Result<pb::Settings> {
    let currencies = currencies::store::all(tx).await?;
    Ok(settings.to_proto(&currencies.default_currency()?.code))
}

#[tonic::async_trait]
impl SettingsService for Service {
    async fn get_settings(
        &self,
        _request: Request<pb::GetSettingsRequest>,
    ) -> Result<Response<pb::GetSettingsResponse>, Status> {
        Ok(Response::new(pb::GetSettingsResponse { settings: Some(self.current()?) }))
    }

    async fn get_version(
        &self,
        _request: Request<pb::GetVersionRequest>,
    ) -> Result<Response<pb::GetVersionResponse>, Status> {
        let version = concat!("Tollbook ", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Response::new(pb::GetVersionResponse { version }))
    }

    async fn update_settings(
        &self,
        request: Request<pb::UpdateSettingsRequest>,
    ) -> Result<Response<pb::UpdateSettingsResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let new = request.settings.unwrap_or_default();
        let mask = request.update_mask.unwrap_or_default();
        if mask.paths.is_empty() {
            return Err(Error::invalid("update_mask", "is required").into());
        }
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let mut settings = store::all(&mut tx).await?;
        let zone = settings.time_zone.clone();
        let before = shown(&mut tx, &settings).await?;
        let rekeyed = mask.paths.iter().any(|path| path == "api_secret_key");
        if rekeyed {
            settings.retire_key(request.old_key_seconds)?;
        }
        for path in contract::paths(Some(&mask)) {
            match path {
                // Of the currencies, which keep it.
                "default_currency" => {
                    currencies::set_default(&mut tx, &new.default_currency).await?;
                }
                path => settings.set(path, &new)?,
            }
        }
        settings.check()?;
        if !request.force {
            let owners = owners::store::all(&mut tx).await?;
            let unchecked = owners.values().any(|owner| owner.disable_hash_checking);
            settings.check_dangers(&mask.paths, unchecked)?;
            let shuts = settings.restrict_api_by_ip && !before.restrict_api_by_ip;
            if shuts && !whitelist::store::all(&mut tx).await?.admits_any() {
                return Err(Error::WhitelistEmpty.into());
            }
        }
        store::write(&mut tx, &settings).await?;
        if settings.time_zone != zone {
            stats::rollup::rebuild(&mut tx, &settings.time_zone).await?;
        }
        let after = shown(&mut tx, &settings).await?;
        let change = Change::of(Resource::Settings, &before, &after)?;
        tx.commit(if rekeyed { change.note("API secret key changed") } else { change }).await?;
        Ok(Response::new(pb::UpdateSettingsResponse { settings: Some(after) }))
    }

    async fn get_owner_settings(
        &self,
        request: Request<pb::GetOwnerSettingsRequest>,
    ) -> Result<Response<pb::GetOwnerSettingsResponse>, Status> {
        let caller = principal(&request)?;
        let id = Self::owner(&caller, request.get_ref().user_id, false)?;
        let owner = self.0.directory.by_id(id).await?.ok_or(Error::UserNotFound)?;
        if !owner.role.is_owner() && id != UserId::ADMIN {
            return Err(Error::OwnerInvalid.into());
        }
        let snapshot = self.0.catalog.load_full();
        let settings = snapshot.owner_settings.get(&id).cloned().unwrap_or_default();
        let settings = Some(shown_to(id, &settings, &snapshot.settings));
        Ok(Response::new(pb::GetOwnerSettingsResponse { settings }))
    }

    async fn update_owner_settings(
        &self,
        request: Request<pb::UpdateOwnerSettingsRequest>,
    ) -> Result<Response<pb::UpdateOwnerSettingsResponse>, Status> {
        let caller = principal(&request)?;
        if caller.is_legacy() && !self.0.catalog.load().settings.conflines_over_api {
            return Err(Error::FeatureDisabled.into());
        }
        let settings = Some(self.update_owner(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateOwnerSettingsResponse { settings }))
    }
}
