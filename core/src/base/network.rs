//! Addresses, subnets and ranges, as M4 writes them (`docs/rules/points-and-pools.md#addresses`).

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// A range of addresses of one family; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: IpAddr,
    last: IpAddr,
}

impl Network {
    /// Reads `10.0.0.1`, `10.0.0.0/24`, `10.0.0.1-10.0.0.9` or `10.0.0.1-9`; none: it is
    /// none of these.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((first, last)) = text.split_once('-') {
            let first: IpAddr = first.trim().parse().ok()?;
            let last = last_of_range(first, last.trim())?;
            let same_family = first.is_ipv4() == last.is_ipv4();
            return (same_family && first <= last).then_some(Self { first, last });
        }
        if text.contains('/') {
            let subnet: IpNet = text.parse().ok()?;
            return Some(Self { first: subnet.network(), last: subnet.broadcast() });
        }
        let address = text.parse().ok()?;
        Some(Self { first: address, last: address })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
    }

    /// How many addresses it has beyond the first.
    pub(crate) fn size(self) -> u128 {
        let number = |address| match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        number(self.last) - number(self.first)
    }
}

/// What [`Network::parse`] reads, in one spelling: a subnet by its first address, a range without
/// blanks.
pub(crate) fn normalized(text: &str) -> Option<(String, Network)> {
    let network = Network::parse(text)?;
    let text = match text.parse::<IpNet>() {
        Ok(subnet) => subnet.trunc().to_string(),
        Err(_) => text.split_whitespace().collect(),
    };
    Some((text, network))
}

/// The end of a range: an address, or of IPv4 the last part alone.
fn last_of_range(first: IpAddr, last: &str) -> Option<IpAddr> {
    match (first, last.parse::<u8>()) {
        (IpAddr::V4(first), Ok(part)) => {
            let [a, b, c, _] = first.octets();
            Some(Ipv4Addr::new(a, b, c, part).into())
        }
        _ => last.parse().ok(),
    }
}

/// A list of networks, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks(Vec<(String, Network)>);

impl Networks {
    /// Reads a list; none: one of them is no network.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let networks = parts.map(|part| Some((part.to_owned(), Network::parse(part)?)));
        networks.collect::<Option<_>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(_, network)| network.contains(address))
    }
}

impl std::fmt::Display for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(|(text, _)| text.as_str()).collect();
        f.write_str(&texts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::linear;

    #[test]
    fn the_forms_of_m4() {
        for (text, inside, outside) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.0/24", "10.0.0.255", "10.0.1.0"),
            ("10.0.0.7/24", "10.0.0.0", "10.0.1.0"),
            ("10.0.0.1-10.0.1.9", "10.0.1.9", "10.0.1.10"),
            ("10.0.0.1-9", "10.0.0.9", "10.0.0.10"),
            ("10.0.0.1 - 9", "10.0.0.1", "10.0.0.0"),
            ("2001:db8::/32", "2001:db8::1", "10.0.0.1"),
            ("10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1"),
        ] {
            let network = Network::parse(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}: {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}: {outside}");
        }
        for text in ["", "x", "10.0.0", "10.0.0.0/33", "10.0.0.9-1", "10.0.0.1-256", "10.0.0.1-::1"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn f14_long_lists_of_networks_take_their_time_and_no_more() {
        linear::assert(
            "networks",
            2_000,
            |count| "10.0.0.1-9, ".repeat(count),
            |list| assert!(Networks::parse(list).is_some()),
        );
    }

    proptest! {
        #[test]
        fn a_subnet_has_the_addresses_that_share_its_beginning(
            base in any::<u32>(), other in any::<u32>(), bits in 0_u32..=32,
        ) {
            let subnet = Network::parse(&format!("{}/{bits}", Ipv4Addr::from(base))).unwrap();
            let differ = u64::from(base ^ other) >> (32 - bits);
            prop_assert_eq!(subnet.contains(Ipv4Addr::from(other).into()), differ == 0);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.:/ -]{0,40}") {
            if let Some(network) = Network::parse(&text) {
                prop_assert!(network.contains(network.first) && network.contains(network.last));
            }
        }
    }
}
