//! `NumberPoolsService`.

use std::{collections::HashSet, sync::Arc};

use tollbook_proto::v1::{self as pb, number_pools_service_server::NumberPoolsService};
use tonic::{Request, Response, Status};

use super::{Pool, normalized, store};
use crate::{
    access::{Principal, principal},
    changes::{Change, Pending},
    context::Context,
    error::{Error, Result},
    ids::{self, PoolId},
    paging::Page,
    points,
    resource::Resource,
    store::{Sequence, Tx},
    text::{check_name, check_note},
    users,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(
        &self,
        caller: &Principal,
        request: pb::CreateNumberPoolRequest,
    ) -> Result<Pool> {
        check_name(&request.name)?;
        check_note("comment", &request.comment)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let pool = Pool {
            id: PoolId(tx.next_id(Sequence::NumberPools).await?),
            name: request.name,
            comment: request.comment,
            numbers: 0,
            revision: 1,
        };
        store::insert(&mut tx, &pool).await?;
        tx.commit(Change::creation(Resource::NumberPool(pool.id), &pool.to_proto())?).await?;
        Ok(pool)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateNumberPoolRequest,
    ) -> Result<Pool> {
        let id = ids::required::<PoolId>("id", request.id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = store::lock(&mut tx, id).await?;
        let before = before.ok_or(Error::NumberPoolNotFound)?;
        let mut pool = before.clone();
        if let Some(name) = request.name {
            check_name(&name)?;
            pool.name = name;
        }
        if let Some(comment) = request.comment {
            check_note("comment", &comment)?;
            pool.comment = comment;
        }
        store::update(&mut tx, &pool).await?;
        let change =
            Change::of(Resource::NumberPool(pool.id), &before.to_proto(), &pool.to_proto())?;
        tx.commit(change).await?;
        Ok(pool)
    }

    async fn delete(&self, caller: &Principal, id: PoolId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let pool = store::lock(&mut tx, id).await?.ok_or(Error::NumberPoolNotFound)?;
        let in_use = users::store::uses_pool(&mut tx, id).await?
            || points::store::use_pool(&mut tx, id).await?;
        if in_use {
            return Err(Error::NumberPoolInUse);
        }
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::NumberPool(id), &pool.to_proto())?).await
    }

    async fn numbers(
        &self,
        caller: &Principal,
        request: &pb::ListPoolNumbersRequest,
    ) -> Result<pb::ListPoolNumbersResponse> {
        let id = ids::required::<PoolId>("number_pool_id", request.number_pool_id)?;
        if store::list(&self.0.db, Some(id), None, 1).await?.is_empty() {
            return Err(Error::NumberPoolNotFound);
        }
        if request.offset < 0 {
            return Err(Error::invalid("offset", "must not be negative"));
        }
        let search = match request.search.as_str() {
            "" => None,
            text => Some(normalized(text).ok_or_else(|| Error::invalid("search", "is no number"))?),
        };
        let page = Page::of(request)?;
        let size = page.size;
        let after = page.after()?;
        // Skipped once, on the way to the first page.
        let offset = if after.is_some() { 0 } else { request.offset };
        let search = search.as_deref();
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::numbers(&db, id, search, after, offset, size + 1).await?;
        let (rows, next_page_token) = page.cut(rows, size, |(id, _)| *id);
        let numbers = rows.into_iter().map(|(id, number)| pb::PoolNumber { id, number }).collect();
        Ok(pb::ListPoolNumbersResponse { numbers, next_page_token })
    }

    async fn add(&self, caller: &Principal, request: pb::AddPoolNumbersRequest) -> Result<i64> {
        let id = ids::required::<PoolId>("number_pool_id", request.number_pool_id)?;
        let mut numbers = Vec::with_capacity(request.numbers.len());
        let mut seen = HashSet::with_capacity(request.numbers.len());
        for (position, number) in (1..).zip(&request.numbers) {
            let number = normalized(number)
                .ok_or_else(|| Error::invalid(format!("numbers.{position}"), "is no number"))?;
            if seen.insert(number.clone()) {
                numbers.push(number);
            }
        }
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let pool = locked(&mut tx, id).await?;
        let added = store::add_numbers(&mut tx, pool.id, numbers).await?;
        Self::finish(tx, pool, added, format!("{added} numbers added")).await?;
        Ok(added)
    }

    async fn remove(
        &self,
        caller: &Principal,
        request: pb::DeletePoolNumbersRequest,
    ) -> Result<i64> {
        let id = ids::required::<PoolId>("number_pool_id", request.number_pool_id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let pool = locked(&mut tx, id).await?;
        let deleted = if request.all {
            store::delete_all_numbers(&mut tx, pool.id).await?
        } else {
            let numbers: Vec<String> =
                request.numbers.iter().filter_map(|number| normalized(number)).collect();
            store::delete_ids(&mut tx, pool.id, &request.ids).await?
                + store::delete_numbers(&mut tx, pool.id, &numbers).await?
        };
        let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
        Self::finish(tx, pool, -deleted, format!("{deleted} numbers deleted")).await?;
        Ok(deleted)
    }

    /// Commits changed numbers of a pool, of which there are so many more now.
    async fn finish(mut tx: Pending<'_>, before: Pool, more: i64, note: String) -> Result<()> {
        let numbers = before.numbers + more;
        let after = Pool { numbers, revision: before.revision + 1, ..before.clone() };
        store::update(&mut tx, &after).await?;
        let change =
            Change::of(Resource::NumberPool(after.id), &before.to_proto(), &after.to_proto())?;
        tx.commit(change.note(note)).await
    }
}

