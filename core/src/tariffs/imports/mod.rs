//! Imports of rates, recorded with what each changed, so that it can be taken back.

mod store;
pub(super) mod text;
mod undo;

use tollbook_proto::v1 as pb;

pub(super) use undo::undo;

use super::store as tariffs;
use crate::{
    access::Principal,
    changes::Origin,
    context::Context,
    error::{Error, Result},
    ids::{self, TariffId, UserId},
    paging::Page,
    store::{Db, Sequence, Tx},
};

/// Of how many decks of a tariff that changed something and were not taken back it is kept what
/// they changed; and of how many at most with those that were taken back, and what took them back.
const KEPT: i64 = 20;
const KEPT_AT_MOST: i64 = 60;
/// How many changes are stored together.
const TOGETHER: usize = 4_096;
const MAX_FILE_NAME: usize = 255;

/// Checks what a sender says of a file.
pub(super) fn check_file(file: pb::RateFile) -> Result<pb::RateFile> {
    let pb::RateFile { name, sha256, size } = &file;
    if name.chars().count() > MAX_FILE_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("file.name", "is too long, or has a control character"));
    }
    let is_hex = sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !sha256.is_empty() && (sha256.len() != 64 || !is_hex) {
        return Err(Error::invalid("file.sha256", "must be 64 lower-case hexadecimal digits"));
    }
    if size.is_some_and(|size| size < 0) {
        return Err(Error::invalid("file.size", "must not be below zero"));
    }
    Ok(file)
}

/// The last import of the same file into a tariff that was applied and not taken back.
pub(super) async fn earlier(
    tx: &mut Tx,
    tariff: TariffId,
    file: Option<&pb::RateFile>,
) -> Result<Option<pb::RateImport>> {
    match file {
        Some(file) if !file.sha256.is_empty() => {
            store::last_of_file(tx, tariff, &file.sha256).await
        }
        _ => Ok(None),
    }
}

/// Records an import in the transaction that makes it, and forgets what the oldest ones changed.
/// Returns its id.
pub(super) async fn record(tx: &mut Tx, origin: &Origin, import: &pb::RateImport) -> Result<i64> {
    let id = tx.next_id(Sequence::Imports).await?;
    store::insert(tx, id, origin, import).await?;
    store::forget_changes(tx, TariffId(import.tariff_id), KEPT, KEPT_AT_MOST).await?;
    Ok(id)
}

/// Records an import that changes nothing.
pub(super) async fn record_alone(db: &Db, origin: &Origin, import: &pb::RateImport) -> Result<i64> {
    let mut tx = db.begin().await?;
    let id = record(&mut tx, origin, import).await?;
    tx.commit().await?;
    Ok(id)
}

/// Forgets what the imports into a tariff changed that is deleted.
pub(super) async fn forget(tx: &mut Tx, tariff: TariffId) -> Result<()> {
    store::forget_changes_up_to(tx, tariff, i64::MAX).await
}

/// What is changed, as the database calls it.
#[derive(Clone, Copy)]
pub(super) enum What {
    Rates,
    Names,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Names => "names",
        }
    }
}

/// Writes down what an import changes, in its transaction.
pub(super) struct Log<'t> {
    tx: &'t mut Tx,
    import: i64,
    part: i64,
    what: What,
    /// Changes that are not written yet.
    text: String,
    changes: usize,
}

impl<'t> Log<'t> {
    pub(super) fn new(tx: &'t mut Tx, import: i64) -> Self {
        Self { tx, import, part: 0, what: What::Rates, text: String::new(), changes: 0 }
    }

    /// Adds a change; see [`text`].
    pub(super) async fn add(
        &mut self,
        what: What,
        key: &str,
        before: &str,
        after: &str,
    ) -> Result<()> {
        if self.changes == TOGETHER || self.what.name() != what.name() {
            self.write().await?;
        }
        self.what = what;
        text::push_line(&mut self.text, key, before, after);
        self.changes += 1;
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        if self.changes == 0 {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        store::insert_changes(self.tx, self.import, self.part, self.what.name(), text).await?;
        self.part += 1;
        self.changes = 0;
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        self.write().await
    }
}

pub(super) async fn get(
    context: &Context,
    caller: &Principal,
    request: &pb::GetRateImportRequest,
) -> Result<pb::RateImport> {
    let id = ids::required("id", request.id)?;
    visible(&mut context.db.snapshot().await?, caller, id).await
}

/// The import of an id, if it is one into a tariff of the caller's.
async fn visible(tx: &mut Tx, caller: &Principal, id: i64) -> Result<pb::RateImport> {
    let import = store::get(tx, id).await?;
    let Some(owner) = caller.scope().owner() else { return Ok(import) };
    let tariffs = tariffs::all(tx).await?;
    let tariff = tariffs.by_id(TariffId(import.tariff_id));
    match tariff.is_ok_and(|tariff| tariff.owner == owner) {
        true => Ok(disclosed(import, owner)),
        false => Err(Error::RateImportNotFound),
    }
}

/// What an owner is told of an import into a tariff of his: not by what others came in.
fn disclosed(import: pb::RateImport, owner: UserId) -> pb::RateImport {
    match import.actor_id == Some(owner.0) {
        true => import,
        false => pb::RateImport { credential: String::new(), address: String::new(), ..import },
    }
}

pub(super) async fn list(
    context: &Context,
    caller: &Principal,
    request: &pb::ListRateImportsRequest,
) -> Result<pb::ListRateImportsResponse> {
    let page = Page::of(request)?;
    let size = page.size;
    let before = page.after()?.unwrap_or(i64::MAX);
    let db = context.db.long(caller.origin().actor);
    let owner = caller.scope().owner();
    let rows = store::list(&db, owner, request.tariff_id, before, size + 1).await?;
    let (mut rate_imports, next_page_token) = page.cut(rows, size, |import| import.id);
    if let Some(owner) = owner {
        rate_imports = rate_imports.into_iter().map(|import| disclosed(import, owner)).collect();
    }
    Ok(pb::ListRateImportsResponse { rate_imports, next_page_token })
}
