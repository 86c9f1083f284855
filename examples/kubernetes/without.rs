//! The arguments that need the feature `k8s`, without it.

use plimsoll::Problem;

/// What would be read.
#[derive(Default)]
pub(crate) struct Input;

impl Input {
    /// Takes no argument, and says of those that the feature has that it is missing.
    pub(crate) fn take(
        &mut self,
        word: &str,
        _rest: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        match word {
            "--kubernetes" | "--catalog" | "--lenient" => {
                Err(format!("{word} needs the feature k8s: cargo run --features k8s …"))
            }
            _ => Ok(false),
        }
    }

    /// Has no part for an instant.
    pub(crate) fn set_now(&mut self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    /// Whether there are files to read: never.
    pub(crate) fn is_given(&self) -> bool {
        false
    }

    /// The problem of the files, of which there are none.
    pub(crate) fn problem(&self) -> Result<Problem, String> {
        Err("there are no files of objects".into())
    }
}
