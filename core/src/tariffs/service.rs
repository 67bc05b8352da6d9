//! `TariffsService`.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, stream};
use tollbook_proto::v1::{
    self as pb, TariffPurpose, import_rates_request::Part, tariffs_service_server::TariffsService,
};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use super::{Purpose, Tariff, import, imports, store};
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    currencies::Currencies,
    enums,
    error::{Error, Result},
    ids::{self, CurrencyId, PointId, TariffId, UserId},
    paging::Page,
    resource::Resource,
    store::{Db, Sequence},
    text::check_name,
    users::{self, Role},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// The currency of a code; the default one where it is empty.
fn currency(currencies: &Currencies, code: &str) -> Result<CurrencyId> {
    if code.is_empty() {
        return Ok(CurrencyId::DEFAULT);
    }
    let currency = currencies.by_code(code).filter(|currency| currency.active);
    currency.map(|currency| currency.id).ok_or(Error::CurrencyNotFound)
}

/// Whose a new tariff is: resellers' and partners' are their own, and the admin says whose his are.
fn owner(caller: &Principal, asked: UserId) -> Result<UserId> {
    let user = caller.user()?;
    match user.role {
        Role::Admin => Ok(asked),
        Role::Reseller | Role::Partner => Ok(user.id),
        Role::Manager | Role::User if asked == UserId::ADMIN => Ok(asked),
        Role::Manager | Role::User => Err(Error::RoleDenied),
    }
}

impl Service {
    async fn create(&self, caller: &Principal, new: pb::Tariff) -> Result<pb::Tariff> {
        check_name(&new.name)?;
        let snapshot = self.0.catalog.load_full();
        let mut tariff = Tariff {
            id: TariffId(0),
            purpose: match enums::known("tariff.purpose", new.purpose)? {
                TariffPurpose::Provider => Purpose::Provider,
                TariffPurpose::UserWholesale | TariffPurpose::Unspecified => Purpose::UserWholesale,
            },
            currency: currency(&snapshot.currencies, &new.currency)?,
            owner: owner(caller, UserId(new.owner_id))?,
            name: new.name,
            revision: 1,
        };
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        if tariff.owner != UserId::ADMIN {
            users::ownership::check_is_owner(&mut tx, tariff.owner).await?;
        }
        tariff.id = TariffId(tx.next_id(Sequence::Tariffs).await?);
        store::insert(&mut tx, &tariff).await?;
        let tariff = tariff.to_proto(&snapshot.currencies)?;
        tx.commit(Change::creation(Resource::Tariff(TariffId(tariff.id)), &tariff)?).await?;
        Ok(tariff)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateTariffRequest,
    ) -> Result<pb::Tariff> {
        let id = ids::required::<TariffId>("id", request.id)?;
        let snapshot = self.0.catalog.load_full();
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let tariffs = store::all(&mut tx).await?;
        let mut tariff = tariffs.changeable(caller, &snapshot.settings, id)?.clone();
        let before = tariff.to_proto(&snapshot.currencies)?;
        if let Some(name) = request.name {
            check_name(&name)?;
            tariff.name = name;
        }
        if let Some(code) = request.currency {
            tariff.currency = currency(&snapshot.currencies, &code)?;
        }
        store::update(&mut tx, &tariff).await?;
        let tariff = tariff.to_proto(&snapshot.currencies)?;
        tx.commit(Change::of(Resource::Tariff(TariffId(tariff.id)), &before, &tariff)?).await?;
        Ok(tariff)
    }

    async fn delete(&self, caller: &Principal, id: TariffId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let snapshot = self.0.catalog.load_full();
        let tariffs = store::all(&mut tx).await?;
        let tariff = tariffs.changeable(caller, &snapshot.settings, id)?;
        if store::in_use(&mut tx, id).await? {
            return Err(Error::TariffInUse);
        }
        store::delete(&mut tx, id).await?;
        let tariff = tariff.to_proto(&snapshot.currencies)?;
        tx.commit(Change::deletion(Resource::Tariff(id), &tariff)?.note("with all its rates")).await
    }

    /// A tariff that the caller may see.
    fn visible(&self, caller: &Principal, id: TariffId) -> Result<pb::Tariff> {
        let snapshot = self.0.catalog.load();
        let tariff = snapshot.tariffs.visible_by_id(caller, &snapshot.settings, id)?;
        tariff.to_proto(&snapshot.currencies)
    }

