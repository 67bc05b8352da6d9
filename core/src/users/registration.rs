//! Registration: a simple user who comes by himself, with what his owner gives to such users, and a
//! device of his own. There is both in the end, or neither.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, Permission};

use super::{Identity, Role, confirmation::Confirmation, ownership, record, store};
use crate::{
    access::{Password, Principal},
    catalog::Snapshot,
    changes::Change,
    context::Context,
    devices,
    error::{Error, Result},
    ids::{RoutingGroupId, TariffId, UserId},
    ledger::{
        Kind,
        posting::{self, Posting},
    },
    money::Money,
    resource::Resource,
    routing_groups,
    settings::owners::OwnerSettings,
    store::{Sequence, Tx, retrying},
    tariffs,
};

/// How devices of users speak who register.
const DEVICE_TYPES: [pb::DeviceType; 3] =
    [pb::DeviceType::Sip, pb::DeviceType::Iax2, pb::DeviceType::Virtual];

/// A registration whose fields were checked.
struct Registration<'a> {
    context: &'a Context,
    caller: &'a Principal,
    owner: UserId,
    settings: OwnerSettings,
    user: pb::User,
    password: Password,
    device: pb::Device,
    routing_group: RoutingGroupId,
}

/// Registers a user.
pub(super) async fn register(
    context: &Arc<Context>,
    caller: &Principal,
    request: pb::RegisterUserRequest,
) -> Result<pb::RegisterUserResponse> {
    let snapshot = context.catalog.load_full();
    if caller.is_legacy() && !snapshot.settings.api_allow_registration {
        return Err(Error::FeatureDisabled);
    }
    // What is hashed costs time, what is registered stays, and what is refused tells who is there: nothing
    // of that is to be had without end. What the server is to blame for does not count.
    let attempt = match caller.user() {
        Ok(_) => None,
        Err(_) => Some(context.lockout.registration(caller.origin().address).ok_or(Error::Busy)?),
    };
    let registered = try_to_register(context, caller, request, &snapshot).await;
    if let (Some(attempt), Err(Error::Database(_) | Error::Unavailable)) = (attempt, &registered) {
        attempt.give_back();
    }
    let (mut registered, confirmation) = registered?;
    if let Some((draft, address)) = confirmation.draft(context).await {
        registered.email = address;
        let (context, origin) = (context.clone(), caller.origin().clone());
        // The mail server may take its time, and what it says is nothing to who has been registered.
        context.clone().tasks.start(async move {
            if let Err(error) = draft.send(&context, &origin).await {
                let problem = error.problem;
                tracing::warn!(problem, "a confirmation of a registration was not sent");
            }
        });
    }
    Ok(registered)
}

async fn try_to_register(
    context: &Context,
    caller: &Principal,
    request: pb::RegisterUserRequest,
    snapshot: &Snapshot,
) -> Result<(pb::RegisterUserResponse, Confirmation)> {
    let owner = owner(context, caller, &request.owner_uniquehash).await?;
    let settings = snapshot.owner_settings.get(&owner.id).cloned().unwrap_or_default();
    check(&request, &settings)?;
    let routing_group = RoutingGroupId(request.routing_group_id.unwrap_or_default());
    if routing_group != RoutingGroupId(0) && owner.id != UserId::ADMIN {
        return Err(Error::RoutingGroupNotFound);
    }
    let device = device(&request);
    let mut user = user(&request, owner.id, &settings, snapshot);
    if let Ok(creator) = caller.user() {
        ownership::adopt(creator, Role::User, &mut user)?;
    }
    record::check(&mut user, snapshot)?;
    let begins_with_money = settings.default_user.balance.is_some();
    if caller.user().is_ok() && begins_with_money && !caller.has(Permission::Balances) {
        return Err(Error::PermissionMissing);
    }
    let password = Password::for_new_user(request.password, "").await?;
    let owner = UserId(user.owner_id);
    let registration =
        Registration { context, caller, owner, settings, user, password, device, routing_group };
    let registered = retrying(|| registration.run()).await?;
    let confirmation = Confirmation::of(registration.user, &registered, snapshot);
    Ok((registered, confirmation))
}

/// With whom somebody registers.
async fn owner(context: &Context, caller: &Principal, uniquehash: &str) -> Result<Arc<Identity>> {
    let directory = &context.directory;
    let found = match (uniquehash, caller.user()) {
        ("", Ok(caller)) if caller.role.is_owner() => directory.by_id(caller.id).await?,
        ("", _) => directory.by_id(UserId::ADMIN).await?,
        (uniquehash, Ok(user)) if user.role == Role::Manager => {
            // Managers see no admin, and may let users register with him all the same.
            let found = directory.by_uniquehash(uniquehash).await?;
            let scope = caller.scope();
            found.filter(|found| found.id == UserId::ADMIN || scope.covers(found))
        }
        (uniquehash, _) => {
            let found = directory.by_uniquehash(uniquehash).await?;
            let scope = caller.scope();
            found.filter(|found| scope.covers(found))
        }
    };
    let owner = found.filter(|owner| owner.id == UserId::ADMIN || owner.role.is_owner());
    owner.ok_or(Error::OwnerInvalid)
}

