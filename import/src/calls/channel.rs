//! Whose a channel is: the peer in its name.

/// The peer that a channel of Asterisk or FreeSWITCH belongs to; empty if its name says none.
///
/// | channel | peer |
/// | --- | --- |
/// | `SIP/carrier-0000002a`, `PJSIP/carrier-0000002a` | `carrier` |
/// | `IAX2/carrier-5634` | `carrier` |
/// | `DAHDI/i1/37061234567-3`, `DAHDI/g1/370…` | `i1`, `g1`: the span or group |
/// | `DAHDI/4-1` | `4`: the channel |
/// | `Local/37061234567@to-carrier-0000001f;2` | `to-carrier`: the context |
/// | `sofia/gateway/carrier/37061234567` | `carrier` |
/// | `sofia/external/37061234567@192.0.2.1:5060` | `192.0.2.1` |
///
/// The host of a `sofia` channel is where a call was sent to; of a call that came in, it is what
/// the caller wrote into From. So it names whose termination a call was, but never who pays:
/// [`Side::Caller`] gives nothing for it.
#[must_use]
pub fn peer(channel: &str, side: Side) -> &str {
    let Some((technology, rest)) = channel.split_once('/') else { return "" };
    match technology.to_ascii_lowercase().as_str() {
        "sofia" => sofia(rest, side),
        "local" => {
            let without_end = rest.split_once(';').map_or(rest, |(name, _)| name);
            let context = without_end.split_once('@').map_or("", |(_, context)| context);
            without_instance(context, 4)
        }
        "dahdi" | "zap" => match rest.split_once('/') {
            Some((span, _)) => span,
            None => without_instance(rest, 1),
        },
        "sip" | "pjsip" => without_instance(first(rest), 8),
        _ => without_instance(first(rest), 1),
    }
}

/// The name of one of the two ends of a Local channel of Asterisk's, and which it is: `1`, which was
/// dialled, or `2`, on which the call goes on.
pub(super) fn local_end(channel: &str) -> Option<(&str, char)> {
    let (name, end) = channel.rsplit_once(';')?;
    let is_local = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("local/"));
    let end = end.chars().next().filter(|_| is_local && end.len() == 1)?;
    Some((name, end))
}

/// Which end of a call a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The channel that the call came in on.
    Caller,
    /// The channel that it went out on.
    Called,
}

fn sofia(rest: &str, side: Side) -> &str {
    let Some((profile, address)) = rest.split_once('/') else { return "" };
    if profile == "gateway" {
        return address.split_once('/').map_or(address, |(gateway, _)| gateway);
    }
    if side == Side::Caller {
        return "";
    }
    // The last one: a name before it may hold anything.
    let host = address.rsplit_once('@').map_or("", |(_, host)| host);
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

fn first(rest: &str) -> &str {
    rest.split_once('/').map_or(rest, |(name, _)| name)
}

/// Without the number that tells channels of one peer apart: `-` and at least so many
/// hexadecimal digits, so that `my-cafe` keeps its name.
fn without_instance(name: &str, digits: usize) -> &str {
    match name.rsplit_once('-') {
        Some((peer, instance))
            if instance.len() >= digits
                && instance.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            peer
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers() {
        for (channel, caller, called) in [
            ("SIP/carrier-0000002a", "carrier", "carrier"),
            ("PJSIP/colt-uk-00000002", "colt-uk", "colt-uk"),
            ("PJSIP/colt-uk", "colt-uk", "colt-uk"),
            ("PJSIP/my-cafe", "my-cafe", "my-cafe"),
            ("IAX2/peer-5634", "peer", "peer"),
            ("DAHDI/i1/37061234567-3", "i1", "i1"),
            ("DAHDI/g1/37061234567", "g1", "g1"),
            ("DAHDI/4-1", "4", "4"),
            ("Local/37061@to-carrier-0000001f;2", "to-carrier", "to-carrier"),
            ("sofia/gateway/carrier/37061234567", "carrier", "carrier"),
            ("sofia/external/37061@192.0.2.1:5060", "", "192.0.2.1"),
            ("sofia/internal/globex@evil@carrier.example", "", "carrier.example"),
            ("sofia/external/37061@[2001:db8::1]", "", "[2001:db8::1]"),
            ("", "", ""),
            ("garbage", "", ""),
        ] {
            assert_eq!(peer(channel, Side::Caller), caller, "{channel}");
            assert_eq!(peer(channel, Side::Called), called, "{channel}");
        }
    }
}
