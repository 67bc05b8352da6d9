//! `DevicesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, Permission, devices_service_server::DevicesService};
use tonic::{Request, Response, Status};

use super::{
    clis, credentials, record,
    store::{self, Known},
};
use crate::{
    access::{Principal, principal},
    calls,
    changes::{Change, Pending},
    context::Context,
    error::{Error, Result},
    ids::{self, PointId, RoutingGroupId, UserId},
    paging::Page,
    points,
    resource::Resource,
    store::{Tx, retrying},
    users::Role,
};

/// How often a name or a PIN is made up: all of them taken would be a wonder.
const TRIES: usize = 20;

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
        let page = Page::of(request)?;
        let size = page.size;
        let filter = store::Filter {
            scope: caller.scope(),
            user,
            after: page.after()?,
            without_blocked: request.without_blocked,
            limit: size + 1,
        };
        let mut tx = self.0.db.snapshot().await?;
        let devices = store::list(&mut tx, &filter, request.with_credentials).await?;
        let (devices, next_page_token) = page.cut(devices, size, pb::Device::id);
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
        if record::is_for_operators(device) && !caller.scope().is_staff() {
            return Err(Error::RoleDenied);
        }
        let snapshot = self.0.catalog.load_full();
        let settings = snapshot.owner_settings.get(&user.owner).cloned().unwrap_or_default();
        let defaults = Defaults {
            device: &settings.default_device,
            routing_group: RoutingGroupId(0),
            limit: snapshot.settings.devices_per_user,
        };
        self.count_choice(caller, device).await?;
        retrying(async || {
            let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
            let (device, change) = insert(&mut tx, device.clone(), defaults).await?;
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
        if record::changes_what_is_operators(request) && !caller.scope().is_staff() {
            return Err(Error::RoleDenied);
        }
        self.count_choice(caller, &record::named(request)).await?;
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
        // Its CLIs go with it, and a ban is the operator's. The lock keeps one from beginning meanwhile.
        if !caller.scope().is_staff() {
            store::lock(&mut tx, id).await?;
            if clis::store::has_banned(&mut tx, id).await? {
                return Err(Error::RoleDenied);
            }
        }
        if calls::store::came_from(&mut tx, UserId(device.user_id()), id).await? {
            return Err(Error::DeviceHasCalls);
        }
        points::remove(&mut tx, &point).await?;
        tx.commit(Change::deletion(Resource::Device(id), &device)?).await
    }

    /// Counts what a caller chooses of a device's credentials if a device has it that he may not see: by
    /// what is refused, or by passwords that find nobody any more, he learns of that. Who has learnt enough
    /// is not listened to.
    async fn count_choice(&self, caller: &Principal, chosen: &pb::Device) -> Result<()> {
        let user = caller.user()?;
        let known = [
            Known::Username(&chosen.username),
            Known::Password(&chosen.password),
            Known::Pin(chosen.pin()),
        ];
        let snapshot = self.0.catalog.load_full();
        let Some(key) = snapshot.settings.device_digest_key.as_ref() else { return Ok(()) };
        if user.role == Role::Admin || known.iter().all(Known::is_empty) {
            return Ok(());
        }
        let attempt = self.0.lockout.choice(user.id).await.ok_or(Error::Busy)?;
        for known in known.iter().filter(|known| !known.is_empty()) {
            match store::is_held_outside(&self.0.db, key, *known, caller.scope()).await {
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(error) => {
                    attempt.give_back();
                    return Err(error);
                }
            }
        }
        attempt.give_back();
        Ok(())
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

/// Checks that a caller may see a device.
pub(crate) async fn seen(context: &Context, caller: &Principal, id: PointId) -> Result<()> {
    let mut tx = context.db.snapshot().await?;
    let user = store::user_of(&mut tx, id).await?.ok_or(Error::DeviceNotFound)?;
    let user = context.directory.by_id(user).await?;
    caller.see(user).map(drop).map_err(|_| Error::DeviceNotFound)
}

/// Checks that a caller may change what belongs to a device, which stays until the end of the
/// transaction.
pub(crate) async fn lock_managed(
    context: &Context,
    tx: &mut Tx,
    caller: &Principal,
    id: PointId,
) -> Result<()> {
    let user = store::lock(tx, id).await?.ok_or(Error::DeviceNotFound)?;
    let user = context.directory.by_id(user).await?;
    let user = caller.see(user).map_err(|_| Error::DeviceNotFound)?;
    caller.manage(Some(user)).map(drop)
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

/// What a new device gets that says nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Defaults<'a> {
    pub(crate) device: &'a pb::DefaultDevice,
    pub(crate) routing_group: RoutingGroupId,
    /// How many devices its user may have; 0: as many as he likes.
    pub(crate) limit: i32,
}

/// Makes a device and its connection point for a user who is there, and writes the point down. Returns the
/// device with its credentials, and what is to be written down of it. The catalog must be locked for the
/// change.
pub(crate) async fn insert(
    tx: &mut Pending<'_>,
    device: pb::Device,
    defaults: Defaults<'_>,
) -> Result<(pb::Device, Change)> {
    let limit = i64::from(defaults.limit);
    if limit > 0 && store::count_of(tx, UserId(device.user_id())).await? >= limit {
        return Err(Error::TooManyDevices);
    }
    let mut device = with_credentials(tx, device).await?;
    device = record::with_defaults(device, defaults.device);
    record::check(&device, true)?;
    let mut point = record::point_of(&device, None);
    point.origination.get_or_insert_default().routing_group_id = defaults.routing_group.0;
    let id = PointId(points::insert(tx, point).await?.id());
    device.id = Some(id.0);
    store::write(tx, &device).await?;
    let (device, _) = found(tx, id, true).await?;
    let told = record::without_credentials(device.clone());
    Ok((device, Change::creation(Resource::Device(id), &told)?))
}

/// A device with a user name and a PIN that nobody has where it has none: of hundreds of thousands one in
/// a few hundred would have somebody's otherwise.
async fn with_credentials(tx: &mut Tx, mut device: pb::Device) -> Result<pb::Device> {
    for _ in 0..TRIES {
        if !device.username.is_empty() {
            break;
        }
        let name = credentials::random_username();
        if !store::is_held(tx, Known::Username(&name)).await? {
            device.username = name;
        }
    }
    for _ in 0..TRIES {
        if device.pin.is_some() {
            break;
        }
        let pin = credentials::random_pin();
        if !store::is_held(tx, Known::Pin(&pin)).await? {
            device.pin = Some(pin);
        }
    }
    Ok(device)
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
