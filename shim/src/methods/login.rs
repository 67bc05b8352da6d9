//! Group "login": `user_login`, `user_logout`.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{CreateSessionRequest, EndSessionsRequest, ErrorReason};
use tonic::Status;
use tonic_types::StatusExt;

use crate::{
    call::Call,
    error::{Failure, LoginFailed, Wrap, reason},
    method::{Input, Method, required, text},
    xml::Answer,
};

const PASSWORD: Input<String> = text(required("p", "his password"));

pub(crate) const USER_LOGIN: Method = Method {
    declaration: &legacy::m4::USER_LOGIN,
    group: "Login",
    summary: "Logs a user in; with \"Allow API Login Redirect\" his browser is sent on",
    params: &[PASSWORD.param],
    wrap: Wrap::Login,
    errors: &[],
    handle: |call| Box::pin(user_login(call)),
};

#[derive(Serialize)]
struct Action {
    name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'static str>,
}

async fn user_login(call: Call) -> Result<Answer, Failure> {
    let username = call.params.caller().to_owned();
    let request = CreateSessionRequest { username, password: call.read(&PASSWORD)? };
    let session = match call.sessions().create_session(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return login_failed(status),
    };
    if !session.login_redirect_url.is_empty() {
        return Ok(Answer::Redirect(session.login_redirect_url));
    }
    let action = Action {
        name: "login",
        status: "ok",
        user_id: Some(session.user_id),
        status_message: Some("Successfully logged in"),
    };
    Ok(Answer::login("action", &action))
}

/// Where logins are redirected, a failed one has no message.
fn login_failed(status: Status) -> Result<Answer, Failure> {
    if reason(&status) != ErrorReason::LoginFailed {
        return Err(status.into());
    }
    let info = status.get_details_error_info();
    let redirected = info.is_some_and(|info| info.metadata.contains_key("redirect"));
    Ok(LoginFailed::answer((!redirected).then_some("Login failed")))
}

pub(crate) const USER_LOGOUT: Method = Method {
    declaration: &legacy::m4::USER_LOGOUT,
    group: "Login",
    summary: "Logs a user out",
    params: &[],
    wrap: Wrap::Status,
    errors: &[],
    handle: |call| Box::pin(user_logout(call)),
};

async fn user_logout(call: Call) -> Result<Answer, Failure> {
    let status = match call.sessions().end_sessions(EndSessionsRequest {}).await {
        Ok(_) => "ok",
        Err(status) if reason(&status) == ErrorReason::BadLogin => "failed",
        Err(status) => return Err(status.into()),
    };
    let action = Action { name: "logout", status, user_id: None, status_message: None };
    Ok(Answer::login("action", &action))
}
