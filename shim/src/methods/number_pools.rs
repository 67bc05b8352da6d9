//! Group "number pools": `number_pools_get`, `number_pool_create`, `number_pool_update`,
//! `number_pool_delete`, `number_pool_numbers_create`, `number_pool_numbers_delete`.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    AddPoolNumbersRequest, CreateNumberPoolRequest, DeleteNumberPoolRequest,
    DeletePoolNumbersRequest, ErrorReason, ListNumberPoolsRequest, ListPoolNumbersRequest,
    NumberPool, UpdateNumberPoolRequest, number_pools_service_client::NumberPoolsServiceClient,
};
use tonic::Status;

use crate::{
    call::{Call, Signed},
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, Param, id, optional, optional_id, required, switch, text},
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;
pub(crate) const NOT_FOUND: &str = "Number Pool was not found";
pub(crate) const IN_USE: &str = "Number Pool is in use";
pub(crate) const NOT_PERMITTED: &str = "You are not authorized to use this functionality";
const ERRORS: &[(ErrorReason, &str)] = &[
    (ErrorReason::NumberPoolNotFound, NOT_FOUND),
    (ErrorReason::NumberPoolInUse, IN_USE),
    (ErrorReason::PermissionMissing, NOT_PERMITTED),
];
const POOL: Input<Option<i64>> = id(required("number_pool_id", "which pool"));
const WHICH_NUMBERS: &str = "comma separated: numbers, or beginnings followed by %; _ and # stand for \
                       any character";

fn pool_id(call: &Call) -> Result<i64, Failure> {
    call.read(&POOL)?.ok_or_else(|| Failure::Parameters(WRAP.error(NOT_FOUND)))
}

const ONLY_POOL: Input<Option<i64>> = id(optional("number_pool_id", "only this pool"));
const SHOW_NUMBERS: Input<bool> = switch(optional("show_numbers", "1: the numbers, too"));
const NUMBER_LIMIT_ROW_COUNT: Param =
    optional("number_limit_row_count", "how many numbers of each pool, above 0; default: all");
const NUMBER_LIMIT_OFFSET: Input<Option<i64>> =
    optional_id(optional("number_limit_offset", "how many numbers to skip; default 0"));

pub(crate) const NUMBER_POOLS_GET: Method = Method {
    declaration: &legacy::m4::NUMBER_POOLS_GET,
    group: "Number pools",
    summary: "Lists number pools, with their numbers if asked for",
    params: &[
        ONLY_POOL.param,
        SHOW_NUMBERS.param,
        NUMBER_LIMIT_ROW_COUNT,
        NUMBER_LIMIT_OFFSET.param,
    ],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pools_get(call)),
};

#[derive(Serialize)]
struct PoolsPage {
    status: PoolsStatus,
}

#[derive(Serialize)]
struct PoolsStatus {
    number_pools: Pools,
}

#[derive(Serialize)]
struct Pools {
    number_pool: Vec<ListedPool>,
}

#[derive(Serialize)]
struct ListedPool {
    id: i64,
    name: String,
    comment: String,
    owner_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Numbers>,
}

#[derive(Serialize)]
struct Numbers {
    number: Vec<ListedNumber>,
}

#[derive(Serialize)]
struct ListedNumber {
    id: i64,
    number: String,
    /// Numbers have none here.
    comment: &'static str,
}

/// Whose all pools are: managers make them in the admin's name.
const OWNER: i64 = 0;

