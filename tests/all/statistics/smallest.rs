//! Cuts a document down to what shows a fault: whatever can go without the fault's going is left
//! out.

use serde_json::{Value, json};

/// The least document, by leaving out and making smaller, of which something is still true.
pub(crate) fn of(document: &Value, is_true: &dyn Fn(&Value) -> bool) -> Value {
    let mut least = document.clone();
    loop {
        let paths = paths(&least);
        let mut smaller = false;
        for path in paths {
            let Some(shorter) = without(&least, &path) else { continue };
            if is_true(&shorter) {
                (least, smaller) = (shorter, true);
            }
        }
        if !smaller {
            return least;
        }
    }
}

/// Every place in a document, outer ones first, the last of a list before those before it.
fn paths(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = vec![(String::new(), value)];
    while let Some((path, value)) = next.pop() {
        if !path.is_empty() {
            all.push(path.clone());
        }
        match value {
            Value::Array(list) => {
                next.extend(list.iter().enumerate().map(|(at, one)| (format!("{path}/{at}"), one)));
            }
            Value::Object(map) => {
                let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
                next.extend(map.iter().map(|(key, one)| (format!("{path}/{}", escaped(key)), one)));
            }
            _ => {}
        }
    }
    all.sort_by_key(|path| path.matches('/').count());
    all
}

/// The document without what is at a place, or with less of it.
fn without(document: &Value, path: &str) -> Option<Value> {
    let mut shorter = document.clone();
    let (parent, last) = path.rsplit_once('/')?;
    let last = last.replace("~1", "/").replace("~0", "~");
    if last == "replicas" {
        let count = shorter.pointer_mut(path)?;
        let less = count.as_u64()?.checked_sub(1).filter(|less| *less > 0)?;
        *count = json!(less);
        return Some(shorter);
    }
    match shorter.pointer_mut(parent)? {
        Value::Array(list) => {
            let at: usize = last.parse().ok()?;
            if at >= list.len() {
                return None;
            }
            let _one = list.remove(at);
        }
        Value::Object(map) => {
            let _one = map.remove(&last)?;
        }
        _ => return None,
    }
    Some(shorter)
}
