//! Reads JSON in a page: the browser parses the text, and this hands the values to serde. Several times smaller than
//! `serde_json`'s parser and its error texts, and a popup loads anew at every click. Only what the vocabulary of
//! [`host`](tabferry_protocol::host) is made of: structs, sequences, options, texts, numbers, and enums that carry their
//! variant as the key.

use core::fmt;

use js_sys::{Array, JSON, Object, Reflect};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use wasm_bindgen::{JsCast, JsValue};

/// A text that is no JSON, or not of the expected form. Says nothing more: both ends are parts of one extension, so it
/// is a bug and not a matter for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidJson;

/// What a JSON text says.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, InvalidJson> {
    T::deserialize(Value(JSON::parse(text).map_err(|_| InvalidJson)?))
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unexpected JSON")
    }
}

impl core::error::Error for InvalidJson {}

// Every constructor, so that no text is formatted to be thrown away.
impl Error for InvalidJson {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

struct Value(JsValue);

impl Value {
    fn text(&self) -> Result<String, InvalidJson> {
        self.0.as_string().ok_or(InvalidJson)
    }

    /// The number, if it is a whole one from 0 to `max`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the number is known to be whole and in range"
    )]
    fn whole(&self, max: u64) -> Result<u64, InvalidJson> {
        let number = self.0.as_f64().ok_or(InvalidJson)?;
        if number >= 0.0 && number <= max as f64 && number.trunc() == number {
            Ok(number as u64)
        } else {
            Err(InvalidJson)
        }
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = InvalidJson;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, InvalidJson> {
        Err(InvalidJson)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_bool(self.0.as_bool().ok_or(InvalidJson)?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_u64(self.whole(u32::MAX.into())?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_u64(self.whole(tabferry_protocol::limits::TRANSFER_BYTES)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        if self.0.is_null() || self.0.is_undefined() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        let array = self.0.dyn_into().map_err(|_| InvalidJson)?;
        visitor.visit_seq(Elements { array, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        let object = self.0.dyn_into().map_err(|_| InvalidJson)?;
        visitor.visit_map(Fields { object, names })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        if let Some(name) = self.0.as_string() {
            let body = Self(JsValue::UNDEFINED);
            return visitor.visit_enum(Variant { name, body });
        }
        let object: Object = self.0.dyn_into().map_err(|_| InvalidJson)?;
        let key = Object::keys(&object).get(0);
        let body = Self(Reflect::get(&object, &key).map_err(|_| InvalidJson)?);
        let name = key.as_string().ok_or(InvalidJson)?;
        visitor.visit_enum(Variant { name, body })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct map identifier ignored_any
    }
}

struct Elements {
    array: Array,
    next: u32,
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = InvalidJson;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, InvalidJson> {
        if self.next == self.array.length() {
            return Ok(None);
        }
        let element = self.array.get(self.next);
        self.next += 1;
        seed.deserialize(Value(element)).map(Some)
    }
}

/// The fields that a struct asks for, in its order; those that are not there read as none.
struct Fields {
    object: Object,
    names: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields {
    type Error = InvalidJson;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, InvalidJson> {
        let name = self.names.first();
        name.map(|name| seed.deserialize(StrDeserializer::new(name)))
            .transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, InvalidJson> {
        let (name, rest) = self.names.split_first().ok_or(InvalidJson)?;
        self.names = rest;
        let value = Reflect::get(&self.object, &(*name).into()).map_err(|_| InvalidJson)?;
        seed.deserialize(Value(value))
    }
}

struct Variant {
    name: String,
    body: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = InvalidJson;
    type Variant = Value;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Value), InvalidJson> {
        let variant = seed.deserialize(StrDeserializer::<InvalidJson>::new(&self.name))?;
        Ok((variant, self.body))
    }
}

impl<'de> VariantAccess<'de> for Value {
    type Error = InvalidJson;

    fn unit_variant(self) -> Result<(), InvalidJson> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, InvalidJson> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, InvalidJson> {
        Err(InvalidJson)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        self.deserialize_struct("", names, visitor)
    }
}