/// Checks what a user who registers must say; the rest is checked as of any user and device.
fn check(request: &pb::RegisterUserRequest, settings: &OwnerSettings) -> Result<()> {
    let address = request.address.clone().unwrap_or_default();
    for (field, text) in [("username", &request.username), ("address.email", &address.email)] {
        if text.trim().is_empty() {
            return Err(Error::invalid(field, "is required"));
        }
    }
    let (name, domain) = address.email.split_once('@').unwrap_or_default();
    if name.is_empty() || domain.is_empty() {
        return Err(Error::invalid("address.email", "is no e-mail address"));
    }
    if address.direction_id == 0 {
        return Err(Error::invalid("address.direction_id", "is required"));
    }
    if !DEVICE_TYPES.contains(&request.device_type()) {
        return Err(Error::invalid("device_type", "must be SIP, IAX2 or VIRTUAL"));
    }
    let least = settings.password_length();
    match request.password.chars().count() < least {
        true => Err(Error::PasswordTooShort { least }),
        false => Ok(()),
    }
}

/// The user who registers, as his owner wants such users.
fn user(
    request: &pb::RegisterUserRequest,
    owner: UserId,
    settings: &OwnerSettings,
    snapshot: &Snapshot,
) -> pb::User {
    let defaults = &settings.default_user;
    let currency = snapshot.currencies.by_code(&defaults.currency);
    let on = |switch: bool| if switch { "1" } else { "0" }.to_owned();
    let recording = [
        ("recording_enabled", defaults.recording_enabled),
        ("recording_forced_enabled", defaults.recording_forced),
    ];
    let user = pb::User {
        username: request.username.clone(),
        first_name: request.first_name.clone(),
        last_name: request.last_name.clone(),
        address: request.address.clone(),
        client_id: request.client_id.clone(),
        vat_number: request.vat_number.clone(),
        owner_id: owner.0,
        credit: defaults.credit.clone(),
        postpaid: defaults.postpaid,
        call_limit: defaults.call_limit,
        time_zone: defaults.time_zone.clone(),
        currency_id: currency.map_or(0, |currency| currency.id.0),
        tariff_id: defaults.tariff_id,
        loss_protection: Some(pb::LossProtection {
            allow_loss_calls: defaults.allow_loss_calls,
            ..Default::default()
        }),
        legacy_columns: recording.map(|(name, is_on)| (name.to_owned(), on(is_on))).into(),
        ..Default::default()
    };
    record::with_defaults(user, &snapshot.settings)
}

/// His device.
fn device(request: &pb::RegisterUserRequest) -> pb::Device {
    pb::Device {
        r#type: request.device_type,
        caller_number: request.caller_number.clone(),
        ..Default::default()
    }
}

impl Registration<'_> {
    async fn run(&self) -> Result<pb::RegisterUserResponse> {
        let Self { context, caller, settings, user, .. } = self;
        let mut tx = context.begin_catalog_change(caller.origin()).await?;
        self.check_references(&mut tx).await?;
        let id = UserId(tx.next_id(Sequence::Users).await?);
        store::insert(&mut tx, id, Role::User, user, self.password.hash()).await?;
        let created = store::get(&mut tx, id).await?;
        let change = Change::creation(Resource::User(id), &created)?.note("registered");
        tx.record(change).await?;
        let device = pb::Device { user_id: Some(id.0), ..self.device.clone() };
        let defaults = devices::Defaults {
            device: &settings.default_device,
            routing_group: self.routing_group,
            limit: 0,
        };
        let (device, change) = devices::insert(&mut tx, device, defaults).await?;
        let entry = self.post_balance(&mut tx, id).await?;
        let identity = store::lock(&mut tx, id).await?.ok_or(Error::UserNotFound)?;
        tx.commit(change).await?;
        context.directory.learn(identity);
        if let Some(entry) = entry {
            context.directory.learn_posted(&entry);
        }
        Ok(pb::RegisterUserResponse {
            user_id: id.0,
            device: Some(device),
            server_address: settings.default_device.server_address.clone(),
            registration_notice: settings.default_device.registration_notice.clone(),
            email: String::new(),
        })
    }

    /// Checks that what the user gets is still there.
    async fn check_references(&self, tx: &mut Tx) -> Result<()> {
        ownership::lock_superiors(tx, &self.user, None).await?;
        if self.owner != UserId::ADMIN {
            ownership::check_is_owner(tx, self.owner).await?;
        }
        if self.user.tariff_id != 0 {
            // As it is now: what was shared when it became the default may be so no more.
            let settings = &self.context.catalog.load().settings;
            let tariff = TariffId(self.user.tariff_id);
            tariffs::store::all(tx).await?.check_default(settings, self.owner, tariff)?;
        }
        match self.routing_group.0 {
            0 => Ok(()),
            _ => routing_groups::store::lock(tx, self.routing_group).await.map(drop),
        }
    }

    /// Posts the balance with which such users begin, if there is one.
    async fn post_balance(
        &self,
        tx: &mut Tx,
        user: UserId,
    ) -> Result<Option<crate::ledger::Entry>> {
        let Some(balance) = &self.settings.default_user.balance else { return Ok(None) };
        let amount = Money::from_proto("default_user.balance", Some(balance))?;
        if amount == Money::ZERO {
            return Ok(None);
        }
        let posting = Posting {
            user,
            amount,
            kind: Kind::Adjustment,
            origin: Some(self.caller.origin().clone()),
            note: "balance of new users".to_owned(),
            payment: None,
            idempotency: None,
        };
        let posted = posting::apply(tx, &[posting]).await?.pop();
        let posted = posted.ok_or_else(|| Error::internal("nothing was posted"))??;
        Ok(Some(posted.entry))
    }
}
