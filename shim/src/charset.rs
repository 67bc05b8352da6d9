//! Texts of clients that do not speak UTF-8: ISO-8859-1, windows-1251 and what else a content
//! type may declare.

use encoding_rs::{Encoding, UTF_8};

use crate::request::Unreadable;

/// How UTF-8 texts begin of clients that write a byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A text as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) text: String,
    /// The client's bytes; empty where they are those of the text in UTF-8.
    pub(crate) raw: Vec<u8>,
}

impl From<String> for Sent {
    fn from(text: String) -> Self {
        Self { text, raw: Vec::new() }
    }
}

/// The encoding that a client declares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charset(&'static Encoding);

impl Charset {
    /// The encoding of a content type. Without one, and where nobody knows what is declared, it is
    /// UTF-8.
    pub(crate) fn of(content_type: &str) -> Self {
        Self::declared(content_type).unwrap_or(Self(UTF_8))
    }

    /// The encoding that a content type declares; `None` if it does not, or nobody knows it.
    pub(crate) fn declared(content_type: &str) -> Option<Self> {
        let charset = content_type.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        charset.and_then(|label| Encoding::for_label(label.as_bytes())).map(Self)
    }

    /// The encoding for texts of a form, whose separators are ASCII.
    pub(crate) fn of_forms(self) -> Self {
        if self.0.is_ascii_compatible() { self } else { Self(UTF_8) }
    }

    /// Decodes a text.
    pub(crate) fn decode(self, bytes: Vec<u8>) -> Result<Sent, Unreadable> {
        if self.0 == UTF_8 {
            return String::from_utf8(bytes).map(Sent::from).map_err(|_| Unreadable::Utf8);
        }
        let text = self.0.decode_without_bom_handling_and_without_replacement(&bytes);
        let text = text.ok_or(Unreadable::Charset)?.into_owned();
        let raw = if text.as_bytes() == bytes { Vec::new() } else { bytes };
        Ok(Sent { text, raw })
    }

    /// Decodes the whole of a body, whose texts are found out later.
    pub(crate) fn decode_body(self, body: &[u8]) -> Result<String, Unreadable> {
        let (text, _, is_broken) = self.0.decode(body);
        match is_broken {
            false => Ok(text.into_owned()),
            true if self.0 == UTF_8 => Err(Unreadable::Utf8),
            true => Err(Unreadable::Charset),
        }
    }

    /// A text of a decoded body, as the client had it.
    pub(crate) fn encoded(self, text: String) -> Sent {
        if self.0.output_encoding() == UTF_8 {
            return Sent::from(text);
        }
        let (raw, _, is_lossy) = self.0.encode(&text);
        let raw = if is_lossy || *raw == *text.as_bytes() { Vec::new() } else { raw.into_owned() };
        Sent { text, raw }
    }
}

/// A body without the byte order mark before it.
pub(crate) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(BOM).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn f22_declared_charsets_are_decoded() {
        for (content_type, bytes, text) in [
            ("text/plain; charset=ISO-8859-1", &b"Zo\xeb"[..], "Zoë"),
            ("text/plain; Charset=\"windows-1251\"", b"\xc8\xe2\xe0\xed", "Иван"),
            ("text/plain; boundary=X; charset=windows-1257", b"\xd0\xe0", "Šą"),
            ("text/plain; charset=utf-8", "Zoë".as_bytes(), "Zoë"),
            ("text/plain; charset=no-such-charset", "Zoë".as_bytes(), "Zoë"),
            ("text/plain", "Zoë".as_bytes(), "Zoë"),
        ] {
            let sent = Charset::of(content_type).decode(bytes.to_vec()).unwrap();
            assert_eq!(sent.text, text, "{content_type}");
            let raw = if sent.raw.is_empty() { text.as_bytes() } else { sent.raw.as_slice() };
            assert_eq!(raw, bytes, "{content_type}");
        }
        let broken = Charset::of("text/plain; charset=shift_jis").decode(vec![0xff]);
        assert_eq!(broken, Err(Unreadable::Charset));
    }

    proptest! {
        #[test]
        fn f22_what_is_encoded_is_read_again(text in ".{0,20}") {
            let charset = Charset::of("text/plain; charset=ISO-8859-1");
            let sent = charset.encoded(text);
            if !sent.raw.is_empty() {
                prop_assert_eq!(charset.decode(sent.raw.clone()).unwrap(), sent);
            }
        }
    }
}
