//! What the columns of rate decks are called.
//!
//! The names are those of decks that carriers publish, of A-Z lists of wholesale portals and of
//! the import templates of other billing systems. Those in other languages than English are in
//! [`languages`].

use super::languages;
use crate::{
    table::{Field, Vocabulary},
    values::CURRENCIES,
};

/// The fields of a deck.
pub const FIELDS: Vocabulary = Vocabulary {
    fields: &ALL,
    required: &[&["prefix", "country_code"], &["rate"]],
    foreign: languages::field,
    units,
    refused,
};

const fn field(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field { name, synonyms }
}

const ALL: [Field; 22] = [
    field(
        "prefix",
        &[
            "prefixes",
            "code",
            "codes",
            "dial code",
            "dial codes",
            "dialcode",
            "dialcodes",
            "dialing code",
            "dialling code",
            "dial prefix",
            "destination code",
            "destination codes",
            "destination prefix",
            "destination prefixes",
            "dest code",
            "dest prefix",
            "dst prefix",
            "dst code",
            "e164",
            "e 164",
            "e164 code",
            "digits",
            "number prefix",
            "phone prefix",
            "phone code",
            "full code",
            "breakout code",
            "country area code",
            "npanxx",
            "npa nxx",
            "lata code",
            "dialed prefix",
            "called prefix",
        ],
    ),
    field("country_code", &["cc", "country codes", "country dial code", "countrycode"]),
    field(
        "area_code",
        &[
            "area codes",
            "areacode",
            "city code",
            "city codes",
            "local code",
            "national code",
            "ndc",
            "operator code",
            "area",
            "area city code",
            "network code",
        ],
    ),
    field("country", &["country name", "countries", "location"]),
    field(
        "destination",
        &[
            "destination name",
            "destinations",
            "dest",
            "dest name",
            "description",
            "name",
            "route",
            "route name",
            "zone",
            "zone name",
            "region",
            "prefix name",
            "code name",
            "breakout",
            "area name",
            "network",
            "direction",
            "destination description",
            "dst name",
            "carrier destination",
        ],
    ),
    field(
        "rate",
        &[
            "rates",
            "price",
            "prices",
            "rate per minute",
            "price per minute",
            "rate minute",
            "price minute",
            "rate min",
            "price min",
            "per minute",
            "cost",
            "cost per minute",
            "new rate",
            "new price",
            "current rate",
            "current price",
            "ppm",
            "call rate",
            "voice rate",
            "unit price",
            "sell rate",
            "buy rate",
            "minute rate",
            "minute price",
            "rate 1 min",
            "price 1 min",
            "rate n",
            "cost rate",
        ],
    ),
    field(
        "connection_fee",
        &[
            "connection charge",
            "connect fee",
            "connect charge",
            "connection cost",
            "connectfee",
            "setup",
            "setup fee",
            "setup charge",
            "set up fee",
            "call setup",
            "call setup fee",
            "flag fall",
            "flagfall",
            "initial charge",
            "connection price",
            "connection",
        ],
    ),
    field(
        "increment",
        &[
            "increments",
            "interval",
            "intervals",
            "billing increment",
            "billing increments",
            "billing interval",
            "billing intervals",
            "rounding",
            "rounding rule",
            "min int",
            "min inc",
            "min interval increment",
            "pulse",
            "billing",
            "billing pulse",
            "charging interval",
            "billing terms",
            "billing type",
            "call increment",
            "rate increment",
            "billing step",
            "step",
            "first next interval",
            "initial next increment",
            "billing unit",
            "intervals 1 n",
            "interval 1 n",
            "increment rule",
            "pulse rate",
            "billing cycle",
        ],
    ),
    field(
        "min_time",
        &[
            "minimum time",
            "min duration",
            "minimum duration",
            "minimum",
            "minimum seconds",
            "min seconds",
            "min sec",
            "minimal time",
            "minimum charge time",
            "min charge time",
            "minimum billing",
            "minimum billable time",
            "min call duration",
            "min billing time",
        ],
    ),
    field(
        "first_interval",
        &[
            "initial interval",
            "first increment",
            "initial increment",
            "interval 1",
            "interval1",
            "1st interval",
            "1st increment",
            "initial period",
            "first period",
            "min interval",
            "minimum interval",
            "minimum increment",
            "min increment",
            "initial block",
            "interval first",
            "first billing interval",
            "initial billing interval",
            "initial billing increment",
        ],
    ),
    field(
        "next_interval",
        &[
            "sub interval",
            "subsequent interval",
            "second interval",
            "next increment",
            "second increment",
            "subsequent increment",
            "additional increment",
            "interval n",
            "interval 2",
            "interval2",
            "2nd interval",
            "2nd increment",
            "next period",
            "recurring interval",
            "recurring increment",
            "additional interval",
            "further interval",
            "sub increment",
            "subinterval",
            "interval next",
            "sequential increment",
        ],
    ),
    field("steps", &["billing steps", "steps from", "steps count from"]),
    field(
        "effective_from",
        &[
            "effective date",
            "effective",
            "effective on",
            "effective since",
            "effective time",
            "effective date time",
            "effectivedate",
            "valid from",
            "valid since",
            "validfrom",
            "start date",
            "date from",
            "from date",
            "active from",
            "activation date",
            "begin date",
            "date effective",
            "effective start date",
            "effective from date",
            "date of effect",
            "valid from date",
            "in force from",
            "eff date",
            "start effective date",
        ],
    ),
    field(
        "effective_until",
        &[
            "effective to",
            "effective till",
            "effective end date",
            "valid to",
            "valid until",
            "valid till",
            "validto",
            "end date",
            "date to",
            "to date",
            "expiry date",
            "expiry",
            "expires",
            "expiration date",
            "expire date",
            "active to",
            "active until",
            "termination date",
            "valid to date",
        ],
    ),
    field("start_time", &["time from", "from time", "begin time", "start hour", "time start"]),
    field("end_time", &["time to", "to time", "time until", "end hour", "time end", "stop time"]),
    field("hours", &["time band", "time of day", "timeband", "time range", "time period"]),
    field(
        "day_type",
        &["days", "day", "daytype", "week days", "days of week", "weekday", "day of week"],
    ),
    field("blocked", &["block", "is blocked"]),
    field(
        "status",
        &[
            "change",
            "change type",
            "rate change",
            "price change",
            "rate status",
            "changes",
            "price status",
            "code status",
            "change status",
            "indicator",
            "trend",
            "movement",
            "rate change type",
            "update type",
            "type of change",
        ],
    ),
    field("currency", &["curr", "ccy", "currency code", "rate currency"]),
    field(
        "origin",
        &[
            "origination prefixes",
            "origination prefix",
            "origination",
            "origin prefix",
            "origin prefixes",
            "origin code",
            "origin codes",
            "origins",
            "originating prefix",
            "originating prefixes",
            "origin group",
            "origin zone",
            "origination code",
            "origination codes",
            "origination group",
            "origination zone",
            "source prefix",
            "src prefix",
            "src code",
            "source code",
            "caller prefix",
            "calling prefix",
            "from country",
            "a number prefix",
            "ani prefix",
            "cli prefix",
            "origin based",
            "origination country",
            "origin country",
            "orig prefix",
            "orig code",
            "cli",
            "ani",
            "a number",
        ],
    ),
];

