//! The parameters of a legacy request, as the original took them: query string,
//! urlencoded form, multipart and JSON bodies, merged. The body wins over the query, and
//! the last of duplicates wins. Values are kept exactly as sent, and as the client's bytes had
//! them: they are hashed.

use std::fmt;

use crate::charset::{Charset, Sent, without_bom};
use axum::body::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

/// How many parameters a request may have: ten times as many as any method knows.
pub(crate) const MAX_PARAMS: usize = 1_000;

/// The parameters, in the order in which their names first came. Each costs the same, however
/// many there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(IndexMap<String, Sent>);

/// The id that a text is: digits only, so that it has one spelling.
pub(crate) fn id(text: &str) -> Option<i64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// The unix time that a text is, in one spelling, as ids have.
pub(crate) fn time(text: &str) -> Option<prost_types::Timestamp> {
    let seconds = text.parse::<i64>().ok().filter(|seconds| seconds.to_string() == text)?;
    Timestamp::from_second(seconds).ok()?;
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

/// Why a request has no readable parameters. The texts are for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("Parameters are not valid UTF-8")]
    Utf8,
    #[error("Parameters are not in the charset that is declared")]
    Charset,
    #[error("JSON body is not an object of plain values")]
    Json,
    #[error("Multipart body is malformed")]
    Multipart,
    #[error("Too many parameters: a request may have {MAX_PARAMS}")]
    TooMany,
}

/// Whether a text is of the declared charset only where it cannot be UTF-8: nothing declares the
/// charset of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Utf8First {
    Yes,
    No,
}

impl Params {
    /// Reads a request's query and body.
    pub(crate) async fn read(
        query: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Self, Unreadable> {
        let mut params = Self::default();
        let charset = Charset::of(content_type);
        params.urlencoded(query.as_bytes(), charset.of_forms(), Utf8First::Yes)?;
        let mime = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match mime.as_str() {
            "" | "application/x-www-form-urlencoded" => {
                params.urlencoded(without_bom(&body), charset.of_forms(), Utf8First::No)?;
            }
            "application/json" => params.json(&body, charset)?,
            "multipart/form-data" => params.multipart(content_type, body).await?,
            // The original does not look into bodies of other types either.
            _ => {}
        }
        Ok(params)
    }

    /// With the parameter `id` from the path, if it stands there: the path wins.
    pub(crate) fn with_path_argument(mut self, id: Option<&str>) -> Result<Self, Unreadable> {
        if let Some(id) = id {
            // A plus is one in a path.
            let id = percent_decode(id.as_bytes()).collect();
            let id = String::from_utf8(id).map_err(|_| Unreadable::Utf8)?;
            self.set("id".to_owned(), id.into())?;
        }
        Ok(self)
    }

    /// The value of a parameter; none: it was not sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.text.as_str())
    }

    /// The value of a parameter; empty where it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The value of a parameter, where it was sent and is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Names and values in the order of the request.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.text.as_str()))
    }

    /// Names and values in the order of the request, with the client's bytes.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&str, &Sent)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Takes a parameter in: a name that came before keeps its place and gets the new value.
    fn set(&mut self, name: String, value: Sent) -> Result<(), Unreadable> {
        self.0.insert(name, value);
        if self.0.len() > MAX_PARAMS { Err(Unreadable::TooMany) } else { Ok(()) }
    }

    fn urlencoded(
        &mut self,
        encoded: &[u8],
        charset: Charset,
        utf8_first: Utf8First,
    ) -> Result<(), Unreadable> {
        let decoded = |bytes: Vec<u8>| match utf8_first {
            Utf8First::Yes => match String::from_utf8(bytes) {
                Ok(text) => Ok(text.into()),
                Err(not_utf8) => charset.decode(not_utf8.into_bytes()),
            },
            Utf8First::No => charset.decode(bytes),
        };
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let value = value.strip_prefix(b"=").unwrap_or_default();
            self.set(decoded(unescaped(name))?.text, decoded(unescaped(value))?)?;
        }
        Ok(())
    }

    fn json(&mut self, body: &[u8], charset: Charset) -> Result<(), Unreadable> {
        let body = charset.decode_body(body)?;
        if body.is_empty() {
            return Ok(());
        }
        let mut json = serde_json::Deserializer::from_str(&body);
        let object = Object { params: self, charset };
        let object = object.deserialize(&mut json).map_err(|_| Unreadable::Json)?;
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
            // A part may declare a charset of its own.
            let own = field.content_type().and_then(|mime| Charset::declared(mime.as_ref()));
            let charset = own.unwrap_or_else(|| Charset::of(content_type));
            let value = field.bytes().await.map_err(malformed)?;
            self.set(name, charset.of_forms().decode(value.to_vec())?)?;
        }
        Ok(())
    }
}

