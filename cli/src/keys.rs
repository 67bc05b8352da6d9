//! `tollbook keys`: API keys of single clients of the XML API.

use std::collections::HashMap;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use tollbook_proto::{
    legacy,
    v1::{
        ApiAccess, ApiKey, CreateApiKeyRequest, DeleteApiKeyRequest, ListApiKeysRequest,
        api_keys_service_client::ApiKeysServiceClient,
    },
};

use crate::{
    client::{Core, connect, said},
    config::Config,
    out::say,
    parties::user_named,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a key, and print its id and its secret
    Create(CreateArgs),
    /// List the keys
    List,
    /// Delete a key
    Delete {
        /// Its id
        id: i64,
    },
}

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// What the key is for
    name: String,
    /// The user as whom its requests act
    #[arg(long)]
    user: String,
    /// What it may do with methods that are not named
    #[arg(long, value_enum, default_value_t = Access::Read)]
    access: Access,
    /// What it may do with one method, for example `payment_create=disabled`
    #[arg(long = "method", value_name = "METHOD=ACCESS", value_parser = method)]
    methods: Vec<(String, Access)>,
    /// It counts for HMAC signatures only, and not for legacy hashes
    #[arg(long)]
    signs_only: bool,
}

/// What a key may do with a method.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Access {
    /// Nothing
    Disabled,
    /// Call it if it changes nothing
    Read,
    /// Call it
    Write,
}

impl Access {
    fn to_proto(self) -> i32 {
        match self {
            Self::Disabled => ApiAccess::Disabled,
            Self::Read => ApiAccess::Read,
            Self::Write => ApiAccess::Write,
        }
        .into()
    }
}

/// What one may do with one method, as an argument says it.
pub(crate) fn method(text: &str) -> Result<(String, Access), String> {
    let (name, access) = text.split_once('=').ok_or("a method is given as METHOD=ACCESS")?;
    Ok((name.to_owned(), Access::from_str(access, true)?))
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let mut keys = ApiKeysServiceClient::new(core.clone());
    match command {
        Command::Create(args) => {
            let key = new_key(&core, args).await?;
            let request = CreateApiKeyRequest { api_key: Some(key) };
            let created = keys.create_api_key(request).await.map_err(said)?.into_inner();
            say!("{}", created.api_key.unwrap_or_default().id)?;
            say!("{}", created.secret)?;
        }
        Command::List => {
            for key in listed(&mut keys).await? {
                let (user, access) = (key.user_id(), access_name(key.access));
                let methods = shown(key.methods);
                let signs_only = if key.signs_only { " signs only" } else { "" };
                say!("{} {:?} user {user} {access}{methods}{signs_only}", key.id, key.name)?;
            }
        }
        Command::Delete { id } => {
            keys.delete_api_key(DeleteApiKeyRequest { id: Some(id) }).await.map_err(said)?;
        }
    }
    Ok(())
}

fn access_name(number: i32) -> String {
    let name = ApiAccess::try_from(number).unwrap_or_default().as_str_name();
    name.trim_start_matches("API_ACCESS_").to_lowercase()
}

/// What may be done with single methods, each behind a blank, by name.
pub(crate) fn shown(methods: HashMap<String, i32>) -> String {
    let mut methods: Vec<_> = methods.into_iter().collect();
    methods.sort();
    let methods = methods.into_iter();
    methods.fold(String::new(), |said, (method, access)| {
        said + " " + &method + "=" + &access_name(access)
    })
}

/// All keys, however many pages they take.
async fn listed(keys: &mut ApiKeysServiceClient<Core>) -> anyhow::Result<Vec<ApiKey>> {
    let mut request = ListApiKeysRequest { page_size: 1000, page_token: String::new() };
    let mut all = Vec::new();
    loop {
        let page = keys.list_api_keys(request.clone()).await.map_err(said)?.into_inner();
        all.extend(page.api_keys);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

/// What is given for methods, by the names under which the core knows them.
pub(crate) fn by_name(methods: Vec<(String, Access)>) -> anyhow::Result<HashMap<String, i32>> {
    let methods = methods.into_iter();
    methods.map(|(name, access)| Ok((method_named(&name)?, access.to_proto()))).collect()
}

/// The name under which the core knows a method. A misspelt one would restrict nothing.
fn method_named(name: &str) -> anyhow::Result<String> {
    let method = legacy::own_name(name).with_context(|| {
        format!("there is no method {name:?}; `tollbook methods` lists all there are")
    })?;
    Ok(method.to_owned())
}

async fn new_key(core: &Core, args: CreateArgs) -> anyhow::Result<ApiKey> {
    let CreateArgs { name, user, access, methods, signs_only } = args;
    let methods = by_name(methods)?;
    let user = user_named(core, user).await?;
    Ok(ApiKey {
        name,
        user_id: user.id,
        access: access.to_proto(),
        methods,
        signs_only,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn methods_go_by_any_of_their_names_and_no_other() {
        let named = |name| method_named(name);
        assert_eq!(named("payment_create").unwrap(), "payment_create");
        assert_eq!(named("create_payment").unwrap(), "payment_create");
        assert!(named("paymet_create").unwrap_err().to_string().contains("no method"));
    }

    #[test]
    fn an_access_is_given_for_a_method() {
        assert!(
            matches!(method("users_get=Read"), Ok((name, Access::Read)) if name == "users_get")
        );
        assert!(method("users_get").is_err() && method("users_get=all").is_err());
    }
}
