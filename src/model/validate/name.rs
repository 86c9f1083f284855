//! The syntax of names, label keys and label values.
//!
//! | text | may be |
//! |---|---|
//! | the name of an object | 1 to 253 characters without `/`, white space and control characters |
//! | a label's key | 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends, after an optional DNS name and `/` |
//! | a label's value | nothing, or as the second part of a key |
//!
//! Names of objects are taken more loosely than Kubernetes takes them, since prices and types come
//! from catalogs with names of their own; where a name becomes a label's value (pools, types,
//! zones) it must be one.
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>.

use crate::model::fault::{Faults, Path, quoted};

const KEY: &str = "a label key: at most 63 letters, digits, '-', '_' and '.', beginning and ending \
                   with a letter or digit, after an optional lower-case DNS prefix and '/'";
const VALUE: &str = "a label value: at most 63 letters, digits, '-', '_' and '.', beginning and \
                     ending with a letter or digit";
const NAME: &str = "a name of 1 to 253 characters without '/', white space or control characters";

/// Checks the key of a label, taint or resource.
pub(super) fn label_key(key: &str, path: &Path<'_>, faults: &mut Faults) {
    if !is_label_key(key) {
        faults.add(path, format!("{} isn't a label key", quoted(key)), KEY);
    }
}

/// Checks the value of a label or taint; it may be empty.
pub(super) fn label_value(value: &str, path: &Path<'_>, faults: &mut Faults) {
    if !value.is_empty() && !is_label_word(value) {
        faults.add(path, format!("{} isn't a label value", quoted(value)), VALUE);
    }
}

/// Checks a name that is used as the value of a label, so it may not be empty.
pub(super) fn label_name(name: &str, path: &Path<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.add(path, "empty", VALUE);
    } else {
        label_value(name, path, faults);
    }
}

/// Checks the name of an object.
pub(super) fn object_name(name: &str, path: &Path<'_>, faults: &mut Faults) {
    if name.is_empty() {
        faults.add(path, "empty", NAME);
    } else if name.len() > 253
        || name.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control())
    {
        faults.add(path, format!("{} isn't a name", quoted(name)), NAME);
    }
}

/// Checks a text that must say something.
pub(super) fn not_empty(text: &str, path: &Path<'_>, faults: &mut Faults) {
    if text.is_empty() {
        faults.add(path, "empty", "a text");
    }
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label_word(key),
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_label_word(name),
    }
}

fn is_label_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_dns_subdomain(text: &str) -> bool {
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|part| {
            let bytes = part.as_bytes();
            bytes.first().is_some_and(inner)
                && bytes.last().is_some_and(inner)
                && bytes.iter().all(|b| inner(b) || *b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_most_lengths() {
        let long = |length: usize| "a".repeat(length);
        for (key, holds) in [
            (long(63), true),
            (long(64), false),
            (format!("{}/b", long(253)), true),
            (format!("{}/b", long(254)), false),
            (format!("b/{}", long(64)), false),
            (String::new(), false),
            ("/b".into(), false),
            ("b/".into(), false),
            ("-b".into(), false),
            ("b-".into(), false),
            ("b_c.d-e".into(), true),
        ] {
            assert_eq!(is_label_key(&key), holds, "{key}");
        }
    }
}
