//! `CurrenciesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, currencies_service_server::CurrenciesService};
use tonic::{Request, Response, Status};

use super::{Currency, check_code, store};
use crate::{
    access::{Principal, principal},
    changes::{Change, Pending},
    clock,
    context::Context,
    error::{Error, Result},
    ids::{self, CurrencyId},
    money::ExchangeRate,
    paging::Page,
    resource::Resource,
    store::Sequence,
    text::check_text,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    /// Begins a change of the currencies as they are now.
    async fn begin<'a>(
        &'a self,
        caller: &'a Principal,
    ) -> Result<(Pending<'a>, super::Currencies)> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let currencies = store::all(&mut tx).await?;
        Ok((tx, currencies))
    }

    /// Commits a changed currency, and returns it.
    async fn finish(
        mut tx: Pending<'_>,
        before: &Currency,
        after: &Currency,
    ) -> Result<pb::Currency> {
        store::update(&mut tx, after).await?;
        let after = after.to_proto();
        let change =
            Change::of(Resource::Currency(CurrencyId(after.id)), &before.to_proto(), &after)?;
        tx.commit(change).await?;
        Ok(after)
    }
}

#[tonic::async_trait]
impl CurrenciesService for Service {
    async fn list_currencies(
        &self,
        request: Request<pb::ListCurrenciesRequest>,
    ) -> Result<Response<pb::ListCurrenciesResponse>, Status> {
        let snapshot = self.0.catalog.load();
        let page = Page::of(request.get_ref())?;
        let all = snapshot.currencies.all().iter();
        let (currencies, next_page_token) = page.of_sorted(all, |currency| currency.id.0)?;
        let currencies = currencies.into_iter().map(Currency::to_proto).collect();
        Ok(Response::new(pb::ListCurrenciesResponse { currencies, next_page_token }))
    }

    async fn create_currency(
        &self,
        request: Request<pb::CreateCurrencyRequest>,
    ) -> Result<Response<pb::CreateCurrencyResponse>, Status> {
        let caller = principal(&request)?;
        let new = request.into_inner().currency.unwrap_or_default();
        check_code("code", &new.code)?;
        check_text("name", &new.name)?;
        let exchange_rate = ExchangeRate::from_proto(new.exchange_rate.as_ref())?;
        let (mut tx, currencies) = self.begin(&caller).await?;
        if currencies.by_code(&new.code).is_some() {
            return Err(Error::CurrencyTaken.into());
        }
        let currency = Currency {
            id: CurrencyId(tx.next_id(Sequence::Currencies).await?),
            code: new.code,
            name: new.name,
            exchange_rate,
            active: new.active,
            automatic_update: new.automatic_update,
            updated_at: clock::now(),
        };
        store::insert(&mut tx, &currency).await?;
        let currency = currency.to_proto();
        tx.commit(Change::creation(Resource::Currency(CurrencyId(currency.id)), &currency)?)
            .await?;
        Ok(Response::new(pb::CreateCurrencyResponse { currency: Some(currency) }))
    }

    async fn update_currency(
        &self,
        request: Request<pb::UpdateCurrencyRequest>,
    ) -> Result<Response<pb::UpdateCurrencyResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let id: CurrencyId = ids::required("id", request.id)?;
        let (tx, currencies) = self.begin(&caller).await?;
        let before = currencies.by_id(id).ok_or(Error::CurrencyNotFound)?;
        let mut currency = before.clone();
        if let Some(name) = request.name {
            check_text("name", &name)?;
            currency.name = name;
        }
        currency.active = request.active.unwrap_or(currency.active);
        currency.automatic_update = request.automatic_update.unwrap_or(currency.automatic_update);
        if currency.is_default() && (!currency.active || currency.automatic_update) {
            return Err(Error::CurrencyFixed.into());
        }
        let currency = Some(Self::finish(tx, before, &currency).await?);
        Ok(Response::new(pb::UpdateCurrencyResponse { currency }))
    }

    async fn set_exchange_rate(
        &self,
        request: Request<pb::SetExchangeRateRequest>,
    ) -> Result<Response<pb::SetExchangeRateResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        if request.code.is_empty() {
            return Err(Error::invalid("code", "is required").into());
        }
        let exchange_rate = ExchangeRate::from_proto(request.exchange_rate.as_ref())?;
        let (tx, currencies) = self.begin(&caller).await?;
        let before = currencies
            .by_code(&request.code)
            .filter(|currency| !currency.is_default() && !currency.automatic_update)
            .ok_or(Error::CurrencyNotFound)?;
        let mut currency = before.clone();
        currency.exchange_rate = exchange_rate;
        currency.updated_at = clock::now();
        let currency = Some(Self::finish(tx, before, &currency).await?);
        Ok(Response::new(pb::SetExchangeRateResponse { currency }))
    }
}
