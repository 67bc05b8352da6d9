//! `ConnectionPointsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, connection_points_service_server::ConnectionPointsService};
use tonic::{Request, Response, Status};

use super::{Point, ownership, store};
use crate::{
    access::{Principal, principal},
    catalog::Snapshot,
    changes::{Change, Pending},
    context::Context,
    error::{Error, Result},
    ids::{self, PointId, PoolId, RoutingGroupId, UserId},
    paging::Page,
    pools, providers,
    resource::Resource,
    routing_groups,
    store::{Sequence, Tx},
    tariffs,
    users::Role,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    /// The point of an id, if the caller may see its user.
    async fn visible(&self, caller: &Principal, snapshot: &Snapshot, id: PointId) -> Result<Point> {
        let point = snapshot.points.by_id(id).ok_or(Error::ConnectionPointNotFound)?;
        let user = self.0.directory.by_id(point.user).await?;
        caller.see(user).map_err(|_| Error::ConnectionPointNotFound)?;
        Ok(point.clone())
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListConnectionPointsRequest,
    ) -> Result<pb::ListConnectionPointsResponse> {
        if let Some(user) = request.user_id {
            caller.see(self.0.directory.by_id(UserId(user)).await?)?;
        }
        let snapshot = self.0.catalog.load_full();
        let page = Page::of(request)?;
        let (size, scope) = (page.size, caller.scope());
        let mut after = page.after()?;
        let wanted = usize::try_from(size + 1).unwrap_or(usize::MAX);
        let mut found: Vec<&Point> = Vec::new();
        // Some may be of users whom the caller may not see, so that a page may take several looks.
        while found.len() < wanted {
            let all = snapshot.points.after(after);
            let of_user =
                all.filter(|point| request.user_id.is_none_or(|user| point.user.0 == user));
            let points: Vec<&Point> = of_user.take(wanted).collect();
            let users = self.0.directory.by_ids(points.iter().map(|point| point.user)).await?;
            let is_last = points.len() < wanted;
            after = points.last().map(|point| point.id.0).or(after);
            found.extend(
                points
                    .into_iter()
                    .filter(|point| users.get(&point.user).is_some_and(|user| scope.covers(user))),
            );
            if is_last {
                break;
            }
        }
        found.truncate(wanted);
        let (found, next_page_token) = page.cut(found, size, |point| point.id.0);
        let connection_points =
            found.into_iter().map(|point| scope.disclose(point.to_proto())).collect();
        Ok(pb::ListConnectionPointsResponse { connection_points, next_page_token })
    }

    /// Checks that what a point refers to is there, and that the caller may give it to the user: of
    /// what it had before, nobody asks again.
    async fn check_references(
        &self,
        tx: &mut Tx,
        caller: &Principal,
        point: &Point,
        before: Option<&Point>,
    ) -> Result<()> {
        ownership::check(caller, point, before)?;
        let tariffs = tariffs::store::all(tx).await?;
        let user = self.0.directory.by_id(point.user).await?.ok_or(Error::UserNotFound)?;
        let known = before.map(Point::tariffs).unwrap_or_default();
        let snapshot = self.0.catalog.load_full();
        for id in point.tariffs().difference(&known) {
            tariffs.check_given(caller, &snapshot.settings, user.owner, *id, "tariff_id")?;
        }
        let message = point.to_proto();
        let pool = message.caller_id.map_or(0, |caller_id| caller_id.number_pool_id);
        if pool != 0 && pools::store::lock(tx, PoolId(pool)).await?.is_none() {
            return Err(Error::NumberPoolNotFound);
        }
        match message.origination.map_or(0, |op| op.routing_group_id) {
            0 => Ok(()),
            group => routing_groups::store::lock(tx, RoutingGroupId(group)).await.map(drop),
        }
    }

    async fn create(
        &self,
        caller: &Principal,
        request: pb::CreateConnectionPointRequest,
    ) -> Result<pb::ConnectionPoint> {
        let mut message = request.connection_point.unwrap_or_default();
        let user = ids::required::<UserId>("connection_point.user_id", message.user_id)?;
        let user = caller.manage(self.0.directory.by_id(user).await?)?;
        if user.role != Role::User {
            return Err(Error::UserNotFound);
        }
        // Before an id is used up for it.
        Point::checked(message.clone())?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let id = tx.next_id(Sequence::ConnectionPoints).await?;
        message.id = Some(id);
        if request.create_routing_group {
            if !caller.scope().is_staff() {
                return Err(Error::RoleDenied);
            }
            let op = message.origination.as_mut();
            let op = op.ok_or_else(|| Error::invalid("origination", "is needed for routing"))?;
            let name = format!("Routing group of point {id}");
            op.routing_group_id = routing_groups::store::insert(&mut tx, &name).await?.0;
        }
        let point = Point::new(message)?;
        self.check_references(&mut tx, caller, &point, None).await?;
        store::write(&mut tx, &point).await?;
        let point = point.to_proto();
        tx.commit(Change::creation(Resource::ConnectionPoint(PointId(point.id())), &point)?)
            .await?;
        Ok(point)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: &pb::UpdateConnectionPointRequest,
    ) -> Result<pb::ConnectionPoint> {
        let id = request.connection_point.as_ref().and_then(|point| point.id);
        let id = ids::required::<PointId>("connection_point.id", id)?;
        self.visible(caller, &self.0.catalog.load_full(), id).await?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        // As it is now: it may have been changed or deleted meanwhile.
        let before = store::get(&mut tx, id).await?.ok_or(Error::ConnectionPointNotFound)?;
        let point = before.changed(request)?;
        self.check_references(&mut tx, caller, &point, Some(&before)).await?;
        store::write(&mut tx, &point).await?;
        let point = point.to_proto();
        let change =
            Change::of(Resource::ConnectionPoint(PointId(point.id())), &before.to_proto(), &point)?;
        tx.commit(change).await?;
        Ok(point)
    }

    async fn delete(&self, caller: &Principal, id: PointId) -> Result<()> {
        self.visible(caller, &self.0.catalog.load_full(), id).await?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let point = store::get(&mut tx, id).await?.ok_or(Error::ConnectionPointNotFound)?;
        if providers::store::is_in_lcr(&mut tx, id).await? {
            return Err(providers::IN_USE.into());
        }
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ConnectionPoint(id), &point.to_proto())?).await
    }
}

