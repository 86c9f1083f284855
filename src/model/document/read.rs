//! Reading a tree: each fault is noted with its path, and reading goes on.
//!
//! A reader of a type is a function from a [`Cursor`] to `Option<T>`; `None` means that a fault was
//! noted. Readers of objects and items of lists return a stand-in instead, so that what follows
//! keeps its place and the checks of the whole problem can go on. A field whose value is null is
//! absent, as in Kubernetes.
//!
//! ```text
//! fn read_taint(cursor: Cursor<'_>) -> Option<Taint>
//!     object(["key", "value", "effect"])     unknown and repeated fields are faults already
//!     required("key", text)                  missing, or not a text: a fault, and None
//!     optional("value", text)                left out or null: None, and no fault
//! ```
//!
//! Messages are written for whoever wrote the document: what is there, what would be right, and
//! which known name a misspelt one was meant to be.

use super::value::Value;
use crate::model::fault::{Faults, Path, quoted, shortened};
use crate::model::quantity::hint;
use crate::model::{Labels, Price, Quantity, Resources};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// A value of the document, its place, and the list of faults.
///
/// It is used up by reading, so a value is read, or told to be wrong, once.
pub(crate) struct Cursor<'c> {
    pub(crate) value: &'c Value<'c>,
    pub(crate) path: &'c Path<'c>,
    pub(crate) faults: &'c mut Faults,
}

impl<'c> Cursor<'c> {
    /// Notes a fault of this value.
    pub(crate) fn fault<T>(self, problem: String, expected: impl Into<String>) -> Option<T> {
        self.faults.add(self.path, problem, expected);
        None
    }

    /// Notes that this value is of the wrong kind.
    pub(crate) fn wrong<T>(self, expected: impl Into<String>) -> Option<T> {
        let problem = match self.value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::Text(text) => quoted(text),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        };
        self.fault(problem, expected)
    }

    /// Notes that this value is of the wrong kind. Where it is a text that holds what should stand
    /// there itself, such as `"3"` for 3, the quotes alone are what is wrong, and that is said.
    fn wrong_unless_quoted<T>(
        self,
        meant: impl FnOnce(&str) -> Option<String>,
        expected: impl Into<String>,
    ) -> Option<T> {
        let text = match self.value {
            Value::Text(text) => text.trim(),
            _ => "",
        };
        match meant(text) {
            Some(meant) => {
                let problem = format!("{} is a text", quoted(text));
                self.fault(problem, format!("{meant}, without quotes"))
            }
            None => self.wrong(expected),
        }
    }

    /// Notes that this value isn't one of these texts, and which of them it most likely means.
    ///
    /// The nearest by letters, where one is near.
    fn no_word<T>(self, words: &[&'static str]) -> Option<T> {
        let all = words.join(", ");
        let meant = match self.value {
            Value::Text(text) => nearest(text, words.iter()),
            _ => None,
        };
        self.wrong(match meant {
            Some(word) => format!("{word}? (one of {all})"),
            None => format!("one of {all}"),
        })
    }

    /// The entries of an object with these fields; unknown and repeated ones are noted.
    pub(crate) fn object(self, known: &'static [&'static str]) -> Fields<'c> {
        self.object_beside(known, &[])
    }

    /// The entries of an object with these fields, and others that it may have but nobody reads.
    pub(crate) fn object_beside(
        self,
        known: &'static [&'static str],
        ignored: &[&'static str],
    ) -> Fields<'c> {
        let mut first = [None; MOST_FIELDS];
        let Value::Map(entries) = self.value else {
            let (path, faults) = (self.path, &mut *self.faults);
            let expected = format!("a map with {}", some_of(known));
            let _none: Option<()> = Cursor { value: self.value, path, faults }.wrong(expected);
            return Fields { known, first, entries: None, path, faults: self.faults };
        };
        if let Some(kind) = kubernetes_kind(entries, known, ignored) {
            let (path, faults) = (self.path, self.faults);
            faults.add(path, kind, KUBERNETES);
            return Fields { known, first, entries: None, path, faults };
        }
        let is_known = |name: &str| known.contains(&name) || ignored.contains(&name);
        let foreign = |(name, _): &(Cow<'_, str>, _)| {
            !is_known(name) && nearest(name, known.iter().chain(ignored)).is_none()
        };
        if entries.len() > 1 && entries.iter().all(foreign) {
            // Something else altogether: one fault says so.
            let names: Vec<&str> =
                entries.iter().take(NAMED).map(|(name, _)| shortened(name)).collect();
            let more = if entries.len() > NAMED { ", …" } else { "" };
            let (path, faults) = (self.path, self.faults);
            faults.add(
                path,
                format!("none of its fields is known ({}{more})", names.join(", ")),
                format!("a map with {}", some_of(known)),
            );
            return Fields { known, first, entries: None, path, faults };
        }
        for (i, (name, value)) in entries.iter().enumerate() {
            match known.iter().position(|field| field == name).and_then(|at| first.get_mut(at)) {
                None if ignored.contains(&&**name) => {}
                None => self.faults.add(
                    &self.path.field(name),
                    "an unknown field",
                    nearest(name, known.iter().chain(ignored))
                        .map_or_else(|| known.join(", "), |name| format!("{name}?")),
                ),
                Some(Some(_)) => {
                    self.faults.add(&self.path.field(name), "a repeated field", "each field once");
                }
                Some(place) => *place = (*value != Value::Null).then_some(i),
            }
        }
        Fields { known, first, entries: Some(entries), path: self.path, faults: self.faults }
    }
}

