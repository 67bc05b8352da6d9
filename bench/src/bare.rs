//! What the servers are compared with: the same libraries, and nothing behind them.

use std::{io::Write, net::SocketAddr};

use axum::{Router, routing::post};
use clap::ValueEnum;
use tokio::net::TcpListener;
use tollbook_proto::v1::{
    self as pb,
    accounts_service_server::{AccountsService, AccountsServiceServer},
    rating_service_server::{RatingService, RatingServiceServer},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A bare server.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Bare {
    /// An axum handler that answers a constant.
    Axum,
    /// A tonic service that answers a constant.
    Tonic,
}

/// Runs a bare server until it is killed.
pub(crate) async fn serve(bare: Bare) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let mut out = std::io::stdout();
    match bare {
        Bare::Axum => {
            use axum::serve::ListenerExt;
            writeln!(out, "XML API listening on {address}\nReady")?;
            let router = Router::new()
                .route("/billing/api/user_simple_balance_get", post(async || "105.0000"));
            let listener = listener.tap_io(|stream| {
                // As the real server does.
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, router).await?;
        }
        Bare::Tonic => {
            writeln!(out, "gRPC listening on {address}\nReady")?;
            tonic::transport::Server::builder()
                .add_service(AccountsServiceServer::new(Constant))
                .add_service(RatingServiceServer::new(Constant))
                .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
                .await?;
        }
    }
    Ok(())
}

/// Answers what the real service answers, without looking.
struct Constant;

#[tonic::async_trait]
impl AccountsService for Constant {
    async fn get_balance(
        &self,
        _request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        Ok(Response::new(pb::GetBalanceResponse {
            user_id: 2,
            balance: Some(pb::Decimal { value: "105".to_owned() }),
            currency: "USD".to_owned(),
        }))
    }

    async fn adjust_balance(
        &self,
        _request: Request<pb::AdjustBalanceRequest>,
    ) -> Result<Response<pb::AdjustBalanceResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }

    async fn list_ledger_entries(
        &self,
        _request: Request<pb::ListLedgerEntriesRequest>,
    ) -> Result<Response<pb::ListLedgerEntriesResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }

    async fn audit_accounts(
        &self,
        _request: Request<pb::AuditAccountsRequest>,
    ) -> Result<Response<pb::AuditAccountsResponse>, Status> {
        Err(Status::unimplemented("a bare server"))
    }
}

#[tonic::async_trait]
impl RatingService for Constant {
    async fn rate_call(
        &self,
        _request: Request<pb::RateCallRequest>,
    ) -> Result<Response<pb::RateCallResponse>, Status> {
        let decimal = |value: &str| Some(pb::Decimal { value: value.to_owned() });
        let steps = [
            "tariff 4 (originator): longest prefix with a rate is 4479012",
            "90 s are billed as 120 s: at least 0 s, in steps of 60 s",
            "0 + 0.4711 x 120 / 60 = 0.9422 USD",
        ];
        let price = pb::RatedLeg {
            outcome: pb::RatingOutcome::Priced.into(),
            tariff_id: 4,
            tariff_name: "originator".to_owned(),
            prefix: "4479012".to_owned(),
            destination: String::new(),
            rate: decimal("0.4711"),
            connection_fee: decimal("0"),
            increment: 60,
            min_time: 0,
            billed_seconds: 120,
            price: decimal("0.9422"),
            currency: "USD".to_owned(),
            price_default: decimal("0.9422"),
            steps: steps.map(str::to_owned).to_vec(),
            billing_steps: pb::BillingSteps::Unspecified.into(),
        };
        Ok(Response::new(pb::RateCallResponse { price: Some(price), ..Default::default() }))
    }
}
