//! `tollbook hash`: what the hash of a request of the XML API may be made of, for whoever looks for the
//! reason of an `Incorrect hash`.

use std::{fs, io::Read};

use anyhow::{Context, bail};
use sha1::{Digest, Sha1};
use tollbook_proto::legacy;

use crate::{config::Config, out::say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The method, by any of its names, for example `user_balance_update`
    method: String,
    /// What the request has, for example `user_id=123`, as it is before it is encoded for a URL
    #[arg(value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// The file that holds the API secret key, `-` for standard input; without it no hash is printed
    #[arg(long, value_name = "FILE")]
    key_file: Option<String>,
    /// The hash that was refused: says which order it is of, or that it is of none
    #[arg(long, value_name = "HASH", requires = "key_file")]
    check: Option<String>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a parameter is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Prints each text that may be hashed, with `KEY` for the key, the parameters that it is made of, and its
/// hash, where the key is there.
pub(crate) fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let dialect = config.dialect.of_shim();
    let name = args.method.as_str();
    let method = legacy::find(dialect.to_proto(), name).with_context(|| {
        format!(
            "{} has no method {name}; `tollbook --dialect mor hash …` asks MOR's",
            dialect.name()
        )
    })?;
    let value = |name: &str| {
        let sent = args.parameters.iter().rfind(|(sent, _)| sent == name);
        sent.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let sent = args.parameters.iter().map(|(name, _)| name.as_str());
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let mut shown: Vec<String> = Vec::new();
    let mut fits = None;
    for order in method.orders(dialect.to_proto(), sent, |name| !value(name).is_empty()) {
        let values = order
            .names
            .iter()
            .filter_map(|name| method.sent_as(name, |name| !value(name).is_empty()).map(value));
        let text: String = values.collect();
        if shown.contains(&text) {
            continue;
        }
        let names =
            if order.names.is_empty() { "nothing".to_owned() } else { order.names.join("+") };
        let hash = key.as_ref().map(|key| hex::encode(Sha1::digest(format!("{text}{key}"))));
        match &hash {
            Some(hash) => say!("{hash}  {text}KEY  ({names})"),
            None => say!("{text}KEY  ({names})"),
        }?;
        if hash.is_some() && hash == args.check.as_ref().map(|hash| hash.to_ascii_lowercase()) {
            fits = Some(names);
        }
        shown.push(text);
    }
    match (&args.check, fits) {
        (None, _) => Ok(()),
        (Some(_), Some(names)) => say!("the hash is right: it is of {names}"),
        (Some(hash), None) => bail!(
            "{hash} is none of these: another key, or values that the client changed before it hashed them"
        ),
    }
}

/// The key, without the end of the line that editors put behind it.
fn read_key(file: &str) -> anyhow::Result<String> {
    let mut key = String::new();
    match file {
        "-" => std::io::stdin().read_to_string(&mut key).map(drop),
        file => fs::read_to_string(file).map(|text| key = text),
    }
    .with_context(|| format!("the key is to be read from {file}"))?;
    let key = key.trim_end_matches(['\n', '\r']);
    match key {
        "" => bail!("{file} is empty"),
        key => Ok(key.to_owned()),
    }
}
