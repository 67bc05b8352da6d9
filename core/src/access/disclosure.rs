//! What customers are told of what is kept about them: what is theirs, and none of what the
//! operator keeps for itself. The contract marks those fields with "Staff only."; one that is not
//! named here is not shown. To resellers and partners their own users are what customers are to
//! the operator.

use tollbook_proto::v1 as pb;

use super::Scope;
use crate::ids::UserId;

/// A message that customers may read about themselves.
pub(crate) trait Disclose: Sized {
    /// What of it they are told.
    fn for_customer(self) -> Self;
}

/// One that says whom it is about.
pub(crate) trait About: Disclose {
    /// The user.
    fn user(&self) -> UserId;
}

impl About for pb::User {
    fn user(&self) -> UserId {
        UserId(self.id())
    }
}

impl About for pb::ConnectionPoint {
    fn user(&self) -> UserId {
        UserId(self.user_id())
    }
}

impl About for pb::LedgerEntry {
    fn user(&self) -> UserId {
        UserId(self.user_id)
    }
}

impl Scope {
    /// What is told of a message to whoever has this scope.
    pub(crate) fn disclose<M: About>(self, message: M) -> M {
        let own = self.only().or(self.owner());
        match own == Some(message.user()) || self.only().is_some() {
            true => message.for_customer(),
            false => message,
        }
    }
}

impl Disclose for pb::User {
    fn for_customer(self) -> Self {
        Self {
            id: self.id,
            username: self.username,
            role: self.role,
            first_name: self.first_name,
            last_name: self.last_name,
            balance: self.balance,
            frozen_balance: self.frozen_balance,
            postpaid: self.postpaid,
            credit: self.credit,
            blocked: self.blocked,
            tariff_id: self.tariff_id,
            currency_id: self.currency_id,
            call_limit: self.call_limit,
            language: self.language,
            time_zone: self.time_zone,
            client_id: self.client_id,
            agreement_number: self.agreement_number,
            agreement_date: self.agreement_date,
            taxation_country: self.taxation_country,
            vat_number: self.vat_number,
            address: self.address,
            taxes: self.taxes,
            balance_warning: self.balance_warning.map(Disclose::for_customer),
            balance_min: self.balance_min,
            emails: self.emails,
            generate_invoice: self.generate_invoice,
            daily_limit: self.daily_limit,
            minimal_charge: self.minimal_charge,
            minimal_charge_start: self.minimal_charge_start,
            logged_in: self.logged_in,
            password_changed_at: self.password_changed_at,
            created_at: self.created_at,
            ..Self::default()
        }
    }
}

impl Disclose for pb::BalanceWarning {
    fn for_customer(self) -> Self {
        Self {
            active: self.active,
            user_threshold: self.user_threshold,
            hour: self.hour,
            on_increase: self.on_increase,
            send_sms: self.send_sms,
            user_warned: self.user_warned,
            ..Self::default()
        }
    }
}

impl Disclose for pb::ConnectionPoint {
    fn for_customer(self) -> Self {
        Self {
            id: self.id,
            user_id: self.user_id,
            description: self.description,
            origination: self.origination.map(|origination| pb::OriginationPoint {
                active: origination.active,
                capacity: origination.capacity,
                tech_prefix: origination.tech_prefix,
                source_pattern: origination.source_pattern,
                source_deny_pattern: origination.source_deny_pattern,
                disabled: origination.disabled,
                ..Default::default()
            }),
            termination: self.termination.map(|termination| pb::TerminationPoint {
                active: termination.active,
                capacity: termination.capacity,
                tech_prefix: termination.tech_prefix,
                disabled: termination.disabled,
                ..Default::default()
            }),
            address: self.address,
            port: self.port,
            any_port: self.any_port,
            switch_model: self.switch_model,
            timeouts: self.timeouts,
            grace_time: self.grace_time,
            caller_id: self.caller_id.map(|caller_id| pb::PointCallerId {
                name: caller_id.name,
                number: caller_id.number,
                ..Default::default()
            }),
        }
    }
}

impl Disclose for pb::LedgerEntry {
    fn for_customer(self) -> Self {
        Self {
            id: self.id,
            user_id: self.user_id,
            amount: self.amount,
            balance_after: self.balance_after,
            kind: self.kind,
            payment_id: self.payment_id,
            created_at: self.created_at,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prost::{Message, Name};
    use prost_reflect::{
        Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
        ReflectMessage, Value,
    };

    use super::*;
    use crate::contract;

    /// The comment of a field in the contract.
    fn comment(field: &FieldDescriptor) -> String {
        let file = field.parent_file();
        let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
        let place = info.location.into_iter().find(|place| place.path == field.path());
        place.unwrap().leading_comments().to_owned()
    }

    fn filled_value(kind: &Kind) -> Value {
        match kind {
            Kind::Bool => Value::Bool(true),
            Kind::String => Value::String("7".to_owned()),
            Kind::Int32 => Value::I32(7),
            Kind::Int64 => Value::I64(7),
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Message(message) => Value::Message(filled(message)),
            other => panic!("no value for {other:?}"),
        }
    }

    /// A message that says something in every field.
    fn filled(descriptor: &MessageDescriptor) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let value = match field.kind() {
                Kind::Message(entry) if field.is_map() => {
                    let value = filled_value(&entry.map_entry_value_field().kind());
                    Value::Map([(MapKey::String("key".to_owned()), value)].into())
                }
                kind if field.cardinality() == Cardinality::Repeated => {
                    Value::List(vec![filled_value(&kind)])
                }
                kind => filled_value(&kind),
            };
            message.set_field(&field, value);
        }
        message
    }

    /// What is left are the fields that the contract does not keep for staff.
    fn check(shown: &DynamicMessage) {
        for field in shown.descriptor().fields() {
            let for_staff = comment(&field).contains("Staff only.");
            assert_eq!(shown.has_field(&field), !for_staff, "{}", field.full_name());
            if let Value::Message(inner) = &*shown.get_field(&field)
                && !for_staff
                && inner.descriptor().package_name() == "tollbook.v1"
            {
                check(inner);
            }
        }
    }

    fn checked<M: Disclose + Message + Name + Default>() {
        let full = filled(&contract::message(&M::full_name()).unwrap());
        let message: M = contract::from_dynamic(&full).unwrap();
        check(&contract::to_dynamic(&message.for_customer()).unwrap());
    }

    #[test]
    fn f13_customers_are_told_what_the_contract_does_not_keep_for_staff() {
        checked::<pb::User>();
        checked::<pb::ConnectionPoint>();
        checked::<pb::LedgerEntry>();
    }
}
