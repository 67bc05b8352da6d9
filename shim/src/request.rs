//! The parameters of a legacy request, as the original took them: query string,
//! urlencoded form, multipart and JSON bodies, merged. The body wins over the query, and
//! the last of duplicates wins. Values are kept exactly as sent: they are hashed.

use std::fmt;

use axum::body::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};
use tollbook_proto::{legacy::Declaration, v1::Decimal};

use crate::error::{Failure, Wrap};

/// How many parameters a request may have: ten times as many as any method knows.
pub(crate) const MAX_PARAMS: usize = 1_000;

/// The parameters, in the order in which their names first came. Each costs the same, however
/// many there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(IndexMap<String, String>);

/// Why a request has no readable parameters. The texts are for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("Parameters are not valid UTF-8")]
    Utf8,
    #[error("JSON body is not an object of plain values")]
    Json,
    #[error("Multipart body is malformed")]
    Multipart,
    #[error("Too many parameters: a request may have {MAX_PARAMS}")]
    TooMany,
}

impl Params {
    /// Reads a request's query and body.
    pub(crate) async fn read(
        query: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Self, Unreadable> {
        let mut params = Self::default();
        params.urlencoded(query.as_bytes())?;
        let mime = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match mime.as_str() {
            "" | "application/x-www-form-urlencoded" => params.urlencoded(&body)?,
            "application/json" => params.json(&body)?,
            "multipart/form-data" => params.multipart(content_type, body).await?,
            // The original does not look into bodies of other types either.
            _ => {}
        }
        Ok(params)
    }

    /// The value of a parameter; none: it was not sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a parameter; empty where it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of a parameter, where it was sent and is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that has several spellings, as the hash has it.
    pub(crate) fn spelled(&self, method: &Declaration, name: &'static str) -> &str {
        let sent_as = method.sent_as(name, |name| self.filled(name).is_some());
        sent_as.map(|name| self.text(name)).unwrap_or_default()
    }

    /// An id: digits only, so that it has one spelling; none where it is anything else.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        let text = self.get(name)?;
        let canonical = text == "0" || !text.starts_with('0');
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if canonical && digits { text.parse().ok() } else { None }
    }

    /// An id that may be left out; none where it is empty or was not sent. `wrap` is of the
    /// method's errors.
    pub(crate) fn optional_id(&self, name: &str, wrap: Wrap) -> Result<Option<i64>, Failure> {
        match self.filled(name) {
            None => Ok(None),
            Some(_) => self.id(name).map(Some).ok_or_else(|| Failure::invalid(wrap, name)),
        }
    }

    /// A decimal for the core to read; none where it is empty or was not sent.
    pub(crate) fn decimal(&self, name: &str) -> Option<Decimal> {
        self.filled(name).map(|value| Decimal { value: value.to_owned() })
    }

    /// A unix time; none where it is empty or was not sent. `wrap` is of the method's errors.
    pub(crate) fn time(
        &self,
        name: &str,
        wrap: Wrap,
    ) -> Result<Option<prost_types::Timestamp>, Failure> {
        let Some(text) = self.filled(name) else {
            return Ok(None);
        };
        // One spelling, as ids have.
        let seconds = text.parse::<i64>().ok().filter(|seconds| seconds.to_string() == text);
        let seconds = seconds.filter(|seconds| Timestamp::from_second(*seconds).is_ok());
        let seconds = seconds.ok_or_else(|| Failure::invalid(wrap, name))?;
        Ok(Some(prost_types::Timestamp { seconds, nanos: 0 }))
    }

