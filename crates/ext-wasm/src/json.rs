//! Reads and writes JSON in a page: the browser's own `JSON` handles the text, and this stands between its values and
//! serde. Several times smaller than `serde_json` with its error texts, and a popup loads anew at every click. Only what
//! the vocabulary of [`host`](tabferry_protocol::host) is made of: structs, sequences, arrays, options, texts, whole numbers up
//! to 2^53 - 1, and enums that carry their variant as the key. Writes enums with a tag inside, too.

use core::fmt;

use js_sys::{Array, JSON, Object, Reflect};
use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde::ser::{
    Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, Serializer,
};
use wasm_bindgen::{JsCast, JsValue};

/// A text that is no JSON, or not of the expected form. Says nothing more: both ends are parts of one extension, so it
/// is a bug and not a matter for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidJson;

/// What a JSON text says.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, InvalidJson> {
    from_value(JSON::parse(text).map_err(|_| InvalidJson)?)
}

/// What a value that JSON was parsed to says.
pub fn from_value<T: DeserializeOwned>(value: JsValue) -> Result<T, InvalidJson> {
    T::deserialize(Value(value))
}

/// The JSON text that says this.
pub fn to_string(data: &impl Serialize) -> Result<String, InvalidJson> {
    let text = JSON::stringify(&data.serialize(Writer)?).map_err(|_| InvalidJson)?;
    Ok(text.into())
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

impl serde::ser::Error for InvalidJson {
    fn custom<T: fmt::Display>(_: T) -> Self {
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
        // Left out where it is false.
        let missing = self.0.is_undefined().then_some(false);
        visitor.visit_bool(self.0.as_bool().or(missing).ok_or(InvalidJson)?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_u64(self.whole(u16::MAX.into())?)
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

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_u64(self.whole(u8::MAX.into())?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        let object = self.0.dyn_into().map_err(|_| InvalidJson)?;
        visitor.visit_seq(Fields { object, names })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, InvalidJson> {
        if let Some(name) = self.0.as_string() {
            let body = Self(JsValue::UNDEFINED);
            return visitor.visit_enum(Variant::new(names, &name, body));
        }
        let object: Object = self.0.dyn_into().map_err(|_| InvalidJson)?;
        let key = Object::keys(&object).get(0);
        let body = Self(Reflect::get(&object, &key).map_err(|_| InvalidJson)?);
        let name = key.as_string().ok_or(InvalidJson)?;
        visitor.visit_enum(Variant::new(names, &name, body))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 f32 f64 char bytes byte_buf unit unit_struct tuple_struct map identifier
    }

    /// For a reader whom it is enough that there is one.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidJson> {
        visitor.visit_unit()
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

/// The fields that a struct asks for, in its order. As a sequence: a struct that is told its fields in order needs no code
/// to find them by name or to see one twice. One that is not there reads as none, or is left to its default.
struct Fields {
    object: Object,
    names: &'static [&'static str],
}

impl<'de> SeqAccess<'de> for Fields {
    type Error = InvalidJson;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, InvalidJson> {
        let (name, rest) = self.names.split_first().ok_or(InvalidJson)?;
        self.names = rest;
        let value = Reflect::get(&self.object, &(*name).into()).map_err(|_| InvalidJson)?;
        let is_missing = value.is_undefined();
        match seed.deserialize(Value(value)) {
            Err(InvalidJson) if is_missing => Ok(None),
            field => field.map(Some),
        }
    }
}

/// A variant by its number among those of its enum; an unknown one has a number that none has. The names are compared
/// here for all enums.
struct Variant {
    number: u32,
    body: Value,
}

impl Variant {
    fn new(names: &'static [&'static str], name: &str, body: Value) -> Self {
        let number = (0..).zip(names).find(|(_, known)| **known == name);
        let number = number.map_or(u32::MAX, |(number, _)| number);
        Self { number, body }
    }
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = InvalidJson;
    type Variant = Value;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Value), InvalidJson> {
        let variant = seed.deserialize(U32Deserializer::<InvalidJson>::new(self.number))?;
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

#[derive(Clone, Copy)]
struct Writer;

impl Serializer for Writer {
    type Ok = JsValue;
    type Error = InvalidJson;
    type SerializeSeq = ArrayWriter;
    type SerializeTuple = Impossible<JsValue, InvalidJson>;
    type SerializeTupleStruct = Impossible<JsValue, InvalidJson>;
    type SerializeTupleVariant = Impossible<JsValue, InvalidJson>;
    type SerializeMap = Impossible<JsValue, InvalidJson>;
    type SerializeStruct = ObjectWriter;
    type SerializeStructVariant = VariantWriter;

    fn serialize_bool(self, value: bool) -> Result<JsValue, InvalidJson> {
        Ok(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<JsValue, InvalidJson> {
        Ok(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<JsValue, InvalidJson> {
        Ok(value.into())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the number is known to be exact"
    )]
    fn serialize_u64(self, value: u64) -> Result<JsValue, InvalidJson> {
        if value > tabferry_protocol::limits::TRANSFER_BYTES {
            return Err(InvalidJson);
        }
        Ok((value as f64).into())
    }

    fn serialize_str(self, text: &str) -> Result<JsValue, InvalidJson> {
        Ok(text.into())
    }

    fn serialize_none(self) -> Result<JsValue, InvalidJson> {
        Ok(JsValue::NULL)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<JsValue, InvalidJson> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<JsValue, InvalidJson> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<JsValue, InvalidJson> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<JsValue, InvalidJson> {
        let mut object = ObjectWriter(Object::new());
        object.set(variant, &value.serialize(self)?)?;
        Ok(object.0.into())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ArrayWriter, InvalidJson> {
        Ok(ArrayWriter(Array::new()))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<ObjectWriter, InvalidJson> {
        Ok(ObjectWriter(Object::new()))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<VariantWriter, InvalidJson> {
        let body = ObjectWriter(Object::new());
        Ok(VariantWriter { variant, body })
    }

    fn serialize_i8(self, _: i8) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_i16(self, _: i16) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_i32(self, _: i32) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_i64(self, _: i64) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_u8(self, value: u8) -> Result<JsValue, InvalidJson> {
        Ok(value.into())
    }

    fn serialize_f32(self, _: f32) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_f64(self, _: f64) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_char(self, _: char) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_unit(self) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<JsValue, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, InvalidJson> {
        Err(InvalidJson)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, InvalidJson> {
        Err(InvalidJson)
    }
}

struct ArrayWriter(Array);

impl SerializeSeq for ArrayWriter {
    type Ok = JsValue;
    type Error = InvalidJson;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), InvalidJson> {
        self.0.push(&value.serialize(Writer)?);
        Ok(())
    }

    fn end(self) -> Result<JsValue, InvalidJson> {
        Ok(self.0.into())
    }
}

struct ObjectWriter(Object);

impl ObjectWriter {
    fn set(&mut self, name: &'static str, value: &JsValue) -> Result<(), InvalidJson> {
        let set = Reflect::set(&self.0, &name.into(), value);
        set.map(drop).map_err(|_| InvalidJson)
    }
}

impl SerializeStruct for ObjectWriter {
    type Ok = JsValue;
    type Error = InvalidJson;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), InvalidJson> {
        self.set(name, &value.serialize(Writer)?)
    }

    fn end(self) -> Result<JsValue, InvalidJson> {
        Ok(self.0.into())
    }
}

/// An object with one key, the variant, whose value is an object of its fields.
struct VariantWriter {
    variant: &'static str,
    body: ObjectWriter,
}

impl SerializeStructVariant for VariantWriter {
    type Ok = JsValue;
    type Error = InvalidJson;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), InvalidJson> {
        self.body.set(name, &value.serialize(Writer)?)
    }

    fn end(self) -> Result<JsValue, InvalidJson> {
        let mut outer = ObjectWriter(Object::new());
        outer.set(self.variant, &self.body.0)?;
        Ok(outer.0.into())
    }
}
