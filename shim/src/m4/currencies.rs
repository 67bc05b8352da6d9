//! Group "currencies": `exchange_rate_update`.

use tollbook_proto::legacy;
use tollbook_proto::v1::{Decimal, ErrorReason, SetExchangeRateRequest};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Method, required},
    xml::Answer,
};

pub(super) const EXCHANGE_RATE_UPDATE: Method = Method {
    declaration: &legacy::EXCHANGE_RATE_UPDATE,
    group: "Currencies",
    summary: "Sets the exchange rate of a currency that is not updated automatically",
    params: &[required("currency", "code, case sensitive"), required("rate", "the new rate")],
    wrap: Wrap::PageStatus,
    errors: &[
        (ErrorReason::InvalidExchangeRate, "Exchange rate is invalid"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
        (ErrorReason::BadLogin, "Access Denied"),
    ],
    handle: |call| Box::pin(exchange_rate_update(call)),
};

async fn exchange_rate_update(call: Call) -> Result<Answer, Failure> {
    let request = SetExchangeRateRequest {
        code: call.params.text("currency").to_owned(),
        exchange_rate: Some(Decimal { value: call.params.text("rate").to_owned() }),
    };
    call.currencies().set_exchange_rate(request).await?;
    Ok(Answer::success("Currency successfully updated"))
}
