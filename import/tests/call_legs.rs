//! The two legs of FreeSWITCH's calls (`legs = ab`): one of them is billed, whatever their order, and
//! however they are spread over files.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use proptest::prelude::*;
use tollbook_import::calls::{CallFile, CallItem, CallOptions, Internal, LeftOut, Legs, Problem};

/// Reads files one after the other, as an import does: the ids that are billed, what is refused, and
/// what is left out.
fn read(files: &[String], options: &CallOptions) -> (Vec<String>, Vec<Problem>, LeftOut) {
    let (mut legs, mut items) = (Legs::default(), Vec::new());
    for (number, text) in files.iter().enumerate() {
        let mut file = CallFile::read(Box::new(Cursor::new(text.clone())), options).unwrap();
        assert!(file.format().has_legs());
        while let Some(item) = file.next_item().unwrap() {
            match item {
                CallItem::Call(call) => items.extend(legs.take(number, call).map(CallItem::Call)),
                CallItem::BLeg { id, of, .. } => legs.leave_out(&id, &of),
                CallItem::Internal { outer, .. } => {
                    if let Some(local) = &outer {
                        legs.no_outer(local, false);
                    }
                }
                item => {
                    if let CallItem::Refused { outer: Some(local), .. } = &item {
                        legs.no_outer(local, true);
                    }
                    items.push(item);
                }
            }
        }
    }
    let (waited, left_out) = legs.finish(options);
    items.extend(waited.into_iter().map(|(_, item)| item));
    let (mut billed, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            CallItem::Call(call) => billed.push(call.ids.unique),
            CallItem::Refused { problem, .. } => refused.push(problem),
            other => panic!("{other:?}"),
        }
    }
    billed.sort();
    (billed, refused, left_out)
}

fn left_out_of(b_legs: usize, without_a_leg: usize) -> LeftOut {
    LeftOut { b_legs, without_a_leg, ..LeftOut::default() }
}

/// A record of `mod_cdr_csv`, template `example`.
fn leg(id: &str, b_leg: &str, seconds: u32) -> String {
    let answer = if seconds > 0 { "2026-11-20 10:00:00" } else { "" };
    format!(
        "\"A\",\"3705\",\"37061234567\",\"default\",\"2026-11-20 10:00:00\",\"{answer}\",\
         \"2026-11-20 10:00:{seconds:02}\",\"{seconds}\",\"{seconds}\",\"NORMAL_CLEARING\",\"{id}\",\
         \"{b_leg}\",\"globex\",\"PCMU\",\"PCMU\"\n"
    )
}

proptest! {
    #[test]
    fn in_any_order_and_over_any_files(
        (lines, cuts) in (1_usize..6).prop_flat_map(|calls| {
            let lines: Vec<String> = (0..calls)
                .flat_map(|n| [leg(&format!("a{n}"), &format!("b{n}"), 30), leg(&format!("b{n}"), "", 30)])
                .collect();
            let cuts = prop::collection::vec(0..lines.len(), 0..3);
            (Just(lines).prop_shuffle(), cuts)
        }),
    ) {
        let mut files = vec![String::new()];
        for (at, line) in lines.iter().enumerate() {
            if cuts.contains(&at) && !files.last().unwrap().is_empty() {
                files.push(String::new());
            }
            files.last_mut().unwrap().push_str(line);
        }
        let calls = lines.len() / 2;
        let (billed, refused, left_out) = read(&files, &CallOptions::default());
        let expected: Vec<String> = (0..calls).map(|n| format!("a{n}")).collect();
        prop_assert_eq!((billed, refused), (expected, vec![]));
        prop_assert_eq!(left_out, left_out_of(calls, 0));
    }
}

