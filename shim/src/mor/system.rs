//! Group "API related": `system_version_get`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{ErrorReason, GetVersionRequest},
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::Method,
    xml::Answer,
};

/// Whatever is wrong with a request, it hears the same.
const DENIED: &str = "Access Denied";

pub(super) const SYSTEM_VERSION_GET: Method = Method {
    declaration: &mor::SYSTEM_VERSION_GET,
    group: "API related",
    summary: "The version of what answers",
    params: &[],
    wrap: Wrap::PageStatusAlways,
    errors: &[
        (ErrorReason::ApiDisabled, DENIED),
        (ErrorReason::GetDisabled, DENIED),
        (ErrorReason::BadLogin, DENIED),
        (ErrorReason::IncorrectHash, DENIED),
        (ErrorReason::RoleDenied, DENIED),
        (ErrorReason::PermissionMissing, DENIED),
        (ErrorReason::ApiKeyRestricted, DENIED),
    ],
    handle: |call| Box::pin(system_version_get(call)),
};

#[derive(Serialize)]
struct Version {
    version: String,
}

async fn system_version_get(call: Call) -> Result<Answer, Failure> {
    let response = call.settings().get_version(GetVersionRequest {}).await?;
    Ok(Answer::xml("page", &Version { version: response.into_inner().version }))
}
