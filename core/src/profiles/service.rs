//! `ImportProfilesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, import_profiles_service_server::ImportProfilesService};
use tonic::{Request, Response, Status};

use super::{Contents, Kind, Profile, check, store};
use crate::{
    access::{Principal, principal},
    changes::Change,
    clock,
    context::Context,
    error::{Error, Result},
    ids::{self, ImportProfileId},
    paging::Page,
    resource::Resource,
    text::check_text,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListImportProfilesRequest,
    ) -> Result<pb::ListImportProfilesResponse> {
        let kinds = Kind::ALL.into_iter().filter(|kind| caller.has(kind.permission()));
        let kinds: Vec<Kind> = kinds.collect();
        if kinds.is_empty() {
            return Err(Error::PermissionMissing);
        }
        let page = Page::of(request)?;
        let (size, after) = (page.size, page.after()?);
        let profiles = store::list(&self.0.db, &kinds, after, size + 1).await?;
        let (profiles, next_page_token) = page.cut(profiles, size, |profile| profile.id.0);
        let import_profiles = profiles.iter().map(Profile::to_proto).collect();
        Ok(pb::ListImportProfilesResponse { import_profiles, next_page_token })
    }

    async fn get(
        &self,
        caller: &Principal,
        request: &pb::GetImportProfileRequest,
    ) -> Result<Profile> {
        let found = match (request.id, request.name.as_str()) {
            (Some(id), _) => store::by_id(&self.0.db, ImportProfileId(id)).await?,
            (None, "") => return Err(Error::invalid("id", "is required, or a name")),
            (None, name) => {
                check_text("name", name)?;
                store::by_name(&self.0.db, name).await?
            }
        };
        visible(caller, found)
    }

    async fn create(&self, caller: &Principal, new: pb::ImportProfile) -> Result<Profile> {
        check::name(&new.name)?;
        let contents = new.contents.map(Contents::from);
        let contents = contents.ok_or_else(|| Error::invalid("contents", "is required"))?;
        if !caller.has(contents.kind().permission()) {
            return Err(Error::PermissionMissing);
        }
        check_may_change(caller)?;
        check::contents(&contents)?;
        let now = clock::now();
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let id = store::next_id(&mut tx).await?;
        let profile = Profile { id, name: new.name, contents, created_at: now, changed_at: now };
        store::insert(&mut tx, &profile).await?;
        tx.commit(Change::creation(Resource::ImportProfile(id), &profile.to_proto())?).await?;
        Ok(profile)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateImportProfileRequest,
    ) -> Result<Profile> {
        let id = ids::required::<ImportProfileId>("id", request.id)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let before = visible(caller, store::lock(&mut tx, id).await?)?;
        check_may_change(caller)?;
        let mut profile = Profile { changed_at: clock::now(), ..before.clone() };
        if let Some(name) = request.name {
            check::name(&name)?;
            profile.name = name;
        }
        store::rename(&mut tx, &profile).await?;
        if let Some(contents) = request.contents.map(Contents::from) {
            if contents.kind() != before.contents.kind() {
                return Err(Error::invalid("contents", "must be of the kind that the profile has"));
            }
            check::contents(&contents)?;
            profile.contents = contents;
            store::replace_contents(&mut tx, &profile).await?;
        }
        let change =
            Change::of(Resource::ImportProfile(id), &before.to_proto(), &profile.to_proto())?;
        tx.commit(change).await?;
        Ok(profile)
    }

    async fn delete(&self, caller: &Principal, id: ImportProfileId) -> Result<()> {
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let profile = visible(caller, store::lock(&mut tx, id).await?)?;
        check_may_change(caller)?;
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ImportProfile(id), &profile.to_proto())?).await
    }
}

/// A profile for who may import files of its kind. For others it is not there.
fn visible(caller: &Principal, found: Option<Profile>) -> Result<Profile> {
    let may = |profile: &Profile| caller.has(profile.contents.kind().permission());
    found.filter(may).ok_or(Error::ImportProfileNotFound)
}

/// Whoever changes a profile changes what others bill by it: that is not for managers who see a part
/// of the users alone.
fn check_may_change(caller: &Principal) -> Result<()> {
    match caller.scope().is_staff_wide() {
        true => Ok(()),
        false => Err(Error::PermissionMissing),
    }
}

#[tonic::async_trait]
impl ImportProfilesService for Service {
    async fn list_import_profiles(
        &self,
        request: Request<pb::ListImportProfilesRequest>,
    ) -> Result<Response<pb::ListImportProfilesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_import_profile(
        &self,
        request: Request<pb::GetImportProfileRequest>,
    ) -> Result<Response<pb::GetImportProfileResponse>, Status> {
        let caller = principal(&request)?;
        let import_profile = Some(self.get(&caller, request.get_ref()).await?.to_proto());
        Ok(Response::new(pb::GetImportProfileResponse { import_profile }))
    }

    async fn create_import_profile(
        &self,
        request: Request<pb::CreateImportProfileRequest>,
    ) -> Result<Response<pb::CreateImportProfileResponse>, Status> {
        let caller = principal(&request)?;
        let new = request.into_inner().import_profile.unwrap_or_default();
        let import_profile = Some(self.create(&caller, new).await?.to_proto());
        Ok(Response::new(pb::CreateImportProfileResponse { import_profile }))
    }

    async fn update_import_profile(
        &self,
        request: Request<pb::UpdateImportProfileRequest>,
    ) -> Result<Response<pb::UpdateImportProfileResponse>, Status> {
        let caller = principal(&request)?;
        let import_profile = Some(self.update(&caller, request.into_inner()).await?.to_proto());
        Ok(Response::new(pb::UpdateImportProfileResponse { import_profile }))
    }

    async fn delete_import_profile(
        &self,
        request: Request<pb::DeleteImportProfileRequest>,
    ) -> Result<Response<pb::DeleteImportProfileResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteImportProfileResponse {}))
    }
}
