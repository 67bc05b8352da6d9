//! Where values of the configuration come from: the command line, the environment, a TOML file.
//!
//! A variable of the environment is text, and becomes what its field is: a field that is text
//! gets it byte for byte, quotes, blanks and digits included. An error says where a value was
//! given, and never the value of a secret.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::{
    Deserializer, Serialize,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::SeqDeserializer,
    },
};

/// How all variables begin.
const PREFIX: &str = "TOLLBOOK_";
/// What is behind the name of a secret where a file holds it.
const IN_FILE: &str = "_file";

/// The configuration as it was given.
pub(crate) struct Layers {
    /// The names that there are.
    known: &'static [&'static str],
    /// Those whose values nobody may see.
    secrets: &'static [&'static str],
    given: BTreeMap<&'static str, Given>,
    /// Variables that begin like ours and are none of ours.
    unknown: Vec<String>,
}

/// A value, and where it was given.
struct Given {
    place: String,
    value: Value,
}

enum Value {
    Text(String),
    Typed(toml::Value),
    /// The file that holds it.
    InFile(PathBuf),
}

/// What a name stands for.
enum Named {
    Value(&'static str),
    /// The file that holds this secret.
    FileOf(&'static str),
    Unknown,
}

impl Layers {
    /// No values, for the fields of `T`.
    pub(crate) fn of<T: DeserializeOwned>(secrets: &'static [&'static str]) -> Self {
        Self { known: fields::<T>(), secrets, given: BTreeMap::new(), unknown: Vec::new() }
    }

    fn named(&self, name: &str) -> Named {
        let of = |names: &[&'static str], name: &str| names.iter().copied().find(|it| *it == name);
        if let Some(name) = of(self.known, name) {
            return Named::Value(name);
        }
        let secret = name.strip_suffix(IN_FILE).and_then(|name| of(self.secrets, name));
        secret.map_or(Named::Unknown, Named::FileOf)
    }

    /// Adds a layer that wins over those before.
    fn add(&mut self, layer: Vec<(&'static str, Given)>) -> anyhow::Result<()> {
        let mut new = BTreeMap::<_, Given>::new();
        for (name, given) in layer {
            let place = given.place.clone();
            if let Some(other) = new.insert(name, given) {
                bail!("configuration: give {} or {place}, not both", other.place);
            }
        }
        self.given.extend(new);
        Ok(())
    }

    /// Adds a TOML file.
    pub(crate) fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("configuration: cannot read {}", path.display()))?;
        // Not its `Display`: that shows the line, and with it what may be a secret.
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow::anyhow!("configuration: {}, line {line}: {}", path.display(), error.message())
        })?;
        let mut layer = Vec::new();
        for (name, value) in table {
            let place = format!("{name} in {}", path.display());
            layer.push(match self.named(&name) {
                Named::Value(name) => (name, Given { place, value: Value::Typed(value) }),
                Named::FileOf(name) => {
                    let toml::Value::String(file) = value else {
                        bail!("configuration: {place} must be the name of a file");
                    };
                    (name, Given { place, value: Value::InFile(file.into()) })
                }
                Named::Unknown => bail!("configuration: there is no {place}"),
            });
        }
        self.add(layer)
    }

    /// Adds the variables of an environment. Those that begin like ours and are not, such as
    /// `TOLLBOOK_PORT`, which Kubernetes sets for a service named tollbook, are left out.
    pub(crate) fn environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
        elsewhere: &[&str],
    ) -> anyhow::Result<()> {
        let mut layer = Vec::new();
        for (variable, value) in variables {
            let place = variable.to_string_lossy().into_owned();
            if !place.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) {
                continue;
            }
            let name = place.strip_prefix(PREFIX).unwrap_or_default();
            // Exactly as documented: names of variables are in capitals.
            let capitals = !name.bytes().any(|byte| byte.is_ascii_lowercase());
            let name = name.to_ascii_lowercase();
            match self.named(&name) {
                Named::Value(name) if capitals => {
                    let value = text(&value)
                        .with_context(|| format!("configuration: {place} is not UTF-8"))?;
                    layer.push((name, Given { place, value: Value::Text(value) }));
                }
                Named::FileOf(name) if capitals => {
                    layer.push((name, Given { place, value: Value::InFile(value.into()) }));
                }
                _ if capitals && elsewhere.contains(&name.as_str()) => {}
                _ => self.unknown.push(place),
            }
        }
        self.unknown.sort();
        self.add(layer)
    }

    /// Adds the flags of the command line, which have the names of fields.
    pub(crate) fn flags(&mut self, flags: &impl Serialize) -> anyhow::Result<()> {
        let flags = toml::Table::try_from(flags).context("the flags cannot be read")?;
        let mut layer = Vec::new();
        for (name, value) in flags {
            let place = format!("--{}", name.replace('_', "-"));
            match (self.named(&name), value) {
                (Named::Value(name), value) => {
                    layer.push((name, Given { place, value: Value::Typed(value) }));
                }
                (Named::FileOf(name), toml::Value::String(file)) => {
                    layer.push((name, Given { place, value: Value::InFile(file.into()) }));
                }
                _ => bail!("{place} is no part of the configuration"),
            }
        }
        self.add(layer)
    }

    /// The variables that begin like ours and are not.
    pub(crate) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The files that hold secrets.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        let files = self.given.values().filter_map(|given| match &given.value {
            Value::InFile(file) => Some(file.clone()),
            Value::Text(_) | Value::Typed(_) => None,
        });
        files.collect()
    }

    /// Puts the layers together. Secrets are read from their files.
    pub(crate) fn read<T: DeserializeOwned>(mut self) -> anyhow::Result<T> {
        for name in self.secrets {
            let Some(given) = self.given.get_mut(name) else { continue };
            if let Value::InFile(file) = &given.value {
                let secret = secret_in(file).with_context(|| {
                    format!("configuration: {} names {}", given.place, file.display())
                })?;
                given.value = Value::Text(secret);
            }
            let empty = match &given.value {
                Value::Text(text) | Value::Typed(toml::Value::String(text)) => text.is_empty(),
                _ => bail!("configuration: {} must be text, in quotes", given.place),
            };
            if empty {
                bail!("configuration: {} is empty", given.place);
            }
        }
        let values = Values { rest: self.given.into_iter(), next: None };
        T::deserialize(de::value::MapAccessDeserializer::new(values))
            .map_err(|error| anyhow::anyhow!("configuration: {error}"))
    }
}

