//! `DeviceRulesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, device_rules_service_server::DeviceRulesService};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    devices,
    error::{Error, Result},
    ids::{self, DeviceRuleId, PointId},
    paging::Page,
    resource::Resource,
    rules::{self, Numbers},
    store::{Sequence, Tx},
    text::check_text,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListDeviceRulesRequest,
    ) -> Result<pb::ListDeviceRulesResponse> {
        let device = ids::required("device_id", request.device_id)?;
        devices::seen(&self.0, caller, device).await?;
        let page = Page::of(request)?;
        let (size, after) = (page.size, page.after()?);
        let rules = store::list(&self.0.db, device, after, Some(size + 1)).await?;
        let (device_rules, next_page_token) = page.cut(rules, size, pb::DeviceRule::id);
        Ok(pb::ListDeviceRulesResponse { device_rules, next_page_token })
    }

    async fn check(
        &self,
        caller: &Principal,
        request: pb::CheckDeviceRulesRequest,
    ) -> Result<pb::CheckDeviceRulesResponse> {
        let device = ids::required("device_id", request.device_id)?;
        for (field, text) in [
            ("source", &request.source),
            ("source_name", &request.source_name),
            ("destination", &request.destination),
            ("received_destination", &request.received_destination),
        ] {
            check_text(field, text)?;
        }
        devices::seen(&self.0, caller, device).await?;
        let received = match request.received_destination.is_empty() {
            true => request.destination.clone(),
            false => request.received_destination,
        };
        let mut numbers = Numbers {
            source: request.source,
            source_name: request.source_name,
            destination: request.destination,
            received,
        };
        let (ids, rules): (Vec<i64>, Vec<pb::NumberRule>) =
            store::list(&self.0.db, device, None, None)
                .await?
                .into_iter()
                .map(|rule| (rule.id(), rule.rule.unwrap_or_default()))
                .unzip();
        let applied = rules::apply(&rules, &mut numbers);
        Ok(pb::CheckDeviceRulesResponse {
            source: numbers.source,
            source_name: numbers.source_name,
            destination: numbers.destination,
            device_rule_ids: applied.into_iter().filter_map(|at| ids.get(at).copied()).collect(),
        })
    }

    async fn create(
        &self,
        caller: &Principal,
        mut device_rule: pb::DeviceRule,
    ) -> Result<pb::DeviceRule> {
        let device: PointId = ids::required("device_rule.device_id", device_rule.device_id)?;
        let rule = device_rule.rule.take().unwrap_or_default();
        device_rule.rule = Some(rules::checked("device_rule.rule", rule)?);
        let mut tx = self.0.begin_change(caller.origin()).await?;
        devices::lock_managed(&self.0, &mut tx, caller, device).await?;
        let id = tx.next_id(Sequence::DeviceRules).await?;
        device_rule.id = Some(id);
        store::write(&mut tx, &device_rule).await?;
        let change = Change::creation(Resource::DeviceRule(DeviceRuleId(id)), &device_rule)?;
        tx.commit(change).await?;
        Ok(device_rule)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateDeviceRuleRequest,
    ) -> Result<pb::DeviceRule> {
        let id = ids::required("id", request.id)?;
        let rule = request.rule.map(|rule| rules::checked("rule", rule)).transpose()?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let before = self.managed(&mut tx, caller, id).await?;
        let after = pb::DeviceRule { rule: rule.or(before.rule.clone()), ..before.clone() };
        store::write(&mut tx, &after).await?;
        tx.commit(Change::of(Resource::DeviceRule(id), &before, &after)?).await?;
        Ok(after)
    }

    async fn delete(&self, caller: &Principal, id: DeviceRuleId) -> Result<()> {
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let rule = self.managed(&mut tx, caller, id).await?;
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::DeviceRule(id), &rule)?).await
    }

    /// A rule of a device that the caller may change.
    async fn managed(
        &self,
        tx: &mut Tx,
        caller: &Principal,
        id: DeviceRuleId,
    ) -> Result<pb::DeviceRule> {
        let rule = store::get(tx, id).await?;
        match devices::lock_managed(&self.0, tx, caller, PointId(rule.device_id())).await {
            // It may have changed until its device was locked.
            Ok(()) => store::get(tx, id).await,
            Err(Error::DeviceNotFound) => Err(Error::DeviceRuleNotFound),
            Err(error) => Err(error),
        }
    }
}

#[tonic::async_trait]
impl DeviceRulesService for Service {
    async fn list_device_rules(
        &self,
        request: Request<pb::ListDeviceRulesRequest>,
    ) -> Result<Response<pb::ListDeviceRulesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn check_device_rules(
        &self,
        request: Request<pb::CheckDeviceRulesRequest>,
    ) -> Result<Response<pb::CheckDeviceRulesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.check(&caller, request.into_inner()).await?))
    }

    async fn create_device_rule(
        &self,
        request: Request<pb::CreateDeviceRuleRequest>,
    ) -> Result<Response<pb::CreateDeviceRuleResponse>, Status> {
        let caller = principal(&request)?;
        let rule = request.into_inner().device_rule.unwrap_or_default();
        let device_rule = Some(self.create(&caller, rule).await?);
        Ok(Response::new(pb::CreateDeviceRuleResponse { device_rule }))
    }

    async fn update_device_rule(
        &self,
        request: Request<pb::UpdateDeviceRuleRequest>,
    ) -> Result<Response<pb::UpdateDeviceRuleResponse>, Status> {
        let caller = principal(&request)?;
        let device_rule = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateDeviceRuleResponse { device_rule }))
    }

    async fn delete_device_rule(
        &self,
        request: Request<pb::DeleteDeviceRuleRequest>,
    ) -> Result<Response<pb::DeleteDeviceRuleResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteDeviceRuleResponse {}))
    }
}
