//! `ClisService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, clis_service_server::ClisService};
use tonic::{Request, Response, Status};

use super::{
    check_domain, check_number, number_of,
    store::{self, Named},
};
use crate::{
    access::{Principal, principal},
    changes::Change,
    clock,
    context::Context,
    devices,
    error::{Error, Result},
    ids::{self, CliId, PointId, UserId},
    paging::Page,
    resource::Resource,
    store::{Sequence, Tx},
    text::{check_note, check_text},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListClisRequest,
    ) -> Result<pb::ListClisResponse> {
        let time_zone = self.0.catalog.load().settings.time_zone_name().to_owned();
        let (user, device) = (request.user_id.map(UserId), request.device_id.map(PointId));
        if let Some(user) = user {
            caller.see(self.0.directory.by_id(user).await?)?;
        }
        if let Some(device) = device {
            devices::seen(&self.0, caller, device).await?;
        }
        let page = Page::of(request)?;
        let (size, after) = (page.size, page.after()?);
        let filter = store::Filter { scope: caller.scope(), user, device, after, limit: size + 1 };
        let clis = store::list(&self.0.db, &filter).await?;
        let (clis, next_page_token) = page.cut(clis, size, pb::Cli::id);
        Ok(pb::ListClisResponse { clis, next_page_token, time_zone })
    }

    async fn get(&self, caller: &Principal, request: &pb::GetCliRequest) -> Result<pb::Cli> {
        let domain = request.domain.to_lowercase();
        let named = match (request.id, request.number.as_str(), domain.as_str()) {
            (Some(id), _, _) => Named::Id(CliId(id)),
            (None, "", "") => return Err(Error::invalid("id", "or number or domain is required")),
            (None, "", domain) => Named::Domain(domain),
            (None, number, _) => Named::Number(number_of(number)),
        };
        let mut tx = self.0.db.snapshot().await?;
        let cli = store::get(&mut tx, named).await?.ok_or(Error::CliNotFound)?;
        let user = self.0.directory.by_id(UserId(cli.user_id())).await?;
        caller.see(user).map_err(|_| Error::CliNotFound)?;
        Ok(cli)
    }

    async fn create(&self, caller: &Principal, mut cli: pb::Cli) -> Result<pb::Cli> {
        let device: PointId = ids::required("cli.device_id", cli.device_id)?;
        cli.domain = cli.domain.to_lowercase();
        check_number(&cli.number)?;
        check_domain(&cli.domain)?;
        // Otherwise the number of another's device could be had once more, as it is dialled.
        cli.number = number_of(&cli.number).to_owned();
        if cli.number.is_empty() && cli.domain.is_empty() {
            return Err(Error::invalid("cli.number", "or domain is required"));
        }
        check_text("cli.description", &cli.description)?;
        check_note("cli.comment", &cli.comment)?;
        check_operator(caller, cli.banned)?;
        // No number tells whose a domain is: the operator does.
        check_operator(caller, !cli.domain.is_empty())?;
        // CLIs take turns with what changes devices: of two that are the same the second is told so.
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        devices::lock_managed(&self.0, &mut tx, caller, device).await?;
        for named in [Named::Number(&cli.number), Named::Domain(&cli.domain)] {
            if let Some(other) = store::get(&mut tx, named).await? {
                return Err(self.taken(caller, &other).await?);
            }
        }
        let id = CliId(tx.next_id(Sequence::Clis).await?);
        cli.id = Some(id.0);
        store::insert(&mut tx, &cli, clock::now()).await?;
        let cli = store::get(&mut tx, Named::Id(id)).await?.ok_or(Error::CliNotFound)?;
        tx.commit(Change::creation(Resource::Cli(id), &cli)?).await?;
        Ok(cli)
    }

    /// That another device has a CLI, and whose it is, if the caller may know.
    async fn taken(&self, caller: &Principal, other: &pb::Cli) -> Result<Error> {
        let user = self.0.directory.by_id(UserId(other.user_id())).await?;
        let username = caller.see(user).map(|user| user.username.clone());
        Ok(Error::CliTaken { username: username.unwrap_or_default() })
    }

    async fn update(&self, caller: &Principal, request: pb::UpdateCliRequest) -> Result<pb::Cli> {
        let id: CliId = ids::required("id", request.id)?;
        check_text("description", request.description())?;
        check_note("comment", request.comment())?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let before = self.managed(&mut tx, caller, Named::Id(id)).await?;
        let banned = request.banned.unwrap_or(before.banned);
        check_operator(caller, banned != before.banned)?;
        let changed = pb::Cli {
            description: request.description.unwrap_or(before.description.clone()),
            comment: request.comment.unwrap_or(before.comment.clone()),
            banned,
            ..before.clone()
        };
        store::update(&mut tx, &changed, clock::now()).await?;
        let after = store::get(&mut tx, Named::Id(id)).await?.ok_or(Error::CliNotFound)?;
        tx.commit(Change::of(Resource::Cli(id), &before, &after)?).await?;
        Ok(after)
    }

    async fn delete(&self, caller: &Principal, request: &pb::DeleteCliRequest) -> Result<()> {
        let named = match (request.id, request.number.as_str()) {
            (Some(id), _) => Named::Id(CliId(id)),
            (None, "") => return Err(Error::invalid("id", "or number is required")),
            (None, number) => Named::Number(number_of(number)),
        };
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let cli = self.managed(&mut tx, caller, named).await?;
        check_operator(caller, cli.banned)?;
        let id = CliId(cli.id());
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::Cli(id), &cli)?).await
    }

    /// A CLI of a device that the caller may change.
    async fn managed(&self, tx: &mut Tx, caller: &Principal, named: Named<'_>) -> Result<pb::Cli> {
        let cli = store::get(tx, named).await?.ok_or(Error::CliNotFound)?;
        match devices::lock_managed(&self.0, tx, caller, PointId(cli.device_id())).await {
            // It may have changed until its device was locked.
            Ok(()) => store::get(tx, named).await?.ok_or(Error::CliNotFound),
            Err(Error::DeviceNotFound) => Err(Error::CliNotFound),
            Err(error) => Err(error),
        }
    }
}

