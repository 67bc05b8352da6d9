//! The tariff that a deck is imported into, as a person should see it: rates that providers are paid must
//! not become what users pay.

use tollbook_proto::v1::{
    ListRateImportsRequest, RateImport, Tariff, TariffPurpose,
    tariffs_service_client::TariffsServiceClient,
};

use crate::{
    client::{Core, said},
    out::say,
};

/// A tariff as a person should see it before rates go into the wrong one.
fn of_tariff(tariff: &Tariff) -> String {
    let purpose = match tariff.purpose() {
        TariffPurpose::Provider => "what providers are paid for calls",
        TariffPurpose::UserWholesale | TariffPurpose::Unspecified => "what users pay for calls",
    };
    format!("tariff {} {:?}: {purpose}, in {}", tariff.id, tariff.name, tariff.currency)
}

/// Names a tariff, and warns where its deck may be meant for another; `all` are those that there are.
pub(super) async fn name_tariff(
    core: &mut TariffsServiceClient<Core>,
    tariff: &Tariff,
    all: Vec<Tariff>,
    sha256: &str,
) -> anyhow::Result<()> {
    say!("{}", of_tariff(tariff))?;
    if let Some(other) = meant_for(core, tariff, all, sha256).await? {
        say!(
            "warning: this file was imported into {}: is it meant for tariff {}?",
            of_tariff(&other),
            tariff.id
        )?;
    }
    Ok(())
}

/// The tariff of the other purpose into which a file was imported last, where that was not taken back:
/// what providers are paid is not what users pay.
async fn meant_for(
    core: &mut TariffsServiceClient<Core>,
    tariff: &Tariff,
    all: Vec<Tariff>,
    sha256: &str,
) -> anyhow::Result<Option<Tariff>> {
    let request = ListRateImportsRequest { page_size: 1_000, ..Default::default() };
    let imports = core.list_rate_imports(request).await.map_err(said)?.into_inner().rate_imports;
    let is_same = |import: &&RateImport| {
        let file = import.file.as_ref();
        let stands = import.applied && import.undone.is_none();
        stands && file.is_some_and(|file| !sha256.is_empty() && file.sha256 == sha256)
    };
    let before = imports.iter().filter(is_same).map(|import| import.tariff_id);
    let into: Vec<i64> = before.filter(|id| *id != tariff.id).collect();
    let is_other = |other: &Tariff| into.contains(&other.id) && other.purpose() != tariff.purpose();
    Ok(all.into_iter().find(is_other))
}
