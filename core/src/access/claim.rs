//! What a legacy request claims, read by what its method declares.
//!
//! The shim passes parameters on and nothing else: what the hash may have been made of is worked
//! out here, so that nobody who holds a shim can have anything else counted.

use prost::Message;
use sha2::{Digest, Sha256};
use tollbook_proto::{
    legacy::{self, Declaration, Order},
    v1::{HmacSignature, LegacyDialect, LegacyParameter, LegacySignature},
};

use crate::error::{Error, Result};

/// A legacy request, as a shim says it was.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    message: LegacySignature,
    pub(super) dialect: LegacyDialect,
    /// The method that it calls.
    pub(super) method: &'static Declaration,
}

/// Some of the lists of parameters that a method's hash may be made of, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lists(u32);

impl Lists {
    /// All of them: everything is signed, or nothing is.
    pub(super) const ALL: Self = Self(u32::MAX);

    fn of(position: usize) -> Self {
        Self(
            u32::try_from(position).ok().and_then(|bit| 1_u32.checked_shl(bit)).unwrap_or_default(),
        )
    }

    /// The position of the first, counted from 1.
    pub(super) fn first(self) -> u32 {
        self.0.trailing_zeros() + 1
    }

    fn has(self, position: usize) -> bool {
        self.0 & Self::of(position).0 != 0
    }
}

impl std::ops::BitOr for Lists {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A text that the hash may have been made of, before the secret key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) text: Vec<u8>,
    /// The lists whose values it consists of.
    pub(super) lists: Lists,
}

impl Claim {
    /// Reads a claim; refuses what names no method.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let message = LegacySignature::decode(bytes).map_err(|_| Error::SignatureRefused)?;
        let dialect = message.dialect();
        let method = legacy::find(dialect, &message.method).ok_or(Error::SignatureRefused)?;
        Ok(Self { message, dialect, method })
    }

    fn parameter(&self, name: &str) -> Option<&LegacyParameter> {
        self.message.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn text(&self, name: &str) -> &str {
        self.parameter(name).map(|parameter| parameter.value.as_str()).unwrap_or_default()
    }

    /// The login name of the caller, which may be empty.
    pub(super) fn username(&self) -> &str {
        self.text("u")
    }

    /// The hash, in lower case: clients write its digits in either.
    pub(super) fn hash(&self) -> String {
        self.text("hash").to_ascii_lowercase()
    }

    pub(super) fn client_address(&self) -> &str {
        &self.message.client_address
    }

    /// Whether its parameters came in the address.
    pub(super) fn is_get(&self) -> bool {
        matches!(self.message.verb.as_str(), "GET" | "HEAD")
    }

    pub(super) fn hmac(&self) -> Option<&HmacSignature> {
        self.message.hmac.as_ref()
    }

    /// What tells the calls that one request takes from a request that is sent twice.
    pub(super) fn presentation(&self) -> i64 {
        self.message.presentation.cast_signed()
    }

    /// The parameter that counts for a name which the method hashes: of several spellings the
    /// first that is not empty.
    fn hashed(&self, name: &'static str) -> Option<&LegacyParameter> {
        let is_filled = |name: &str| !self.text(name).is_empty();
        self.parameter(self.method.sent_as(name, is_filled)?)
    }

    /// The value that counts of a parameter; empty where it was not sent.
    pub(super) fn value(&self, name: &'static str) -> &str {
        self.hashed(name).map(|parameter| parameter.value.as_str()).unwrap_or_default()
    }

    /// What the hash may have been made of: the values of the parameters in each order that counts
    /// ([`Declaration::orders`]), as they are, and as the client's bytes had them.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let mut inputs = self.inputs_of(|parameter| parameter.value.as_bytes());
        if self.message.parameters.iter().any(writes_raw) {
            inputs.extend(self.inputs_of(|parameter| match writes_raw(parameter) {
                true => &parameter.raw,
                false => parameter.value.as_bytes(),
            }));
        }
        inputs
    }

    fn inputs_of(&self, bytes: impl Fn(&LegacyParameter) -> &[u8]) -> Vec<Input> {
        let orders = self.orders();
        let mut inputs: Vec<Input> = Vec::with_capacity(orders.len());
        for Order { list, names } in orders {
            let values = names.iter().filter_map(|name| self.hashed(name));
            let text: Vec<u8> = values.flat_map(&bytes).copied().collect();
            let lists = Lists::of(list);
            match inputs.iter_mut().find(|input| input.text == text) {
                Some(input) => input.lists = input.lists | lists,
                None => inputs.push(Input { text, lists }),
            }
        }
        inputs
    }

    /// The parameters of the request that its hash may be made of.
    pub(super) fn orders(&self) -> Vec<Order> {
        let sent = self.message.parameters.iter().map(|parameter| parameter.name.as_str());
        self.method.orders(self.dialect, sent, |name| !self.text(name).is_empty())
    }

    /// Whether one of some lists has a parameter.
    pub(super) fn is_in(&self, lists: Lists, name: &str) -> bool {
        let mut numbered = self.method.hash.iter().enumerate();
        numbered.any(|(position, names)| lists.has(position) && names.contains(&name))
    }

    /// SHA-256 of the canonical form of the request, which an HMAC signature is made of:
    /// everything that it is, in one spelling (docs/signing.md).
    pub(super) fn digest(&self) -> [u8; 32] {
        let LegacySignature { verb, method, body_digest, parameters, .. } = &self.message;
        let body = hex::encode(body_digest);
        let head = format!("TOLLBOOK1\n{verb}\n/billing/api/{method}\n{body}\n");
        let mut sorted: Vec<(&str, &str)> = parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), parameter.value.as_str()))
            .collect();
        sorted.sort_unstable();
        let mut digest = Sha256::new_with_prefix(head);
        for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
            // With its length before it, no text can lend a part to its neighbour.
            digest.update(text.len().to_string());
            digest.update(":");
            digest.update(text);
        }
        digest.finalize().into()
    }
}

