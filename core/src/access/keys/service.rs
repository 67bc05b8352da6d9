//! `ApiKeysService`.

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::{
    legacy,
    v1::{self as pb, ApiAccess, api_keys_service_server::ApiKeysService},
};
use tonic::{Request, Response, Status};

use super::{ApiKey, store};
use crate::{
    access::{Principal, principal},
    changes::Change,
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{self, UserId},
    paging::Page,
    resource::Resource,
    settings::Secret,
    store::Sequence,
    text::{check_name, check_text},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// Of which the secret of a key is made: in hex, 256 bits.
const SECRET_BYTES: usize = 32;

fn check_access(access: i32) -> Result<i32> {
    Ok(match enums::known("access", access)? {
        // What was forgotten pays nobody.
        ApiAccess::Unspecified => ApiAccess::Read.into(),
        access => access.into(),
    })
}

/// What may be done with single methods, by the names under which requests are checked; `checked` is
/// asked for each whether it may be given. One that is misspelt, or named twice, would not restrict
/// what it was meant to.
pub(in crate::access) fn methods(
    field: &'static str,
    given: HashMap<String, i32>,
    checked: impl Fn(&str, i32) -> Result<i32>,
) -> Result<HashMap<String, i32>> {
    let mut methods = HashMap::new();
    for (name, access) in given {
        check_text(field, &name)?;
        let field = || format!("{field}.{name}");
        let method = legacy::own_name(&name);
        let method = method.ok_or_else(|| Error::invalid(field(), "is no method"))?;
        if methods.insert(method.to_owned(), checked(method, access)?).is_some() {
            return Err(Error::invalid(field(), "is named twice, by an alias"));
        }
    }
    Ok(methods)
}

impl Service {
    async fn create(
        &self,
        caller: &Principal,
        mut message: pb::ApiKey,
    ) -> Result<pb::CreateApiKeyResponse> {
        let user = ids::required::<UserId>("api_key.user_id", message.user_id)?;
        check_name(&message.name)?;
        message.access = check_access(message.access)?;
        let given = std::mem::take(&mut message.methods);
        message.methods = methods("api_key.methods", given, |_, access| check_access(access))?;
        caller.see(self.0.directory.by_id(user).await?)?;
        message.created_at = Some(clock::to_proto(clock::now()));
        let secret = hex::encode(rand::random::<[u8; SECRET_BYTES]>());
        let secret = Secret::new(secret).ok_or_else(|| Error::internal("no secret was made"))?;
        let mut key = ApiKey::new(message, secret)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        key.message.id = tx.next_id(Sequence::ApiKeys).await?;
        store::insert(&mut tx, &key).await?;
        tx.commit(Change::creation(Resource::ApiKey(key.id()), &key.message)?).await?;
        Ok(pb::CreateApiKeyResponse {
            api_key: Some(key.message),
            secret: key.secret.as_str().to_owned(),
        })
    }

    async fn delete(&self, caller: &Principal, id: i64) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let keys = store::all(&mut tx).await?;
        let key = keys.by_id.get(&id).ok_or(Error::ApiKeyNotFound)?;
        let user = self.0.directory.by_id(key.user()).await?;
        caller.see(user).map_err(|_| Error::ApiKeyNotFound)?;
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ApiKey(id), &key.message)?).await
    }
}

#[tonic::async_trait]
impl ApiKeysService for Service {
    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
        let caller = principal(&request)?;
        let key = request.into_inner().api_key.unwrap_or_default();
        Ok(Response::new(self.create(&caller, key).await?))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>, Status> {
        let page = Page::of(request.get_ref())?;
        let (snapshot, scope) = (self.0.catalog.load_full(), principal(&request)?.scope());
        let keys = snapshot.api_keys.all();
        let users = self.0.directory.by_ids(keys.iter().map(|key| key.user())).await?;
        let is_covered =
            |key: &&ApiKey| users.get(&key.user()).is_some_and(|user| scope.covers(user));
        let keys = keys.into_iter().filter(is_covered);
        let (keys, next_page_token) = page.of_sorted(keys, |key| key.id())?;
        let api_keys = keys.into_iter().map(|key| key.message.clone()).collect();
        Ok(Response::new(pb::ListApiKeysResponse { api_keys, next_page_token }))
    }

    async fn delete_api_key(
        &self,
        request: Request<pb::DeleteApiKeyRequest>,
    ) -> Result<Response<pb::DeleteApiKeyResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteApiKeyResponse {}))
    }
}
