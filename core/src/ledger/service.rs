//! `AccountsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, accounts_service_server::AccountsService};
use tonic::{Request, Response, Status};

use super::{
    Kind, audit,
    posting::{self, IdempotencyKey, Posting},
    store,
};
use crate::{
    access::{Principal, principal},
    catalog::Snapshot,
    context::Context,
    devices,
    error::{Error, Result},
    ids::{self, UserId},
    money::Money,
    paging::Page,
    store::Reader,
    text::check_note,
    users::Identity,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn balance(
        &self,
        caller: &Principal,
        request: &pb::GetBalanceRequest,
    ) -> Result<pb::GetBalanceResponse> {
        let snapshot = self.0.catalog.load_full();
        if caller.is_legacy() && !snapshot.settings.balance_over_http {
            return Err(Error::FeatureDisabled);
        }
        let user = caller.see(self.user_of(request, &snapshot).await?)?;
        let of_owner = snapshot.owner_settings.get(&user.owner);
        if caller.is_legacy() && of_owner.is_some_and(|settings| !settings.balance_over_http) {
            return Err(Error::FeatureDisabled);
        }
        let currency = match request.currency.as_str() {
            "" => Some(snapshot.currencies.default_currency()?),
            "USER" => snapshot.currencies.by_id(user.currency),
            code => snapshot.currencies.by_code(code),
        };
        let currency = currency.ok_or(Error::CurrencyNotFound)?;
        let balance = self.0.directory.balance(user.id).await?;
        Ok(pb::GetBalanceResponse {
            user_id: user.id.0,
            balance: Some(balance.to_currency(currency.exchange_rate)?.into()),
            currency: currency.code.clone(),
        })
    }

    /// Whose balance is asked for; `None` if there is no such user.
    async fn user_of(
        &self,
        request: &pb::GetBalanceRequest,
        snapshot: &Snapshot,
    ) -> Result<Option<Arc<Identity>>> {
        let directory = &self.0.directory;
        let pb::GetBalanceRequest { uniquehash, device_username, device_password, .. } = request;
        if let Some(id) = request.user_id {
            return directory.lately_by_id(UserId(id)).await;
        }
        if !uniquehash.is_empty() {
            return directory.by_uniquehash(uniquehash).await;
        }
        if !device_username.is_empty() {
            return devices::user_by_username(&self.0.db, directory, device_username).await;
        }
        if !device_password.is_empty() {
            let key = snapshot.settings.device_digest_key.as_ref();
            return devices::user_by_password(&self.0.db, directory, key, device_password).await;
        }
        match request.username.as_str() {
            "" => Err(Error::invalid("user_id", "or username is required")),
            username => directory.lately_by_username(username).await,
        }
    }

    async fn adjust(
        &self,
        caller: &Principal,
        mut request: pb::AdjustBalanceRequest,
    ) -> Result<pb::AdjustBalanceResponse> {
        caller.user()?;
        let key = std::mem::take(&mut request.idempotency_key);
        let key = IdempotencyKey::new(caller, Kind::Adjustment, key, &request)?;
        let posted = match self.adjustment(caller, request, key.clone()).await {
            Ok(posting) => self.0.writer.post(posting).await?,
            Err(reason) => posting::answered_before(&self.0.db, key.as_ref(), reason).await?,
        };
        Ok(pb::AdjustBalanceResponse {
            entry: Some(posted.entry.to_proto()),
            username: posted.username,
        })
    }

    /// The posting that a request asks for, if it may.
    async fn adjustment(
        &self,
        caller: &Principal,
        request: pb::AdjustBalanceRequest,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Posting> {
        let user = ids::required::<UserId>("user_id", request.user_id)?;
        let user = caller.manage(self.0.directory.lately_by_id(user).await?)?;
        let amount = Money::from_proto("amount", request.amount.as_ref())?;
        check_note("note", &request.note)?;
        Ok(Posting {
            user: user.id,
            amount,
            kind: Kind::Adjustment,
            origin: Some(caller.origin().clone()),
            idempotency,
            note: request.note,
            payment: None,
        })
    }

    async fn entries(
        &self,
        caller: &Principal,
        request: &pb::ListLedgerEntriesRequest,
    ) -> Result<pb::ListLedgerEntriesResponse> {
        let user = ids::required::<UserId>("user_id", request.user_id)?;
        let user = caller.see(self.0.directory.lately_by_id(user).await?)?;
        let page = Page::of(request)?;
        let size = page.size;
        let before = page.after()?;
        let rows = store::newest(&self.0.db, user.id, before, size + 1).await?;
        let (entries, next_page_token) = page.cut(rows, size, |entry| entry.id.0);
        let scope = caller.scope();
        let entries = entries.iter().map(|entry| scope.disclose(entry.to_proto())).collect();
        Ok(pb::ListLedgerEntriesResponse { entries, next_page_token })
    }
}

#[tonic::async_trait]
impl AccountsService for Service {
    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.balance(&caller, request.get_ref()).await?))
    }

    async fn adjust_balance(
        &self,
        request: Request<pb::AdjustBalanceRequest>,
    ) -> Result<Response<pb::AdjustBalanceResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.adjust(&caller, request.into_inner()).await?))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<pb::ListLedgerEntriesRequest>,
    ) -> Result<Response<pb::ListLedgerEntriesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.entries(&caller, request.get_ref()).await?))
    }

    async fn audit_accounts(
        &self,
        _request: Request<pb::AuditAccountsRequest>,
    ) -> Result<Response<pb::AuditAccountsResponse>, Status> {
        Ok(Response::new(audit::audit(&self.0.db.long(Reader::Audit)).await?))
    }
}
