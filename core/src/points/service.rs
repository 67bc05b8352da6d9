//! `ConnectionPointsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, connection_points_service_server::ConnectionPointsService};
use tonic::{Request, Response, Status};

use super::{Origination, Point, Termination, store};
use crate::{
    access::{Principal, Scope, principal},
    catalog::Snapshot,
    context::Context,
    error::{Error, Result},
    ids::{PointId, TariffId, UserId},
    store::Sequence,
    text::check_text,
    users::Role,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

fn decode(point: pb::ConnectionPoint, snapshot: &Snapshot) -> Result<Point> {
    check_text("description", &point.description)?;
    let tariff = |id: i64| match id {
        0 => Ok(TariffId(0)),
        id => snapshot.tariffs.by_id(TariffId(id)).map(|tariff| tariff.id),
    };
    let capacity = |field, number: i32| match number {
        ..0 => Err(Error::invalid(field, "must not be negative")),
        number => Ok(i64::from(number)),
    };
    Ok(Point {
        id: PointId(point.id),
        user: UserId(point.user_id),
        description: point.description,
        origination: match point.origination {
            None => None,
            Some(op) => Some(Origination {
                active: op.active,
                tariff: tariff(op.tariff_id)?,
                custom_tariff: tariff(op.custom_tariff_id)?,
                capacity: capacity("origination.capacity", op.capacity)?,
            }),
        },
        termination: match point.termination {
            None => None,
            Some(tp) => Some(Termination {
                active: tp.active,
                tariff: tariff(tp.tariff_id)?,
                capacity: capacity("termination.capacity", tp.capacity)?,
            }),
        },
    })
}

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
    ) -> Result<Vec<pb::ConnectionPoint>> {
        let snapshot = self.0.catalog.load_full();
        let points = || {
            let wanted = request.user_id.map(UserId);
            let fits = move |point: &&Point| wanted.is_none_or(|user| point.user == user);
            snapshot.points.0.iter().filter(fits)
        };
        let users = self.0.directory.by_ids(points().map(|point| point.user)).await?;
        let scope = caller.scope();
        let seen = points()
            .filter(|point| users.get(&point.user).is_some_and(|user| scope.covers(user)))
            .map(Point::to_proto);
        Ok(match scope {
            Scope::Only(_) => seen.map(without_tariffs).collect(),
            _ => seen.collect(),
        })
    }

    async fn create(
        &self,
        caller: &Principal,
        point: pb::ConnectionPoint,
    ) -> Result<pb::ConnectionPoint> {
        let snapshot = self.0.catalog.load_full();
        let mut point = decode(point, &snapshot)?;
        let user = caller.see(self.0.directory.by_id(point.user).await?)?;
        if user.role != Role::User {
            return Err(Error::UserNotFound);
        }
        let mut tx = self.0.begin_catalog_change().await?;
        point.id = PointId(tx.next_id(Sequence::ConnectionPoints).await?);
        store::write(&mut tx, &point).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(point.to_proto())
    }

    async fn update(
        &self,
        caller: &Principal,
        point: pb::ConnectionPoint,
    ) -> Result<pb::ConnectionPoint> {
        let snapshot = self.0.catalog.load_full();
        let before = self.visible(caller, &snapshot, PointId(point.id)).await?;
        let point = Point { user: before.user, ..decode(point, &snapshot)? };
        let mut tx = self.0.begin_catalog_change().await?;
        // It may have been deleted meanwhile.
        store::all(&mut tx).await?.by_id(point.id).ok_or(Error::ConnectionPointNotFound)?;
        store::write(&mut tx, &point).await?;
        self.0.commit_catalog_change(tx).await?;
        Ok(point.to_proto())
    }

    async fn delete(&self, caller: &Principal, id: PointId) -> Result<()> {
        self.visible(caller, &self.0.catalog.load_full(), id).await?;
        let mut tx = self.0.begin_catalog_change().await?;
        store::delete(&mut tx, id).await?;
        self.0.commit_catalog_change(tx).await
    }
}

/// What a customer is told of his point.
fn without_tariffs(mut point: pb::ConnectionPoint) -> pb::ConnectionPoint {
    if let Some(op) = &mut point.origination {
        (op.tariff_id, op.custom_tariff_id) = (0, 0);
    }
    if let Some(tp) = &mut point.termination {
        tp.tariff_id = 0;
    }
    point
}

#[tonic::async_trait]
impl ConnectionPointsService for Service {
    async fn list_connection_points(
        &self,
        request: Request<pb::ListConnectionPointsRequest>,
    ) -> Result<Response<pb::ListConnectionPointsResponse>, Status> {
        let caller = principal(&request)?;
        let connection_points = self.list(&caller, request.get_ref()).await?;
        Ok(Response::new(pb::ListConnectionPointsResponse { connection_points }))
    }

    async fn create_connection_point(
        &self,
        request: Request<pb::CreateConnectionPointRequest>,
    ) -> Result<Response<pb::CreateConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        let point = request.into_inner().connection_point.unwrap_or_default();
        let connection_point = Some(self.create(&caller, point).await?);
        Ok(Response::new(pb::CreateConnectionPointResponse { connection_point }))
    }

    async fn update_connection_point(
        &self,
        request: Request<pb::UpdateConnectionPointRequest>,
    ) -> Result<Response<pb::UpdateConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        let point = request.into_inner().connection_point.unwrap_or_default();
        let connection_point = Some(self.update(&caller, point).await?);
        Ok(Response::new(pb::UpdateConnectionPointResponse { connection_point }))
    }

    async fn delete_connection_point(
        &self,
        request: Request<pb::DeleteConnectionPointRequest>,
    ) -> Result<Response<pb::DeleteConnectionPointResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, PointId(request.get_ref().id)).await?;
        Ok(Response::new(pb::DeleteConnectionPointResponse {}))
    }
}