/// What a document should have where it has a Kubernetes object.
const KUBERNETES: &str = "an object of this document's own form: Kubernetes' objects are converted \
    first, by the example `convert` or by `k8s::Dump` (feature k8s)";

/// What a Kubernetes object calls itself, unless both fields mean something here.
///
/// People paste what `kubectl` prints; one fault says what to do with it, instead of one for each
/// field.
fn kubernetes_kind(
    entries: &[(Cow<'_, str>, Value<'_>)],
    known: &[&str],
    ignored: &[&str],
) -> Option<String> {
    let field = |name: &str| {
        let (_, value) = entries.iter().find(|(key, _)| key == name)?;
        match value {
            Value::Text(text) if !known.contains(&name) && !ignored.contains(&name) => {
                Some(quoted(text))
            }
            _ => None,
        }
    };
    if let (Some(version), Some(kind)) = (field("apiVersion"), field("kind")) {
        return Some(format!("a Kubernetes object, kind {kind} of {version}"));
    }
    let has = |name: &str| {
        let is_foreign = !known.contains(&name) && !ignored.contains(&name);
        is_foreign
            && entries.iter().any(|(key, value)| key == name && matches!(value, Value::Map(_)))
    };
    (has("metadata") && has("spec")).then(|| "a Kubernetes object, with metadata and spec".into())
}

/// More than any object of the documents has.
const MOST_FIELDS: usize = 50;

/// The fields of an object.
///
/// Fields can be asked for in any order; where there is no object each is missing without a further
/// fault.
pub(crate) struct Fields<'c> {
    known: &'static [&'static str],
    /// For each known field the entry that has it.
    first: [Option<usize>; MOST_FIELDS],
    /// `None` where there is no object.
    entries: Option<&'c [(Cow<'c, str>, Value<'c>)]>,
    path: &'c Path<'c>,
    faults: &'c mut Faults,
}

impl Fields<'_> {
    /// A field's value, if it is there and can be read.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
    ) -> Option<T> {
        let at = self.known.iter().position(|field| *field == name)?;
        let (_, value) = self.entries?.get((*self.first.get(at)?)?)?;
        read(Cursor { value, path: &self.path.field(name), faults: self.faults })
    }

    /// A field's value; that it isn't there is a fault.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Cursor<'_>) -> Option<T>,
    ) -> Option<T> {
        if self.entries.is_some() && !self.has(name) {
            self.faults.add(&self.path.field(name), "missing", "this field");
        }
        self.optional(name, read)
    }

    /// Notes a fault of a field, where there is an object at all.
    pub(crate) fn fault(&mut self, name: &'static str, problem: &str, expected: &str) {
        if self.entries.is_some() {
            self.faults.add(&self.path.field(name), problem, expected);
        }
    }

    /// Notes a fault of the object, where there is one.
    pub(crate) fn fault_of_all(&mut self, problem: &str, expected: &str) {
        if self.entries.is_some() {
            self.faults.add(self.path, problem, expected);
        }
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        let at = self.known.iter().position(|field| *field == name);
        at.and_then(|at| self.first.get(at)).is_some_and(Option::is_some)
    }

    /// A list, empty by default.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        read: impl FnMut(Cursor<'_>) -> Option<T>,
    ) -> Vec<T> {
        self.optional(name, |cursor| list(cursor, read)).unwrap_or_default()
    }
}

