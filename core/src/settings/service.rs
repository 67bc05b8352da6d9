//! `SettingsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, settings_service_server::SettingsService};
use tonic::{Request, Response, Status};

use super::{Settings, store};
use crate::{
    access::principal,
    changes::{self, Change},
    context::Context,
    contract, currencies,
    error::{Error, Result},
    stats,
    store::Tx,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    fn current(&self) -> Result<pb::Settings> {
        let snapshot = self.0.catalog.load();
        let default_currency = &snapshot.currencies.default_currency()?.code;
        Ok(snapshot.settings.to_proto(default_currency))
    }
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
        let mut tx = self.0.begin_catalog_change().await?;
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
            settings.check_dangers(&mask.paths)?;
        }
        store::write(&mut tx, &settings).await?;
        if settings.time_zone != zone {
            stats::rollup::rebuild(&mut tx, &settings.time_zone).await?;
        }
        let after = shown(&mut tx, &settings).await?;
        let change = Change::of("settings".to_owned(), &before, &after)?;
        let change = if rekeyed { change.note("API secret key changed") } else { change };
        changes::record(&mut tx, caller.origin(), change).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(Response::new(pb::UpdateSettingsResponse { settings: Some(after) }))
    }
}
