//! `SettingsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, settings_service_server::SettingsService};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    context::Context,
    currencies,
    error::{Error, Result},
    stats,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    fn current(&self) -> Result<pb::Settings> {
        let snapshot = self.0.catalog.load();
        let default_currency = &snapshot.currencies.default_currency()?.code;
        Ok(snapshot.settings.to_proto(default_currency))
    }
}

#[tonic::async_trait]
impl SettingsService for Service {
    async fn get_settings(
        &self,
        _request: Request<pb::GetSettingsRequest>,
    ) -> Result<Response<pb::GetSettingsResponse>, Status> {
        Ok(Response::new(pb::GetSettingsResponse { settings: Some(self.current()?) }))
    }

    async fn update_settings(
        &self,
        request: Request<pb::UpdateSettingsRequest>,
    ) -> Result<Response<pb::UpdateSettingsResponse>, Status> {
        let request = request.into_inner();
        let new = request.settings.unwrap_or_default();
        let mask = request.update_mask.unwrap_or_default();
        if mask.paths.is_empty() {
            return Err(Error::invalid("update_mask", "is required").into());
        }
        let mut tx = self.0.begin_catalog_change().await?;
        let mut settings = store::all(&mut tx).await?;
        let zone = settings.time_zone.clone();
        if mask.paths.iter().any(|path| path == "api_secret_key") {
            settings.retire_key(request.old_key_seconds)?;
        }
        for path in &mask.paths {
            match path.as_str() {
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
        self.0.commit_catalog_change(tx).await?;
        Ok(Response::new(pb::UpdateSettingsResponse { settings: Some(self.current()?) }))
    }
}
