//! What fuzzers reach: what reads what comes from outside.

use jiff::tz::TimeZone;
use tollbook_proto::v1 as pb;

use crate::{access, money::Money, network::Networks, tariffs};

/// Reads a line of a rate deck.
pub fn rate_line(line: &pb::RateLine) {
    let _ = tariffs::fuzzing::read(line, &TimeZone::UTC);
}

/// Judges what a shim presents, as bytes, by a key. Nothing that was not made with the key may
/// fit.
pub fn legacy_signature(bytes: &[u8]) {
    assert!(!access::fuzzing::fits(bytes, "a key that no input knows: 5c1e93"), "{bytes:?}");
}

/// Reads an amount and a list of networks.
pub fn texts(text: &str) {
    if let Ok(money) = Money::from_proto("amount", Some(&pb::Decimal { value: text.to_owned() })) {
        let again = pb::Decimal::from(money);
        assert_eq!(Money::from_proto("amount", Some(&again)).ok(), Some(money), "{text:?}");
    }
    if let Some(networks) = Networks::parse(text) {
        assert!(Networks::parse(&networks.to_string()).is_some(), "{text:?}");
    }
}
