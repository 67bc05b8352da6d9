//! `NumberPoolsService`.

use std::{collections::HashSet, sync::Arc};

use tollbook_proto::v1::{self as pb, number_pools_service_server::NumberPoolsService};
use tonic::{Request, Response, Status};

use super::{Pool, normalized, store};
use crate::{
    context::Context,
    error::{Error, Result},
    ids::PoolId,
    paging, points,
    store::Sequence,
    text::{check_name, check_note},
    users,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(&self, request: pb::CreateNumberPoolRequest) -> Result<Pool> {
        check_name(&request.name)?;
        check_note("comment", &request.comment)?;
        let mut tx = self.0.begin_catalog_change().await?;
        let pool = Pool {
            id: PoolId(tx.next_id(Sequence::NumberPools).await?),
            name: request.name,
            comment: request.comment,
            numbers: 0,
            revision: 1,
        };
        store::insert(&mut tx, &pool).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(pool)
    }

    async fn update(&self, request: pb::UpdateNumberPoolRequest) -> Result<Pool> {
        let mut tx = self.0.begin_catalog_change().await?;
        let pool = store::lock(&mut tx, PoolId(request.id)).await?;
        let mut pool = pool.ok_or(Error::NumberPoolNotFound)?;
        if let Some(name) = request.name {
            check_name(&name)?;
            pool.name = name;
        }
        if let Some(comment) = request.comment {
            check_note("comment", &comment)?;
            pool.comment = comment;
        }
        store::update(&mut tx, &pool).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(pool)
    }

    async fn delete(&self, id: PoolId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change().await?;
        store::lock(&mut tx, id).await?.ok_or(Error::NumberPoolNotFound)?;
        let in_use = users::store::uses_pool(&mut tx, id).await?
            || points::store::use_pool(&mut tx, id).await?;
        if in_use {
            return Err(Error::NumberPoolInUse);
        }
        store::delete(&mut tx, id).await?;
        self.0.commit_catalog_change(tx).await
    }

    async fn numbers(
        &self,
        request: &pb::ListPoolNumbersRequest,
    ) -> Result<pb::ListPoolNumbersResponse> {
        let id = PoolId(request.number_pool_id);
        if store::list(&self.0.db, Some(id)).await?.is_empty() {
            return Err(Error::NumberPoolNotFound);
        }
        if request.offset < 0 {
            return Err(Error::invalid("offset", "must not be negative"));
        }
        let search = match request.search.as_str() {
            "" => None,
            text => Some(normalized(text).ok_or_else(|| Error::invalid("search", "is no number"))?),
        };
        let size = paging::size(request.page_size);
        let after = paging::decode(&request.page_token)?;
        // Skipped once, on the way to the first page.
        let offset = if after.is_some() { 0 } else { request.offset };
        let search = search.as_deref();
        let rows = store::numbers(&self.0.db, id, search, after, offset, size + 1).await?;
        let (rows, next_page_token) = paging::cut(rows, size, |(id, _)| *id);
        let numbers = rows.into_iter().map(|(id, number)| pb::PoolNumber { id, number }).collect();
        Ok(pb::ListPoolNumbersResponse { numbers, next_page_token })
    }

    async fn add(&self, request: pb::AddPoolNumbersRequest) -> Result<i64> {
        let mut numbers = Vec::with_capacity(request.numbers.len());
        let mut seen = HashSet::with_capacity(request.numbers.len());
        for (position, number) in (1..).zip(&request.numbers) {
            let number = normalized(number)
                .ok_or_else(|| Error::invalid(format!("numbers.{position}"), "is no number"))?;
            if seen.insert(number.clone()) {
                numbers.push(number);
            }
        }
        let mut tx = self.0.begin_catalog_change().await?;
        let pool = store::lock(&mut tx, PoolId(request.number_pool_id)).await?;
        let mut pool = pool.ok_or(Error::NumberPoolNotFound)?;
        let added = store::add_numbers(&mut tx, pool.id, numbers).await?;
        pool.numbers += added;
        pool.revision += 1;
        store::update(&mut tx, &pool).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(added)
    }

    async fn remove(&self, request: pb::DeletePoolNumbersRequest) -> Result<i64> {
        let mut tx = self.0.begin_catalog_change().await?;
        let pool = store::lock(&mut tx, PoolId(request.number_pool_id)).await?;
        let mut pool = pool.ok_or(Error::NumberPoolNotFound)?;
        let deleted = if request.all {
            store::delete_all_numbers(&mut tx, pool.id).await?
        } else {
            let numbers: Vec<String> =
                request.numbers.iter().filter_map(|number| normalized(number)).collect();
            store::delete_ids(&mut tx, pool.id, &request.ids).await?
                + store::delete_numbers(&mut tx, pool.id, &numbers).await?
        };
        let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
        pool.numbers -= deleted;
        pool.revision += 1;
        store::update(&mut tx, &pool).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(deleted)
    }
}

#[tonic::async_trait]
impl NumberPoolsService for Service {
    async fn list_number_pools(
        &self,
        request: Request<pb::ListNumberPoolsRequest>,
    ) -> Result<Response<pb::ListNumberPoolsResponse>, Status> {
        let pools = store::list(&self.0.db, request.get_ref().id.map(PoolId)).await?;
        let number_pools = pools.iter().map(Pool::to_proto).collect();
        Ok(Response::new(pb::ListNumberPoolsResponse { number_pools }))
    }

    async fn create_number_pool(
        &self,
        request: Request<pb::CreateNumberPoolRequest>,
    ) -> Result<Response<pb::CreateNumberPoolResponse>, Status> {
        let number_pool = Some(self.create(request.into_inner()).await?.to_proto());
        Ok(Response::new(pb::CreateNumberPoolResponse { number_pool }))
    }

    async fn update_number_pool(
        &self,
        request: Request<pb::UpdateNumberPoolRequest>,
    ) -> Result<Response<pb::UpdateNumberPoolResponse>, Status> {
        let number_pool = Some(self.update(request.into_inner()).await?.to_proto());
        Ok(Response::new(pb::UpdateNumberPoolResponse { number_pool }))
    }

    async fn delete_number_pool(
        &self,
        request: Request<pb::DeleteNumberPoolRequest>,
    ) -> Result<Response<pb::DeleteNumberPoolResponse>, Status> {
        self.delete(PoolId(request.get_ref().id)).await?;
        Ok(Response::new(pb::DeleteNumberPoolResponse {}))
    }

    async fn list_pool_numbers(
        &self,
        request: Request<pb::ListPoolNumbersRequest>,
    ) -> Result<Response<pb::ListPoolNumbersResponse>, Status> {
        Ok(Response::new(self.numbers(request.get_ref()).await?))
    }

    async fn add_pool_numbers(
        &self,
        request: Request<pb::AddPoolNumbersRequest>,
    ) -> Result<Response<pb::AddPoolNumbersResponse>, Status> {
        let added = self.add(request.into_inner()).await?;
        Ok(Response::new(pb::AddPoolNumbersResponse { added }))
    }

    async fn delete_pool_numbers(
        &self,
        request: Request<pb::DeletePoolNumbersRequest>,
    ) -> Result<Response<pb::DeletePoolNumbersResponse>, Status> {
        let deleted = self.remove(request.into_inner()).await?;
        Ok(Response::new(pb::DeletePoolNumbersResponse { deleted }))
    }
}