async fn locked(tx: &mut Tx, id: PoolId) -> Result<Pool> {
    store::lock(tx, id).await?.ok_or(Error::NumberPoolNotFound)
}

#[tonic::async_trait]
impl NumberPoolsService for Service {
    async fn list_number_pools(
        &self,
        request: Request<pb::ListNumberPoolsRequest>,
    ) -> Result<Response<pb::ListNumberPoolsResponse>, Status> {
        let id = request.get_ref().id;
        let page = Page::of(request.get_ref())?;
        let (size, after) = (page.size, page.after()?);
        let db = self.0.db.long(principal(&request)?.origin().actor);
        let pools = store::list(&db, id.map(PoolId), after, size + 1).await?;
        let (pools, next_page_token) = page.cut(pools, size, |pool| pool.id.0);
        let number_pools = pools.iter().map(Pool::to_proto).collect();
        Ok(Response::new(pb::ListNumberPoolsResponse { number_pools, next_page_token }))
    }

    async fn create_number_pool(
        &self,
        request: Request<pb::CreateNumberPoolRequest>,
    ) -> Result<Response<pb::CreateNumberPoolResponse>, Status> {
        let caller = principal(&request)?;
        let number_pool = Some(self.create(&caller, request.into_inner()).await?.to_proto());
        Ok(Response::new(pb::CreateNumberPoolResponse { number_pool }))
    }

    async fn update_number_pool(
        &self,
        request: Request<pb::UpdateNumberPoolRequest>,
    ) -> Result<Response<pb::UpdateNumberPoolResponse>, Status> {
        let caller = principal(&request)?;
        let number_pool = Some(self.update(&caller, request.into_inner()).await?.to_proto());
        Ok(Response::new(pb::UpdateNumberPoolResponse { number_pool }))
    }

    async fn delete_number_pool(
        &self,
        request: Request<pb::DeleteNumberPoolRequest>,
    ) -> Result<Response<pb::DeleteNumberPoolResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<PoolId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteNumberPoolResponse {}))
    }

    async fn list_pool_numbers(
        &self,
        request: Request<pb::ListPoolNumbersRequest>,
    ) -> Result<Response<pb::ListPoolNumbersResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.numbers(&caller, request.get_ref()).await?))
    }

    async fn add_pool_numbers(
        &self,
        request: Request<pb::AddPoolNumbersRequest>,
    ) -> Result<Response<pb::AddPoolNumbersResponse>, Status> {
        let caller = principal(&request)?;
        let added = self.add(&caller, request.into_inner()).await?;
        Ok(Response::new(pb::AddPoolNumbersResponse { added }))
    }

    async fn delete_pool_numbers(
        &self,
        request: Request<pb::DeletePoolNumbersRequest>,
    ) -> Result<Response<pb::DeletePoolNumbersResponse>, Status> {
        let caller = principal(&request)?;
        let deleted = self.remove(&caller, request.into_inner()).await?;
        Ok(Response::new(pb::DeletePoolNumbersResponse { deleted }))
    }
}