    /// A switch: "1" is on, everything else off.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.text(name) == "1"
    }

    /// A switch that is 1 for on, and `off` for off; none where it is empty or was not sent.
    /// The error says what it must be.
    pub(crate) fn toggled(&self, name: &str, off: &str) -> Result<Option<bool>, String> {
        match self.filled(name) {
            None => Ok(None),
            Some("1") => Ok(Some(true)),
            Some(value) if value == off => Ok(Some(false)),
            Some(_) => Err(format!("{name} must be 1 or {off}")),
        }
    }

    /// Names and values in the order of the request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Takes a parameter in: a name that came before keeps its place and gets the new value.
    fn set(&mut self, name: String, value: String) -> Result<(), Unreadable> {
        self.0.insert(name, value);
        if self.0.len() > MAX_PARAMS { Err(Unreadable::TooMany) } else { Ok(()) }
    }

    fn urlencoded(&mut self, encoded: &[u8]) -> Result<(), Unreadable> {
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let value = value.strip_prefix(b"=").unwrap_or_default();
            self.set(decode(name)?, decode(value)?)?;
        }
        Ok(())
    }

    fn json(&mut self, body: &[u8]) -> Result<(), Unreadable> {
        if body.is_empty() {
            return Ok(());
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let object = Object(self).deserialize(&mut json).map_err(|_| Unreadable::Json)?;
        json.end().map_err(|_| Unreadable::Json)?;
        object
    }

    async fn multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), Unreadable> {
        let malformed = |_| Unreadable::Multipart;
        let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
        let stream = futures_util::stream::once(async { Ok::<_, std::io::Error>(body) });
        let mut multipart = multer::Multipart::new(stream, boundary);
        while let Some(field) = multipart.next_field().await.map_err(malformed)? {
            let Some(name) = field.name().map(str::to_owned) else {
                continue;
            };
            let value = field.bytes().await.map_err(malformed)?;
            self.set(name, utf8(value.to_vec())?)?;
        }
        Ok(())
    }
}

/// Takes the members of a JSON object in as they are read: what is not wanted is never built.
struct Object<'a>(&'a mut Params);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Result<(), Unreadable>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Result<(), Unreadable>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of plain values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut taken = Ok(());
        while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
            let value = plain(value.get()).ok_or_else(|| A::Error::custom("not a plain value"))?;
            // What is one too many is read to its end, so that bad JSON stays bad JSON.
            if taken.is_ok() {
                taken = self.0.set(name, value);
            }
        }
        Ok(taken)
    }
}

