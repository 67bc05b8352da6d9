//! Import profiles: how the files of one carrier or switch are read. The core keeps them for those
//! who read files, which it never does itself.

mod check;
mod service;
mod store;

use tollbook_proto::v1::{self as pb, Permission, import_profile, update_import_profile_request};

pub(crate) use service::Service;

use crate::{clock, ids::ImportProfileId};

/// An import profile.
#[derive(Clone, Debug, PartialEq)]
struct Profile {
    id: ImportProfileId,
    name: String,
    contents: Contents,
    created_at: i64,
    changed_at: i64,
}

/// What a profile says.
#[derive(Clone, Debug, PartialEq)]
enum Contents {
    Rates(pb::RateFileProfile),
    Calls(pb::CallFileProfile),
}

/// What kind of files a profile is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rates,
    Calls,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Rates, Self::Calls];

    /// What the database calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Calls => "calls",
        }
    }

    /// Who has it imports such files, and so uses and keeps their profiles.
    fn permission(self) -> Permission {
        match self {
            Self::Rates => Permission::TariffsManage,
            Self::Calls => Permission::CallsManage,
        }
    }
}

impl Profile {
    fn to_proto(&self) -> pb::ImportProfile {
        pb::ImportProfile {
            id: self.id.0,
            name: self.name.clone(),
            contents: Some(self.contents.clone().into()),
            created_at: Some(clock::to_proto(self.created_at)),
            changed_at: Some(clock::to_proto(self.changed_at)),
        }
    }
}

impl Contents {
    fn kind(&self) -> Kind {
        match self {
            Self::Rates(_) => Kind::Rates,
            Self::Calls(_) => Kind::Calls,
        }
    }
}

impl From<import_profile::Contents> for Contents {
    fn from(contents: import_profile::Contents) -> Self {
        match contents {
            import_profile::Contents::Rates(rates) => Self::Rates(rates),
            import_profile::Contents::Calls(calls) => Self::Calls(calls),
        }
    }
}

impl From<Contents> for import_profile::Contents {
    fn from(contents: Contents) -> Self {
        match contents {
            Contents::Rates(rates) => Self::Rates(rates),
            Contents::Calls(calls) => Self::Calls(calls),
        }
    }
}

impl From<update_import_profile_request::Contents> for Contents {
    fn from(contents: update_import_profile_request::Contents) -> Self {
        match contents {
            update_import_profile_request::Contents::Rates(rates) => Self::Rates(rates),
            update_import_profile_request::Contents::Calls(calls) => Self::Calls(calls),
        }
    }
}