#[test]
fn a_leg_whose_other_leg_is_elsewhere_is_not_billed_by_itself() {
    let files = [leg("a", "b", 30) + &leg("c", "", 30) + &leg("d", "", 0)];
    let (billed, refused, _) = read(&files, &CallOptions::default());
    // What was not answered costs nothing, whichever leg it is.
    assert_eq!((billed, refused), (vec!["a".into(), "d".into()], vec![Problem::LoneLeg]));
    assert!(Problem::LoneLeg.to_string().contains("--take-lone-legs"));

    let lone = CallOptions { take_lone_legs: true, ..CallOptions::default() };
    let (billed, refused, _) = read(&[leg("b", "", 30), leg("c", "", 9), leg("a", "b", 30)], &lone);
    assert_eq!((billed, refused), (vec!["a".into(), "c".into()], vec![]));
    let both = CallOptions { take_b_legs: true, ..CallOptions::default() };
    let (billed, refused, left_out) = read(&[leg("a", "b", 30) + &leg("b", "", 30)], &both);
    assert_eq!((billed, refused), (vec!["a".into(), "b".into()], vec![]));
    assert_eq!(left_out, LeftOut::default());
}

#[test]
fn other_formats_say_of_a_leg_which_it_is() {
    let json = |id: &str, more: &str| {
        format!(
            "{{\"variables\":{{\"uuid\":\"{id}\",\"accountcode\":\"globex\",\"start_epoch\":\"1795161600\",\
             \"billsec\":\"60\",\"hangup_cause\":\"NORMAL_CLEARING\"{more}}},\"callflow\":[{{\
             \"caller_profile\":{{\"destination_number\":\"37061\"}}}}]}}\n"
        )
    };
    let b_leg_of =
        |a: &str| format!(",\"originating_leg_uuid\":\"{a}\",\"direction\":\"outbound\"");
    let bond = |id: &str, bond: &str, direction: &str| {
        format!(
            "\"{id}\",\"{bond}\",\"{direction}\",\"3705\",\"37061\",\"2026-11-20 10:00:10\",\
             \"2026-11-20 10:01:10\",\"60\",\"globex\",\"\",\"192.0.2.1\",\"C\",\"carrier\"\n"
        )
    };
    let asterisk = |id: &str, own: &str, other: &str, app: &str| {
        format!(
            "\"globex\",\"3705\",\"37061\",\"default\",\"\"C\" <3705>\",\"{own}\",\"{other}\",\"{app}\",\"\",\
             \"2026-11-20 10:00:00\",\"2026-11-20 10:00:10\",\"2026-11-20 10:01:10\",\"70\",\"60\",\
             \"NORMAL_CLEARING\",\"3\",\"{id}\",\"\"\n"
        )
    };
    for [a, b] in [
        [json("a", ""), json("b", &b_leg_of("a"))],
        [bond("a", "b", "inbound"), bond("b", "a", "outbound")],
        [
            asterisk("a", "sofia/x/1", "sofia/y/2", "bridge"),
            asterisk("b", "sofia/y/2", "sofia/x/1", ""),
        ],
    ] {
        for files in [vec![format!("{a}{b}")], vec![format!("{b}{a}")], vec![b.clone(), a.clone()]]
        {
            let (billed, refused, left_out) = read(&files, &CallOptions::default());
            assert_eq!((billed, refused), (vec!["a".to_owned()], vec![]), "{files:?}");
            assert_eq!(left_out, left_out_of(1, 0), "{files:?}");
        }
        let (billed, refused, left_out) = read(&[b], &CallOptions::default());
        assert_eq!((billed, refused), (vec![], vec![]));
        assert_eq!(left_out, left_out_of(1, 1));
    }
}

/// A record of Asterisk's `cdr_csv`: so many seconds answered, of a call of 50 seconds.
fn record_of(account: &str, id: &str, channels: (&str, &str), minute: u32, seconds: u32) -> String {
    let (channel, dst_channel) = channels;
    let (answer, disposition) = match seconds {
        0 => (String::new(), "NO ANSWER"),
        seconds => (format!("2026-11-20 10:{minute:02}:{:02}", 50 - seconds), "ANSWERED"),
    };
    format!(
        "\"{account}\",\"3705\",\"37061234567\",\"out\",\"\"\"C\"\" <1>\",\"{channel}\",\"{dst_channel}\",\"Dial\",\
         \"x\",\"2026-11-20 10:{minute:02}:00\",\"{answer}\",\"2026-11-20 10:{minute:02}:50\",\
         50,{seconds},\"{disposition}\",\"DOCUMENTATION\",\"{id}\",\"\"\n"
    )
}