async fn number_pools_get(call: Call) -> Result<Answer, Failure> {
    let id = match call.params.filled(ONLY_POOL.param) {
        None => None,
        Some(_) => Some(pool_id(&call)?),
    };
    let count = match call.params.filled(NUMBER_LIMIT_ROW_COUNT) {
        None => usize::MAX,
        Some(text) => text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| Failure::invalid(WRAP, "number_limit_row_count"))?,
    };
    let offset = call.read(&NUMBER_LIMIT_OFFSET)?.unwrap_or_default();
    let shown = call.read(&SHOW_NUMBERS)?.then_some(Shown { offset, count });
    // Of those that are shown with their numbers, one is held at a time.
    let page_size = if shown.is_some() { 1 } else { POOLS_AT_ONCE };
    let request = ListNumberPoolsRequest { id, page_size, ..Default::default() };
    let (first, token) = pools_page(call.number_pools(), request.clone(), shown).await?;
    if id.is_some() && first.status.number_pools.number_pool.is_empty() {
        return Ok(WRAP.error(NOT_FOUND));
    }
    let rest = listing::following(token, move |page_token| {
        let request = ListNumberPoolsRequest { page_token, ..request.clone() };
        pools_page(call.number_pools(), request, shown)
    });
    Ok(Answer::listing("page", "number_pools", &first, rest))
}

/// How many pools are asked for at once.
const POOLS_AT_ONCE: i32 = 1000;

/// Which numbers of each pool are shown.
#[derive(Clone, Copy)]
struct Shown {
    offset: i64,
    count: usize,
}

/// A page of pools, and the token of the next.
async fn pools_page(
    mut core: NumberPoolsServiceClient<Signed>,
    request: ListNumberPoolsRequest,
    shown: Option<Shown>,
) -> Result<(PoolsPage, String), Status> {
    let page = core.list_number_pools(request).await?.into_inner();
    let mut number_pool = Vec::with_capacity(page.number_pools.len());
    for pool in page.number_pools {
        let numbers = match shown {
            Some(shown) => Some(Numbers { number: numbers(&mut core, pool.id, shown).await? }),
            None => None,
        };
        number_pool.push(ListedPool {
            id: pool.id,
            name: pool.name,
            comment: pool.comment,
            owner_id: OWNER,
            numbers,
        });
    }
    let status = PoolsStatus { number_pools: Pools { number_pool } };
    Ok((PoolsPage { status }, page.next_page_token))
}

async fn numbers(
    core: &mut NumberPoolsServiceClient<Signed>,
    number_pool_id: i64,
    shown: Shown,
) -> Result<Vec<ListedNumber>, Status> {
    let Shown { offset, count } = shown;
    let mut request = ListPoolNumbersRequest {
        number_pool_id: Some(number_pool_id),
        offset,
        page_size: 1000,
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = core.list_pool_numbers(request.clone()).await?.into_inner();
        let numbers = page.numbers.into_iter().take(count - listed.len());
        listed.extend(numbers.map(|number| ListedNumber {
            id: number.id,
            number: number.number,
            comment: "",
        }));
        if page.next_page_token.is_empty() || listed.len() == count {
            return Ok(listed);
        }
        request.page_token = page.next_page_token;
    }
}

const NAME: Input<String> = text(required("name", "its name"));
const COMMENT: Input<String> = text(optional("comment", "free text"));

pub(crate) const NUMBER_POOL_CREATE: Method = Method {
    declaration: &legacy::m4::NUMBER_POOL_CREATE,
    group: "Number pools",
    summary: "Creates a number pool",
    params: &[NAME.param, COMMENT.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_create(call)),
};

/// What is said of a pool that was created.
pub(crate) const CREATED: &str = "Number Pool created";

async fn number_pool_create(call: Call) -> Result<Answer, Failure> {
    create(&call).await?;
    Ok(Answer::success(CREATED))
}

/// Creates the pool that a request describes.
pub(crate) async fn create(call: &Call) -> Result<NumberPool, Failure> {
    let request =
        CreateNumberPoolRequest { name: call.read(&NAME)?, comment: call.read(&COMMENT)? };
    let created = call.number_pools().create_number_pool(request).await?.into_inner();
    Ok(created.number_pool.unwrap_or_default())
}

const NEW_NAME: Param = optional("name", "new name");
const NEW_COMMENT: Param = optional("comment", "new comment");

