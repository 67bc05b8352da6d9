//! Who owns whom, and what that allows: users belong to the admin, a reseller or a partner, and
//! resellers to the admin or a partner, so that nobody can own whoever owns him.

use std::{collections::BTreeSet, sync::Arc};

use tollbook_proto::v1 as pb;

use super::{Identity, Role, store};
use crate::{
    access::Principal,
    catalog::Snapshot,
    error::{Error, Result},
    ids::{ResellerGroupId, TariffId, UserId},
    reseller_groups,
    store::Tx,
};

/// The user, if the caller may change or delete him: managers change simple users, resellers and
/// partners those whom they own.
pub(super) fn editable(caller: &Principal, user: Option<Arc<Identity>>) -> Result<Arc<Identity>> {
    let user = caller.manage(user)?;
    match caller.user()?.role == Role::Manager && user.role != Role::User {
        true => Err(Error::RoleDenied),
        false => Ok(user),
    }
}

/// Makes a new user his whose he is to be by who creates him.
pub(super) fn adopt(creator: &Identity, role: Role, user: &mut pb::User) -> Result<()> {
    let may_create = match creator.role {
        Role::Admin => true,
        Role::Manager | Role::Reseller => role == Role::User,
        Role::Partner => matches!(role, Role::User | Role::Reseller),
        Role::User => false,
    };
    if !may_create {
        return Err(Error::RoleDenied);
    }
    match creator.role {
        Role::Manager if creator.show_only_assigned_users => {
            user.responsible_manager_id = creator.id.0;
        }
        Role::Reseller => user.owner_id = creator.id.0,
        // He may also make one of his resellers the owner.
        Role::Partner if user.owner_id == UserId::ADMIN.0 => user.owner_id = creator.id.0,
        _ => {}
    }
    Ok(())
}

/// Locks the responsible manager and the owner of a user who is about to be stored, and himself
/// where he is there already, in the order of their ids: changes of one another would wait for
/// ever.
pub(super) async fn lock_superiors(
    tx: &mut Tx,
    user: &pb::User,
    own: Option<UserId>,
) -> Result<()> {
    let superiors = [user.responsible_manager_id, user.owner_id].map(UserId);
    let superiors = superiors.into_iter().filter(|id| *id != UserId::ADMIN);
    let all: BTreeSet<UserId> = superiors.chain(own).collect();
    for id in all {
        store::lock(tx, id).await?;
    }
    Ok(())
}

/// Checks what a new or changed user has of others: his owner, and what of it the caller may set.
pub(super) async fn check(
    tx: &mut Tx,
    caller: &Principal,
    snapshot: &Snapshot,
    old: Option<&pb::User>,
    new: &pb::User,
) -> Result<()> {
    let none = pb::User::default();
    check_caller(caller, old.is_some(), old.unwrap_or(&none), new)?;
    let is_moved = old.is_none_or(|old| old.owner_id != new.owner_id);
    if is_moved && new.owner_id != UserId::ADMIN.0 {
        check_owner(tx, caller, new).await?;
    }
    let group = ResellerGroupId(new.reseller_group_id);
    let is_joined = old.is_none_or(|old| old.reseller_group_id != new.reseller_group_id);
    if is_joined && group != ResellerGroupId(0) {
        if new.role() != pb::Role::Reseller {
            return Err(Error::invalid("reseller_group_id", "is for resellers only"));
        }
        reseller_groups::store::lock(tx, group).await?;
    }
    if is_moved && old.is_some() {
        check_points(caller, snapshot, new)?;
    }
    let tariff = TariffId(new.tariff_id);
    let is_given = is_moved || old.is_none_or(|old| old.tariff_id != new.tariff_id);
    if is_given && tariff != TariffId(0) {
        let (tariffs, settings) = (&snapshot.tariffs, &snapshot.settings);
        tariffs.check_given(caller, settings, UserId(new.owner_id), tariff, "tariff_id")?;
    }
    Ok(())
}

/// Whether a reseller may have providers and LCRs of his own ("Reseller PRO").
pub(crate) fn is_pro(user: &pb::User) -> bool {
    let is_on = user.legacy_columns.get("own_providers").is_some_and(|value| value == "1");
    user.role() == pb::Role::Reseller && is_on
}

/// Whoever owned a user before does not price his calls any more: his points may have no tariffs but
/// those that the new owner may give.
fn check_points(caller: &Principal, snapshot: &Snapshot, user: &pb::User) -> Result<()> {
    let Snapshot { points, tariffs, settings, .. } = snapshot;
    for tariff in points.tariffs_of(UserId(user.id())) {
        tariffs.check_given(caller, settings, UserId(user.owner_id), tariff, "owner_id").map_err(
            |_| Error::invalid("owner_id", "may not give a tariff that a point of the user has"),
        )?;
    }
    Ok(())
}

/// What the admin alone sets, and what is the operator's and not a reseller's.
fn check_caller(caller: &Principal, exists: bool, old: &pb::User, new: &pb::User) -> Result<()> {
    let is_moved = old.owner_id != new.owner_id;
    let restriction = |user: &pb::User| (user.api_restricted, user.api_permission_group_id);
    let denied = match caller.user()?.role {
        Role::Admin => false,
        _ if restriction(old) != restriction(new) || is_pro(old) != is_pro(new) => true,
        Role::Manager => is_moved,
        Role::Reseller | Role::Partner => {
            let pool =
                |list: &Option<pb::StaticList>| list.as_ref().map_or(0, |list| list.number_pool_id);
            let lists = |user: &pb::User| {
                (pool(&user.destination_list), pool(&user.source_list), user.responsible_manager_id)
            };
            (exists && is_moved) || lists(old) != lists(new)
        }
        Role::User => true,
    };
    if denied { Err(Error::RoleDenied) } else { Ok(()) }
}

async fn check_owner(tx: &mut Tx, caller: &Principal, user: &pb::User) -> Result<()> {
    let owner = store::lock(tx, UserId(user.owner_id)).await?.map(Arc::new);
    let owner = caller.see(owner).map_err(|_| Error::OwnerInvalid)?;
    let role = Role::from_proto(user.role).ok_or(Error::OwnerInvalid)?;
    if role.may_be_owned_by(owner.role) { Ok(()) } else { Err(Error::OwnerInvalid) }
}

/// Checks that somebody who is to own something else than users is a reseller or a partner.
pub(crate) async fn check_is_owner(tx: &mut Tx, id: UserId) -> Result<()> {
    match store::lock(tx, id).await? {
        Some(owner) if owner.role.is_owner() => Ok(()),
        _ => Err(Error::OwnerInvalid),
    }
}
