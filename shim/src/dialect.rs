//! The dialects: the one place that says how the API of M4 and that of MOR differ as a whole. How a
//! method differs is said where it is declared ([`crate::m4`], [`crate::mor`]).

use tollbook_proto::v1::LegacyDialect;

use crate::{Method, m4, mor};

/// Which legacy API a shim speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// M4, formerly M2.
    M4,
    /// MOR.
    Mor,
}

impl Dialect {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::M4 => "M4",
            Self::Mor => "MOR",
        }
    }

    /// All methods of the dialect, by group.
    #[must_use]
    pub fn methods(self) -> &'static [Method] {
        match self {
            Self::M4 => m4::METHODS,
            Self::Mor => mor::METHODS,
        }
    }

    /// The dialect as the contract has it.
    #[must_use]
    pub fn to_proto(self) -> LegacyDialect {
        match self {
            Self::M4 => LegacyDialect::M4,
            Self::Mor => LegacyDialect::Mor,
        }
    }

    /// Whether the API is found below a first part of the path: MOR's was below `mor` at first, and
    /// clients of that time still look for it there.
    pub(crate) fn has_root(self, segment: &str) -> bool {
        match self {
            Self::M4 => segment == "billing",
            Self::Mor => matches!(segment, "billing" | "mor"),
        }
    }

    /// Whether the API is found without such a part as well, as the pages of MOR write their calls.
    pub(crate) fn has_bare_api(self) -> bool {
        self == Self::Mor
    }

    /// The parameter that names the method where the path does not.
    pub(crate) fn names_method(self) -> Option<&'static str> {
        match self {
            Self::M4 => None,
            Self::Mor => Some("action"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tollbook_proto::legacy;

    use super::*;

    const DIALECTS: [Dialect; 2] = [Dialect::M4, Dialect::Mor];

    #[test]
    fn every_declared_method_is_there_and_as_its_dialect_declares_it() {
        for dialect in DIALECTS {
            let declared = legacy::methods(dialect.to_proto());
            assert_eq!(declared.len(), dialect.methods().len(), "{dialect:?}");
            for method in dialect.methods() {
                let is_its = |known: &&&_| std::ptr::eq(**known, method.declaration);
                let name = method.declaration.name;
                assert!(declared.iter().find(is_its).is_some(), "{dialect:?}: {name}");
            }
        }
    }

    #[test]
    fn every_hashed_parameter_is_declared() {
        for method in DIALECTS.into_iter().flat_map(Dialect::methods) {
            let name_of_method = method.declaration.name;
            let declared: HashSet<_> = method.params.iter().map(|param| param.name).collect();
            for name in method.declaration.hash.iter().copied().flatten() {
                let is_known = declared.contains(name) || ["u", "p"].contains(name);
                assert!(is_known, "{name_of_method}: {name}");
            }
        }
    }
}
