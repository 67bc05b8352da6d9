//! Hangup causes: those of ITU-T Q.850 that switches send, MOR's own from 200, and M4's own from 300
//! (`docs/rules/live-calls.md#hangup-causes`).

/// Codes with what they mean, by ascending code.
pub(super) const CAUSES: &[(i64, &str)] = &[
    (0, "Unspecified"),
    (1, "Unallocated number"),
    (2, "No route to transit network"),
    (3, "No route to destination"),
    (6, "Channel unacceptable"),
    (16, "Normal call clearing"),
    (17, "User busy"),
    (18, "No user responding"),
    (19, "No answer from user"),
    (20, "Subscriber absent"),
    (21, "Call rejected"),
    (22, "Number changed"),
    (26, "Non-selected user clearing"),
    (27, "Destination out of order"),
    (28, "Invalid number format"),
    (29, "Facility rejected"),
    (31, "Normal, unspecified"),
    (34, "No circuit available"),
    (38, "Network out of order"),
    (41, "Temporary failure"),
    (42, "Switching equipment congestion"),
    (44, "Requested circuit not available"),
    (47, "Resource unavailable"),
    (50, "Requested facility not subscribed"),
    (55, "Incoming calls barred"),
    (57, "Bearer capability not authorised"),
    (58, "Bearer capability not available"),
    (65, "Bearer capability not implemented"),
    (79, "Service or option not implemented"),
    (88, "Incompatible destination"),
    (102, "Recovery on timer expiry"),
    (111, "Protocol error"),
    (127, "Interworking, unspecified"),
    (200, "MOR can't determine who is calling"),
    (201, "User is blocked"),
    (202, "Reseller is blocked"),
    (203, "No rates for User"),
    (204, "No suitable providers found"),
    (210, "Balance more than 0, but not enough to make call 1s in length"),
    (211, "Low balance for user or Daily limit is reached"),
    (212, "Balance too low for more simultaneous calls"),
    (215, "Low balance for reseller"),
    (216, "Reseller's balance is too low to make more simultaneous calls"),
    (218, "Reseller does not allow loss calls"),
    (220, "User call limit reached"),
    (221, "Device call limit reached"),
    (222, "Resellers call limit reached"),
    (223, "Providers call limit reached"),
    (224, "Provider skipped because his rate is higher than user's rate"),
    (225, "CallerID is banned"),
    (242, "No Rates for Reseller"),
    (249, "Partner's call limit reached"),
    (250, "Partner is blocked"),
    (251, "Low balance for Partner"),
    (252, "Partner's balance is too low to make more simultaneous calls"),
    (253, "Partner does not allow loss calls"),
    (254, "No Rates for Partner"),
    (300, "Not authenticated"),
    (301, "Originator not found by IP address"),
    (302, "Global Call Limit reached"),
    (303, "Originator Capacity reached"),
    (304, "Originator's CPS Limit reached"),
    (305, "Source (CallerID) not accepted by regexp"),
    (306, "Originator Balance Limit reached (Balance Min)"),
    (307, "Originator Rate not found"),
    (308, "Dial Peer not found"),
    (309, "Origination Point is not active"),
    (310, "Suitable Terminator not found"),
    (311, "User is blocked"),
    (312, "Caller canceled the call"),
    (313, "User call limit reached"),
    (314, "Accounting start was not received"),
    (315, "Accounting stop was not received"),
    (316, "Termination point details were not found"),
    (317, "Registration to termination point failed"),
    (318, "Originator codecs are not allowed"),
    (319, "No more calls can be made"),
    (320, "Balance too low to make a call"),
    (321, "Source number does not match terminator's source regexp"),
    (322, "Source number is denied by terminator's source deny regexp"),
    (323, "Terminator's balance limit reached (Balance Max)"),
    (324, "Rate margin is lower than allowed"),
    (325, "Destination number is in blacklist"),
    (326, "Destination number is not in the whitelist"),
    (327, "Terminator's capacity reached"),
    (328, "Terminator's user's call limit reached"),
    (329, "Terminator's CPS limit reached"),
    (330, "Destination is blocked in Originator's Tariff"),
    (331, "Destination is blocked in Terminator's Tariff"),
    (332, "Originator was found by IP but tech prefix does not match"),
    (333, "Originator was found by IP but the port does not match"),
    (334, "Source number is in blacklist"),
    (335, "Source number is not in the whitelist"),
    (336, "Destination can not be empty"),
    (337, "Call comes from the server which is not assigned to the originator"),
    (338, "Unreachable Terminator skipped"),
    (339, "User is not allowed to dial through own terminators"),
    (340, "User's call rate is higher than allowed"),
    (341, "Global Incoming System CPS limit reached"),
];

/// What a code means; none: it is not a known one.
pub(crate) fn description(code: i64) -> Option<&'static str> {
    let index = CAUSES.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    CAUSES.get(index).map(|(_, description)| *description)
}

#[cfg(test)]
mod tests {
    use tollbook_proto::v1::RejectCode;

    use super::*;

    #[test]
    fn every_reject_code_has_a_description() {
        assert!(CAUSES.is_sorted());
        let codes: Vec<i32> = (1..400).filter(|code| RejectCode::try_from(*code).is_ok()).collect();
        assert_eq!(codes.len(), 58);
        for code in codes {
            assert!(description(i64::from(code)).is_some(), "{code}");
        }
    }
}
