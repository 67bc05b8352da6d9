//! `WhitelistedAddressesService`.

use std::sync::Arc;

use tollbook_proto::v1::{
    self as pb, whitelisted_addresses_service_server::WhitelistedAddressesService,
};
use tonic::{Request, Response, Status};

use super::{WhitelistedAddress, store};
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, WhitelistedAddressId},
    paging::Page,
    resource::Resource,
    settings,
    store::{Sequence, Tx},
};

/// Why an entry is there that came over the API without a reason.
const REASON: &str = "MOR-WHITELIST-API";
/// Why the address of who added another one is there.
const OWN_REASON: &str = "MOR-WHITELIST-API-AUTO";

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(
        &self,
        caller: &Principal,
        request: pb::CreateWhitelistedAddressRequest,
    ) -> Result<pb::CreateWhitelistedAddressResponse> {
        let pb::CreateWhitelistedAddressRequest { network, reason, api_access } = request;
        let reason = if reason.is_empty() { REASON } else { &reason };
        let entry = WhitelistedAddress::new(&network, reason, api_access)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let created = add(&mut tx, entry).await?;
        let own = if api_access { add_own(&mut tx, caller).await? } else { None };
        let added = [Some(&created), own.as_ref()].into_iter().flatten();
        let creation = |entry: &WhitelistedAddress| {
            Change::creation(Resource::WhitelistedAddress(entry.id), &entry.to_proto())
        };
        tx.commit_all(added.map(creation).collect::<Result<_>>()?).await?;
        Ok(pb::CreateWhitelistedAddressResponse {
            whitelisted_address: Some(created.to_proto()),
            own_address: own.as_ref().map(WhitelistedAddress::to_proto),
        })
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateWhitelistedAddressRequest,
    ) -> Result<pb::WhitelistedAddress> {
        let id: WhitelistedAddressId = ids::required("id", request.id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = store::all(&mut tx).await?.by_id(id)?.clone();
        let network = request.network.as_ref().unwrap_or(&before.text);
        let reason = request.reason.as_ref().unwrap_or(&before.reason);
        let api_access = request.api_access.unwrap_or(before.api_access);
        let entry =
            WhitelistedAddress { id, ..WhitelistedAddress::new(network, reason, api_access)? };
        store::update(&mut tx, &entry).await?;
        keep_open(&mut tx, before.api_access, request.force()).await?;
        let change =
            Change::of(Resource::WhitelistedAddress(id), &before.to_proto(), &entry.to_proto())?;
        tx.commit(change).await?;
        Ok(entry.to_proto())
    }

    async fn delete(
        &self,
        caller: &Principal,
        id: WhitelistedAddressId,
        force: bool,
    ) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = store::all(&mut tx).await?.by_id(id)?.to_proto();
        store::delete(&mut tx, id).await?;
        keep_open(&mut tx, before.api_access, force).await?;
        tx.commit(Change::deletion(Resource::WhitelistedAddress(id), &before)?).await
    }
}

/// Checks that an entry that had access is not the last one without which the API is shut for everybody.
async fn keep_open(tx: &mut Tx, had_access: bool, force: bool) -> Result<()> {
    let is_checked = had_access && !force && settings::store::all(tx).await?.restrict_api_by_ip;
    match is_checked && !store::all(tx).await?.admits_any() {
        true => Err(Error::WhitelistEmpty),
        false => Ok(()),
    }
}

async fn add(tx: &mut Tx, mut entry: WhitelistedAddress) -> Result<WhitelistedAddress> {
    entry.id = WhitelistedAddressId(tx.next_id(Sequence::WhitelistedAddresses).await?);
    store::insert(tx, &entry).await?;
    Ok(entry)
}

/// Adds the address of who calls, so that they keep the API that they give to others; `None` if it
/// needs no entry.
async fn add_own(tx: &mut Tx, caller: &Principal) -> Result<Option<WhitelistedAddress>> {
    let whitelist = store::all(tx).await?;
    let Some(own) = whitelist.to_add(caller.origin().address) else { return Ok(None) };
    let entry = WhitelistedAddress::new(&own.to_string(), OWN_REASON, true)?;
    add(tx, entry).await.map(Some)
}

#[tonic::async_trait]
impl WhitelistedAddressesService for Service {
    async fn list_whitelisted_addresses(
        &self,
        request: Request<pb::ListWhitelistedAddressesRequest>,
    ) -> Result<Response<pb::ListWhitelistedAddressesResponse>, Status> {
        let snapshot = self.0.catalog.load();
        let page = Page::of(request.get_ref())?;
        let all = snapshot.whitelist.0.iter();
        let (entries, next_page_token) = page.of_sorted(all, |entry| entry.id.0)?;
        let whitelisted_addresses = entries.into_iter().map(WhitelistedAddress::to_proto).collect();
        let response =
            pb::ListWhitelistedAddressesResponse { whitelisted_addresses, next_page_token };
        Ok(Response::new(response))
    }

    async fn create_whitelisted_address(
        &self,
        request: Request<pb::CreateWhitelistedAddressRequest>,
    ) -> Result<Response<pb::CreateWhitelistedAddressResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.create(&caller, request.into_inner()).await?))
    }

    async fn update_whitelisted_address(
        &self,
        request: Request<pb::UpdateWhitelistedAddressRequest>,
    ) -> Result<Response<pb::UpdateWhitelistedAddressResponse>, Status> {
        let caller = principal(&request)?;
        let whitelisted_address = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateWhitelistedAddressResponse { whitelisted_address }))
    }

    async fn delete_whitelisted_address(
        &self,
        request: Request<pb::DeleteWhitelistedAddressRequest>,
    ) -> Result<Response<pb::DeleteWhitelistedAddressResponse>, Status> {
        let caller = principal(&request)?;
        let pb::DeleteWhitelistedAddressRequest { id, force } = request.into_inner();
        self.delete(&caller, ids::required("id", id)?, force).await?;
        Ok(Response::new(pb::DeleteWhitelistedAddressResponse {}))
    }
}
