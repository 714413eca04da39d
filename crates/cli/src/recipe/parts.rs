//! A section of several parts: the keys that training stages share, and those of the stage's own algorithm, side by
//! side in one TOML table.
//!
//! serde can flatten parts into one table, but then accepts any key. Here a table is split by the keys of each part,
//! and a key that no part knows is refused with the known names.

use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use toml::{Table, Value};

/// A part of a section, with its defaults.
pub trait Part: Serialize + DeserializeOwned + Default {}

impl<T: Serialize + DeserializeOwned + Default> Part for T {}

/// The fields that `T` knows.
fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    struct FieldQuery<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for FieldQuery<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Error::custom("only structs are parts of sections"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(Error::custom("asked for its fields"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut known: &'static [&'static str] = &[];
    let _ = T::deserialize(FieldQuery(&mut known));
    known
}

/// A table that is being split.
pub struct SplitTable {
    table: Table,
    known: Vec<&'static str>,
}

impl SplitTable {
    /// Begins with a whole table.
    pub fn new(table: Table) -> Self {
        Self { table, known: vec![] }
    }

    /// Removes a part's keys from the table; missing ones get their value from `default`.
    ///
    /// # Errors
    /// When a value is of a wrong type.
    pub fn take<T: Part, E: Error>(&mut self, default: &T) -> Result<T, E> {
        let known = fields::<T>();
        self.known.extend(known);
        let mut own = Table::try_from(default).map_err(E::custom)?;
        for &key in known {
            if let Some(value) = self.table.remove(key) {
                super::layers::merge(&mut own, Table::from_iter([(key.to_owned(), value)]));
            }
        }
        Value::Table(own).try_into().map_err(|error: toml::de::Error| E::custom(error.message()))
    }

    /// Refuses keys that no part took.
    ///
    /// # Errors
    /// When there are some: the first, with all that are known.
    pub fn finish<E: Error>(self) -> Result<(), E> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        Err(E::custom(format!("unknown field `{key}`, expected one of {}", known.join(", "))))
    }
}

/// Makes a struct of parts a section: its fields are taken from one table, with the struct's `Default` as defaults.
macro_rules! section {
    ($section:ident $(<$algorithm:ident: $bound:ident>)? { $($part:ident),+ $(,)? }) => {
        impl<'de $(, $algorithm: $bound)?> serde::Deserialize<'de> for $section $(<$algorithm>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let default = Self::default();
                let mut parts = $crate::recipe::SplitTable::new(toml::Table::deserialize(deserializer)?);
                let section = Self { $($part: parts.take(&default.$part)?),+ };
                parts.finish()?;
                Ok(section)
            }
        }
    };
}
pub(crate) use section;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Oven {
        degrees: u32,
        shelves: Option<u32>,
    }

    impl Default for Oven {
        fn default() -> Self {
            Self { degrees: 900, shelves: None }
        }
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Clay {
        colour: String,
    }

    #[derive(Debug, Default, PartialEq, Serialize)]
    struct Kiln {
        #[serde(flatten)]
        oven: Oven,
        #[serde(flatten)]
        clay: Clay,
    }
    section!(Kiln { oven, clay });

    #[test]
    fn parts_share_a_table() {
        let kiln: Kiln = toml::from_str("colour = \"red\"\nshelves = 2").unwrap();
        assert_eq!(kiln, Kiln { oven: Oven { degrees: 900, shelves: Some(2) }, clay: Clay { colour: "red".into() } });
        assert_eq!(toml::from_str::<Kiln>(&toml::to_string(&kiln).unwrap()).unwrap(), kiln);
    }

    #[test]
    fn a_key_of_no_part_is_refused_with_those_that_are_known() {
        let error = toml::from_str::<Kiln>("color = \"red\"").unwrap_err();
        assert_eq!(error.message(), "unknown field `color`, expected one of `degrees`, `shelves`, `colour`");
        let error = toml::from_str::<Kiln>("degrees = \"hot\"").unwrap_err();
        assert!(error.message().starts_with("invalid type: string \"hot\""), "{}", error.message());
    }
}