    /// The tariff whose rates are asked for.
    async fn asked(
        &self,
        caller: &Principal,
        request: &pb::ExportRatesRequest,
    ) -> Result<pb::Tariff> {
        if let Some(id) = request.connection_point_id.filter(|id| *id != 0) {
            return self.of_point(caller, PointId(id)).await;
        }
        let own = caller.user()?;
        let means_own = request.default_own
            && match own.role {
                Role::Admin | Role::Manager => false,
                Role::Reseller | Role::Partner => request.tariff_id.is_none(),
                Role::User => true,
            };
        let id = match request.user_id {
            Some(id) => caller.see(self.0.directory.by_id(UserId(id)).await?)?.tariff,
            None if means_own => own.tariff,
            None => {
                let id = ids::required::<TariffId>("tariff_id", request.tariff_id)?;
                return self.visible(caller, id);
            }
        };
        // Whoever may see a user may see what he pays.
        let snapshot = self.0.catalog.load();
        snapshot.tariffs.by_id(id)?.to_proto(&snapshot.currencies)
    }

    /// The tariff of a connection point that the caller may see.
    async fn of_point(&self, caller: &Principal, id: PointId) -> Result<pb::Tariff> {
        let snapshot = self.0.catalog.load_full();
        let point = snapshot.points.by_id(id).ok_or(Error::ConnectionPointNotFound)?;
        let user = caller
            .see(self.0.directory.by_id(point.user).await?)
            .map_err(|_| Error::ConnectionPointNotFound)?;
        let sides = match (&point.origination, &point.termination) {
            (Some(origination), _) => origination.terms.tariffs,
            // What a call to him costs the operator is between the two, and in his tariff.
            (None, Some(termination)) if caller.scope().is_staff() => termination.terms.tariffs,
            (None, _) => return Err(Error::TariffNotFound),
        };
        let tariff = snapshot.tariffs.by_id(sides.or(user.tariff).tariff)?;
        tariff.to_proto(&snapshot.currencies)
    }
}

/// An export under way: a page in memory at a time, and nothing of the database while a client
/// reads it.
struct Export {
    db: Db,
    tariff: TariffId,
    /// Of all of its pages: no rates of another one come between.
    revision: i64,
    after: Option<String>,
}

impl Export {
    /// The next page. It is read by a task of its own: a client that stops reading in the middle
    /// would otherwise keep the connection that the page is read with.
    async fn next(self) -> Result<Option<(pb::ExportRatesResponse, Self)>, Status> {
        let page = tokio::spawn(self.read().in_current_span()).await;
        page.map_err(|error| Error::internal(error.to_string()))?
    }

    async fn read(mut self) -> Result<Option<(pb::ExportRatesResponse, Self)>, Status> {
        let mut snapshot = self.db.snapshot().await?;
        let tariffs = store::all(&mut snapshot).await?;
        if tariffs.by_id(self.tariff)?.revision != self.revision {
            // The next attempt gets the new rates, all of them.
            return Err(Error::Changed.into());
        }
        let page = store::rates_page(&mut snapshot, self.tariff, self.after.as_deref()).await?;
        drop(snapshot);
        let Some((last, _)) = page.last() else { return Ok(None) };
        self.after = Some(last.prefix.clone());
        let rates =
            page.into_iter().map(|(rate, destination)| rate.to_proto(destination)).collect();
        Ok(Some((pb::ExportRatesResponse { tariff: None, rates }, self)))
    }
}

#[tonic::async_trait]
impl TariffsService for Service {
    async fn list_tariffs(
        &self,
        request: Request<pb::ListTariffsRequest>,
    ) -> Result<Response<pb::ListTariffsResponse>, Status> {
        let caller = principal(&request)?;
        let own_only = request.get_ref().own_only;
        let page = Page::of(request.get_ref())?;
        let snapshot = self.0.catalog.load();
        let tariffs: Vec<_> = match own_only {
            true => snapshot.tariffs.owned(&caller)?.collect(),
            false => snapshot.tariffs.visible(&caller, &snapshot.settings)?.collect(),
        };
        let tariffs = tariffs.into_iter();
        let (tariffs, next_page_token) = page.of_sorted(tariffs, |tariff| tariff.id.0)?;
        let tariffs = tariffs.into_iter().map(|tariff| tariff.to_proto(&snapshot.currencies));
        let tariffs = tariffs.collect::<Result<_>>()?;
        Ok(Response::new(pb::ListTariffsResponse { tariffs, next_page_token }))
    }

