//! The legacy contract as data: requests and their exact answers.
//!
//! A file in the folder of a dialect, as `contract/m4`, holds the cases of one method, in order:
//! what one case changes, the next ones see. Each file has a server of its own, which speaks that
//! dialect, on a copy of what [`Fixture`] filled ([`crate::filled`]).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use tollbook_shim::Dialect;

use crate::{
    dialect, legacy_hash,
    server::{SECRET, Server},
};

pub use crate::fixture::{Fixture, UNIQUEHASH, decimal, mask};

/// The cases of one method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that the server may hold")]
pub struct File {
    /// The method's name.
    pub method: String,
    /// The server holds tariffs and calls, too: see [`Fixture::fill_calls`].
    #[serde(default)]
    pub calls: bool,
    /// The server has a mail server.
    #[serde(default)]
    pub mail: bool,
    /// The server holds devices, too: see [`Fixture::fill_devices`].
    #[serde(default)]
    pub devices: bool,
    /// The server holds restricted accounts, too: see [`Fixture::fill_restricted`].
    #[serde(default)]
    pub restricted: bool,
    /// How the method answers what all methods refuse before they run, where that is not
    /// `<status><error>…`: `{text}` stands for the text.
    pub refusal: Option<String>,
    /// The cases, in order.
    pub case: Vec<Case>,
}

/// A request and its exact answer.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// What the expectation rests on: `documented`, `verified` (documented, with a hash
    /// that is right) or `analogy` (the nearest documented method).
    pub rests_on: Basis,
    /// Settings that differ from [`Fixture::settings`].
    #[serde(default)]
    pub settings: BTreeMap<String, toml::Value>,
    /// The method's name in the URL, where it is an alias.
    pub call: Option<String>,
    /// How the parameters are sent.
    #[serde(default, rename = "as")]
    pub form: Form,
    /// The parameters, urlencoded.
    #[serde(default)]
    pub send: String,
    /// What the mail server answers, in place of taking the mail.
    pub mail_server: Option<String>,
    /// The text that is hashed before the secret key. None: no hash is added.
    pub sign: Option<String>,
    /// The API secret key of the server, and of the signature, unless `key` says otherwise.
    #[serde(default = "secret")]
    pub secret: String,
    /// The key of the signature, where it is another than the server's: a reseller's own.
    pub key: Option<String>,
    /// The answer below its XML declaration; `{time}` stands for any time.
    pub answer: Option<String>,
    /// How the answer begins, to the letter and below its XML declaration, where the rest is of no interest.
    pub begins: Option<String>,
    /// The answer, where it is bare text.
    pub text: Option<String>,
    /// The XML declaration, where it is not the usual one.
    pub declaration: Option<String>,
    /// The HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Where the answer redirects to.
    pub location: Option<String>,
}

/// What an expectation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The method's documentation.
    Documented,
    /// The method's documentation, with an example whose hash can be recomputed.
    Verified,
    /// The nearest documented method.
    Analogy,
}

/// How parameters are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// POST with an urlencoded body.
    #[default]
    Form,
    /// POST with everything in the query, as documented examples do.
    Query,
    /// GET.
    Get,
    /// POST with a JSON body.
    Json,
    /// POST with a multipart body.
    Multipart,
}

fn secret() -> String {
    SECRET.to_owned()
}

fn ok() -> u16 {
    200
}

/// What is beside the cases in a dialect's folder: [`crate::listed`] and [`crate::samples`].
const LISTS: [&str; 2] = ["methods.toml", "samples.toml"];

/// All files with cases of a dialect's contract, by name.
#[must_use]
pub fn files(dialect: Dialect) -> Vec<File> {
    let entries = std::fs::read_dir(folder().join(dialect::name(dialect))).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !LISTS.iter().any(|list| path.ends_with(list)));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// A file of contract data that has no cases.
pub(crate) fn data<T: DeserializeOwned>(name: &str) -> T {
    read(&folder().join(name))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contract")
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    /// Sends the request and compares the answer; the error is a report for people.
    pub async fn run(
        &self,
        server: &Server,
        fixture: &Fixture,
        method: &str,
    ) -> Result<(), String> {
        fixture.settings(&self.secret, &self.settings).await;
        let expected = self.expected();
        let response = self.send(server, method).await;
        let status = response.status().as_u16();
        let location =
            response.headers().get("location").map(|url| url.to_str().unwrap().to_owned());
        let body = response.text().await.unwrap();
        if status == self.status && location == self.location && self.fits(&expected, &body) {
            return Ok(());
        }
        Err(format!(
            "{method}: {}\n--- expected {} {:?}\n{expected}\n--- got {status} {location:?}\n{body}",
            self.name, self.status, self.location
        ))
    }

    /// The key of the signature.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.secret)
    }

    fn fits(&self, expected: &str, body: &str) -> bool {
        if self.begins.is_some() { body.starts_with(expected) } else { matches(expected, body) }
    }

    fn expected(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let usual = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        let declaration = self.declaration.as_deref().unwrap_or(usual);
        match (&self.answer, &self.begins) {
            (Some(answer), _) => format!("{declaration}\n{}\n", answer.trim()),
            (None, Some(begins)) => format!("{declaration}\n{begins}"),
            (None, None) => String::new(),
        }
    }

    async fn send(&self, server: &Server, method: &str) -> reqwest::Response {
        let mut params = self.send.clone();
        if let Some(signed) = &self.sign {
            let separator = if params.is_empty() { "" } else { "&" };
            params = format!("{params}{separator}hash={}", legacy_hash(signed, self.key()));
        }
        let url = server.url(self.call.as_deref().unwrap_or(method));
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = match self.form {
            Form::Form => client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(params),
            Form::Query => client.post(format!("{url}?{params}")),
            Form::Get => client.get(format!("{url}?{params}")),
            Form::Json => client.post(url).json(&decoded(&params)),
            Form::Multipart => {
                let form = decoded(&params)
                    .into_iter()
                    .fold(reqwest::multipart::Form::new(), |form, (name, value)| {
                        form.text(name, value)
                    });
                client.post(url).multipart(form)
            }
        };
        request.send().await.unwrap()
    }
}

fn decoded(params: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{params}")).unwrap();
    url.query_pairs().into_owned().collect()
}

/// Whether a body is as expected; `{time}` fits `2026-11-24 21:34:51`.
fn matches(expected: &str, body: &str) -> bool {
    const LENGTH: usize = "2026-11-24 21:34:51".len();
    let mut rest = body;
    let mut parts = expected.split("{time}");
    let Some(after) = rest.strip_prefix(parts.next().unwrap()) else {
        return false;
    };
    rest = after;
    for part in parts {
        let Some((time, after)) = rest.split_at_checked(LENGTH) else {
            return false;
        };
        let shape: String =
            time.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        let Some(after) = after.strip_prefix(part) else {
            return false;
        };
        if shape != "0000-00-00 00:00:00" {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}