fn text(value: &OsStr) -> Option<String> {
    value.to_str().map(str::to_owned)
}

/// The secret that a file holds: all of it, but for one line break at its end.
fn secret_in(file: &Path) -> anyhow::Result<String> {
    let text = fs::read(file).context("which cannot be read")?;
    let Ok(mut text) = String::from_utf8(text) else { bail!("which is not UTF-8") };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// The values that were given, as serde wants them.
struct Values {
    rest: std::collections::btree_map::IntoIter<&'static str, Given>,
    next: Option<Given>,
}

type Error = de::value::Error;

impl<'de> MapAccess<'de> for Values {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((name, given)) = self.rest.next() else { return Ok(None) };
        self.next = Some(given);
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let missing = || de::Error::custom("a value is missing");
        let Given { place, value } = self.next.take().ok_or_else(missing)?;
        let read = match value {
            Value::Text(text) => seed.deserialize(Text(text)).map_err(|error| error.to_string()),
            Value::Typed(value) => {
                seed.deserialize(value).map_err(|error| error.message().to_owned())
            }
            Value::InFile(_) => Err("is no secret, and has no file".to_owned()),
        };
        read.map_err(|problem| de::Error::custom(format!("{place}: {problem}")))
    }
}

/// The text of a variable, which becomes what it is read as.
struct Text(String);

