//! The methods that a dialect's original has, whether they are there or not.

use serde::Deserialize;
use tollbook_shim::Method;

use crate::contract::data;

/// All methods of an original.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// The methods by group.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
}

/// A group of the original's documentation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its methods.
    #[serde(rename = "method")]
    pub methods: Vec<Listed>,
}

/// A method of the original.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its other names.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl Original {
    /// MOR's methods.
    #[must_use]
    pub fn mor() -> Self {
        data("mor/methods.toml")
    }

    /// The method of a name, its own or another of its names, with its group.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(&Group, &Listed)> {
        let mut all =
            self.groups.iter().flat_map(|group| group.methods.iter().map(move |of| (group, of)));
        all.find(|(_, method)| method.name == name || method.aliases.iter().any(|of| of == name))
    }

    /// How a method is declared otherwise than the original has it; none: it is not.
    #[must_use]
    pub fn objection(&self, method: &Method) -> Option<String> {
        let name = method.declaration.name;
        let found = self.find(name).filter(|(_, listed)| listed.name == name);
        let Some((group, listed)) = found else {
            return Some(format!("{name}: the original has no such method"));
        };
        if group.name != method.group {
            return Some(format!("{name}: its group is {}", group.name));
        }
        let missing: Vec<_> = listed
            .aliases
            .iter()
            .filter(|alias| !method.declaration.aliases.contains(&alias.as_str()))
            .collect();
        (!missing.is_empty()).then(|| format!("{name}: it is called {missing:?}, too"))
    }
}
