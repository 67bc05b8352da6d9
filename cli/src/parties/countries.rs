//! `tollbook countries`.

use tollbook_proto::v1::{
    ListDirectionsRequest, directions_service_client::DirectionsServiceClient,
};

use crate::{
    client::{connect, said},
    config::Config,
    out::say,
};

/// Prints the id, the code and the name of each country that addresses and taxation may name.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut core = DirectionsServiceClient::new(connect(config).await?);
    let answer = core.list_directions(ListDirectionsRequest {}).await.map_err(said)?;
    for country in answer.into_inner().directions {
        say!("{}\t{}\t{}", country.id, country.code, country.name)?;
    }
    Ok(())
}
