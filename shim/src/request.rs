//! The parameters of a legacy request, as the original took them: query string,
//! urlencoded form, multipart and JSON bodies, merged. The body wins over the query, and
//! the last of duplicates wins. Values are kept exactly as sent: they are hashed.

use axum::body::Bytes;
use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde_json::Value;
use tollbook_proto::v1::Decimal;

use crate::error::{Failure, Wrap};

/// The parameters, in the order in which their names first came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

/// Why a request has no readable parameters. The texts are for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("Parameters are not valid UTF-8")]
    Utf8,
    #[error("JSON body is not an object of plain values")]
    Json,
    #[error("Multipart body is malformed")]
    Multipart,
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
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter; empty where it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of a parameter, where it was sent and is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
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
        let seconds = text.parse().ok().filter(|seconds| Timestamp::from_second(*seconds).is_ok());
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

    fn set(&mut self, name: String, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    fn urlencoded(&mut self, encoded: &[u8]) -> Result<(), Unreadable> {
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let value = value.strip_prefix(b"=").unwrap_or_default();
            self.set(decode(name)?, decode(value)?);
        }
        Ok(())
    }

    fn json(&mut self, body: &[u8]) -> Result<(), Unreadable> {
        if body.is_empty() {
            return Ok(());
        }
        let object: serde_json::Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| Unreadable::Json)?;
        for (name, value) in object {
            let text = match value {
                Value::String(text) => text,
                // As written: 45.50 is hashed as 45.50.
                Value::Number(number) => number.to_string(),
                Value::Bool(switch) => switch.to_string(),
                Value::Null => String::new(),
                Value::Array(_) | Value::Object(_) => return Err(Unreadable::Json),
            };
            self.set(name, text);
        }
        Ok(())
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
            self.set(name, utf8(value.to_vec())?);
        }
        Ok(())
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
    use proptest::prelude::*;

    use super::*;

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
