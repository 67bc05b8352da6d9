//! `CurrenciesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, currencies_service_server::CurrenciesService};
use tonic::{Request, Response, Status};

use super::{Currency, check_code, store};
use crate::{
    clock,
    context::Context,
    error::{Error, Result},
    ids::CurrencyId,
    money::ExchangeRate,
    store::{Sequence, Tx},
    text::check_text,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    /// Begins a change of the currencies as they are now.
    async fn begin(&self) -> Result<(Tx, super::Currencies)> {
        let mut tx = self.0.begin_catalog_change().await?;
        let currencies = store::all(&mut tx).await?;
        Ok((tx, currencies))
    }
}

#[tonic::async_trait]
impl CurrenciesService for Service {
    async fn list_currencies(
        &self,
        _request: Request<pb::ListCurrenciesRequest>,
    ) -> Result<Response<pb::ListCurrenciesResponse>, Status> {
        let snapshot = self.0.catalog.load();
        let currencies = snapshot.currencies.all().iter().map(Currency::to_proto).collect();
        Ok(Response::new(pb::ListCurrenciesResponse { currencies }))
    }

    async fn create_currency(
        &self,
        request: Request<pb::CreateCurrencyRequest>,
    ) -> Result<Response<pb::CreateCurrencyResponse>, Status> {
        let new = request.into_inner().currency.unwrap_or_default();
        check_code("code", &new.code)?;
        check_text("name", &new.name)?;
        let exchange_rate = ExchangeRate::from_proto(new.exchange_rate.as_ref())?;
        let (mut tx, currencies) = self.begin().await?;
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
        self.0.commit_catalog_change(tx).await?;
        Ok(Response::new(pb::CreateCurrencyResponse { currency: Some(currency.to_proto()) }))
    }

    async fn update_currency(
        &self,
        request: Request<pb::UpdateCurrencyRequest>,
    ) -> Result<Response<pb::UpdateCurrencyResponse>, Status> {
        let request = request.into_inner();
        let (mut tx, currencies) = self.begin().await?;
        let mut currency =
            currencies.by_id(CurrencyId(request.id)).cloned().ok_or(Error::CurrencyNotFound)?;
        if let Some(name) = request.name {
            check_text("name", &name)?;
            currency.name = name;
        }
        currency.active = request.active.unwrap_or(currency.active);
        currency.automatic_update = request.automatic_update.unwrap_or(currency.automatic_update);
        if currency.is_default() && (!currency.active || currency.automatic_update) {
            return Err(Error::CurrencyFixed.into());
        }
        store::update(&mut tx, &currency).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(Response::new(pb::UpdateCurrencyResponse { currency: Some(currency.to_proto()) }))
    }

    async fn set_exchange_rate(
        &self,
        request: Request<pb::SetExchangeRateRequest>,
    ) -> Result<Response<pb::SetExchangeRateResponse>, Status> {
        let request = request.into_inner();
        let exchange_rate = ExchangeRate::from_proto(request.exchange_rate.as_ref())?;
        let (mut tx, currencies) = self.begin().await?;
        let mut currency = currencies
            .by_code(&request.code)
            .filter(|currency| !currency.is_default() && !currency.automatic_update)
            .cloned()
            .ok_or(Error::CurrencyNotFound)?;
        currency.exchange_rate = exchange_rate;
        currency.updated_at = clock::now();
        store::update(&mut tx, &currency).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(Response::new(pb::SetExchangeRateResponse { currency: Some(currency.to_proto()) }))
    }
}