/// The text of a JSON value; `None` if it is an array or an object.
fn plain(json: &str) -> Option<String> {
    if json.starts_with(['[', '{']) {
        return None;
    }
    match serde_json::from_str(json).ok()? {
        Value::String(text) => Some(text),
        // As written: 45.50 is hashed as 45.50.
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn decode(encoded: &[u8]) -> Result<String, Unreadable> {
    if !encoded.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return utf8(encoded.to_vec());
    }
    let spaced: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    utf8(percent_decode(&spaced).collect())
}

fn utf8(bytes: Vec<u8>) -> Result<String, Unreadable> {
    String::from_utf8(bytes).map_err(|_| Unreadable::Utf8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::linear;

    fn read(query: &str, content_type: &str, body: &[u8]) -> Result<Params, Unreadable> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Params::read(query, content_type, Bytes::copy_from_slice(body)))
    }

    #[test]
    fn query_and_body_are_merged_and_the_body_wins() {
        let params = read("u=admin&user_id=1&user_id=2", "", b"user_id=3&note=a+b%26c").unwrap();
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("u", "admin"), ("user_id", "3"), ("note", "a b&c")]);
    }

    #[test]
    fn json_numbers_are_taken_as_written() {
        let body = br#"{"user_id": 5, "rate": 45.50, "on": true, "none": null, "u": "admin"}"#;
        let params = read("rate=1", "application/json; charset=utf-8", body).unwrap();
        assert_eq!(params.get("rate"), Some("45.50"));
        assert_eq!(params.get("user_id"), Some("5"));
        assert_eq!(params.get("none"), Some(""));
        assert_eq!(read("", "application/json", b"[1]"), Err(Unreadable::Json));
        assert_eq!(read("", "application/json", br#"{"a":{}}"#), Err(Unreadable::Json));
    }

    #[test]
    fn multipart_fields_are_parameters() {
        let body = b"--X\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\nadmin\r\n--X--\r\n";
        let params = read("", "multipart/form-data; boundary=X", body).unwrap();
        assert_eq!(params.get("u"), Some("admin"));
        assert_eq!(read("", "multipart/form-data", body), Err(Unreadable::Multipart));
    }

    /// A body of a kind with so many parameters, of different names.
    fn body_of(kind: &str, count: usize) -> (&'static str, Vec<u8>) {
        let mut body = String::new();
        match kind {
            "form" => (0..count).for_each(|index| write!(body, "p{index}=1&").unwrap()),
            "json" => {
                body.push('{');
                (0..count).for_each(|index| write!(body, "\"p{index}\":1,").unwrap());
                body.push_str("\"u\":\"admin\"}");
            }
            _ => {
                let head = "Content-Disposition: form-data; name=";
                (0..count).for_each(|index| {
                    write!(body, "--X\r\n{head}\"p{index}\"\r\n\r\n1\r\n").unwrap()
                });
                body.push_str("--X--\r\n");
            }
        }
        let content_type = match kind {
            "form" => "",
            "json" => "application/json",
            _ => "multipart/form-data; boundary=X",
        };
        (content_type, body.into_bytes())
    }

    #[test]
    fn f14_a_request_has_so_many_parameters_and_no_more() {
        for kind in ["form", "json", "multipart"] {
            let (content_type, body) = body_of(kind, MAX_PARAMS - 1);
            let params = read("u=admin", content_type, &body).unwrap();
            assert_eq!(params.iter().count(), MAX_PARAMS, "{kind}");
            let (content_type, body) = body_of(kind, MAX_PARAMS);
            assert_eq!(read("u=admin", content_type, &body), Err(Unreadable::TooMany), "{kind}");
        }
        let often = "u=admin&".repeat(10 * MAX_PARAMS);
        assert_eq!(read("", "", often.as_bytes()).unwrap().get("u"), Some("admin"));
    }

    #[test]
    fn f14_four_times_the_parameters_take_four_times_as_long() {
        for kind in ["form", "json", "multipart"] {
            linear::assert(
                kind,
                5_000,
                |count| body_of(kind, count),
                |(content_type, body)| {
                    assert_eq!(read("", content_type, body), Err(Unreadable::TooMany));
                },
            );
            linear::assert(
                kind,
                (MAX_PARAMS - 1) / 4,
                |count| body_of(kind, count),
                |(content_type, body)| {
                    let params = read("", content_type, body).unwrap();
                    assert!(params.iter().all(|(name, value)| params.get(name) == Some(value)));
                },
            );
        }
        linear::assert(
            "one name, many times",
            5_000,
            |count| "user_id=1&".repeat(count),
            |form| assert_eq!(read("", "", form.as_bytes()).unwrap().id("user_id"), Some(1)),
        );
    }

    #[test]
    fn json_keeps_the_order_of_the_request_and_the_last_of_doubles() {
        let body = br#"{"z": "1", "a": "2", "z": "3"}"#;
        let params = read("", "application/json", body).unwrap();
        assert_eq!(params.iter().collect::<Vec<_>>(), [("z", "3"), ("a", "2")]);
        assert_eq!(read("", "application/json", b"{} {}"), Err(Unreadable::Json));
        assert_eq!(read("", "application/json", br#"{"a": [1"#), Err(Unreadable::Json));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(read("u=%FF", "", b""), Err(Unreadable::Utf8));
        assert_eq!(read("", "", b"u=\xff"), Err(Unreadable::Utf8));
    }

    #[test]
    fn ids_have_one_spelling() {
        let params = read("a=5&b=05&c=-5&d=5x&e=&f=0&g=99999999999999999999", "", b"").unwrap();
        let ids: Vec<_> =
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| params.id(name)).into();
        assert_eq!(ids, [Some(5), None, None, None, None, Some(0), None, None]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(query in ".{0,60}", kind in 0..4, body in prop::collection::vec(any::<u8>(), 0..80)) {
            let content_type = ["", "application/json", "multipart/form-data; boundary=X", "text/xml"]
                [usize::try_from(kind).unwrap()];
            let _ = read(&query, content_type, &body);
        }

        #[test]
        fn what_is_encoded_is_read_again(values in prop::collection::btree_map("[a-z_]{1,8}", ".{0,20}", 0..6)) {
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let query = values.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
            let params = read(&query.collect::<Vec<_>>().join("&"), "", b"").unwrap();
            for (name, value) in &values {
                prop_assert_eq!(params.get(name), Some(value.as_str()));
            }
        }
    }
}