pub(crate) const NUMBER_POOL_UPDATE: Method = Method {
    declaration: &legacy::m4::NUMBER_POOL_UPDATE,
    group: "Number pools",
    summary: "Changes the name and the comment of a number pool",
    params: &[POOL.param, NEW_NAME, NEW_COMMENT],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_update(call)),
};

async fn number_pool_update(call: Call) -> Result<Answer, Failure> {
    let sent = |name| call.params.get(name).map(str::to_owned);
    let request = UpdateNumberPoolRequest {
        id: Some(pool_id(&call)?),
        name: sent(NEW_NAME),
        comment: sent(NEW_COMMENT),
    };
    call.number_pools().update_number_pool(request).await?;
    Ok(Answer::success("Number Pool updated"))
}

pub(crate) const NUMBER_POOL_DELETE: Method = Method {
    declaration: &legacy::m4::NUMBER_POOL_DELETE,
    group: "Number pools",
    summary: "Deletes a number pool with its numbers, unless a user has it as a list",
    params: &[POOL.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_delete(call)),
};

async fn number_pool_delete(call: Call) -> Result<Answer, Failure> {
    let request = DeleteNumberPoolRequest { id: Some(pool_id(&call)?) };
    call.number_pools().delete_number_pool(request).await?;
    Ok(Answer::success("Number Pool deleted"))
}

const NUMBERS: Param = required("numbers", WHICH_NUMBERS);

pub(crate) const NUMBER_POOL_NUMBERS_CREATE: Method = Method {
    declaration: &legacy::m4::NUMBER_POOL_NUMBERS_CREATE,
    group: "Number pools",
    summary: "Adds numbers to a pool, all or none",
    params: &[POOL.param, NUMBERS],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_numbers_create(call)),
};

async fn number_pool_numbers_create(call: Call) -> Result<Answer, Failure> {
    let number_pool_id = pool_id(&call)?;
    let Some(numbers) = call.params.filled(NUMBERS) else {
        return Err(Failure::invalid(WRAP, "numbers"));
    };
    let request =
        AddPoolNumbersRequest { number_pool_id: Some(number_pool_id), numbers: split(numbers) };
    call.number_pools().add_pool_numbers(request).await?;
    Ok(Answer::success("Number Pool's Numbers created"))
}

const DELETE_ALL: Input<bool> = switch(optional("delete_all", "1: all of them"));
const NUMBER_IDS: Input<String> =
    text(optional("number_ids", "ids, comma separated; may come together with numbers"));
const DELETED_NUMBERS: Input<String> = text(optional("numbers", WHICH_NUMBERS));

pub(crate) const NUMBER_POOL_NUMBERS_DELETE: Method = Method {
    declaration: &legacy::m4::NUMBER_POOL_NUMBERS_DELETE,
    group: "Number pools",
    summary: "Deletes numbers of a pool",
    params: &[POOL.param, DELETE_ALL.param, NUMBER_IDS.param, DELETED_NUMBERS.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(number_pool_numbers_delete(call)),
};

async fn number_pool_numbers_delete(call: Call) -> Result<Answer, Failure> {
    let number_pool_id = pool_id(&call)?;
    let ids = split(&call.read(&NUMBER_IDS)?).iter().map(|id| id.parse()).collect();
    let ids: Vec<i64> = match ids {
        Ok(ids) => ids,
        Err(_) => return Err(Failure::invalid(WRAP, "number_ids")),
    };
    let numbers = split(&call.read(&DELETED_NUMBERS)?);
    let all = call.read(&DELETE_ALL)?;
    if ids.is_empty() && numbers.is_empty() && !all {
        return Err(Failure::invalid(WRAP, "numbers"));
    }
    let request =
        DeletePoolNumbersRequest { number_pool_id: Some(number_pool_id), ids, numbers, all };
    call.number_pools().delete_pool_numbers(request).await?;
    Ok(Answer::success(if all {
        "Number Pool's Numbers deleted"
    } else {
        "Number Pool's selected Numbers deleted"
    }))
}

/// The parts of a comma separated list, without empty ones.
fn split(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
