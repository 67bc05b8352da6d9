//! The conventions of docs/api-design.md, asked of the contract's descriptors. What does not
//! conform is listed by its name, with the reason: most is of release 0.1, whose names stay.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, field_descriptor_proto::Type,
};

/// The contract's files, whatever their package.
fn files() -> Vec<FileDescriptorProto> {
    let all = FileDescriptorSet::decode(tollbook_proto::DESCRIPTORS).unwrap().file;
    let ours = all.into_iter().filter(|file| !file.package().starts_with("google."));
    ours.collect()
}

/// All messages, those in others as well.
fn messages() -> Vec<DescriptorProto> {
    let mut all: Vec<_> = files().into_iter().flat_map(|file| file.message_type).collect();
    let mut at = 0;
    while at < all.len() {
        let nested = all[at].nested_type.clone();
        all.extend(nested);
        at += 1;
    }
    all
}

/// Rpcs whose name begins with a verb, with their requests and responses.
fn rpcs(verb: &str) -> Vec<(String, DescriptorProto, DescriptorProto)> {
    let mut found = Vec::new();
    for file in files() {
        let message = |name: &str| {
            let name = name.rsplit('.').next().unwrap();
            let mut messages = file.message_type.iter();
            messages.find(|message| message.name() == name).unwrap().clone()
        };
        for rpc in file.service.iter().flat_map(|service| &service.method) {
            if rpc.name().starts_with(verb) {
                let (request, response) = (message(rpc.input_type()), message(rpc.output_type()));
                found.push((rpc.name().to_owned(), request, response));
            }
        }
    }
    found
}

