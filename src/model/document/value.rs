//! Documents as trees: what any self-describing format holds, before it is known to mean anything.
//!
//! A tree keeps what the usual maps lose: repeated keys and the order of the document. So all
//! faults of a document can be found at once, and each told by its path. Numbers with a fraction
//! arrive as floats; their shortest decimal text is the number as written, up to 15 digits.
//!
//! The depth of a tree is limited, so that neither reading nor dropping one can exhaust the stack.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

/// A document, or a part of one.
///
/// Texts are borrowed from the document where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'d> {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Cow<'d, str>),
    List(Vec<Value<'d>>),
    Map(Vec<(Cow<'d, str>, Value<'d>)>),
}

/// Keys that most objects of a cluster have again and again, in their order: they are kept once.
#[cfg(feature = "k8s")]
const COMMON_KEYS: [&str; 64] = [
    "annotations",
    "apiVersion",
    "app",
    "args",
    "command",
    "conditions",
    "configMap",
    "containerID",
    "containerPort",
    "containerStatuses",
    "containers",
    "controller",
    "cpu",
    "creationTimestamp",
    "effect",
    "env",
    "fieldPath",
    "fieldRef",
    "generation",
    "image",
    "imageID",
    "imagePullPolicy",
    "initContainers",
    "items",
    "key",
    "kind",
    "labels",
    "lastProbeTime",
    "lastTransitionTime",
    "limits",
    "livenessProbe",
    "manager",
    "matchLabels",
    "memory",
    "message",
    "metadata",
    "mountPath",
    "name",
    "namespace",
    "operation",
    "operator",
    "ownerReferences",
    "path",
    "phase",
    "port",
    "ports",
    "projected",
    "protocol",
    "reason",
    "requests",
    "resourceVersion",
    "resources",
    "sources",
    "spec",
    "state",
    "status",
    "time",
    "tolerationSeconds",
    "tolerations",
    "type",
    "uid",
    "value",
    "volumeMounts",
    "volumes",
];

#[cfg(feature = "k8s")]
impl Value<'_> {
    /// The same tree, which borrows nothing from its text and has no room to spare: a dump of a
    /// cluster is kept whole.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Integer(value) => Value::Integer(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => {
                let mut items: Vec<_> = items.into_iter().map(Value::into_owned).collect();
                items.shrink_to_fit();
                Value::List(items)
            }
            Self::Map(entries) => {
                let owned = |(key, value): (Cow<'_, str>, Self)| {
                    let common = COMMON_KEYS.binary_search(&&*key).ok();
                    let common = common.and_then(|at| COMMON_KEYS.get(at));
                    let key = common.map_or_else(|| key.into_owned().into(), |key| (*key).into());
                    (key, value.into_owned())
                };
                let mut entries: Vec<_> = entries.into_iter().map(owned).collect();
                entries.shrink_to_fit();
                Value::Map(entries)
            }
        }
    }

    /// The value of a field; `None` where it is null, or this isn't a map.
    ///
    /// Of a repeated key the first.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let (_, value) = entries.iter().find(|(key, _)| key == name)?;
        (*value != Value::Null).then_some(value)
    }

    /// What is found along these fields.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; nothing of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

/// How deep lists and maps may lie in each other; documents of this library need a dozen levels.
const MOST_DEPTH: u32 = 64;

impl<'d> de::Deserialize<'d> for Value<'d> {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        Tree { depth_left: MOST_DEPTH, level: Level::Below }.deserialize(deserializer)
    }
}

/// Takes the items of a document's long lists one by one: which list, which item, and its tree.
pub(crate) type ItemReader<'s> = RefCell<dyn FnMut(&'static str, usize, &Value<'_>) + 's>;

/// Reads a document item by item: those of the named lists are given to `reader` and forgotten, so
/// that no tree of the whole stands beside what is read from it. The tree that is left has empty
/// lists there.
pub(crate) fn read_items<'d, D: Deserializer<'d>>(
    deserializer: D,
    lists: &'static [&'static str],
    reader: &ItemReader<'_>,
) -> Result<Value<'d>, D::Error> {
    Tree { depth_left: MOST_DEPTH, level: Level::Root { lists, reader } }.deserialize(deserializer)
}