    async fn create_tariff(
        &self,
        request: Request<pb::CreateTariffRequest>,
    ) -> Result<Response<pb::CreateTariffResponse>, Status> {
        let caller = principal(&request)?;
        let tariff = self.create(&caller, request.into_inner().tariff.unwrap_or_default()).await?;
        Ok(Response::new(pb::CreateTariffResponse { tariff: Some(tariff) }))
    }

    async fn update_tariff(
        &self,
        request: Request<pb::UpdateTariffRequest>,
    ) -> Result<Response<pb::UpdateTariffResponse>, Status> {
        let caller = principal(&request)?;
        let tariff = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateTariffResponse { tariff }))
    }

    async fn delete_tariff(
        &self,
        request: Request<pb::DeleteTariffRequest>,
    ) -> Result<Response<pb::DeleteTariffResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<TariffId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteTariffResponse {}))
    }

    type ExportRatesStream =
        Pin<Box<dyn Stream<Item = Result<pb::ExportRatesResponse, Status>> + Send>>;

    async fn export_rates(
        &self,
        request: Request<pb::ExportRatesRequest>,
    ) -> Result<Response<Self::ExportRatesStream>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let tariff = self.asked(&caller, &request).await?;
        let id = TariffId(tariff.id);
        let db = self.0.db.clone();
        let revision = {
            let mut snapshot = db.snapshot().await?;
            store::all(&mut snapshot).await?.by_id(id)?.revision
        };
        let export = Export { db, tariff: id, revision, after: None };
        let first = pb::ExportRatesResponse { tariff: Some(tariff), rates: Vec::new() };
        let rates = stream::try_unfold(export, Export::next);
        let all = stream::StreamExt::chain(stream::iter([Ok(first)]), rates);
        Ok(Response::new(Box::pin(all)))
    }

    async fn import_rates(
        &self,
        request: Request<Streaming<pb::ImportRatesRequest>>,
    ) -> Result<Response<pb::ImportRatesResponse>, Status> {
        let caller = principal(&request)?;
        let mut parts = request.into_inner();
        let options = import::options(parts.message().await?)?;
        let snapshot = self.0.catalog.load_full();
        // Better known before a large deck is sent than after.
        let tariff = ids::required::<TariffId>("options.tariff_id", options.tariff_id)?;
        snapshot.tariffs.changeable(&caller, &snapshot.settings, tariff)?;
        let zone = snapshot.settings.time_zone.clone();
        // All see the names of destinations: those of the operator stay.
        let names = caller.scope().is_staff();
        let mut import = import::Import::new(tariff, options, zone, names);
        while let Some(part) = parts.message().await? {
            match part.part {
                Some(Part::Lines(lines)) => import.add_lines(lines)?,
                Some(Part::File(file)) => import.name_file(file)?,
                _ => {
                    let problem = "must be lines or the file after the first message";
                    return Err(Error::invalid("part", problem).into());
                }
            }
        }
        Ok(Response::new(import.finish(&self.0, caller.origin()).await?))
    }

    async fn list_rate_imports(
        &self,
        request: Request<pb::ListRateImportsRequest>,
    ) -> Result<Response<pb::ListRateImportsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(imports::list(&self.0, &caller, request.get_ref()).await?))
    }

    async fn get_rate_import(
        &self,
        request: Request<pb::GetRateImportRequest>,
    ) -> Result<Response<pb::GetRateImportResponse>, Status> {
        let caller = principal(&request)?;
        let rate_import = Some(imports::get(&self.0, &caller, request.get_ref()).await?);
        Ok(Response::new(pb::GetRateImportResponse { rate_import }))
    }

    async fn undo_rate_import(
        &self,
        request: Request<pb::UndoRateImportRequest>,
    ) -> Result<Response<pb::UndoRateImportResponse>, Status> {
        let caller = principal(&request)?;
        let answer = imports::undo(&self.0, &caller, request.get_ref()).await?;
        Ok(Response::new(answer))
    }
}
