//! Group "currencies": `exchange_rate_update`.

use tollbook_proto::legacy;
use tollbook_proto::v1::{Decimal, ErrorReason, SetExchangeRateRequest};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, required, text},
    xml::Answer,
};

const CURRENCY: Input<String> = text(required("currency", "code, case sensitive"));
const RATE: Input<String> = text(required("rate", "the new rate"));

pub(crate) const EXCHANGE_RATE_UPDATE: Method = Method {
    declaration: &legacy::m4::EXCHANGE_RATE_UPDATE,
    group: "Currencies",
    summary: "Sets the exchange rate of a currency that is not updated automatically",
    params: &[CURRENCY.param, RATE.param],
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
        code: call.read(&CURRENCY)?,
        exchange_rate: Some(Decimal { value: call.read(&RATE)? }),
    };
    call.currencies().set_exchange_rate(request).await?;
    Ok(Answer::success("Currency successfully updated"))
}
