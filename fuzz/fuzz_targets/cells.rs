//! Any text as a cell: a value or an error, and a value within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbook_import::values::{self, DateOrder, NumberFormat};

fuzz_target!(|text: &str| {
    for decimal in [None, Some('.'), Some(',')] {
        let format = NumberFormat { decimal, thousands: None };
        let _ = values::money(text, format);
        if let Ok(number) = values::decimal(text, format) {
            let printed = number.to_string();
            let point = NumberFormat { decimal: Some('.'), thousands: None };
            assert_eq!(values::decimal(&printed, point), Ok(number), "{text:?}");
        }
    }
    for order in [None, Some(DateOrder::Dmy), Some(DateOrder::Mdy), Some(DateOrder::Ymd)] {
        if let Ok(moment) = values::moment(text, order) {
            assert!(moment.resolve(&jiff::tz::TimeZone::UTC).is_ok(), "{text:?}");
        }
    }
    if let Ok(found) = values::prefixes(text, 100) {
        assert!((1..=100).contains(&found.prefixes.len()), "{text:?}");
        assert!(found.prefixes.iter().all(|prefix| (1..=32).contains(&prefix.len())));
    }
    if let Ok(interval) = values::interval(text) {
        assert!(interval.increment > 0 && interval.minimum.unwrap_or(0) <= 3600);
    }
    if let Ok(hours) = values::hours(text, text) {
        assert!(hours.iter().all(|hours| hours.from <= hours.to));
    }
    let _ = values::days(text);
});
