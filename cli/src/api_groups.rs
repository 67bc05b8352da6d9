//! `tollbook api-groups`: API permission groups, and the accounts that are restricted to them.

use clap::Subcommand;
use prost_types::FieldMask;
use tollbook_proto::v1::{
    ApiPermissionGroup, CreateApiPermissionGroupRequest, DeleteApiPermissionGroupRequest,
    ListApiPermissionGroupsRequest, UpdateApiPermissionGroupRequest, UpdateUserRequest, User,
    api_permission_groups_service_client::ApiPermissionGroupsServiceClient,
    users_service_client::UsersServiceClient,
};

use crate::{
    client::{Core, connect, said},
    config::Config,
    keys::{self, Access},
    out::say,
    parties::user_named,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a group, and print its id
    Create(CreateArgs),
    /// List the groups, with what they give
    List,
    /// Change what a group gives for single methods; the others stay as they are
    Set {
        /// Its id
        id: i64,
        /// What it gives for a method, for example `users_get=read`
        #[arg(required = true, value_name = "METHOD=ACCESS", value_parser = keys::method)]
        methods: Vec<(String, Access)>,
    },
    /// Delete a group that no account has
    Delete {
        /// Its id
        id: i64,
    },
    /// Restrict an account to what its group gives: a simple user, or a manager
    Restrict {
        /// Its login name
        username: String,
        /// The id of the group [default: none, which gives nothing]
        #[arg(long, value_name = "ID")]
        group: Option<i64>,
    },
    /// Restrict an account no more, and take its group away
    Lift {
        /// Its login name
        username: String,
    },
}

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Its name
    name: String,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// What it gives for a method, for example `users_get=read`; others are disabled
    #[arg(long = "method", value_name = "METHOD=ACCESS", value_parser = keys::method)]
    methods: Vec<(String, Access)>,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let mut groups = ApiPermissionGroupsServiceClient::new(core.clone());
    match command {
        Command::Create(CreateArgs { name, description, methods }) => {
            let methods = keys::by_name(methods)?;
            let group = ApiPermissionGroup { id: None, name, description, methods };
            let request = CreateApiPermissionGroupRequest { api_permission_group: Some(group) };
            let created = groups.create_api_permission_group(request).await.map_err(said)?;
            say!("{}", created.into_inner().api_permission_group.unwrap_or_default().id())
        }
        Command::List => list(groups).await,
        Command::Set { id, methods } => {
            let methods = keys::by_name(methods)?;
            let paths = methods.keys().map(|name| format!("methods.{name}")).collect();
            let group = ApiPermissionGroup { id: Some(id), methods, ..Default::default() };
            let request = UpdateApiPermissionGroupRequest {
                api_permission_group: Some(group),
                update_mask: Some(FieldMask { paths }),
            };
            groups.update_api_permission_group(request).await.map_err(said)?;
            Ok(())
        }
        Command::Delete { id } => {
            let request = DeleteApiPermissionGroupRequest { id: Some(id) };
            groups.delete_api_permission_group(request).await.map_err(said)?;
            Ok(())
        }
        Command::Restrict { username, group } => {
            restrict(core, username, true, group.unwrap_or_default()).await
        }
        Command::Lift { username } => restrict(core, username, false, 0).await,
    }
}

async fn list(mut groups: ApiPermissionGroupsServiceClient<Core>) -> anyhow::Result<()> {
    let mut request = ListApiPermissionGroupsRequest { page_size: 1000, ..Default::default() };
    loop {
        let page = groups.list_api_permission_groups(request.clone()).await.map_err(said)?;
        let page = page.into_inner();
        for group in page.api_permission_groups {
            say!("{} {:?}{}", group.id(), group.name, keys::shown(group.methods))?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

async fn restrict(
    core: Core,
    username: String,
    api_restricted: bool,
    api_permission_group_id: i64,
) -> anyhow::Result<()> {
    let id = user_named(&core, username).await?.id;
    let user = User { id, api_restricted, api_permission_group_id, ..Default::default() };
    let paths = ["api_restricted", "api_permission_group_id"].map(str::to_owned).to_vec();
    let request = UpdateUserRequest {
        user: Some(user),
        update_mask: Some(FieldMask { paths }),
        ..Default::default()
    };
    UsersServiceClient::new(core).update_user(request).await.map_err(said)?;
    Ok(())
}