#[derive(Clone, Copy)]
struct Tree<'s> {
    depth_left: u32,
    level: Level<'s>,
}

/// Where in a document a tree is.
#[derive(Clone, Copy)]
enum Level<'s> {
    /// The document itself.
    Root {
        lists: &'static [&'static str],
        reader: &'s ItemReader<'s>,
    },
    /// A list whose items are read one by one.
    Items {
        list: &'static str,
        reader: &'s ItemReader<'s>,
    },
    Below,
}

impl<'s> Tree<'s> {
    /// The part of the tree under a key of it.
    fn at<E: de::Error>(self, key: &str) -> Result<Self, E> {
        let inner = self.inner()?;
        let Level::Root { lists, reader } = self.level else { return Ok(inner) };
        Ok(match lists.iter().find(|list| **list == key) {
            Some(list) => Self { level: Level::Items { list, reader }, ..inner },
            None => inner,
        })
    }

    fn inner<E: de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1);
        depth_left.map(|depth_left| Self { depth_left, level: Level::Below }).ok_or_else(|| {
            E::custom(format_args!("lists and maps more than {MOST_DEPTH} levels deep"))
        })
    }
}

impl<'d> DeserializeSeed<'d> for Tree<'_> {
    type Value = Value<'d>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Value<'d>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Tree<'_> {
    type Value = Value<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'d>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'d>, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'d>, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value<'d>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'d>, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'d>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'d str) -> Result<Value<'d>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_string<E>(self, value: String) -> Result<Value<'d>, E> {
        Ok(Value::Text(Cow::Owned(value)))
    }

    fn visit_none<E>(self) -> Result<Value<'d>, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value<'d>, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'d>>(self, deserializer: D) -> Result<Value<'d>, D::Error> {
        self.inner()?.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'d>>(
        self,
        deserializer: D,
    ) -> Result<Value<'d>, D::Error> {
        self.inner()?.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut items: A) -> Result<Value<'d>, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        let mut index = 0;
        while let Some(item) = items.next_element_seed(inner)? {
            match self.level {
                Level::Items { list, reader } => {
                    if let Ok(mut read) = reader.try_borrow_mut() {
                        read(list, index, &item);
                    }
                }
                Level::Root { .. } | Level::Below => list.push(item),
            }
            index += 1;
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'d>>(self, mut entries: A) -> Result<Value<'d>, A::Error> {
        let mut map = Vec::new();
        while let Some(MapKey(key)) = entries.next_key()? {
            let tree = self.at(&key)?;
            map.push((key, entries.next_value_seed(tree)?));
        }
        Ok(Value::Map(map))
    }
}

/// A key, borrowed from the document where its format allows.
struct MapKey<'d>(Cow<'d, str>);

impl<'d> de::Deserialize<'d> for MapKey<'d> {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'d> Visitor<'d> for KeyVisitor {
            type Value = MapKey<'d>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text as the key")
            }

            fn visit_str<E>(self, value: &str) -> Result<MapKey<'d>, E> {
                Ok(MapKey(Cow::Owned(value.to_owned())))
            }

            fn visit_borrowed_str<E>(self, value: &'d str) -> Result<MapKey<'d>, E> {
                Ok(MapKey(Cow::Borrowed(value)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            // Every integer that is written fits 64 bits; formats without 128 bits need to see
            // that.
            Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.serialize_i128(*value),
            },
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(all(test, feature = "k8s"))]
mod tests {
    use super::{COMMON_KEYS, Value};

    #[test]
    fn a_tree_of_its_own_says_the_same() {
        assert!(COMMON_KEYS.is_sorted());
        let mut text = String::from(r#"{"other": [1, {"a": null}], "x": true"#);
        COMMON_KEYS.iter().for_each(|key| text.push_str(&format!(", {key:?}: \"{key}\"")));
        text.push('}');
        let tree: Value<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(tree.clone().into_owned(), tree);
    }
}
