//! That an rpc does what a legacy hash was made of, and nothing else.
//!
//! The shim says what the request was and, in the rpc's own request, what is to be done. Here the
//! two are compared, field by field as the methods declare (`tollbook_proto::legacy`).

use std::collections::HashMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, Value};
use tollbook_proto::{
    legacy::{Binding, DIALECTS, Holds, methods},
    v1::LegacyDialect,
};
use tonic::body::Body;

use super::claim::{Claim, Lists};
use crate::{
    contract,
    error::{Error, Result},
};

/// The longest message of a legacy request's rpc.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// What an rpc's request must hold for a method, resolved in the contract's descriptors.
#[derive(Debug)]
pub(super) struct RpcBindings {
    request: MessageDescriptor,
    bindings: Vec<(&'static Binding, Vec<FieldDescriptor>)>,
}

/// The bindings of all legacy methods, by dialect, method and path of the rpc.
pub(super) struct Bindings(HashMap<(LegacyDialect, &'static str, &'static str), RpcBindings>);

impl Bindings {
    /// Resolves what the methods declare; an rpc or a field that the contract does not have is
    /// an error.
    pub(super) fn load() -> Result<Self> {
        let mut all = HashMap::new();
        let declared = |dialect| methods(dialect).iter().map(move |method| (dialect, method));
        for (dialect, method) in DIALECTS.into_iter().flat_map(declared) {
            for rpc in method.rpcs {
                let request = request_of(rpc.path)?;
                let resolved =
                    |binding: &'static Binding| Ok((binding, resolve(&request, binding.field)?));
                let bindings = rpc.bindings.iter().map(resolved).collect::<Result<Vec<_>>>()?;
                all.insert((dialect, method.name, rpc.path), RpcBindings { request, bindings });
            }
        }
        Ok(Self(all))
    }

