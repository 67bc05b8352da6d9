//! `CallsService`.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{self, Either};
use tokio::sync::mpsc;
use tollbook_proto::v1::{self as pb, RejectedCall, calls_service_server::CallsService};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Disposition, Listed, Side,
    dry_run::DryRun,
    hangup, imports,
    ingest::{self, Delivery, Numbered, Rated},
    intake::Taken,
    remarks::Remarks,
    rerate,
    sorted::Position,
    store::{self, Filter, Order},
};
use crate::{
    access::{Principal, Scope, principal},
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{PointId, UserId},
    money,
    paging::Page,
    stats::Total,
    store::Db,
    text::check_text,
    unrated::Brought,
    users,
};

/// How many calls go into the books at once, if they come fast enough.
const BATCH: usize = 8_192;
/// How long a call waits for others.
const WAIT: Duration = Duration::from_millis(100);
/// How many rejected calls a response describes.
const MAX_REJECTED: usize = 1_000;
/// How many notes it has.
const MAX_NOTES: usize = 100;

pub(crate) struct Service(pub(crate) Arc<Context>);

/// A stream of calls on its way into the books.
struct Ingestion<'a> {
    context: &'a Context,
    caller: Principal,
    /// Whether nothing is to be changed.
    dry_run: bool,
    /// As what import it is recorded.
    import: Option<i64>,
}

/// What has come of a stream.
#[derive(Default)]
struct Received {
    calls: i64,
    end: Option<pb::CallImportEnd>,
}

/// What a stream has done so far.
#[derive(Default)]
struct Summary {
    response: pb::IngestCallsResponse,
    price: Total,
    reseller_price: Total,
    partner_price: Total,
    self_cost: Total,
    /// Each once, however many batches say it.
    notes: BTreeSet<String>,
    /// How many were rejected, by the reasons of the contract.
    rejections: BTreeMap<i32, i64>,
    remarks: Remarks,
}

impl Summary {
    fn add(&mut self, taken: Taken) {
        self.remarks.add(&taken);
        self.response.stored += i64::try_from(taken.stored.len()).unwrap_or_default();
        self.response.duplicates += taken.duplicates;
        self.response.merged += taken.merged;
        self.response.unrated += taken.kept;
        for call in taken.stored.into_iter().chain(taken.replaced.into_iter().map(|(_, new)| new)) {
            for (_, side, leg) in call.legs() {
                let sum = match side {
                    Side::Originator => &mut self.price,
                    Side::Reseller => &mut self.reseller_price,
                    Side::Partner => &mut self.partner_price,
                    Side::Terminator => &mut self.self_cost,
                };
                *sum += leg.amount.into();
            }
            let has_nobody = call.is_charged() && call.terminator.is_none();
            self.response.without_terminator += i64::from(has_nobody);
        }
        for Numbered { position, call: (call_id, rejection) } in taken.rejected {
            self.response.rejected += 1;
            *self.rejections.entry(rejection.to_proto().into()).or_default() += 1;
            if self.response.rejected_calls.len() < MAX_REJECTED {
                self.response.rejected_calls.push(RejectedCall {
                    position,
                    call_id,
                    reason: rejection.to_proto().into(),
                    message: rejection.to_string(),
                });
            }
        }
    }

    fn into_response(self) -> Result<(pb::IngestCallsResponse, Remarks)> {
        let count = |(reason, calls)| pb::RejectionCount { reason, calls };
        let response = pb::IngestCallsResponse {
            rejections: self.rejections.into_iter().map(count).collect(),
            price: Some(money::to_proto(self.price.value()?)),
            reseller_price: Some(money::to_proto(self.reseller_price.value()?)),
            partner_price: Some(money::to_proto(self.partner_price.value()?)),
            self_cost: Some(money::to_proto(self.self_cost.value()?)),
            notes: self.notes.into_iter().take(MAX_NOTES).collect(),
            ..self.response
        };
        Ok((response, self.remarks))
    }
}