impl IntoDeserializer<'_, Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let number = self.0.parse().map_err(|_| de::Error::custom(concat!("must be ", $what)))?;
            visitor.$visit(number)
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(match self.0.as_str() {
            "true" | "on" | "yes" | "1" => true,
            "false" | "off" | "no" | "0" => false,
            _ => return Err(de::Error::custom("must be true or false")),
        })
    }

    parsed! {
        deserialize_i8 visit_i8 "a number" deserialize_i16 visit_i16 "a number"
        deserialize_i32 visit_i32 "a number" deserialize_i64 visit_i64 "a number"
        deserialize_u8 visit_u8 "a number" deserialize_u16 visit_u16 "a number"
        deserialize_u32 visit_u32 "a number" deserialize_u64 visit_u64 "a number"
        deserialize_f32 visit_f32 "a number" deserialize_f64 visit_f64 "a number"
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    /// A list is written `a,b` or, as in TOML, `["a", "b"]`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.0.trim();
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let items = inner.unwrap_or(text).split(',').map(str::trim).filter(|item| !item.is_empty());
        let items = items.map(|item| {
            let quoted = item.strip_prefix('"').and_then(|item| item.strip_suffix('"'));
            Text(quoted.filter(|_| inner.is_some()).unwrap_or(item).to_owned())
        });
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The names of the fields of a struct.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Fields<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Fields<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(de::Error::custom("not a struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(de::Error::custom("only its fields were wanted"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    // Always an error: nothing is read.
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    const SECRETS: &[&str] = &["key", "url"];

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        key: Option<String>,
        url: Option<String>,
        name: String,
        seconds: u32,
        on: bool,
        networks: Vec<ipnet::IpNet>,
    }

    fn from_environment(variables: &[(&str, &str)]) -> anyhow::Result<(Example, Vec<String>)> {
        let mut layers = Layers::of::<Example>(SECRETS);
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        layers.environment(variables, &["config"])?;
        let unknown = layers.unknown().to_vec();
        Ok((layers.read()?, unknown))
    }

    #[test]
    fn f23_text_is_text_byte_for_byte() {
        for value in ["456789", "\"quoted\"", "'q'", " padded ", "[1, 2]", "true", "1e3", "{a=1}"] {
            let variables = [("TOLLBOOK_KEY", value), ("TOLLBOOK_NAME", value)];
            let (example, _) = from_environment(&variables).unwrap();
            assert_eq!(example.key.as_deref(), Some(value));
            assert_eq!(example.name, value);
        }
        let (example, _) = from_environment(&[
            ("TOLLBOOK_SECONDS", "7"),
            ("TOLLBOOK_ON", "true"),
            ("TOLLBOOK_NETWORKS", "10.0.0.0/8, 192.0.2.0/24"),
        ])
        .unwrap();
        assert_eq!((example.seconds, example.on, example.networks.len()), (7, true, 2));
        let networks = [("TOLLBOOK_NETWORKS", "[\"10.0.0.0/8\"]")];
        assert_eq!(from_environment(&networks).unwrap().0.networks.len(), 1);
    }

    #[test]
    fn f23_unknown_variables_are_named_and_left_out() {
        let (_, unknown) = from_environment(&[
            ("TOLLBOOK_PORT", "tcp://10.0.0.1:80"),
            ("TOLLBOOK_CONFIG", "x.toml"),
            ("tollbook_name", "x"),
            ("TOLLBOOK_NAME_FILE", "/none"),
            ("OTHER", "x"),
        ])
        .unwrap();
        assert_eq!(unknown, ["TOLLBOOK_NAME_FILE", "TOLLBOOK_PORT", "tollbook_name"]);
    }

    #[test]
    fn f23_a_file_may_hold_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let name = file.to_str().unwrap();
        for (content, expected) in
            [("k\n", "k"), ("k", "k"), (" k \n\n", " k \n"), ("k\r\n", "k"), ("\"k\"", "\"k\"")]
        {
            fs::write(&file, content).unwrap();
            let (example, _) = from_environment(&[("TOLLBOOK_KEY_FILE", name)]).unwrap();
            assert_eq!(example.key.as_deref(), Some(expected));
        }
        let both = [("TOLLBOOK_KEY_FILE", name), ("TOLLBOOK_KEY", "k")];
        let said = from_environment(&both).err().unwrap().to_string();
        assert!(said.contains("TOLLBOOK_KEY_FILE") && said.contains("not both"), "{said}");
        // What is given later wins, whether it is a secret or a file.
        let mut layers = Layers::of::<Example>(SECRETS);
        let toml = directory.path().join("config.toml");
        fs::write(&toml, "key = \"old\"\n").unwrap();
        layers.file(&toml).unwrap();
        let variable = ("TOLLBOOK_KEY_FILE".into(), name.into());
        layers.environment([variable].into_iter(), &[]).unwrap();
        assert_eq!(layers.read::<Example>().unwrap().key.as_deref(), Some("\"k\""));
    }

    #[test]
    fn f23_no_error_shows_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        for content in
            ["key = 456789", "key = 456789 x", "key = [456789]", "key = \"456789", "a = 456789"]
        {
            fs::write(&file, content).unwrap();
            let mut layers = Layers::of::<Example>(SECRETS);
            let read = layers.file(&file).and_then(|()| layers.read::<Example>());
            let said = format!("{:#}", read.err().unwrap());
            assert!(!said.contains("456789") && said.contains("config.toml"), "{said}");
        }
        for (variables, expected) in [
            ([("TOLLBOOK_KEY", ""), ("A", "")], "TOLLBOOK_KEY is empty"),
            ([("TOLLBOOK_KEY_FILE", "/none/key"), ("A", "")], "TOLLBOOK_KEY_FILE names /none/key"),
            ([("TOLLBOOK_SECONDS", "x"), ("A", "")], "TOLLBOOK_SECONDS: must be a number"),
            ([("TOLLBOOK_ON", "maybe"), ("A", "")], "TOLLBOOK_ON: must be true or false"),
            ([("TOLLBOOK_NETWORKS", "a,b"), ("A", "")], "TOLLBOOK_NETWORKS: "),
        ] {
            let said = format!("{:#}", from_environment(&variables).err().unwrap());
            assert!(said.contains(expected), "{said}");
        }
    }
}