/// Stores a new point that refers to nothing but its user, and to a routing group that is there, and
/// writes that down. The catalog must be locked for the change.
pub(crate) async fn insert(
    tx: &mut Pending<'_>,
    message: pb::ConnectionPoint,
) -> Result<pb::ConnectionPoint> {
    let id = Some(tx.next_id(Sequence::ConnectionPoints).await?);
    let point = Point::checked(pb::ConnectionPoint { id, ..message })?;
    store::write(tx, &point).await?;
    let point = point.to_proto();
    let change = Change::creation(Resource::ConnectionPoint(PointId(point.id())), &point)?;
    tx.record(change).await?;
    Ok(point)
}

/// Stores a point with changes of what refers to nothing, and writes them down. The catalog must be
/// locked for the change.
pub(crate) async fn replace(
    tx: &mut Pending<'_>,
    before: &pb::ConnectionPoint,
    after: pb::ConnectionPoint,
) -> Result<()> {
    let point = Point::checked(after)?;
    store::write(tx, &point).await?;
    let change = Change::of(Resource::ConnectionPoint(point.id), before, &point.to_proto())?;
    tx.record(change).await
}

/// Deletes a point, and writes that down. The catalog must be locked for the change.
pub(crate) async fn remove(tx: &mut Pending<'_>, point: &pb::ConnectionPoint) -> Result<()> {
    store::delete(tx, PointId(point.id())).await?;
    tx.record(Change::deletion(Resource::ConnectionPoint(PointId(point.id())), point)?).await
}

#[tonic::async_trait]
impl ConnectionPointsService for Service {
    async fn list_connection_points(
        &self,
        request: Request<pb::ListConnectionPointsRequest>,
    ) -> Result<Response<pb::ListConnectionPointsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_connection_point(
        &self,
        request: Request<pb::GetConnectionPointRequest>,
    ) -> Result<Response<pb::GetConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<PointId>("id", request.get_ref().id)?;
        let point = self.visible(&caller, &self.0.catalog.load_full(), id).await?;
        let connection_point = Some(caller.scope().disclose(point.to_proto()));
        Ok(Response::new(pb::GetConnectionPointResponse { connection_point }))
    }

    async fn create_connection_point(
        &self,
        request: Request<pb::CreateConnectionPointRequest>,
    ) -> Result<Response<pb::CreateConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        let connection_point = Some(self.create(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::CreateConnectionPointResponse { connection_point }))
    }

    async fn update_connection_point(
        &self,
        request: Request<pb::UpdateConnectionPointRequest>,
    ) -> Result<Response<pb::UpdateConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        let connection_point = Some(self.update(&caller, request.get_ref()).await?);
        Ok(Response::new(pb::UpdateConnectionPointResponse { connection_point }))
    }

    async fn delete_connection_point(
        &self,
        request: Request<pb::DeleteConnectionPointRequest>,
    ) -> Result<Response<pb::DeleteConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<PointId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteConnectionPointResponse {}))
    }
}
