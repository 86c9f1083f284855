//! Plans that keep every rule, and plans that break exactly one.
