//! `DevicesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, Permission, devices_service_server::DevicesService};
use tonic::{Request, Response, Status};

use super::{record, store};
use crate::{
    access::{Principal, principal},
    calls,
    changes::{Change, Pending},
    context::Context,
    error::{Error, Result},
    ids::{self, PointId, UserId},
    paging, points,
    resource::Resource,
    store::{Tx, retrying},
    users::Role,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListDevicesRequest,
    ) -> Result<pb::ListDevicesResponse> {
        check_credentials(caller, request.with_credentials)?;
        let user = request.user_id.map(UserId);
        if let Some(user) = user {
            caller.see(self.0.directory.by_id(user).await?)?;
        }
        let size = paging::size(request.page_size);
        let filter = store::Filter {
            scope: caller.scope(),
            user,
            after: paging::decode(&request.page_token)?,
            without_blocked: request.without_blocked,
            limit: size + 1,
        };
        let mut tx = self.0.db.snapshot().await?;
        let devices = store::list(&mut tx, &filter, request.with_credentials).await?;
        let (devices, next_page_token) = paging::cut(devices, size, pb::Device::id);
        let ids = devices.iter().map(|device| PointId(device.id()));
        let points = points::store::messages(&mut tx, ids).await?;
        let devices = devices.into_iter().filter_map(|device| {
            let point = points.get(&PointId(device.id()))?;
            Some(record::complete(device, point))
        });
        Ok(pb::ListDevicesResponse { devices: devices.collect(), next_page_token })
    }

    async fn get(&self, caller: &Principal, request: &pb::GetDeviceRequest) -> Result<pb::Device> {
        check_credentials(caller, request.with_credentials)?;
        let mut tx = self.0.db.snapshot().await?;
        let id = match request.id {
            Some(id) => PointId(id),
            None if request.username.is_empty() => {
                return Err(Error::invalid("id", "or username is required"));
            }
            None => {
                let found = store::id_of(&mut tx, &request.username).await?;
                found.ok_or(Error::DeviceNotFound)?
            }
        };
        let (device, _) = found(&mut tx, id, request.with_credentials).await?;
        let user = self.0.directory.by_id(UserId(device.user_id())).await?;
        caller.see(user).map_err(|_| Error::DeviceNotFound)?;
        Ok(device)
    }

    async fn create(&self, caller: &Principal, device: &pb::Device) -> Result<pb::Device> {
        let user = ids::required::<UserId>("device.user_id", device.user_id)?;
        let user = caller.manage(self.0.directory.by_id(user).await?)?;
        if user.role != Role::User {
            return Err(Error::UserNotFound);
        }
        let snapshot = self.0.catalog.load_full();
        let defaults = snapshot.owner_settings.get(&user.owner).cloned().unwrap_or_default();
        retrying(async || {
            let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
            let new = device.clone();
            let (device, change) = insert(&mut tx, new, &defaults.default_device, 0).await?;
            tx.commit(change).await?;
            Ok(device)
        })
        .await
    }

    async fn update(
        &self,
        caller: &Principal,
        request: &pb::UpdateDeviceRequest,
    ) -> Result<pb::Device> {
        let id = request.device.as_ref().and_then(|device| device.id);
        let id = ids::required::<PointId>("device.id", id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let (before, point) = self.managed(&mut tx, caller, id).await?;
        let device = record::changed(&before, request)?;
        store::write(&mut tx, &device).await?;
        let after = record::point_of(&device, Some(&point));
        if after != point {
            points::replace(&mut tx, &point, after).await?;
        }
        let (after, _) = found(&mut tx, id, false).await?;
        let note = match (device.password.is_empty(), device.pin.is_none()) {
            (true, true) => "",
            (false, true) => "password changed",
            (true, false) => "PIN changed",
            (false, false) => "password and PIN changed",
        };
        tx.commit(Change::of(Resource::Device(id), &before, &after)?.note(note)).await?;
        Ok(after)
    }

    async fn delete(&self, caller: &Principal, id: PointId) -> Result<()> {
        let snapshot = self.0.catalog.load_full();
        if caller.is_legacy() && !snapshot.settings.api_allow_registration {
            return Err(Error::FeatureDisabled);
        }
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let (device, point) = self.managed(&mut tx, caller, id).await?;
        if calls::store::came_from(&mut tx, UserId(device.user_id()), id).await? {
            return Err(Error::DeviceHasCalls);
        }
        points::remove(&mut tx, &point).await?;
        tx.commit(Change::deletion(Resource::Device(id), &device)?).await
    }

    /// A device that the caller may change, and its point, as they are now.
    async fn managed(
        &self,
        tx: &mut Tx,
        caller: &Principal,
        id: PointId,
    ) -> Result<(pb::Device, pb::ConnectionPoint)> {
        let (device, point) = found(tx, id, false).await?;
        let user = self.0.directory.by_id(UserId(device.user_id())).await?;
        let user = caller.see(user).map_err(|_| Error::DeviceNotFound)?;
        caller.manage(Some(user))?;
        Ok((device, point))
    }
}