/// Whether the bytes that the client is said to have had write the parameter's value, in a charset
/// of one byte for each character that has ASCII's own. Without that, a shim could have any hash
/// counted for any value.
fn writes_raw(parameter: &LegacyParameter) -> bool {
    let LegacyParameter { value, raw, .. } = parameter;
    let writes = |(character, byte): (char, &u8)| match character.is_ascii() {
        true => u32::from(character) == u32::from(*byte),
        false => !byte.is_ascii(),
    };
    !raw.is_empty() && value.chars().count() == raw.len() && value.chars().zip(raw).all(writes)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The claim of a request of M4.
    pub(in crate::access) fn claim(method: &str, parameters: &[(&str, &str)]) -> Claim {
        let parameters = parameters.iter().map(|(name, value)| LegacyParameter {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            raw: Vec::new(),
        });
        let message = LegacySignature {
            dialect: LegacyDialect::M4.into(),
            method: method.to_owned(),
            verb: "POST".to_owned(),
            parameters: parameters.collect(),
            ..Default::default()
        };
        Claim::read(&message.encode_to_vec()).unwrap()
    }

    fn inputs(method: &str, parameters: &[(&str, &str)]) -> Vec<String> {
        let inputs = claim(method, parameters).inputs();
        inputs.into_iter().map(|input| String::from_utf8(input.text).unwrap()).collect()
    }

    #[test]
    fn listed_order_first_then_the_order_of_the_request() {
        let sent = [("u", "admin"), ("balance", "100"), ("user_id", "123")];
        assert_eq!(inputs("user_balance_update", &sent), ["123100", "100123"]);
        let sent = [("p_currency", "EUR"), ("amount", "5"), ("user_id", "2")];
        assert_eq!(inputs("create_payment", &sent), ["25EUR", "2EUR5", "EUR52"]);
    }

    #[test]
    fn what_is_absent_counts_as_empty_and_what_is_unknown_is_never_hashed() {
        let sent = [("username", "x"), ("test", "1"), ("user_currency", "1")];
        assert_eq!(inputs("user_balance_get", &sent), ["x"]);
    }

    #[test]
    fn older_rules_are_accepted_too() {
        let sent = [("u", "admin"), ("p", "admin1"), ("test", "1")];
        assert_eq!(inputs("users_get", &sent), ["admin", "adminadmin1"]);
    }

    #[test]
    fn an_input_knows_the_lists_that_it_stands_for() {
        let claim = claim("payments_get", &[("user_id_s", "5"), ("username_s", "bob")]);
        let inputs = claim.inputs();
        assert_eq!(inputs[0].text, b"5");
        assert!(claim.is_in(inputs[0].lists, "till_s"));
        assert!(!claim.is_in(inputs[0].lists, "username_s"));
        assert!(claim.is_in(inputs[2].lists, "username_s"));
        assert!(!claim.is_in(inputs[1].lists, "user_id_s"));
        assert!(claim.is_in(Lists::ALL, "currency_s"));
    }

    #[test]
    fn f22_the_bytes_that_a_client_had_count_as_well() {
        let mut claim = claim("user_balance_get", &[("username", "Zoë")]);
        claim.message.parameters[0].raw = b"Zo\xeb".to_vec();
        let texts: Vec<_> = claim.inputs().into_iter().map(|input| input.text).collect();
        assert_eq!(texts, ["Zoë".as_bytes().to_vec(), b"Zo\xeb".to_vec()]);
    }

    /// A hash of `2` and one byte more is none of another id or amount.
    #[test]
    fn f06_bytes_that_write_another_value_do_not_count() {
        for (value, raw) in [("3", "2"), ("9999", "ob"), ("0", "bob"), ("", "2"), ("Zoë", "Bob")] {
            let mut claim = claim("user_delete", &[("user_id", value)]);
            claim.message.parameters[0].raw = raw.as_bytes().to_vec();
            let texts: Vec<_> = claim.inputs().into_iter().map(|input| input.text).collect();
            assert_eq!(texts, [value.as_bytes()], "{raw} for {value}");
        }
    }

    /// The example of `docs/signing.md`.
    #[test]
    fn documented_digest() {
        let sent = [("user_id", "4"), ("balance", "12.50")];
        let mut claim = claim("user_balance_update", &sent);
        claim.message.body_digest = Sha256::digest("user_id=4&balance=12.50").to_vec();
        assert_eq!(
            hex::encode(claim.digest()),
            "1ebcd4964567753e3ee2cfb45d2d3112885f6ccd59e0aa7432336267e8527643"
        );
    }

    #[test]
    fn the_order_of_parameters_does_not_count_in_a_digest_and_their_borders_do() {
        let digest = |sent: &[(&str, &str)]| claim("users_get", sent).digest();
        assert_eq!(digest(&[("a", "1"), ("b", "2")]), digest(&[("b", "2"), ("a", "1")]));
        assert_ne!(digest(&[("a", "1"), ("b", "23")]), digest(&[("a", "12"), ("b", "3")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("a", "1"), ("c", "")]));
    }
}
