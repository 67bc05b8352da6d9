//! `UsersService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, users_service_server::UsersService};
use tonic::{Request, Response, Status};

use super::{Identity, Role, ownership, record, registration, store, uniquehash};
use crate::{
    access::{self, Password, Principal, principal},
    calls,
    changes::{Change, Pending},
    context::Context,
    directions, emails, enums,
    error::{Error, Result},
    ids::{self, UserId},
    live,
    paging::Page,
    points,
    resource::Resource,
    settings,
    store::{Sequence, Tx, retrying},
    tariffs,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn get(
        &self,
        caller: &Principal,
        request: &pb::GetUserRequest,
    ) -> Result<pb::GetUserResponse> {
        let identity = match request.id {
            Some(id) => self.0.directory.by_id(UserId(id)).await?,
            None if request.username.is_empty() => {
                return Err(Error::invalid("id", "or username is required"));
            }
            None => self.0.directory.by_username(&request.username).await?,
        };
        let identity = caller.see(identity)?;
        let names_differ = !request.username.is_empty() && request.username != identity.username;
        if names_differ || (request.exclude_self && caller.user()?.id == identity.id) {
            return Err(Error::UserNotFound);
        }
        let user = store::by_id(&self.0.db, identity.id).await?;
        let snapshot = self.0.catalog.load();
        let country = |id: i64| directions::name(id).unwrap_or_default().to_owned();
        Ok(pb::GetUserResponse {
            default_currency: snapshot.currencies.default_currency()?.code.clone(),
            taxation_country_name: country(user.taxation_country),
            address_country_name: country(
                user.address.as_ref().map_or(0, |address| address.direction_id),
            ),
            time_zone: snapshot.settings.time_zone_name().to_owned(),
            user: Some(caller.scope().disclose(user)),
        })
    }

    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListUsersRequest,
    ) -> Result<pb::ListUsersResponse> {
        let page = Page::of(request)?;
        let size = page.size;
        enums::known::<pb::Role>("role", request.role)?;
        let filter = store::Filter {
            // It narrows whatever the caller asked for.
            scope: caller.scope(),
            id: None,
            after: page.after()?.map(UserId),
            role: Role::from_proto(request.role),
            responsible_manager: request.responsible_manager_id.map(UserId),
            owner: request.owner_id.map(UserId),
            limit: size + 1,
        };
        let db = &self.0.db;
        let (users, next_page_token) =
            page.cut(store::list(db, &filter).await?, size, pb::User::id);
        let users = users.into_iter().map(|user| caller.scope().disclose(user)).collect();
        Ok(pb::ListUsersResponse { users, next_page_token })
    }

    async fn create(&self, caller: &Principal, request: pb::CreateUserRequest) -> Result<pb::User> {
        let creator = caller.user()?;
        let snapshot = self.0.catalog.load_full();
        let mut user = record::with_defaults(request.user.unwrap_or_default(), &snapshot.settings);
        record::patch_taxes(&mut user, &request.tax_patches)?;
        let role =
            Role::from_proto(user.role).ok_or_else(|| Error::invalid("role", "is unknown"))?;
        if creator.role != Role::Admin && !request.legacy_password_sha1.is_empty() {
            return Err(Error::RoleDenied);
        }
        ownership::adopt(creator, role, &mut user)?;
        // Before a password is hashed for nothing.
        record::check(&mut user, &snapshot)?;
        let password =
            Password::for_new_user(request.password, &request.legacy_password_sha1).await?;
        retrying(async || {
            let mut tx = self.0.begin_change(caller.origin()).await?;
            let held = self.0.catalog.hold(&self.0.db, &mut tx).await?;
            record::check(&mut user.clone(), &held)?;
            ownership::lock_superiors(&mut tx, &user, None).await?;
            check_responsible_manager(&mut tx, &user).await?;
            ownership::check(&mut tx, caller, &held, None, &user).await?;
            let id = UserId(tx.next_id(Sequence::Users).await?);
            store::insert(&mut tx, id, role, &user, password.hash()).await?;
            self.finish(tx, id, None, "", Vec::new()).await
        })
        .await
    }

    /// The login names, of users whom the caller sees, that differ from one in capitals alone.
    async fn similar(&self, caller: &Principal, user: &pb::User) -> Result<Vec<String>> {
        let alike = self.0.directory.like(&user.username).await?;
        let seen = alike.into_iter().filter_map(|other| caller.see(Some(other)).ok());
        let mut names: Vec<String> = seen.map(|other| other.username.clone()).collect();
        names.sort();
        Ok(names)
    }

    async fn update(&self, caller: &Principal, request: pb::UpdateUserRequest) -> Result<pb::User> {
        let editor = caller.user()?;
        let id =
            ids::required::<UserId>("user.id", request.user.as_ref().and_then(|user| user.id))?;
        if request.exclude_self && editor.id == id {
            return Err(Error::UserNotFound);
        }
        ownership::editable(caller, self.0.directory.by_id(id).await?)?;
        let password = Password::new(&request.password).await?;
        retrying(|| self.try_update(caller, id, &request, password.as_ref())).await
    }

    async fn try_update(
        &self,
        caller: &Principal,
        id: UserId,
        request: &pb::UpdateUserRequest,
        password: Option<&Password>,
    ) -> Result<pb::User> {
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let snapshot = self.0.catalog.hold(&self.0.db, &mut tx).await?;
        let user = record::changed(&store::get(&mut tx, id).await?, request)?;
        ownership::lock_superiors(&mut tx, &user, Some(id)).await?;
        let locked = store::lock(&mut tx, id).await?.map(Arc::new);
        ownership::editable(caller, locked)?;
        let old = store::get(&mut tx, id).await?;
        let mut user = record::changed(&old, request)?;
        let hands_over = user.responsible_manager_id != old.responsible_manager_id;
        if hands_over && caller.user()?.show_only_assigned_users {
            return Err(Error::PermissionMissing);
        }
        record::check(&mut user, &snapshot)?;
        check_responsible_manager(&mut tx, &user).await?;
        ownership::check(&mut tx, caller, &snapshot, Some(&old), &user).await?;
        let is_admin = old.role() == pb::Role::Admin;
        if is_admin && user.blocked && !old.blocked && !store::has_other_admin(&mut tx, id).await? {
            return Err(Error::invalid("blocked", "would leave no admin who may come in"));
        }
        store::update(&mut tx, &user).await?;
        let owned = match user.owner_id == old.owner_id {
            true => Vec::new(),
            false => store::touch_owned(&mut tx, id).await?,
        };
        let mut note = "";
        if let Some(password) = password {
            store::set_password_hash(&mut tx, id, password.hash(), true).await?;
            // Whoever came in by the old one is out.
            access::store::delete_all_of(&mut tx, id).await?;
            note = "password changed";
        }
        let user = self.finish(tx, id, Some(&old), note, owned).await?;
        if password.is_some() {
            self.0.tokens.forget();
        }
        Ok(user)
    }

    async fn delete(&self, caller: &Principal, id: UserId) -> Result<()> {
        retrying(|| self.try_delete(caller, id)).await
    }

    async fn try_delete(&self, caller: &Principal, id: UserId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let locked = store::lock(&mut tx, id).await?.map(Arc::new);
        let user = ownership::editable(caller, locked)?;
        let needed = user.role == Role::Admin
            || user.id == caller.user()?.id
            || store::is_responsible(&mut tx, id).await?
            || store::is_owner(&mut tx, id).await?
            || tariffs::store::is_owner(&mut tx, id).await?;
        if needed {
            return Err(Error::UserInUse);
        }
        if calls::store::has_any(&mut tx, id).await? {
            return Err(Error::UserHasCalls);
        }
        let change = Change::deletion(Resource::User(id), &store::get(&mut tx, id).await?)?;
        store::delete(&mut tx, id).await?;
        access::store::delete_all_of(&mut tx, id).await?;
        access::keys::store::delete_all_of(&mut tx, id).await?;
        settings::owners::store::delete(&mut tx, id).await?;
        emails::store::delete_all(&mut tx, id).await?;
        points::store::delete_of(&mut tx, id).await?;
        tx.commit(change).await?;
        let deleted = Identity { version: user.version + 1, deleted: true, ..(*user).clone() };
        self.0.directory.learn(deleted);
        self.0.tokens.forget();
        Ok(())
    }

    /// Commits a new or changed user, tells the directory of him and of those who were changed with
    /// him, and returns him as he is now.
    async fn finish(
        &self,
        mut tx: Pending<'_>,
        id: UserId,
        before: Option<&pb::User>,
        note: &'static str,
        others: Vec<Identity>,
    ) -> Result<pb::User> {
        let mut user = store::get(&mut tx, id).await?;
        let change = match before {
            Some(before) => Change::of(Resource::User(id), before, &user)?,
            None => Change::creation(Resource::User(id), &user)?,
        };
        let identity = store::lock(&mut tx, id).await?.ok_or(Error::UserNotFound)?;
        // Of the answer, not of the change.
        user.frozen_balance = Some(live::store::reserved_of(&mut tx, id).await?.into());
        tx.commit(change.note(note)).await?;
        for identity in others.into_iter().chain([identity]) {
            self.0.directory.learn(identity);
        }
        Ok(user)
    }
}

