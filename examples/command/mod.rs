//! What the examples share that read a problem and say why they can't answer.

use plimsoll::Error;
use std::process::ExitCode;

/// What ends a program without an answer.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl Failure {
    /// Says what is wrong on standard error; the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("{}", self.message);
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { message: error.to_string(), code: if error.is_internal() { 1 } else { 2 } }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        refused(error.to_string())
    }
}

/// The caller's fault.
pub(crate) fn refused(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), code: 2 }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &str) -> Result<String, Failure> {
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| refused(format!("{path}: {error}")))
}
