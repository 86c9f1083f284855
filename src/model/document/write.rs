//! Writing a tree: fields in the order of the format, defaults left out.
//!
//! A document that is written reads back as an equal value. Since defaults are left out, what is
//! written of a small problem is small, and two documents of equal problems are the same text.

use super::value::Value;
use crate::model::{Labels, Price, Resources};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object being written.
///
/// Each method adds a field or leaves it out, and hands the object on.
#[derive(Default)]
pub(crate) struct Object<'d>(Vec<(Cow<'d, str>, Value<'d>)>);

impl<'d> Object<'d> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A field that is always written.
    pub(crate) fn field(mut self, name: &'d str, value: impl Into<Value<'d>>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// A field that is left out when it has its default.
    pub(crate) fn unless<T: PartialEq + Into<Value<'d>>>(
        self,
        name: &'d str,
        default: T,
        value: T,
    ) -> Self {
        if value == default { self } else { self.field(name, value) }
    }

    /// A list or map that is left out when it is empty.
    pub(crate) fn unless_empty(self, name: &'d str, value: impl Into<Value<'d>>) -> Self {
        let value = value.into();
        if value == Value::List(Vec::new()) || value == Value::Map(Vec::new()) {
            self
        } else {
            self.field(name, value)
        }
    }

    /// A field that is left out when there is nothing to say.
    pub(crate) fn option(self, name: &'d str, value: Option<impl Into<Value<'d>>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }
}

/// A list that is written item by item: only one item at a time stands as a tree.
///
/// A plan of a hundred thousand launches is written without a second copy of it in memory.
pub(crate) struct Items<'a, T, W> {
    items: &'a [T],
    write: W,
}

impl<'a, T, W: Fn(&'a T) -> Value<'a>> Items<'a, T, W> {
    pub(crate) fn new(items: &'a [T], write: W) -> Self {
        Self { items, write }
    }
}

impl<'a, T, W: Fn(&'a T) -> Value<'a>> Serialize for Items<'a, T, W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(&self.write))
    }
}

/// A list of what `write` writes.
pub(crate) fn list<'d, T>(
    items: impl IntoIterator<Item = T>,
    write: impl FnMut(T) -> Value<'d>,
) -> Value<'d> {
    Value::List(items.into_iter().map(write).collect())
}

/// The word for a meaning, of the list from which it is read.
pub(crate) fn word<'d, T: PartialEq>(meaning: &T, words: &[(&'d str, T)]) -> Value<'d> {
    words.iter().find(|(_, m)| m == meaning).map_or(Value::Null, |(word, _)| (*word).into())
}

/// A number given in billionths: a number where that is exact, else a text with the decimal number.
///
/// Up to 15 digits the nearest float reads back as the same number in every format.
///
/// Whole numbers are written without a point.
pub(crate) fn billionths<'d>(billionths: i128) -> Value<'d> {
    const ONE: i128 = 1_000_000_000;
    const EXACT: i128 = 1 << 53;
    if billionths % ONE == 0 && billionths.saturating_abs() / ONE < EXACT {
        return Value::Integer(billionths / ONE);
    }
    let size = Price::from_nanos(billionths.saturating_abs());
    let text = Price::from_nanos(billionths).to_string();
    match text.parse::<f64>() {
        Ok(number) if size.nanos() < EXACT && number.abs().to_string().parse() == Ok(size) => {
            Value::Float(number)
        }
        _ => Value::Text(text.into()),
    }
}

impl<'d> From<Object<'d>> for Value<'d> {
    fn from(object: Object<'d>) -> Self {
        Value::Map(object.0)
    }
}

impl<'d> From<&'d str> for Value<'d> {
    fn from(text: &'d str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'d> From<&'d Arc<str>> for Value<'d> {
    fn from(text: &'d Arc<str>) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'d> From<&'d Vec<Arc<str>>> for Value<'d> {
    fn from(texts: &'d Vec<Arc<str>>) -> Self {
        list(texts, Value::from)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

macro_rules! integers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Value::Integer(number.into())
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i32, i64);

impl From<Price> for Value<'_> {
    fn from(price: Price) -> Self {
        billionths(price.nanos())
    }
}

impl<'d> From<&'d Labels> for Value<'d> {
    fn from(labels: &'d Labels) -> Self {
        Value::Map(labels.iter().map(|(key, value)| ((&**key).into(), value.into())).collect())
    }
}

impl<'d> From<&'d Resources> for Value<'d> {
    fn from(amounts: &'d Resources) -> Self {
        let entry = |(name, amount): (&'d Arc<str>, crate::model::Quantity)| {
            ((&**name).into(), Value::Text(amount.to_string().into()))
        };
        Value::Map(amounts.iter().map(entry).collect())
    }
}

impl<'d, T: Copy + Into<Value<'d>>> From<&'d BTreeMap<Arc<str>, T>> for Value<'d> {
    fn from(counts: &'d BTreeMap<Arc<str>, T>) -> Self {
        Value::Map(counts.iter().map(|(key, count)| ((&**key).into(), (*count).into())).collect())
    }
}
