//! Which of the objects that others name are named at all: what nobody names is in no problem, and
//! that is said.

use super::kind::ObjectKind;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The objects that were looked up, by kind, namespace (empty where there is none) and name.
#[derive(Debug, Default)]
pub(super) struct Uses(RefCell<BTreeSet<(ObjectKind, String, String)>>);

impl Uses {
    /// Notes that an object was looked up.
    pub(super) fn add(&self, kind: ObjectKind, namespace: &str, name: &str) {
        // Nobody else holds it meanwhile; if somebody did, a use would go unsaid, and no more.
        if let Ok(mut uses) = self.0.try_borrow_mut() {
            let _new = uses.insert((kind, namespace.to_owned(), name.to_owned()));
        }
    }

    /// Whether an object was looked up.
    pub(super) fn has(&self, kind: ObjectKind, namespace: &str, name: &str) -> bool {
        let key = (kind, namespace.to_owned(), name.to_owned());
        self.0.try_borrow().is_ok_and(|uses| uses.contains(&key))
    }
}