pub(super) fn is_currency(word: &str) -> bool {
    matches!(word, "$" | "€" | "£" | "us$" | "euro" | "euros") || CURRENCIES.contains(&word)
}

pub(super) fn is_date_format(word: &str) -> bool {
    matches!(word, "dd" | "mm" | "mmm" | "mon" | "yy" | "yyyy")
}

fn units(word: &str, in_front: bool) -> bool {
    let time = languages::is_minutes(word)
        || languages::is_seconds(word)
        || languages::is_cents(word)
        || languages::is_between(word);
    let date = is_date_format(word) || matches!(word, "utc" | "gmt");
    is_currency(word) || (time || date) && !in_front
}

/// What can be done with a column of prices for some calls.
macro_rules! not_kept {
    () => {
        " are not supported: take the one that is to count with --column rate=COLUMN, pass over the \
         others with --ignore-column, and import each that is needed into a tariff of its own"
    };
}

/// Columns on which a price depends and that a rate has no place for. Passing over them would
/// take one price for all calls.
fn refused(name: &str) -> Option<&'static str> {
    // `origin` is a field: its column may be empty.
    if name.is_empty() || FIELDS.field(name).is_some() {
        return None;
    }
    let has = |words: &[&str]| name.split(' ').any(|word| words.contains(&word));
    if has(&[
        "inter",
        "intra",
        "interstate",
        "intrastate",
        "indeterminate",
        "indeterm",
        "indet",
        "jurisdiction",
        "ij",
        "intralata",
        "interlata",
        "ijr",
    ]) {
        return Some(concat!("rates that depend on the state of the caller", not_kept!()));
    }
    let origin = [
        "origin",
        "origination",
        "originating",
        "orig",
        "surcharge",
        "eea",
        "row",
        "caller",
        "calling",
    ];
    if has(&origin) {
        return Some(concat!("rates that depend on the origin of the caller", not_kept!()));
    }
    if has(&["status", "suspended", "barred", "availability"]) {
        return Some(
            "whether calls are taken at all, perhaps, is not known by this name: take it with --column \
             status=COLUMN, or pass over it by its name with --ignore-column",
        );
    }
    let band = ["peak", "offpeak", "weekend", "night", "evening", "holiday", "weekday"];
    let is_rate = name == "peak" || name == "off peak" || has(&["rate", "price", "cost", "fee"]);
    if has(&band) && (is_rate || name.ends_with("peak") || name.starts_with("offpeak")) {
        return Some(concat!(
            "rates that depend on the hour or day, in columns of their own,",
            not_kept!(),
            "; or give each rate a line of its own, with start_time, end_time and day_type"
        ));
    }
    if has(&["rate", "price", "cost"]) && name.split(' ').count() <= 5 {
        return Some(
            "another price: pass over it with --ignore-column if rates do not depend on it, or take \
             it as the price with --column rate=COLUMN",
        );
    }
    languages::refused(name)
}