/// Checks that a caller may do what is only the operator's, where it is that: bans begin and end so.
fn check_operator(caller: &Principal, is_operators: bool) -> Result<()> {
    match is_operators && !caller.scope().is_staff() {
        true => Err(Error::RoleDenied),
        false => Ok(()),
    }
}

#[tonic::async_trait]
impl ClisService for Service {
    async fn list_clis(
        &self,
        request: Request<pb::ListClisRequest>,
    ) -> Result<Response<pb::ListClisResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_cli(
        &self,
        request: Request<pb::GetCliRequest>,
    ) -> Result<Response<pb::GetCliResponse>, Status> {
        let caller = principal(&request)?;
        let cli = Some(self.get(&caller, request.get_ref()).await?);
        Ok(Response::new(pb::GetCliResponse { cli }))
    }

    async fn create_cli(
        &self,
        request: Request<pb::CreateCliRequest>,
    ) -> Result<Response<pb::CreateCliResponse>, Status> {
        let caller = principal(&request)?;
        let cli = request.into_inner().cli.unwrap_or_default();
        let cli = Some(self.create(&caller, cli).await?);
        Ok(Response::new(pb::CreateCliResponse { cli }))
    }

    async fn update_cli(
        &self,
        request: Request<pb::UpdateCliRequest>,
    ) -> Result<Response<pb::UpdateCliResponse>, Status> {
        let caller = principal(&request)?;
        let cli = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateCliResponse { cli }))
    }

    async fn delete_cli(
        &self,
        request: Request<pb::DeleteCliRequest>,
    ) -> Result<Response<pb::DeleteCliResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, request.get_ref()).await?;
        Ok(Response::new(pb::DeleteCliResponse {}))
    }
}