/// A responsible manager must be a manager.
async fn check_responsible_manager(tx: &mut Tx, user: &pb::User) -> Result<()> {
    if user.responsible_manager_id == 0 {
        return Ok(());
    }
    let manager = store::lock(tx, UserId(user.responsible_manager_id)).await?;
    match manager {
        Some(manager) if manager.role == Role::Manager => Ok(()),
        _ => Err(Error::ManagerInvalid),
    }
}

#[tonic::async_trait]
impl UsersService for Service {
    async fn get_user(
        &self,
        request: Request<pb::GetUserRequest>,
    ) -> Result<Response<pb::GetUserResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.get(&caller, request.get_ref()).await?))
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Result<Response<pb::ListUsersResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn create_user(
        &self,
        request: Request<pb::CreateUserRequest>,
    ) -> Result<Response<pb::CreateUserResponse>, Status> {
        let caller = principal(&request)?;
        let user = self.create(&caller, request.into_inner()).await?;
        // Whatever becomes of this, the user is there.
        let similar_usernames = self.similar(&caller, &user).await.unwrap_or_default();
        Ok(Response::new(pb::CreateUserResponse { user: Some(user), similar_usernames }))
    }

    async fn update_user(
        &self,
        request: Request<pb::UpdateUserRequest>,
    ) -> Result<Response<pb::UpdateUserResponse>, Status> {
        let caller = principal(&request)?;
        let mask = request.get_ref().update_mask.as_ref();
        let is_renamed = mask.is_some_and(|mask| mask.paths.iter().any(|path| path == "username"));
        let user = self.update(&caller, request.into_inner()).await?;
        let similar_usernames = match is_renamed {
            true => self.similar(&caller, &user).await.unwrap_or_default(),
            false => Vec::new(),
        };
        Ok(Response::new(pb::UpdateUserResponse { user: Some(user), similar_usernames }))
    }

    async fn rotate_uniquehash(
        &self,
        request: Request<pb::RotateUniquehashRequest>,
    ) -> Result<Response<pb::RotateUniquehashResponse>, Status> {
        let caller = principal(&request)?;
        let uniquehash = uniquehash::rotate(&self.0, &caller, request.into_inner()).await?;
        Ok(Response::new(pb::RotateUniquehashResponse { uniquehash }))
    }

    async fn register_user(
        &self,
        request: Request<pb::RegisterUserRequest>,
    ) -> Result<Response<pb::RegisterUserResponse>, Status> {
        let caller = principal(&request)?;
        let registered = registration::register(&self.0, &caller, request.into_inner()).await?;
        Ok(Response::new(registered))
    }

    async fn delete_user(
        &self,
        request: Request<pb::DeleteUserRequest>,
    ) -> Result<Response<pb::DeleteUserResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<UserId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteUserResponse {}))
    }
}