impl Ingestion<'_> {
    /// Takes a stream in, and records the end of its import.
    async fn run(
        &self,
        first: Option<pb::IngestCallsRequest>,
        calls: Streaming<pb::IngestCallsRequest>,
    ) -> Result<pb::IngestCallsResponse, Status> {
        let taken = Box::pin(self.take(first, calls)).await;
        if let Some(id) = self.import {
            let end = taken.as_ref().ok().and_then(|(received, _)| received.end.as_ref());
            if let Err(error) = imports::end(self.context, id, end).await {
                // Its calls are in the books, and it can be taken back as one that is running.
                tracing::warn!(error = ?error, import = id, "the end of an import was not recorded");
            }
        }
        let (received, summary) = taken?;
        let (mut response, remarks) = summary.into_response()?;
        // A switch that sends call by call is told nothing that a person should read.
        if self.dry_run || self.import.is_some() {
            remarks.report(self.context, self.caller.scope(), &mut response).await?;
        }
        response.received = received.calls;
        response.import_id = self.import.unwrap_or_default();
        if response.rejected > 0 && !self.dry_run {
            let received = received.calls;
            tracing::warn!(rejected = response.rejected, received, "calls were rejected");
        }
        Ok(response)
    }

    /// Reads and rates one batch while the one before is being stored. The channel between
    /// them holds one batch, so that a sender is never read far ahead of the database.
    async fn take(
        &self,
        first: Option<pb::IngestCallsRequest>,
        calls: Streaming<pb::IngestCallsRequest>,
    ) -> Result<(Received, Summary), Status> {
        let (sender, batches) = mpsc::channel(1);
        let read = self.read(first, calls, sender);
        let store = pin!(self.store(batches));
        match future::select(pin!(read), store).await {
            // The sender may have left: what was read is stored to its end all the same, so that
            // nothing is dropped between a commit and what follows from it.
            Either::Left((received, store)) => {
                let summary = store.await?;
                Ok((received?, summary))
            }
            // It could not be stored.
            Either::Right((summary, _)) => Ok((Received::default(), summary?)),
        }
    }

    /// Returns what came.
    async fn read(
        &self,
        mut first: Option<pb::IngestCallsRequest>,
        mut calls: Streaming<pb::IngestCallsRequest>,
        sender: mpsc::Sender<Rated>,
    ) -> Result<Received, Status> {
        let mut batch: Vec<Numbered<Brought>> = Vec::with_capacity(BATCH);
        let mut received = Received::default();
        loop {
            let waiting = !batch.is_empty();
            let message = match first.take() {
                Some(first) => Some(first),
                None => match tokio::time::timeout(WAIT, calls.message()).await {
                    Ok(message) => message?,
                    Err(_) if waiting => {
                        self.send(std::mem::take(&mut batch), &sender).await?;
                        continue;
                    }
                    Err(_) => calls.message().await?,
                },
            };
            let Some(message) = message else { break };
            for call in message.calls {
                received.calls += 1;
                let call = Brought::of_import(call, self.import);
                batch.push(Numbered { position: received.calls, call });
                if batch.len() == BATCH {
                    self.send(std::mem::take(&mut batch), &sender).await?;
                }
            }
            if let Some(end) = message.import_end {
                imports::check_end(&end)?;
                received.end = Some(end);
            }
        }
        if !batch.is_empty() {
            self.send(batch, &sender).await?;
        }
        Ok(received)
    }

    async fn send(
        &self,
        batch: Vec<Numbered<Brought>>,
        sender: &mpsc::Sender<Rated>,
    ) -> Result<()> {
        let rated = ingest::rate(self.context, self.caller.scope(), batch).await?;
        sender.send(rated).await.map_err(|_| Error::Unavailable)
    }

    async fn store(&self, mut batches: mpsc::Receiver<Rated>) -> Result<Summary, Status> {
        let mut summary = Summary::default();
        let mut dry_run = self.dry_run.then(DryRun::begin).transpose()?;
        while let Some(mut rated) = batches.recv().await {
            summary.notes.extend(std::mem::take(&mut rated.notes));
            let delivery = Delivery::new(self.caller.origin().clone(), rated);
            let delivery = delivery.of_import(self.import);
            summary.add(match &mut dry_run {
                Some(dry_run) => dry_run.take(self.context, &delivery).await?,
                None => self.context.writer.take(delivery).await?,
            });
        }
        Ok(summary)
    }
}

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListCallsRequest,
    ) -> Result<pb::ListCallsResponse> {
        let snapshot = self.0.catalog.load_full();
        let zone = &snapshot.settings.time_zone;
        let bounds = if request.default_today { clock::today(zone) } else { clock::ALWAYS };
        let period = clock::period_within(bounds, request.from.as_ref(), request.till.as_ref())?;
        check_text("destination_prefix", &request.destination_prefix)?;
        let nothing = pb::ListCallsResponse {
            time_zone: snapshot.settings.time_zone_name().to_owned(),
            currency: snapshot.currencies.default_currency()?.code.clone(),
            from: (period.0 != clock::ALWAYS.0).then(|| clock::to_proto(period.0)),
            till: (period.1 != clock::ALWAYS.1).then(|| clock::to_proto(period.1)),
            caller_id: caller.user()?.id.0,
            ..Default::default()
        };
        let originator = match request.originator_id {
            Some(id) => Some(caller.see(self.0.directory.by_id(UserId(id)).await?)?.id),
            None => None,
        };
        let owner = match request.owner_id {
            Some(id) => Some(caller.see(self.0.directory.by_id(UserId(id)).await?)?.id),
            None => None,
        };
        let mut disposition =
            Disposition::from_proto(enums::known("disposition", request.disposition)?);
        if let Some(user) = caller.scope().only()
            && users::store::by_id(&self.0.db, user).await?.hide_non_answered_calls
        {
            if disposition.is_some_and(|asked| asked != Disposition::Answered) {
                return Ok(nothing);
            }
            disposition = Some(Disposition::Answered);
        }
        let page = Page::of(request)?;
        let users = (originator, owner);
        let filter = filter(caller.scope(), request, &page, period, users, disposition)?;
        // One call is found by its id; any other list may go through all of them.
        let db = match filter.call_id {
            Some(_) => self.0.db.clone(),
            None => self.0.db.long(caller.origin().actor),
        };
        let total = match request.with_total {
            true => store::count(&db, &filter).await?,
            false => 0,
        };
        let (calls, next_page_token) = self.page(&db, &filter, &page).await?;
        Ok(pb::ListCallsResponse {
            calls: calls.into_iter().map(|call| call.shown_to(caller.scope())).collect(),
            next_page_token,
            total,
            ..nothing
        })
    }
}

