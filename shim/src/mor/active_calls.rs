//! Group "calls", those under way: `active_calls_get`.

use futures_util::TryStreamExt;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{ActiveCall, ErrorReason, ListActiveCallsRequest},
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, optional, optional_id, text},
    number,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Status;

const S_DID: Input<String> = text(optional("s_did", "of any DID there are no calls"));
const S_PROVIDER: Input<Option<i64>> =
    optional_id(optional("s_provider", "only through this termination point; admin only"));
const S_USER_ID: Input<Option<i64>> = optional_id(optional("s_user_id", "only of this user"));
const S_DEVICE: Input<Option<i64>> = optional_id(optional(
    "s_device",
    "only from this origination point; without s_user_id it has no effect",
));
const S_DST_USER_ID: Input<Option<i64>> =
    optional_id(optional("s_dst_user_id", "to users there are no calls"));
const S_DST_DEVICE: Input<Option<i64>> =
    optional_id(optional("s_dst_device", "without s_dst_user_id it has no effect"));
const S_DESTINATION: Input<String> = text(optional(
    "s_destination",
    "the number called begins like this, or is like this: % stands for anything",
));
const S_DESTINATION_GROUP: Input<Option<i64>> =
    optional_id(optional("s_destination_group", "of any group there are no calls"));
const S_SOURCE: Input<String> = text(optional("s_source", "the calling number, likewise"));
const S_STATUS: Input<String> = text(optional("s_status", "ringing or answered, in any case"));
const S_SERVER: Input<Option<i64>> = optional_id(optional("s_server", "no server is known"));
const S_COUNTRY: Input<String> = text(optional("s_country", "of any direction there are no calls"));

pub(super) const ACTIVE_CALLS_GET: Method = Method {
    declaration: &mor::ACTIVE_CALLS_GET,
    group: "Calls",
    summary: "Calls under way; a simple user sees his own, where users are shown them",
    params: &[
        S_DID.param,
        S_PROVIDER.param,
        S_USER_ID.param,
        S_DEVICE.param,
        S_DST_USER_ID.param,
        S_DST_DEVICE.param,
        S_DESTINATION.param,
        S_DESTINATION_GROUP.param,
        S_SOURCE.param,
        S_STATUS.param,
        S_SERVER.param,
        S_COUNTRY.param,
    ],
    wrap: WRAP,
    errors: &[(ErrorReason::BadLogin, "Access Denied")],
    handle: |call| Box::pin(active_calls_get(call)),
};

/// Which calls are meant, beside those of a user.
#[derive(Clone)]
struct Filter {
    /// What no call has is asked for.
    is_none: bool,
    provider: Option<i64>,
    device: Option<i64>,
    destination: String,
    source: String,
    answered: Option<bool>,
}

impl Filter {
    fn read(call: &Call) -> Result<Self, Failure> {
        if call.read(&S_SERVER)?.is_some() {
            return Err(Failure::Parameters(WRAP.error("Server was not found")));
        }
        let answered = match call.read(&S_STATUS)?.to_lowercase().as_str() {
            "" => None,
            "ringing" => Some(false),
            "answered" => Some(true),
            _ => {
                let text = "Status value must be Ringing or Answered";
                return Err(Failure::Parameters(WRAP.error(text)));
            }
        };
        let of_user = call.read(&S_USER_ID)?.is_some();
        let is_none = !call.read(&S_DID)?.is_empty()
            || call.read(&S_DST_USER_ID)?.is_some()
            || call.read(&S_DESTINATION_GROUP)?.is_some()
            || !call.read(&S_COUNTRY)?.is_empty();
        Ok(Self {
            is_none,
            provider: call.read(&S_PROVIDER)?,
            device: call.read(&S_DEVICE)?.filter(|_| of_user),
            destination: call.read(&S_DESTINATION)?,
            source: call.read(&S_SOURCE)?,
            answered,
        })
    }

    fn admits(&self, call: &ActiveCall) -> bool {
        !self.is_none
            && self.provider.is_none_or(|point| point == call.termination_point_id)
            && self.device.is_none_or(|point| point == call.origination_point_id)
            && self.answered.is_none_or(|answered| answered == call.answered_at.is_some())
            && is_like(&call.destination, &self.destination)
            && is_like(&call.source, &self.source)
    }
}

/// Whether a number is like a pattern, or begins like it where it has no `%`.
fn is_like(number: &str, pattern: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('%') else {
        return number.starts_with(pattern);
    };
    let Some(mut number) = number.strip_prefix(begin) else { return false };
    let mut parts: Vec<_> = rest.split('%').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(found) = number.find(part) else { return false };
        number = &number[found + part.len()..];
    }
    number.ends_with(end)
}

#[derive(Serialize)]
struct Page {
    active_calls: Calls,
}

#[derive(Serialize)]
struct Calls {
    active_call: Vec<ListedCall>,
}

/// A call under way. Devices are points here, which have neither extension nor name.
#[derive(Serialize)]
struct ListedCall {
    id: i64,
    uniqueid: String,
    status: &'static str,
    answer_time: String,
    duration: String,
    src: String,
    user_id: i64,
    user: String,
    src_device_id: i64,
    device_type: &'static str,
    device_extension: &'static str,
    device_name: &'static str,
    device_istrunk: &'static str,
    device_ani: &'static str,
    localized_dst: String,
}

async fn active_calls_get(call: Call) -> Result<Answer, Failure> {
    let filter = Filter::read(&call)?;
    let request = ListActiveCallsRequest {
        originator_id: call.read(&S_USER_ID)?,
        page_size: 1000,
        ..Default::default()
    };
    let first = call.live_calls().list_active_calls(request.clone()).await?.into_inner();
    let zone = number::zone(&first.time_zone);
    let page = move |calls: Vec<ActiveCall>| {
        let calls = calls.into_iter().filter(|call| filter.admits(call));
        Page {
            active_calls: Calls { active_call: calls.map(|call| listed(call, &zone)).collect() },
        }
    };
    let rest = listing::following(first.next_page_token, move |page_token| {
        let (mut core, request) =
            (call.live_calls(), ListActiveCallsRequest { page_token, ..request.clone() });
        async move {
            let page = core.list_active_calls(request).await?.into_inner();
            Ok((page.calls, page.next_page_token))
        }
    });
    let first = page(first.calls);
    Ok(Answer::listing("page", "active_calls", &first, rest.map_ok(page)))
}

fn listed(call: ActiveCall, zone: &TimeZone) -> ListedCall {
    let answered = call.answered_at.as_ref();
    let duration = answered.map(|time| Timestamp::now().as_second() - time.seconds);
    ListedCall {
        id: call.id,
        uniqueid: call.call_id,
        status: if answered.is_some() { "Answered" } else { "Ringing" },
        answer_time: number::time(answered, zone),
        duration: duration.map(|seconds| seconds.max(0).to_string()).unwrap_or_default(),
        src: call.source,
        user_id: call.originator_id,
        user: call.originator,
        src_device_id: call.origination_point_id,
        device_type: "SIP",
        device_extension: "",
        device_name: "",
        device_istrunk: "0",
        device_ani: "0",
        localized_dst: call.destination,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_like_a_prefix_or_are_like_a_pattern() {
        for (pattern, is_so) in [
            ("", true),
            ("370", true),
            ("371", false),
            ("%", true),
            ("%567", true),
            ("%56", false),
            ("370%567", true),
            ("3%1%5%", true),
            ("%123%234%", false),
            ("37061234567%", true),
            ("37061234567%7", false),
        ] {
            assert_eq!(is_like("37061234567", pattern), is_so, "{pattern}");
        }
    }
}
