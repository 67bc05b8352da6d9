//! Which web pages may call: cross-origin requests of browsers (CORS), off by default.
//!
//! A browser asks first (`OPTIONS`), and shows a page no answer that does not name the page's
//! origin. Requests prove themselves by what they carry and never by cookies, so that no origin
//! gains anything by being listed that it could not do without a browser.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Response, StatusCode, Uri,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ALLOW, ORIGIN, VARY,
        },
    },
};

/// What the API answers to.
const VERBS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
/// The headers that a page may send beyond those that it may always send.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, tollbook-key, tollbook-nonce, tollbook-signature, tollbook-timestamp, \
     traceparent, x-request-id",
);
/// The headers of an answer that a page may read beyond those that it may always read.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id");
/// For how many seconds a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// The entry of a list that stands for every origin.
const ANY: &str = "*";

/// An entry of the list of origins that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin such as https://portal.example.com")]
pub struct InvalidOrigin(String);

/// The origins whose pages may call; none of them by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// A list of origins: `https://portal.example.com`, or `*` for all.
    pub(crate) fn parse(origins: &[String]) -> Result<Self, InvalidOrigin> {
        for origin in origins {
            if origin != ANY && !is_origin(origin) {
                return Err(InvalidOrigin(origin.clone()));
            }
        }
        Ok(Self(origins.iter().map(|origin| origin.to_ascii_lowercase()).collect()))
    }

    /// What an answer says about who may read it; `None` if no page may, or none asks.
    pub(crate) fn admitted(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        if self.0.iter().any(|known| known == ANY) {
            return Some(HeaderValue::from_static(ANY));
        }
        let said = origin.to_str().ok()?;
        self.0.iter().any(|known| known.eq_ignore_ascii_case(said)).then(|| origin.clone())
    }

    /// Whether answers depend on who asks.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a text is an origin as browsers write it: a scheme and a host, with a port if it is an
/// unusual one, and nothing behind it.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let scheme = uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme));
    let bare = uri.authority().is_some_and(|authority| {
        let host = authority.as_str();
        !host.contains('@') && text.len() == host.len() + text.find("://").unwrap_or_default() + 3
    });
    scheme && bare
}

/// Says to browsers that pages of the admitted origin may read an answer.
pub(crate) fn admit(response: &mut Response<Body>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// Says to caches that an answer depends on the origin.
pub(crate) fn vary(response: &mut Response<Body>) {
    response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
}

/// Answers `OPTIONS`: what may be called how, and to a browser whether its page may.
pub(crate) fn preflight(admitted: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, VERBS);
    if admitted {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, VERBS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn origins(list: &[&str]) -> Result<Origins, InvalidOrigin> {
        Origins::parse(&list.iter().map(|origin| (*origin).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn f22_origins_are_written_as_browsers_write_them() {
        assert!(origins(&["https://portal.example.com", "http://localhost:3000", "*"]).is_ok());
        for wrong in [
            "portal.example.com",
            "https://portal.example.com/",
            "https://portal.example.com/billing",
            "https://user@portal.example.com",
            "ftp://portal.example.com",
            "null",
            "",
        ] {
            assert!(origins(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn f22_only_listed_origins_are_admitted() {
        let said = |origin: &str| HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
        let listed = origins(&["https://Portal.example.com"]).unwrap();
        let portal = said("https://portal.example.com");
        assert_eq!(listed.admitted(&portal).unwrap(), "https://portal.example.com");
        for stranger in ["https://portal.example.com.evil.org", "http://portal.example.com", "null"]
        {
            assert_eq!(listed.admitted(&said(stranger)), None, "{stranger}");
        }
        assert_eq!(listed.admitted(&HeaderMap::new()), None);
        assert_eq!(origins(&[]).unwrap().admitted(&portal), None);
        assert_eq!(origins(&["*"]).unwrap().admitted(&portal).unwrap(), "*");
    }
}