/// Takes the members of a JSON object in as they are read: what is not wanted is never built.
struct Object<'a> {
    params: &'a mut Params,
    charset: Charset,
}

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
                taken = self.params.set(name, self.charset.encoded(value));
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

/// The bytes of an urlencoded text.
fn unescaped(encoded: &[u8]) -> Vec<u8> {
    if !encoded.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return encoded.to_vec();
    }
    let spaced: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
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

    /// The value of a parameter with the client's bytes of it.
    fn sent(params: &Params, name: &str) -> (String, Vec<u8>) {
        let (_, value) = params.sent().find(|(known, _)| *known == name).unwrap();
        (value.text.clone(), value.raw.clone())
    }

    #[test]
    fn f22_bodies_of_each_kind_are_read_in_their_charset() {
        let zoe = ("Zoë".to_owned(), b"Zo\xeb".to_vec());
        let form = "application/x-www-form-urlencoded; charset=ISO-8859-1";
        for (query, content_type, body) in [
            ("", form, &b"u=Zo%EB"[..]),
            ("", form, b"u=Zo\xeb"),
            ("u=Zo%EB", form, b""),
            ("", "application/json; charset=iso-8859-1", b"{\"u\":\"Zo\xeb\"}"),
            (
                "",
                "multipart/form-data; boundary=X; charset=iso-8859-1",
                b"--X\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\nZo\xeb\r\n--X--\r\n",
            ),
            (
                "",
                "multipart/form-data; boundary=X",
                b"--X\r\nContent-Disposition: form-data; name=\"u\"\r\n\
                  Content-Type: text/plain; charset=ISO-8859-1\r\n\r\nZo\xeb\r\n--X--\r\n",
            ),
        ] {
            let params = read(query, content_type, body).unwrap();
            assert_eq!(sent(&params, "u"), zoe, "{query} {content_type}");
        }
        // What is UTF-8 in a query is UTF-8, whatever the body is.
        assert_eq!(sent(&read("u=Zo%C3%AB", form, b"").unwrap(), "u"), ("Zoë".into(), vec![]));
        assert_eq!(read("", "application/json; charset=x", b"\xff"), Err(Unreadable::Utf8));
    }

    #[test]
    fn f22_a_byte_order_mark_before_a_body_is_no_part_of_it() {
        for (content_type, body) in
            [("", "\u{feff}u=admin&p=1"), ("application/json", "\u{feff}{\"u\":\"admin\"}")]
        {
            assert_eq!(read("", content_type, body.as_bytes()).unwrap().get("u"), Some("admin"));
        }
        assert_eq!(read("", "application/json", "\u{feff}".as_bytes()).unwrap().get("u"), None);
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
                    write!(body, "--X\r\n{head}\"p{index}\"\r\n\r\n1\r\n").unwrap();
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
            |form| assert_eq!(read("", "", form.as_bytes()).unwrap().get("user_id"), Some("1")),
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
        let ids = ["5", "05", "-5", "5x", "", "0", "99999999999999999999"].map(id);
        assert_eq!(ids, [Some(5), None, None, None, None, Some(0), None]);
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