fn has(message: &DescriptorProto, name: &str, kind: Type) -> bool {
    message.field.iter().any(|field| field.name() == name && field.r#type() == kind)
}

/// Fields of a kind, as `Message.field`, one of whose words is one of these.
fn fields_called(words: &[&str], kind: impl Fn(&FieldDescriptorProto) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for message in messages() {
        for field in &message.field {
            let name = field.name();
            let is_called = name.split('_').any(|word| words.contains(&word));
            let is_id = name.ends_with("_id") || name.ends_with("_ids");
            if is_called && !is_id && kind(field) {
                found.insert(format!("{}.{name}", message.name()));
            }
        }
    }
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn is_integer(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Int32 | Type::Int64 | Type::Uint32 | Type::Uint64)
}

/// The gate of the core looks for rules in packages that begin with `tollbook`: there are no
/// others.
#[test]
fn every_package_is_below_tollbook() {
    for file in files() {
        let mut parts = file.package().split('.');
        assert_eq!(parts.next(), Some("tollbook"), "{}", file.name());
        let version = parts.next_back().unwrap_or_default();
        assert!(version.starts_with('v'), "{} has no version", file.package());
    }
}

#[test]
fn every_list_comes_in_pages() {
    let mut without = BTreeSet::new();
    for (name, request, response) in rpcs("List") {
        let paged = has(&request, "page_size", Type::Int32)
            && has(&request, "page_token", Type::String)
            && has(&response, "next_page_token", Type::String);
        if !paged {
            without.insert(name);
        }
    }
    let fixed = [
        // What the program knows, and nobody can add to.
        "ListDirections",
        "ListHangupCauses",
    ];
    assert_eq!(without, set(&fixed));
}

#[test]
fn an_update_says_what_it_changes() {
    let (mut by_mask, mut by_presence, mut otherwise) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (name, request, _) in rpcs("Update") {
        let form = if has(&request, "update_mask", Type::Message) {
            &mut by_mask
        } else if request
            .field
            .iter()
            .all(|field| field.proto3_optional() || field.oneof_index.is_some())
        {
            &mut by_presence
        } else {
            &mut otherwise
        };
        form.insert(name);
    }
    let many = [
        // Of few fields, one of which is a map that changes by its keys.
        "UpdateApiPermissionGroup",
        "UpdateConnectionPoint",
        "UpdateDevice",
        "UpdateOwnerSettings",
        "UpdateProvider",
        "UpdateSettings",
        "UpdateUser",
    ];
    assert_eq!(by_mask, set(&many));
    // Few fields, each optional: what is set changes.
    let few = [
        "UpdateCli",
        "UpdateCurrency",
        "UpdateDeviceRule",
        "UpdateEmailTemplate",
        "UpdateImportProfile",
        "UpdateLcr",
        "UpdateNumberPool",
        "UpdateTariff",
        "UpdateWhitelistedAddress",
    ];
    assert_eq!(by_presence, set(&few));
    let exceptions = [
        // Says how a call under way goes on, and changes nothing that is kept.
        "UpdateCall",
        // Take the group as a whole, of a few fields.
        "UpdateManagerGroup",
        "UpdateResellerGroup",
    ];
    assert_eq!(otherwise, set(&exceptions));
}

#[test]
fn the_zero_of_every_enum_is_unspecified() {
    let nested = messages().into_iter().flat_map(|message| message.enum_type);
    let all = files().into_iter().flat_map(|file| file.enum_type).chain(nested);
    let all: Vec<EnumDescriptorProto> = all.collect();
    assert!(all.len() > 15);
    for one in all {
        let zero = one.value.iter().find(|value| value.number() == 0).unwrap();
        assert!(zero.name().ends_with("_UNSPECIFIED"), "{}", one.name());
    }
}

#[test]
fn no_number_is_a_float() {
    for message in messages() {
        for field in &message.field {
            let float = matches!(field.r#type(), Type::Float | Type::Double);
            assert!(!float, "{}.{}", message.name(), field.name());
        }
    }
}

#[test]
fn money_is_decimal() {
    let words = [
        "amount",
        "price",
        "rate",
        "balance",
        "fee",
        "credit",
        "cost",
        "threshold",
        "percent",
        "margin",
        "charge",
        "tax",
        "gross",
        "net",
        "minimal",
    ];
    let scalars = fields_called(&words, |field| {
        !matches!(field.r#type(), Type::Message | Type::Enum | Type::Bool)
    });
    let exceptions = [
        // Bounds of bands, whole per cent that the program chose.
        "RateChangeBand.above_percent",
        "RateChangeBand.up_to_percent",
        // As the legacy API has it: whole per cent, for people.
        "RateCallResponse.margin_percent",
        "Traffic.margin_percent",
        // The text of a deck's cell. What is none is refused with its line.
        "RateLine.connection_fee",
        "RateLine.rate",
        // A day.
        "User.minimal_charge_start",
    ];
    assert_eq!(scalars, set(&exceptions));
}

#[test]
fn durations_say_their_unit() {
    let words = [
        "duration",
        "billsec",
        "billed",
        "time",
        "timeout",
        "progress",
        "ringing",
        "grace",
        "increment",
        "interval",
        "window",
        "ttl",
        "age",
        "delay",
        "wait",
        "lifetime",
    ];
    let integers = fields_called(&words, |field| {
        let says = ["_ms", "_seconds", "_days"].iter().any(|unit| field.name().ends_with(unit));
        is_integer(field) && !says
    });
    // Of 0.1: whole seconds, which their comments say.
    let exceptions = [
        "ActiveCall.max_duration",
        "AuthorizeCallRequest.max_duration",
        "AuthorizeCallResponse.max_duration",
        "ConnectionPoint.grace_time",
        "PointTimeouts.progress",
        "PointTimeouts.ringing",
        "Rate.increment",
        "Rate.min_time",
        "RateCallRequest.grace_time",
        "RatedLeg.increment",
        "RatedLeg.min_time",
        "Traffic.billsec",
        "Traffic.duration",
        "Traffic.originator_billed",
        "Traffic.terminator_billed",
        "UpdateCallRequest.max_duration",
    ];
    assert_eq!(integers, set(&exceptions));
}

/// What the option of a field says; the descriptors of this crate's types do not keep it.
fn behavior(field: &prost_reflect::FieldDescriptor) -> i32 {
    let options = field.options();
    let extension =
        field.parent_pool().get_extension_by_name("tollbook.v1.field_behavior").unwrap();
    options.get_extension(&extension).as_enum_number().unwrap_or_default()
}

/// A field is required if its comment says "Required." without a condition, and output only if it says
/// "Output only."; programs are told the same as people.
#[test]
fn what_comments_say_of_fields_their_options_say() {
    let pool = prost_reflect::DescriptorPool::decode(tollbook_proto::DESCRIPTORS).unwrap();
    let (mut required, mut output_only) = (0, 0);
    for file in pool.files().filter(|file| file.package_name().starts_with("tollbook.")) {
        let places = file.file_descriptor_proto().source_code_info.clone().unwrap().location;
        for message in file.messages() {
            for field in message.fields() {
                let place = places.iter().find(|place| place.path == field.path()).unwrap();
                let comment =
                    place.leading_comments().split_whitespace().collect::<Vec<_>>().join(" ");
                let says = |mark: &str| {
                    comment.starts_with(mark) || comment.contains(&format!(". {mark}"))
                };
                let expected = match (says("Required.") || says("Required;"), says("Output only."))
                {
                    (true, false) => 1,
                    (false, true) => 2,
                    (false, false) => 0,
                    (true, true) => panic!("{}: both?", field.full_name()),
                };
                assert_eq!(behavior(&field), expected, "{}: {comment}", field.full_name());
                required += usize::from(expected == 1);
                output_only += usize::from(expected == 2);
            }
        }
    }
    assert!(required > 60 && output_only > 10, "{required} {output_only}");
}
