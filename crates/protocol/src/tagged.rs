//! Objects that say in one of their fields of which kind they are. Knows how to read JSON text with them, and no message.
//!
//! What serde derives for its attribute `tag` keeps a whole object in mind until it has seen the tag: 60 KiB of wasm for the
//! messages of this crate. Here the text is read twice, the first time for the tag alone.

use core::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Error;
use serde_json::value::RawValue;

/// Declares an enum whose JSON is an object: the variant's name in kebab-case under the given key, beside the fields. One
/// variant has `#[serde(other)]`: it stands for all names that are not known.
macro_rules! tagged {
    (
        $tag:literal
        $(#[$attribute:meta])*
        pub enum $name:ident { $($variants:tt)* }
    ) => {
        $(#[$attribute])*
        #[derive(serde::Serialize)]
        #[serde(tag = $tag, rename_all = "kebab-case")]
        pub enum $name { $($variants)* }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                // The same without the tag, which `Tagged` takes care of.
                type Read = $name;
                #[derive(serde::Deserialize)]
                #[serde(remote = "Read", rename_all = "kebab-case")]
                enum Untagged { $($variants)* }
                $crate::tagged::read($tag, from, Untagged::deserialize)
            }
        }
    };
}
pub(crate) use tagged;

/// Reads an object as the variant of an enum that its tag names. The enum reads itself as serde derives it without a tag.
/// Only from JSON that is in memory as text.
pub(crate) fn read<'de, T, D: Deserializer<'de>>(
    tag: &'static str,
    from: D,
    read: impl FnOnce(Tagged<'de>) -> Result<T, Error>,
) -> Result<T, D::Error> {
    let text = <&RawValue>::deserialize(from)?.get();
    read(Tagged { tag, text }).map_err(D::Error::custom)
}

/// The text of an object with a tag, as an enum is read from it.
pub(crate) struct Tagged<'de> {
    tag: &'static str,
    text: &'de str,
}

impl<'de> Deserializer<'de> for Tagged<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only an enum has a tag"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = json(self.text).deserialize_map(Tag(self.tag))?;
        let number = (0..).zip(names).find(|(_, known)| **known == name);
        visitor.visit_enum(Variant {
            number: number.map_or(u32::MAX, |(number, _)| number),
            body: Body(self.text),
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn json(text: &str) -> serde_json::Deserializer<serde_json::de::StrRead<'_>> {
    serde_json::Deserializer::from_str(text)
}

/// Finds the text under this key of an object, which has it once.
struct Tag(&'static str);

impl<'de> Visitor<'de> for Tag {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the field `{}`", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<String, A::Error> {
        let mut name = None;
        while let Some(is_tag) = fields.next_key_seed(Is(self.0))? {
            if !is_tag {
                fields.next_value_seed(Skip)?;
            } else if name.replace(fields.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(self.0));
            }
        }
        name.ok_or_else(|| A::Error::missing_field(self.0))
    }
}

/// Whether a key is this one.
struct Is(&'static str);

impl<'de> DeserializeSeed<'de> for Is {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Is {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// Reads any value and keeps nothing of it. Unlike `IgnoredAny` only as deep as serde_json reads what it keeps.
#[derive(Clone, Copy)]
struct Skip;

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key_seed(self)?.is_some() {
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// A variant by its number among those of its enum; an unknown one has a number that none has.
struct Variant<'de> {
    number: u32,
    body: Body<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Body<'de>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Body<'de>), Error> {
        let variant = seed.deserialize(U32Deserializer::<Error>::new(self.number))?;
        Ok((variant, self.body))
    }
}

/// The fields beside the tag, which is one that they don't know.
struct Body<'de>(&'de str);

impl<'de> VariantAccess<'de> for Body<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&mut json(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a tag stands beside fields with names"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        json(self.0).deserialize_struct("", names, visitor)
    }
}
