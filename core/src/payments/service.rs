//! `PaymentsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, payments_service_server::PaymentsService};
use tonic::{Request, Response, Status};

use super::{Direction, PaymentDraft, Said, store};
use crate::{
    access::{Principal, principal},
    catalog::Snapshot,
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{self, PaymentId, UserId},
    ledger::{
        Kind,
        posting::{self, IdempotencyKey, Posting},
    },
    money::{ExchangeRate, Money},
    paging::Page,
    users,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn record(
        &self,
        caller: &Principal,
        mut request: pb::RecordPaymentRequest,
    ) -> Result<pb::Payment> {
        let snapshot = self.0.catalog.load_full();
        if caller.is_legacy() && !snapshot.settings.api_allow_payments {
            return Err(Error::FeatureDisabled);
        }
        caller.user()?;
        for text in [&mut request.gateway, &mut request.transaction_id] {
            *text = text.trim().to_owned();
        }
        let key = std::mem::take(&mut request.idempotency_key);
        let key = IdempotencyKey::new(caller, Kind::Payment, key, &request)?;
        let posted = match self.payment(caller, &snapshot, request, key.clone()).await {
            Ok(posting) => self.0.writer.post(posting).await?,
            Err(reason) => posting::answered_before(&self.0.db, key.as_ref(), reason).await?,
        };
        let payment =
            posted.payment.ok_or_else(|| Error::internal("a payment was not recorded"))?;
        payment.to_proto(posted.username, &snapshot.currencies)
    }

    /// The posting that a request asks for, if it may.
    async fn payment(
        &self,
        caller: &Principal,
        snapshot: &Snapshot,
        request: pb::RecordPaymentRequest,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Posting> {
        let user = ids::required::<UserId>("user_id", request.user_id)?;
        let user = caller.manage(self.0.directory.lately_by_id(user).await?)?;
        let currency = snapshot
            .currencies
            .by_code(&request.currency)
            .filter(|currency| currency.active)
            .ok_or(Error::CurrencyNotFound)?;
        let amount = Money::from_proto("amount", request.amount.as_ref())?;
        if amount < Money::ZERO {
            return Err(Error::InvalidAmount {
                field: "amount",
                problem: "must not be below zero",
            });
        }
        let exchange_rate = match &request.exchange_rate {
            // The legacy API ignores it there.
            Some(_) if currency.is_default() && caller.is_legacy() => ExchangeRate::ONE,
            None if currency.is_default() => ExchangeRate::ONE,
            None => currency.exchange_rate,
            given => ExchangeRate::from_proto(given.as_ref())?,
        };
        if currency.is_default() && exchange_rate != ExchangeRate::ONE {
            return Err(Error::invalid(
                "exchange_rate",
                "is not 1, as that of the default currency is",
            ));
        }
        let direction = match enums::known("direction", request.direction)? {
            pb::PaymentDirection::ToProvider => Direction::ToProvider,
            pb::PaymentDirection::FromClient | pb::PaymentDirection::Unspecified => {
                Direction::FromClient
            }
        };
        let includes_tax = request.amount_includes_tax;
        let said = Said::read(request)?;
        let draft = PaymentDraft::new(
            amount,
            includes_tax,
            &users::store::taxes(&self.0.db, user.id).await?,
            currency,
            exchange_rate,
            direction,
            said,
        )
        .map_err(|error| error.of_field("amount"))?;
        Ok(Posting {
            user: user.id,
            amount: draft.balance_change,
            kind: Kind::Payment,
            origin: Some(caller.origin().clone()),
            note: String::new(),
            payment: Some(draft),
            idempotency,
        })
    }

    async fn get(&self, caller: &Principal, id: PaymentId) -> Result<pb::Payment> {
        let filter = store::Filter { scope: caller.scope(), id: Some(id), ..Default::default() };
        let found = store::list(&self.0.db, &filter).await?.pop();
        let (payment, username) = found.ok_or(Error::PaymentNotFound)?;
        payment.to_proto(username, &self.0.catalog.load().currencies)
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListPaymentsRequest,
    ) -> Result<pb::ListPaymentsResponse> {
        let snapshot = self.0.catalog.load_full();
        let time_zone = snapshot.settings.time_zone_name().to_owned();
        let (from, till) = period(request, &snapshot)?;
        let bound = |field, amount: &Option<pb::Decimal>| {
            amount.as_ref().map(|amount| Money::from_proto(field, Some(amount))).transpose()
        };
        let at_least = bound("amount_min", &request.amount_min)?;
        let at_most = bound("amount_max", &request.amount_max)?;
        let currency = match request.currency.as_str() {
            "" => None,
            code => match snapshot.currencies.by_code(code) {
                Some(currency) => Some(currency.id),
                None => {
                    return Ok(pb::ListPaymentsResponse { time_zone, ..Default::default() });
                }
            },
        };
        let page = Page::of(request)?;
        let size = page.size;
        let mut filter = store::Filter {
            scope: caller.scope(),
            after: page.after()?,
            user: request.user_id.map(UserId),
            from,
            till,
            username: &request.username,
            first_name: &request.first_name,
            last_name: &request.last_name,
            gateway: &request.gateway,
            transaction_id: &request.transaction_id,
            currency,
            limit: size + 1,
            ..Default::default()
        };
        let db = self.0.db.long(caller.origin().actor);
        // Amounts are compared here, so a page may take several reads to fill.
        let mut found = Vec::new();
        let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        while found.len() < wanted {
            let rows = store::list(&db, &filter).await?;
            let last_read = rows.len() < wanted;
            filter.after = rows.last().map(|(payment, _)| payment.id.0).or(filter.after);
            found.extend(rows.into_iter().filter(|(payment, _)| {
                at_least.is_none_or(|bound| payment.amount() >= bound)
                    && at_most.is_none_or(|bound| payment.amount() <= bound)
            }));
            if last_read {
                break;
            }
        }
        found.truncate(wanted);
        let (found, next_page_token) = page.cut(found, size, |(payment, _)| payment.id.0);
        let payments = found
            .into_iter()
            .map(|(payment, username)| payment.to_proto(username, &snapshot.currencies))
            .collect::<Result<_>>()?;
        Ok(pb::ListPaymentsResponse { payments, next_page_token, time_zone })
    }
}

/// From when till when the payments are that a request asks for.
fn period(
    request: &pb::ListPaymentsRequest,
    snapshot: &Snapshot,
) -> Result<(Option<i64>, Option<i64>)> {
    let time = |field, time: &Option<_>| {
        time.as_ref().map(|time| clock::from_proto(field, time)).transpose()
    };
    let (from, till) = (time("from", &request.from)?, time("till", &request.till)?);
    if !request.default_today {
        return Ok((from, till));
    }
    let (start, end) = clock::today(&snapshot.settings.time_zone);
    if request.whole_period && from.xor(till).is_some() {
        return Ok((Some(start), Some(end)));
    }
    Ok((from.or(Some(start)), till.or(Some(end))))
}

#[tonic::async_trait]
impl PaymentsService for Service {
    async fn record_payment(
        &self,
        request: Request<pb::RecordPaymentRequest>,
    ) -> Result<Response<pb::RecordPaymentResponse>, Status> {
        let caller = principal(&request)?;
        let payment = Some(self.record(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::RecordPaymentResponse { payment }))
    }

    async fn get_payment(
        &self,
        request: Request<pb::GetPaymentRequest>,
    ) -> Result<Response<pb::GetPaymentResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<PaymentId>("id", request.get_ref().id)?;
        let payment = Some(self.get(&caller, id).await?);
        Ok(Response::new(pb::GetPaymentResponse { payment }))
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Result<Response<pb::ListPaymentsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }
}
