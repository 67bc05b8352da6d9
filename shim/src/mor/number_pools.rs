//! Group "number pools": as in M4, but for who is told what: an unknown caller, and the maker of a
//! pool, who hears its id.

use serde::Serialize;
use tollbook_proto::{legacy::mor, v1::ErrorReason};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::Method,
    methods::number_pools,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatusAlways;
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::NumberPoolNotFound, number_pools::NOT_FOUND),
    (ErrorReason::NumberPoolInUse, number_pools::IN_USE),
    (ErrorReason::PermissionMissing, number_pools::NOT_PERMITTED),
    (ErrorReason::BadLogin, "Access Denied"),
];

pub(super) const NUMBER_POOLS_GET: Method = Method {
    declaration: &mor::NUMBER_POOLS_GET,
    wrap: WRAP,
    errors: ERRORS,
    ..number_pools::NUMBER_POOLS_GET
};

pub(super) const NUMBER_POOL_CREATE: Method = Method {
    declaration: &mor::NUMBER_POOL_CREATE,
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_create(call)),
    ..number_pools::NUMBER_POOL_CREATE
};

#[derive(Serialize)]
struct Created {
    status: CreatedStatus,
}

#[derive(Serialize)]
struct CreatedStatus {
    success: &'static str,
    number_pool_id: i64,
}

async fn number_pool_create(call: Call) -> Result<Answer, Failure> {
    let number_pool_id = number_pools::create(&call).await?.id;
    let status = CreatedStatus { success: number_pools::CREATED, number_pool_id };
    Ok(Answer::xml("page", &Created { status }))
}

pub(super) const NUMBER_POOL_UPDATE: Method = Method {
    declaration: &mor::NUMBER_POOL_UPDATE,
    wrap: WRAP,
    errors: ERRORS,
    ..number_pools::NUMBER_POOL_UPDATE
};

pub(super) const NUMBER_POOL_DELETE: Method = Method {
    declaration: &mor::NUMBER_POOL_DELETE,
    wrap: WRAP,
    errors: ERRORS,
    ..number_pools::NUMBER_POOL_DELETE
};

pub(super) const NUMBER_POOL_NUMBERS_CREATE: Method = Method {
    declaration: &mor::NUMBER_POOL_NUMBERS_CREATE,
    wrap: WRAP,
    errors: ERRORS,
    ..number_pools::NUMBER_POOL_NUMBERS_CREATE
};

pub(super) const NUMBER_POOL_NUMBERS_DELETE: Method = Method {
    declaration: &mor::NUMBER_POOL_NUMBERS_DELETE,
    wrap: WRAP,
    errors: ERRORS,
    ..number_pools::NUMBER_POOL_NUMBERS_DELETE
};