/// Checks that a caller may see credentials, where they are asked for.
fn check_credentials(caller: &Principal, asked: bool) -> Result<()> {
    match asked && !caller.has(Permission::ConnectionPointsManage) {
        true => Err(Error::PermissionMissing),
        false => Ok(()),
    }
}

/// A device, and its point.
async fn found(
    tx: &mut Tx,
    id: PointId,
    with_credentials: bool,
) -> Result<(pb::Device, pb::ConnectionPoint)> {
    let device = store::get(tx, id, with_credentials).await?.ok_or(Error::DeviceNotFound)?;
    let point = points::store::messages(tx, [id]).await?.remove(&id);
    let point = point.ok_or(Error::DeviceNotFound)?;
    Ok((record::complete(device, &point), point))
}

/// Makes a device and its connection point for a user who is there, and writes the point down. Returns the
/// device with its credentials, and what is to be written down of it. The catalog must be locked for the
/// change.
pub(crate) async fn insert(
    tx: &mut Pending<'_>,
    device: pb::Device,
    defaults: &pb::DefaultDevice,
    routing_group: i64,
) -> Result<(pb::Device, Change)> {
    let mut device = record::with_defaults(device, defaults);
    record::check(&device, true)?;
    let mut point = record::point_of(&device, None);
    point.origination.get_or_insert_default().routing_group_id = routing_group;
    let id = PointId(points::insert(tx, point).await?.id());
    device.id = Some(id.0);
    store::write(tx, &device).await?;
    let (device, _) = found(tx, id, true).await?;
    let told = record::without_credentials(device.clone());
    Ok((device, Change::creation(Resource::Device(id), &told)?))
}

#[tonic::async_trait]
impl DevicesService for Service {
    async fn list_devices(
        &self,
        request: Request<pb::ListDevicesRequest>,
    ) -> Result<Response<pb::ListDevicesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_device(
        &self,
        request: Request<pb::GetDeviceRequest>,
    ) -> Result<Response<pb::GetDeviceResponse>, Status> {
        let caller = principal(&request)?;
        let device = Some(self.get(&caller, request.get_ref()).await?);
        Ok(Response::new(pb::GetDeviceResponse { device }))
    }

    async fn create_device(
        &self,
        request: Request<pb::CreateDeviceRequest>,
    ) -> Result<Response<pb::CreateDeviceResponse>, Status> {
        let caller = principal(&request)?;
        let device = request.into_inner().device.unwrap_or_default();
        let device = Some(self.create(&caller, &device).await?);
        Ok(Response::new(pb::CreateDeviceResponse { device }))
    }

    async fn update_device(
        &self,
        request: Request<pb::UpdateDeviceRequest>,
    ) -> Result<Response<pb::UpdateDeviceResponse>, Status> {
        let caller = principal(&request)?;
        let device = Some(self.update(&caller, request.get_ref()).await?);
        Ok(Response::new(pb::UpdateDeviceResponse { device }))
    }

    async fn delete_device(
        &self,
        request: Request<pb::DeleteDeviceRequest>,
    ) -> Result<Response<pb::DeleteDeviceResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<PointId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteDeviceResponse {}))
    }
}
