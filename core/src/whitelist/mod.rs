//! The whitelist of addresses that may send legacy requests of MOR while the API is restricted by IP
//! (`docs/operators.md`).

mod service;
pub(crate) mod store;

use std::net::IpAddr;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    ids::WhitelistedAddressId,
    network::{self, Network},
    text::check_text,
};

/// An entry of the whitelist.
#[derive(Clone, Debug)]
pub(crate) struct WhitelistedAddress {
    id: WhitelistedAddressId,
    /// In its one spelling.
    text: String,
    network: Network,
    reason: String,
    api_access: bool,
}

impl WhitelistedAddress {
    fn new(text: &str, reason: &str, api_access: bool) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::invalid("network", "is required"));
        }
        check_text("network", text)?;
        check_text("reason", reason)?;
        let (text, network) = network::normalized(text)
            .ok_or_else(|| Error::invalid("network", "must be an address, a subnet or a range"))?;
        let (id, reason) = (WhitelistedAddressId(0), reason.to_owned());
        Ok(Self { id, text, network, reason, api_access })
    }

    fn to_proto(&self) -> pb::WhitelistedAddress {
        pb::WhitelistedAddress {
            id: Some(self.id.0),
            network: self.text.clone(),
            reason: self.reason.clone(),
            api_access: self.api_access,
        }
    }
}

/// All entries, by ascending id.
#[derive(Clone, Debug)]
pub(crate) struct Whitelist(Vec<WhitelistedAddress>);

impl Whitelist {
    /// Whether an entry gives an address access to the API; one that is not known has none.
    pub(crate) fn admits(&self, address: Option<IpAddr>) -> bool {
        let admits = |entry: &WhitelistedAddress, address| {
            entry.api_access && entry.network.contains(address)
        };
        address.is_some_and(|address| self.0.iter().any(|entry| admits(entry, address)))
    }

    /// Whether any address has access.
    pub(crate) fn admits_any(&self) -> bool {
        self.0.iter().any(|entry| entry.api_access)
    }

    /// The address of who gives access to others, if it has none itself; `None` as well for a
    /// loopback address, which may be that of a proxy and so of all clients.
    fn to_add(&self, own: Option<IpAddr>) -> Option<IpAddr> {
        own.filter(|own| !own.is_loopback() && !self.admits(Some(*own)))
    }

    fn by_id(&self, id: WhitelistedAddressId) -> Result<&WhitelistedAddress> {
        let found = self.0.iter().find(|entry| entry.id == id);
        found.ok_or(Error::WhitelistedAddressNotFound)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_gives_access_to_others_keeps_their_own() {
        let entry = |text, access| WhitelistedAddress::new(text, "", access).unwrap();
        let whitelist = Whitelist(vec![entry("192.0.2.1-9", true), entry("198.51.100.1", false)]);
        let adds = |own: &str| whitelist.to_add(Some(own.parse().unwrap())).is_some();
        assert!(adds("203.0.113.1"));
        assert!(adds("198.51.100.1"), "it is listed without access");
        assert!(!adds("192.0.2.9"));
        assert!(!adds("127.0.0.1"), "all clients of a proxy would come in");
        assert!(!adds("::1"));
        assert_eq!(whitelist.to_add(None), None);
    }

    #[test]
    fn a_subnet_is_kept_by_its_first_address() {
        for (given, kept) in [
            ("2.2.2.1/24", "2.2.2.0/24"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.1 - 125", "192.0.2.1-125"),
        ] {
            assert_eq!(WhitelistedAddress::new(given, "", true).unwrap().text, kept);
        }
        for wrong in ["", "192.0.2", "192.0.2.0/33", "192.0.2.9-1"] {
            WhitelistedAddress::new(wrong, "", true).unwrap_err();
        }
    }
}
