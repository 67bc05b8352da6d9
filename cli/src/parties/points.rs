//! `tollbook points`.

use anyhow::bail;
use clap::Subcommand;
use tollbook_proto::v1::{
    ConnectionPoint, CreateConnectionPointRequest, ListConnectionPointsRequest, OriginationPoint,
    TerminationPoint, connection_points_service_client::ConnectionPointsServiceClient,
};

use super::{PAGE, user_named};
use crate::{
    client::{Core, connect, said},
    config::Config,
    out::say,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a connection point, and print its id
    Create(CreateArgs),
    /// List the connection points
    List {
        /// Only those of the user with this login name
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
    },
}

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Login name of the user whose it is
    username: String,
    /// Its name, by which calls may name it, too
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// From where its calls come, and where calls to it go: an address, a subnet or a range
    /// [default: calls are not recognised by their address]
    #[arg(long, default_value = "", hide_default_value = true)]
    address: String,
    /// It brings calls of its user
    #[arg(long)]
    origination: bool,
    /// It takes calls to its user
    #[arg(long)]
    termination: bool,
    /// What numbers called begin with where its calls come from [default: anything]
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "origination",
        default_value = "",
        hide_default_value = true
    )]
    tech_prefix: String,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    match command {
        Command::Create(args) => create(core, args).await,
        Command::List { user } => list(core, user).await,
    }
}

async fn create(core: Core, args: CreateArgs) -> anyhow::Result<()> {
    let CreateArgs { username, description, address, origination, termination, tech_prefix } = args;
    if !origination && !termination {
        bail!("a point is for --origination, for --termination, or for both");
    }
    let user = user_named(&core, username).await?;
    let origination =
        origination.then(|| OriginationPoint { active: true, tech_prefix, ..Default::default() });
    let termination = termination.then(|| TerminationPoint { active: true, ..Default::default() });
    let point = ConnectionPoint {
        user_id: user.id,
        description,
        address,
        origination,
        termination,
        ..Default::default()
    };
    let request =
        CreateConnectionPointRequest { connection_point: Some(point), ..Default::default() };
    let mut points = ConnectionPointsServiceClient::new(core);
    let created = points.create_connection_point(request).await.map_err(said)?.into_inner();
    say!("{}", created.connection_point.unwrap_or_default().id())
}

async fn list(core: Core, user: Option<String>) -> anyhow::Result<()> {
    let user_id = match user {
        Some(username) => user_named(&core, username).await?.id,
        None => None,
    };
    all(&core, user_id).await?.iter().try_for_each(print)
}

/// The points that there are, or those of a user.
pub(super) async fn all(core: &Core, user_id: Option<i64>) -> anyhow::Result<Vec<ConnectionPoint>> {
    let mut points = ConnectionPointsServiceClient::new(core.clone());
    let mut request =
        ListConnectionPointsRequest { user_id, page_size: PAGE, page_token: String::new() };
    let mut all = Vec::new();
    loop {
        let page = points.list_connection_points(request.clone()).await.map_err(said)?.into_inner();
        all.extend(page.connection_points);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(all);
        }
    }
}

fn print(point: &ConnectionPoint) -> anyhow::Result<()> {
    let (id, user) = (point.id(), point.user_id());
    let mut sides = Vec::new();
    if let Some(origination) = &point.origination {
        sides.push(side("origination", origination.tariff_id, &origination.tech_prefix));
    }
    if let Some(termination) = &point.termination {
        sides.push(side("termination", termination.tariff_id, &termination.tech_prefix));
    }
    let address = match point.address.as_str() {
        "" => "no address",
        address => address,
    };
    let sides = sides.join(", ");
    say!("{id} {:?} user {user} {address} {sides}", point.description)
}

/// One of its sides, with what is not as usual.
fn side(name: &str, tariff_id: i64, tech_prefix: &str) -> String {
    let tariff = match tariff_id {
        0 => String::new(),
        id => format!(" by tariff {id}"),
    };
    let prefix = match tech_prefix {
        "" => String::new(),
        prefix => format!(" prefix {prefix}"),
    };
    format!("{name}{tariff}{prefix}")
}