fn record(id: &str, channel: &str, dst_channel: &str, minute: u32) -> String {
    record_of("globex", id, (channel, dst_channel), minute, 30)
}

const OUTER: (&str, &str) = ("PJSIP/acme-00000001", "Local/1@out-00000003;1");
const INNER: (&str, &str) = ("Local/1@out-00000003;2", "PJSIP/colossus-00000002");

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn nothing_is_hidden_behind_the_first_end_of_a_local_channel() {
    let ends = |first: (&str, u32), second: (&str, u32)| {
        let records = record_of(first.0, "1.1", OUTER, 0, first.1)
            + &record_of(second.0, "1.2", INNER, 0, second.1);
        let (billed, refused, _) = read(&[records], &CallOptions::default());
        (billed, refused)
    };
    // In any case of letters it is the same payer; what failed is no call of its own.
    assert_eq!(ends(("globex", 30), ("Globex", 30)), (ids(&["1.1"]), vec![]));
    assert_eq!(ends(("globex", 30), ("globex", 0)), (ids(&["1.1"]), vec![]));
    // The first was not answered: the second is the call.
    assert_eq!(ends(("globex", 0), ("globex", 30)), (ids(&["1.1", "1.2"]), vec![]));
    // Another payer, or a longer call: somebody has to say.
    let longer = vec![Problem::LongerLocalEnd];
    let another = vec![Problem::OtherLocalEnd];
    assert_eq!(ends(("initech", 30), ("globex", 30)), (ids(&["1.1"]), another));
    assert_eq!(ends(("globex", 1), ("globex", 30)), (ids(&["1.1"]), longer.clone()));

    // Of two that follow, one is the other end.
    let records = record_of("globex", "1.1", OUTER, 0, 40)
        + &record_of("globex", "1.2", INNER, 0, 30)
        + &record_of("globex", "1.3", INNER, 0, 30);
    let (billed, refused, left_out) = read(&[records], &CallOptions::default());
    assert_eq!((billed, refused, left_out.b_legs), (ids(&["1.1"]), longer, 1));
}

#[test]
fn a_call_through_two_local_channels_is_billed_once() {
    let ends = [
        OUTER,
        ("Local/1@out-00000003;2", "Local/1@trunk-00000004;1"),
        ("Local/1@trunk-00000004;2", "PJSIP/colossus-00000002"),
    ];
    let records = ["1.1", "1.2", "1.3"].into_iter().zip(ends);
    let records: String =
        records.map(|(id, (channel, dst_channel))| record(id, channel, dst_channel, 0)).collect();
    let (billed, refused, left_out) = read(&[records], &CallOptions::default());
    assert_eq!((billed, refused, left_out.b_legs), (ids(&["1.1"]), vec![], 2));
}

#[test]
fn a_call_through_a_local_channel_of_asterisks_is_billed_once() {
    let local = "Local/37061234567@out-00000003";
    let first = record("1.1", "PJSIP/acme-00000001", &format!("{local};1"), 0);
    let second = record("1.2", &format!("{local};2"), "PJSIP/colossus-00000002", 0);
    for files in [
        vec![first.clone() + &second],
        vec![second.clone() + &first],
        vec![second.clone(), first.clone()],
    ] {
        let (billed, refused, left_out) = read(&files, &CallOptions::default());
        assert_eq!((billed, refused), (vec!["1.1".to_owned()], vec![]));
        assert_eq!(left_out, left_out_of(1, 0));
    }
    // Told to, both are taken.
    let options = CallOptions { take_b_legs: true, ..Default::default() };
    let (billed, ..) = read(&[first.clone() + &second], &options);
    assert_eq!(billed, ["1.1", "1.2"]);

    // After a restart the names of channels come again: of that one there is no first record.
    let later = record("2.2", &format!("{local};2"), "PJSIP/colossus-00000002", 40);
    let (billed, refused, _) = read(&[first + &second + &later], &CallOptions::default());
    assert_eq!((billed, refused), (ids(&["1.1"]), vec![Problem::LoneLocalEnd]));
}