impl Service {
    /// A page of calls, and the token of the next.
    async fn page(
        &self,
        db: &Db,
        filter: &Filter<'_>,
        page: &Page,
    ) -> Result<(Vec<Listed>, String)> {
        // One more than the page has is asked for: is there a next page?
        let size = usize::try_from(filter.limit - 1).unwrap_or(usize::MAX);
        if filter.order != Order::Time {
            let position = page.position().map(Position::decode).transpose()?;
            let (calls, next) = self.0.sorted_calls.page(db, filter, position, size).await?;
            let next = next.map(|next| page.token(next)).unwrap_or_default();
            return Ok((store::these(db, &calls).await?, next));
        }
        let mut calls = store::list(db, filter).await?;
        if calls.len() <= size {
            return Ok((calls, String::new()));
        }
        calls.truncate(size);
        let next = calls.last().map(|last| (last.call.reported.start_time, last.call.id));
        let next = next.map(|(time, id)| page.token(format_args!("{time}:{id}")));
        let next = next.unwrap_or_default();
        Ok((calls, next))
    }
}

/// What a list is made of. Who terminates calls, and what that costs, is none of a customer's or
/// reseller's business.
fn filter<'a>(
    scope: Scope,
    request: &'a pb::ListCallsRequest,
    page: &Page,
    period: (i64, i64),
    (originator, owner): (Option<UserId>, Option<UserId>),
    disposition: Option<Disposition>,
) -> Result<Filter<'a>> {
    let is_staff = scope.is_staff();
    let order = match Order::of(enums::known("order", request.order)?) {
        // The order alone would tell a customer what the columns say.
        order if !is_staff && order.is_hidden_from_customers() => Order::Time,
        order => order,
    };
    let filled = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let call_id = filled(request.call_id.as_str());
    Ok(Filter {
        scope,
        period: if call_id.is_some() { clock::ALWAYS } else { period },
        call_id,
        originator,
        owner,
        terminator: request.terminator_id.map(UserId).filter(|_| is_staff),
        origination_point: request.origination_point_id.map(PointId),
        termination_point: request.termination_point_id.map(PointId).filter(|_| is_staff),
        disposition,
        hangup_cause: request.hangup_cause.map(i64::from).filter(|_| is_staff),
        destination_prefix: filled(request.destination_prefix.as_str()),
        order,
        // Whoever asks for no period wants to see what has just happened.
        descending: request.descending || (order == Order::Time && period == clock::ALWAYS),
        after: page.position().filter(|_| order == Order::Time).map(after).transpose()?,
        limit: page.size + 1,
    })
}

/// The call after which a page in the order of time begins.
fn after(position: &str) -> Result<(i64, i64)> {
    let (time, id) = position.split_once(':').ok_or(Error::InvalidPageToken)?;
    let number = |text: &str| text.parse().map_err(|_| Error::InvalidPageToken);
    Ok((number(time)?, number(id)?))
}

#[tonic::async_trait]
impl CallsService for Service {
    async fn ingest_calls(
        &self,
        request: Request<Streaming<pb::IngestCallsRequest>>,
    ) -> Result<Response<pb::IngestCallsResponse>, Status> {
        let caller = principal(&request)?;
        let mut calls = request.into_inner();
        let first = calls.message().await?;
        let dry_run = first.as_ref().is_some_and(|first| first.dry_run);
        let start = first.as_ref().and_then(|first| first.import_start.as_ref());
        let import = match start.filter(|_| !dry_run) {
            Some(start) => Some(imports::begin(&self.0, &caller, start).await?),
            None => None,
        };
        let ingestion = Ingestion { context: &self.0, caller, dry_run, import };
        Ok(Response::new(Box::pin(ingestion.run(first, calls)).await?))
    }

    async fn list_calls(
        &self,
        request: Request<pb::ListCallsRequest>,
    ) -> Result<Response<pb::ListCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn rerate_calls(
        &self,
        request: Request<pb::RerateCallsRequest>,
    ) -> Result<Response<pb::RerateCallsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(rerate::rerate(&self.0, caller.origin(), request.get_ref()).await?))
    }

    async fn list_hangup_causes(
        &self,
        _request: Request<pb::ListHangupCausesRequest>,
    ) -> Result<Response<pb::ListHangupCausesResponse>, Status> {
        let hangup_causes = hangup::CAUSES.iter().map(|(code, description)| pb::HangupCause {
            code: i32::try_from(*code).unwrap_or_default(),
            description: (*description).to_owned(),
        });
        Ok(Response::new(pb::ListHangupCausesResponse { hangup_causes: hangup_causes.collect() }))
    }
}
