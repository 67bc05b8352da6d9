//! Which warnings are due.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};
use tollbook_proto::v1 as pb;

use super::Recipient;
use crate::money::{self, Money};

/// What becomes of a recipient at a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing changes.
    Quiet,
    /// He is warned now.
    Warn { threshold: Money },
    /// The balance has recovered: the next drop is a new one.
    Recovered,
}

fn was_warned(warning: &pb::BalanceWarning, recipient: Recipient) -> bool {
    match recipient {
        Recipient::User => warning.user_warned,
        Recipient::Admin => warning.admin_warned,
        Recipient::Manager => warning.manager_warned,
    }
}

/// Notes whether a recipient was warned.
pub(super) fn set_warned(warning: &mut pb::BalanceWarning, recipient: Recipient, warned: bool) {
    match recipient {
        Recipient::User => warning.user_warned = warned,
        Recipient::Admin => warning.admin_warned = warned,
        Recipient::Manager => warning.manager_warned = warned,
    }
}

fn threshold(warning: &pb::BalanceWarning, recipient: Recipient) -> Option<Money> {
    let threshold = match recipient {
        Recipient::User => &warning.user_threshold,
        Recipient::Admin => &warning.admin_threshold,
        Recipient::Manager => &warning.manager_threshold,
    };
    money::parse(&threshold.as_ref()?.value).and_then(Money::new)
}

/// Decides about one recipient. `last` is when he was last warned of this user; `now` is in
/// the user's time zone.
pub(super) fn verdict(
    warning: &pb::BalanceWarning,
    recipient: Recipient,
    balance: Money,
    now: &ZonedDateTime,
    last: Option<i64>,
) -> Verdict {
    let warned = was_warned(warning, recipient);
    let threshold = threshold(warning, recipient).filter(|_| warning.active);
    let beyond = threshold.filter(|threshold| match warning.on_increase {
        true => balance > *threshold,
        false => balance < *threshold,
    });
    let Some(threshold) = beyond else {
        return if warned { Verdict::Recovered } else { Verdict::Quiet };
    };
    let due = match warning.hour {
        0 => !warned,
        hour => i32::from(now.hour()) == hour && !is_today(last, now),
    };
    if due { Verdict::Warn { threshold } } else { Verdict::Quiet }
}

fn is_today(time: Option<i64>, now: &ZonedDateTime) -> bool {
    let time = time.and_then(|time| Timestamp::from_microsecond(time).ok());
    time.is_some_and(|time| time.to_zoned_datetime(now.time_zone().clone()).date() == now.date())
}

/// Now, where a user is.
pub(super) fn local_time(zone: &str) -> ZonedDateTime {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Timestamp::now().to_zoned_datetime(zone)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn money(text: &str) -> Money {
        Money::new(money::parse(text).unwrap()).unwrap()
    }

    fn at(time: &str) -> ZonedDateTime {
        format!("{time}[Europe/Vilnius]").parse().unwrap()
    }

    fn warning(hour: i32) -> pb::BalanceWarning {
        let threshold = Some(pb::Decimal { value: "10".to_owned() });
        pb::BalanceWarning { active: true, user_threshold: threshold, hour, ..Default::default() }
    }

    #[test]
    fn once_per_drop() {
        let mut once = warning(0);
        let noon = at("2026-11-25T12:00");
        let mut look = |balance: &str| {
            let verdict = verdict(&once, Recipient::User, money(balance), &noon, None);
            match verdict {
                Verdict::Quiet => {}
                Verdict::Warn { .. } => set_warned(&mut once, Recipient::User, true),
                Verdict::Recovered => set_warned(&mut once, Recipient::User, false),
            }
            verdict
        };
        let warn = Verdict::Warn { threshold: money("10") };
        assert_eq!(look("10"), Verdict::Quiet);
        assert_eq!(look("9.99"), warn);
        assert_eq!(look("-5"), Verdict::Quiet);
        assert_eq!(look("10"), Verdict::Recovered);
        assert_eq!(look("11"), Verdict::Quiet);
        assert_eq!(look("9"), warn);
    }

    #[test]
    fn daily_at_the_hour_of_the_user_while_it_is_low() {
        let daily = warning(9);
        let look = |balance: &str, now: &str, last: Option<&str>| {
            let last = last.map(|time| at(time).timestamp().as_microsecond());
            verdict(&daily, Recipient::User, money(balance), &at(now), last)
        };
        let warn = Verdict::Warn { threshold: money("10") };
        assert_eq!(look("9", "2026-11-25T08:59", None), Verdict::Quiet);
        assert_eq!(look("9", "2026-11-25T09:00", None), warn);
        assert_eq!(look("9", "2026-11-25T09:59", Some("2026-11-25T09:00")), Verdict::Quiet);
        assert_eq!(look("9", "2026-11-25T10:00", Some("2026-11-24T09:00")), Verdict::Quiet);
        assert_eq!(look("9", "2026-11-26T09:10", Some("2026-11-25T09:59")), warn);
        assert_eq!(look("10", "2026-11-26T09:10", None), Verdict::Quiet);
    }

    #[test]
    fn who_has_no_threshold_is_not_warned_and_rising_balances_count_upwards() {
        let noon = at("2026-11-25T12:00");
        let verdict = |warning: &pb::BalanceWarning, recipient, balance| {
            super::verdict(warning, recipient, money(balance), &noon, None)
        };
        assert_eq!(verdict(&warning(0), Recipient::Admin, "-100"), Verdict::Quiet);
        let inactive = pb::BalanceWarning { active: false, ..warning(0) };
        assert_eq!(verdict(&inactive, Recipient::User, "-100"), Verdict::Quiet);
        let rising = pb::BalanceWarning { on_increase: true, ..warning(0) };
        let warn = Verdict::Warn { threshold: money("10") };
        assert_eq!(verdict(&rising, Recipient::User, "10.01"), warn);
        assert_eq!(verdict(&rising, Recipient::User, "10"), Verdict::Quiet);
    }
}