    /// What an rpc must hold for a method; none: the method has no business with it.
    pub(super) fn of(&self, claim: &Claim, path: &str) -> Option<&RpcBindings> {
        let Claim { method, dialect, .. } = claim;
        self.0.get(&(*dialect, method.name, method.rpc(path)?.path))
    }
}

fn request_of(path: &str) -> Result<MessageDescriptor> {
    let missing = || Error::internal(format!("the contract has no rpc {path}"));
    let (service, rpc) = path[1..].split_once('/').ok_or_else(missing)?;
    let service = contract::pool()?.get_service_by_name(service).ok_or_else(missing)?;
    let method = service.methods().find(|method| method.name() == rpc);
    method.map(|method| method.input()).ok_or_else(missing)
}

fn resolve(request: &MessageDescriptor, path: &str) -> Result<Vec<FieldDescriptor>> {
    let mut message = Some(request.clone());
    let names = path.split('.').filter(|name| !name.is_empty());
    names
        .map(|name| {
            let field = message.as_ref().and_then(|message| message.get_field_by_name(name));
            let field =
                field.ok_or_else(|| Error::internal(format!("{request:?} has no field {path}")))?;
            message = field.kind().as_message().cloned();
            Ok(field)
        })
        .collect()
}

impl RpcBindings {
    /// Reads the one message of a request's body, and refuses it where it holds other values than
    /// those of the claim's parameters in some lists. Returns the body to pass on.
    pub(super) async fn hold(&self, claim: &Claim, lists: Lists, body: Body) -> Result<Body> {
        if self.bindings.is_empty() {
            return Ok(body);
        }
        let body = Limited::new(body, MAX_MESSAGE).collect().await;
        let bytes = body.map_err(|_| Error::SignatureRefused)?.to_bytes();
        let message = unframed(&bytes).ok_or(Error::SignatureRefused)?;
        let message = DynamicMessage::decode(self.request.clone(), message);
        let message = message.map_err(|_| Error::SignatureRefused)?;
        for (binding, field) in &self.bindings {
            let counts = binding.is_unconditional() || claim.is_in(lists, binding.param);
            if counts && !binding_holds(binding, claim.value(binding.param), &message, field) {
                tracing::warn!(
                    method = claim.method.name,
                    param = binding.param,
                    "a shim asked for something else than what was signed"
                );
                return Err(Error::SignatureRefused);
            }
        }
        Ok(Body::new(http_body_util::Full::new(bytes)))
    }
}

/// The message of a gRPC body that holds exactly one, not compressed.
fn unframed(body: &Bytes) -> Option<Bytes> {
    let (head, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    let whole = head[0] == 0 && usize::try_from(length).ok()? == message.len();
    whole.then(|| body.slice(5..))
}

/// What a field says.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    /// Nothing.
    Unset,
    /// 0, or nothing: the field cannot tell.
    Zero,
    /// As a parameter would have it.
    Text(String),
}

impl Held {
    fn is(&self, value: &str) -> bool {
        match self {
            Self::Unset => value.is_empty(),
            Self::Zero => matches!(value, "" | "0"),
            Self::Text(text) => text == value,
        }
    }
}

fn binding_holds(
    binding: &Binding,
    value: &str,
    message: &DynamicMessage,
    field: &[FieldDescriptor],
) -> bool {
    let held = || held(message, field);
    match binding.holds {
        Holds::Value => held().is(value),
        Holds::ValueOrChosen => value.is_empty() || held().is(value),
        Holds::ValueOr(other) => held().is(value) || held().is(other),
        Holds::ValueOrAll => held().is(if value == "all" { "" } else { value }),
        Holds::Switch => held().is(if value == "1" { "1" } else { "" }),
        Holds::Word(words) => {
            let number = words.iter().find(|(word, _)| *word == value);
            held().is(&number.map(|(_, number)| number.to_string()).unwrap_or_default())
        }
        Holds::Entry => entry(message, field, binding.param).is_some_and(|held| held == value),
        Holds::Only(values) => values.contains(&value),
        Holds::Never => held() == Held::Unset,
    }
}

/// The value that a map of texts has under a name, empty where it has none; none: it is no such map.
fn entry(message: &DynamicMessage, field: &[FieldDescriptor], name: &str) -> Option<String> {
    let [field] = field else { return None };
    let entries = message.get_field(field);
    match entries.as_map()?.get(&MapKey::String(name.to_owned())) {
        None => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    }
}

fn held(message: &DynamicMessage, field: &[FieldDescriptor]) -> Held {
    let Some((first, rest)) = field.split_first() else { return Held::Unset };
    if first.supports_presence() && !message.has_field(first) {
        return Held::Unset;
    }
    let number = |number: i64| match number {
        0 if !first.supports_presence() => Held::Zero,
        number => Held::Text(number.to_string()),
    };
    match &*message.get_field(first) {
        Value::Message(inner) => held(inner, rest),
        Value::String(text) if text.is_empty() => Held::Unset,
        Value::String(text) => Held::Text(text.clone()),
        Value::I32(value) | Value::EnumNumber(value) => number((*value).into()),
        Value::I64(value) => number(*value),
        Value::Bool(true) => Held::Text("1".to_owned()),
        Value::Bool(false) => Held::Unset,
        // Nothing that a parameter could be held by.
        other => Held::Text(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prost::Message;
    use tollbook_proto::v1::{AdjustBalanceRequest, Decimal, RecordPaymentRequest};

    use super::*;
    use crate::access::claim::tests::claim;

    /// A body as gRPC frames it.
    fn body(message: &impl Message) -> Body {
        let message = message.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0][..], &length, &message].concat();
        Body::new(http_body_util::Full::new(Bytes::from(framed)))
    }

    async fn holds(
        method: &str,
        sent: &[(&str, &str)],
        path: &str,
        message: &impl Message,
    ) -> bool {
        let claim = claim(method, sent);
        let bindings = Bindings::load().unwrap();
        let bindings = bindings.of(&claim, path).unwrap();
        bindings.hold(&claim, Lists::ALL, body(message)).await.is_ok()
    }

    #[tokio::test]
    async fn f06_an_rpc_holds_what_was_hashed_and_nothing_else() {
        let sent = [("u", "admin"), ("user_id", "2"), ("balance", "5.50")];
        let path = "/tollbook.v1.AccountsService/AdjustBalance";
        let right = AdjustBalanceRequest {
            user_id: 2.into(),
            amount: Some(Decimal { value: "5.50".to_owned() }),
            ..Default::default()
        };
        assert!(holds("user_balance_update", &sent, path, &right).await);
        let other_user = AdjustBalanceRequest { user_id: 3.into(), ..right.clone() };
        assert!(!holds("user_balance_update", &sent, path, &other_user).await);
        let amount = Some(Decimal { value: "5.5".to_owned() });
        let other_amount = AdjustBalanceRequest { amount, ..right.clone() };
        assert!(!holds("user_balance_update", &sent, path, &other_amount).await);
        let nothing = AdjustBalanceRequest::default();
        assert!(!holds("user_balance_update", &sent, path, &nothing).await);
    }

    #[tokio::test]
    async fn f07_the_spelling_that_was_signed_is_the_one_that_is_used() {
        let sent = [("user_id", "2"), ("p_currency", "AMD"), ("amount", "5")];
        let path = "/tollbook.v1.PaymentsService/RecordPayment";
        let in_currency = |currency: &str| RecordPaymentRequest {
            user_id: 2.into(),
            amount: Some(Decimal { value: "5".to_owned() }),
            currency: currency.to_owned(),
            ..Default::default()
        };
        assert!(holds("payment_create", &sent, path, &in_currency("AMD")).await);
        assert!(!holds("payment_create", &sent, path, &in_currency("USD")).await);
    }

    #[test]
    fn f06_a_method_has_no_business_with_other_rpcs() {
        let bindings = Bindings::load().unwrap();
        let claim = claim("quickstats_get", &[]);
        assert!(bindings.of(&claim, "/tollbook.v1.StatisticsService/GetQuickStats").is_some());
        assert!(bindings.of(&claim, "/tollbook.v1.UsersService/DeleteUser").is_none());
    }
}
