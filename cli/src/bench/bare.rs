//! What the servers are compared with: the same libraries, and nothing behind them.

use std::{io::Write, net::SocketAddr};

use axum::{Router, routing::post};
use clap::ValueEnum;
use tokio::net::TcpListener;
use tollbook_proto::v1::{
    self as pb,
    accounts_service_server::{AccountsService, AccountsServiceServer},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A bare server.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Bare {
    /// An axum handler that answers a constant.
    Axum,
    /// A tonic service that answers a constant.
    Tonic,
}

/// Runs a bare server until it is killed.
pub(super) async fn serve(bare: Bare) -> anyhow::Result<()> {
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
