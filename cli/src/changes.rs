//! `tollbook changes`: the audit log.

use std::io::{self, Write};

use jiff::Timestamp;
use tollbook_proto::v1::{
    Change, ListChangesRequest, changes_service_client::ChangesServiceClient,
};

use crate::{
    client::{connect, said},
    config::Config,
    out::written,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Changes of this, for example `users/4`, `accounts/4` or `settings`
    resource: Option<String>,
    /// Changes by the user of this id
    #[arg(long)]
    by: Option<i64>,
    /// How many, newest first
    #[arg(long, default_value_t = 20)]
    limit: i32,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let mut core = ChangesServiceClient::new(connect(config).await?);
    let request = ListChangesRequest {
        actor_id: args.by,
        resource: args.resource.unwrap_or_default(),
        page_size: args.limit,
        ..Default::default()
    };
    let answer = core.list_changes(request).await.map_err(said)?;
    let mut out = io::stdout().lock();
    for change in answer.into_inner().changes {
        written(print(&mut out, &change))?;
    }
    Ok(())
}

fn print(out: &mut impl Write, change: &Change) -> io::Result<()> {
    let seconds = change.created_at.as_ref().map_or(0, |time| time.seconds);
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    let who = change.actor_id.map_or("nobody".to_owned(), |id| format!("user {id}"));
    let from = if change.address.is_empty() { "this machine" } else { &change.address };
    let by = if change.legacy_method.is_empty() { &change.rpc } else { &change.legacy_method };
    let (resource, credential) = (&change.resource, &change.credential);
    writeln!(out, "{} {time} {resource} by {who} ({credential}) from {from}: {by}", change.id)?;
    for (sign, text) in [("-", &change.before), ("+", &change.after), ("*", &change.note)] {
        if !text.is_empty() {
            writeln!(out, "  {sign} {text}")?;
        }
    }
    Ok(())
}