/// The first may come with the next import: who takes the second by itself is told.
#[test]
fn the_second_end_of_a_local_channel_is_no_call_by_itself() {
    let second = record("1.2", INNER.0, INNER.1, 0);
    let unanswered = record_of("globex", "1.3", INNER, 0, 0);
    let (billed, refused, left_out) =
        read(&[second.clone() + &unanswered], &CallOptions::default());
    assert_eq!((billed, refused), (ids(&["1.3"]), vec![Problem::LoneLocalEnd]));
    assert_eq!(left_out, LeftOut::default());
    assert!(Problem::LoneLocalEnd.to_string().contains("--take-lone-legs"));

    let lone = CallOptions { take_lone_legs: true, ..CallOptions::default() };
    let (billed, refused, left_out) = read(std::slice::from_ref(&second), &lone);
    assert_eq!((billed, refused), (ids(&["1.2"]), vec![]));
    assert_eq!(left_out, LeftOut { lone_local_ends: 1, ..LeftOut::default() });
    // A first record that is refused is mended, and comes.
    let nobodys = record_of("", "1.1", OUTER, 0, 30);
    for records in [nobodys.clone() + &second, second.clone() + &nobodys] {
        let (billed, mut refused, _) = read(&[records], &lone);
        refused.sort_by_key(ToString::to_string);
        assert_eq!((billed.len(), refused.len()), (0, 2), "{refused:?}");
        assert!(refused.contains(&Problem::LoneLocalEnd), "{refused:?}");
    }
}

/// As of a ring group or a call that is sent on: it went out to another number than was called.
#[test]
fn the_second_end_of_a_local_channel_to_another_number_is_another_call() {
    let to = |text: String, number: &str| text.replace("37061234567", number);
    let second = record("1.2", INNER.0, INNER.1, 0);
    for number in ["600", "37052000000"] {
        let records = to(record("1.1", OUTER.0, OUTER.1, 0), number) + &second;
        let (billed, refused, left_out) =
            read(std::slice::from_ref(&records), &CallOptions::default());
        assert_eq!((billed, refused), (ids(&["1.1"]), vec![Problem::OtherLocalEnd]));
        assert_eq!(left_out, LeftOut::default());
        let lone = CallOptions { take_lone_legs: true, ..CallOptions::default() };
        let (billed, refused, _) = read(std::slice::from_ref(&records), &lone);
        assert_eq!((billed, refused), (ids(&["1.1", "1.2"]), vec![]));
    }
    // Written otherwise it is the same number.
    let records = to(record("1.1", OUTER.0, OUTER.1, 0), "+37061234567") + &second;
    let (billed, refused, left_out) = read(&[records], &CallOptions::default());
    assert_eq!((billed, refused, left_out.b_legs), (ids(&["1.1"]), vec![], 1));
    // A first one that is internal costs nothing: the second is the call.
    let internal = Internal::new(&["600".to_owned()], 0).unwrap();
    let options = CallOptions { internal, ..CallOptions::default() };
    let records = to(record("1.1", OUTER.0, OUTER.1, 0), "600") + &second;
    let (billed, refused, left_out) = read(&[records], &options);
    assert_eq!((billed, refused, left_out), (ids(&["1.2"]), vec![], LeftOut::default()));
}

/// `uuid_bridge` of two legs of a call, the second one first, makes each the B leg of the other.
#[test]
fn of_two_legs_that_name_each_other_one_is_billed() {
    let records = leg("a", "b", 30) + &leg("b", "a", 30);
    for files in [vec![records.clone()], vec![leg("a", "b", 30), leg("b", "a", 30)]] {
        let (billed, refused, _) = read(&files, &CallOptions::default());
        assert_eq!((billed, refused), (ids(&["a"]), vec![Problem::MutualLegs]));
    }
    // The same record twice is for the core to see; and a leg may be sent on.
    let records = [leg("a", "b", 30), leg("a", "b", 30), leg("b", "c", 30), leg("c", "", 30)];
    let (billed, refused, left_out) = read(&[records.concat()], &CallOptions::default());
    assert_eq!((billed, refused, left_out.b_legs), (ids(&["a", "a", "b"]), vec![], 1));
}