/// A list of what `read` reads; items that can't be read are left out.
pub(crate) fn list<T>(
    cursor: Cursor<'_>,
    mut read: impl FnMut(Cursor<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Value::List(items) = cursor.value else {
        let expected = match cursor.value {
            Value::Text(text) => format!("a list: [{}]", quoted(text)),
            _ => "a list".into(),
        };
        return cursor.wrong(expected);
    };
    let mut list = Vec::with_capacity(items.len());
    for (i, value) in items.iter().enumerate() {
        list.extend(read(Cursor {
            value,
            path: &cursor.path.item(i),
            faults: &mut *cursor.faults,
        }));
    }
    Some(list)
}

/// A map whose keys are data; entries that can't be read are left out.
///
/// Of a repeated key the first counts, and the others are faults.
fn map<T>(
    cursor: Cursor<'_>,
    mut read: impl FnMut(Cursor<'_>) -> Option<T>,
) -> Option<Vec<(Arc<str>, T)>> {
    let Value::Map(entries) = cursor.value else { return cursor.wrong("a map") };
    // In key order, so that repeated keys are neighbours and sorted collections fill from the end.
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut map = Vec::with_capacity(sorted.len());
    let mut former = None;
    for (key, value) in sorted {
        let path = cursor.path.key(key);
        if former == Some(key) {
            cursor.faults.add(&path, "a repeated key", "each key once");
            continue;
        }
        former = Some(key);
        if let Some(value) = read(Cursor { value, path: &path, faults: &mut *cursor.faults }) {
            map.push((Arc::from(&**key), value));
        }
    }
    Some(map)
}

/// A text.
pub(crate) fn text(cursor: Cursor<'_>) -> Option<Arc<str>> {
    match cursor.value {
        Value::Text(text) => Some(Arc::from(&**text)),
        // YAML turns such texts into numbers where they have no quotes.
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) => cursor.wrong("a text, in quotes"),
        _ => cursor.wrong("a text"),
    }
}

/// What a text says, which is such a thing.
pub(crate) fn parsed<T: FromStr>(cursor: Cursor<'_>, thing: &str, expected: &str) -> Option<T> {
    let Value::Text(text) = cursor.value else { return cursor.wrong(expected) };
    let parsed = text.parse().ok();
    parsed.or_else(|| cursor.fault(format!("{} isn't {thing}", quoted(text)), expected))
}

/// Texts.
pub(crate) fn texts(cursor: Cursor<'_>) -> Option<Vec<Arc<str>>> {
    list(cursor, |item| Some(text(item).unwrap_or_default()))
}

/// `true` or `false`.
pub(crate) fn boolean(cursor: Cursor<'_>) -> Option<bool> {
    match cursor.value {
        Value::Bool(value) => Some(*value),
        _ => cursor.wrong_unless_quoted(
            |text| matches!(text, "true" | "false").then(|| text.into()),
            "true or false",
        ),
    }
}

/// A whole number that fits the type.
///
/// `3.0` isn't one, and neither is `"3"`: which of two readings was meant isn't guessed.
pub(crate) fn whole<T: TryFrom<i128> + Bounded>(cursor: Cursor<'_>) -> Option<T> {
    let number = match cursor.value {
        Value::Integer(number) => T::try_from(*number).ok(),
        _ => None,
    };
    let in_range = T::LEAST..=T::MOST;
    let meant = |text: &str| {
        let number = text.parse::<i128>().ok().filter(|number| in_range.contains(number))?;
        Some(format!("the number {number}"))
    };
    number.or_else(|| {
        let range = format!("a whole number from {} to {}", T::LEAST, T::MOST);
        cursor.wrong_unless_quoted(meant, range)
    })
}

/// The range of an integer type, to tell it to people.
pub(crate) trait Bounded {
    const LEAST: i128;
    const MOST: i128;
}

macro_rules! bounded {
    ($($number:ty),*) => {$(
        impl Bounded for $number {
            const LEAST: i128 = <$number>::MIN as i128;
            const MOST: i128 = <$number>::MAX as i128;
        }
    )*};
}

bounded!(u8, u16, u32, u64, i32, i64);

/// One of a list of words.
pub(crate) fn choice<T: Copy>(cursor: Cursor<'_>, words: &[(&'static str, T)]) -> Option<T> {
    let found = match cursor.value {
        Value::Text(text) => words.iter().find(|(word, _)| word == text),
        _ => None,
    };
    match found {
        Some((_, meaning)) => Some(*meaning),
        None => {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            cursor.no_word(&words)
        }
    }
}

