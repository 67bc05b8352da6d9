//! What the two lists of payments share: how they are asked for, and sent page by page.

use futures_util::TryStreamExt;
use jiff::tz::TimeZone;
use serde::Serialize;
use tollbook_proto::v1::{ListPaymentsRequest, Payment};

use crate::{call::Call, error::Failure, listing, number, xml::Answer};

/// How many payments are asked for at once.
const AT_ONCE: i32 = 1000;

#[derive(Serialize)]
struct List<T> {
    pagename: &'static str,
    payments: Payments<T>,
}

#[derive(Serialize)]
struct Payments<T> {
    payment: Vec<T>,
}

/// The payments that a request asks for, each as the dialect lists one. Where none can be what the
/// client asks for, the core judges the request all the same.
pub(crate) async fn list<T: Serialize + Send + 'static>(
    call: Call,
    request: ListPaymentsRequest,
    is_none: bool,
    listed: fn(Payment, &TimeZone) -> T,
) -> Result<Answer, Failure> {
    let request = ListPaymentsRequest { page_size: AT_ONCE, ..request };
    let mut first = call.payments().list_payments(request.clone()).await?.into_inner();
    if is_none {
        first.payments.clear();
        first.next_page_token.clear();
    }
    let zone = number::zone(&first.time_zone);
    let page = move |payments: Vec<Payment>| List {
        pagename: "Payments_list",
        payments: Payments {
            payment: payments.into_iter().map(|payment| listed(payment, &zone)).collect(),
        },
    };
    let first_page = page(first.payments);
    let rest = listing::following(first.next_page_token, move |page_token| {
        let (mut core, request) =
            (call.payments(), ListPaymentsRequest { page_token, ..request.clone() });
        async move {
            let page = core.list_payments(request).await?.into_inner();
            Ok((page.payments, page.next_page_token))
        }
    });
    Ok(Answer::listing("page", "payments", &first_page, rest.map_ok(page)))
}