/// The text of a number or of a text that holds one.
pub(crate) fn number_text<'c>(cursor: &Cursor<'c>) -> Option<Cow<'c, str>> {
    match cursor.value {
        Value::Integer(number) => Some(number.to_string().into()),
        // The shortest text that reads back as the same float; without an exponent it is bounded by
        // the 308 digits of the largest.
        Value::Float(number) if number.is_finite() => Some(number.to_string().into()),
        Value::Text(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// An amount of a resource: a quantity text or a number.
pub(crate) fn quantity(cursor: Cursor<'_>) -> Option<Quantity> {
    let expected = "a quantity such as 250m, 1.5 or 2Gi, not below 0";
    let Some(text) = number_text(&cursor) else { return cursor.wrong(expected) };
    match text.parse() {
        Ok(quantity) => Some(quantity),
        Err(error) => {
            let expected = hint(&text).unwrap_or_else(|| expected.into());
            cursor.fault(format!("{} is {error}", quoted(&text)), expected)
        }
    }
}

/// A price: a number, or a text with a decimal number, which keeps more digits.
pub(crate) fn price(cursor: Cursor<'_>) -> Option<Price> {
    let expected = "a number that isn't negative, at most 100000 per node and hour";
    let Some(text) = number_text(&cursor) else { return cursor.wrong(expected) };
    match text.parse() {
        Ok(price) => Some(price),
        Err(error) => cursor.fault(format!("{} is {error}", quoted(&text)), expected),
    }
}

/// A difference of prices.
pub(crate) fn signed_price(cursor: Cursor<'_>) -> Option<Price> {
    let expected = "a number, or a text with a decimal number";
    let Some(text) = number_text(&cursor) else { return cursor.wrong(expected) };
    let (sign, size) = text.strip_prefix('-').map_or((1, &*text), |size| (-1, size));
    match size.parse::<Price>() {
        Ok(price) => Some(Price::from_nanos(sign * price.nanos())),
        Err(_) => cursor.wrong(expected),
    }
}

/// A number in billionths, rounded to the nearest.
///
/// For rates and shares; they are told as numbers, never as texts.
pub(crate) fn billionths<T: TryFrom<i128>>(cursor: Cursor<'_>, expected: &str) -> Option<T> {
    let number = match cursor.value {
        Value::Integer(_) | Value::Float(_) => number_text(&cursor),
        _ => None,
    };
    let price: Option<Price> = number.and_then(|text| text.parse().ok());
    let in_range = |price: Price| T::try_from(price.nanos()).ok();
    let meant = |text: &str| {
        let number: Price = text.parse().ok()?;
        in_range(number).map(|_| format!("the number {number}"))
    };
    let billionths = price.and_then(in_range);
    billionths.or_else(|| cursor.wrong_unless_quoted(meant, expected))
}

/// Labels, annotations or selectors.
pub(crate) fn labels(cursor: Cursor<'_>) -> Option<Labels> {
    Some(map(cursor, text)?.into_iter().collect())
}

/// Amounts by resource.
pub(crate) fn resources(cursor: Cursor<'_>) -> Option<Resources> {
    Some(map(cursor, quantity)?.into_iter().collect())
}

/// Whole numbers by name.
pub(crate) fn counts<T: TryFrom<i128> + Bounded>(
    cursor: Cursor<'_>,
) -> Option<BTreeMap<Arc<str>, T>> {
    Some(map(cursor, whole)?.into_iter().collect())
}

/// How many fields of an object a fault names.
const NAMED: usize = 7;

/// The first of some names, all of them where they are few.
fn some_of(names: &[&str]) -> String {
    match names.get(..NAMED).filter(|_| names.len() > NAMED + 1) {
        Some(some) => format!("{}, … ({} fields)", some.join(", "), names.len()),
        None => names.join(", "),
    }
}

/// What others call fields of these documents.
const OTHER_NAMES: [(&str, &str); 9] = [
    ("resources", "requests"),
    ("containers", "requests"),
    ("replicaCount", "replicas"),
    ("tolerance", "tolerations"),
    ("topologySpread", "topologySpreadConstraints"),
    ("ports", "hostPorts"),
    ("instances", "instanceTypes"),
    ("provisioners", "nodePools"),
    ("cost", "price"),
];

/// The known name that a misspelt one most likely means.
///
/// A name may be wrong in a quarter of its letters and one more. Words that other tools use for the
/// same thing are known by heart.
fn nearest<'k>(
    name: &str,
    known: impl Iterator<Item = &'k &'static str> + Clone,
) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    let own = other.and_then(|(_, own)| known.clone().find(|field| *field == own));
    if own.is_some() {
        return own.copied();
    }
    if name.len() > 64 {
        return None;
    }
    let nearest = known.map(|field| (distance(name, field), *field)).min()?;
    (nearest.0 <= 1 + name.len() / 4).then_some(nearest.1)
}

/// How many letters must be added, dropped or changed (not counting case) to make `b` of `a`.
///
/// Levenshtein's, in one row: cost is the product of the lengths, of which none is above 64.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(start) = row.first_mut() {
            *start = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
