//! Reads Kubernetes' and Karpenter's objects, and prints the problem document that they describe.
//!
//!     convert FILE… [--catalog FILE|bundled] [--now RFC3339] [--lenient] [--requests]
//!
//! Files are JSON or YAML (`kubectl get … -o json | convert -`), with any number of documents and
//! lists. Notes and refusals go to standard error, a line each. The exit code is 0, 2 where
//! something is refused or can't be read, and 1 when the library is at fault; the document has all
//! that isn't refused.
//!
//! With `--requests` it prints a line for each pod and each template instead: `kind`, `namespace`,
//! `name` and `requests`, the effective request in whole units (cpu in thousandths).
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "an example does the input and output that the library must not"
)]

mod kubernetes;
mod output;

use kubernetes::{Input, read_catalog, read_dump};
use plimsoll::k8s::{Dump, PodRequests};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const USAGE: &str =
    "usage: convert FILE… [--catalog FILE|bundled] [--now RFC3339] [--lenient] [--requests]

  FILE       Kubernetes' objects in JSON or YAML, or a folder of such files; - for standard input
  --catalog  what can be bought: a problem document, a list of instance types, or bundled data
  --now      the present, which ages are counted to
  --lenient  leave out what can't be honoured, and say so, instead of refusing
  --requests print what each pod asks for instead of a problem";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(refused) if !refused => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Prints what is asked for; whether something was refused.
fn run(mut words: impl Iterator<Item = String>) -> Result<bool, String> {
    let mut input = Input { takes_files: true, ..Input::default() };
    let mut requests = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--requests" => requests = true,
            "--help" | "-h" => {
                return print(USAGE).map(|()| false);
            }
            _ if input.take(&word, &mut words)? => {}
            _ => return Err(format!("{word} isn't known\n{USAGE}")),
        }
    }
    if input.files.is_empty() {
        return Err(USAGE.into());
    }
    let dump = read_dump(&input.files)?;
    if requests {
        return print_requests(&dump, input.options.lenient);
    }
    input.options.catalog = input.catalog.as_deref().map_or(Ok(Vec::new()), read_catalog)?;
    let conversion = dump.convert(&input.options);
    kubernetes::report(&conversion);
    let problem = conversion.problem().map_err(|error| error.to_string())?;
    print(&problem.to_json())?;
    Ok(!conversion.refusals().is_empty())
}

/// Prints a line.
fn print(text: &str) -> Result<(), String> {
    output::print(text).map_err(|error| error.to_string())
}

/// Prints what each pod asks for; whether something was refused.
fn print_requests(dump: &Dump, lenient: bool) -> Result<bool, String> {
    let (requests, refusals) = dump.requests();
    for PodRequests { object, requests, .. } in &requests {
        let amount = |(name, amount): (&std::sync::Arc<str>, plimsoll::Quantity)| {
            let unit = if &**name == "cpu" { 1_000_000 } else { 1_000_000_000 };
            let count = u64::try_from(amount.nanos() / unit).unwrap_or(u64::MAX);
            (name.to_string(), Value::from(count))
        };
        let amounts: Map<String, Value> = requests.iter().map(amount).collect();
        let namespace = object.namespace.as_deref();
        let line = json!({
            "kind": *object.kind,
            "namespace": namespace,
            "name": *object.name,
            "requests": amounts,
        });
        print(&line.to_string())?;
    }
    let word = if lenient { "left out" } else { "refused" };
    refusals.iter().for_each(|refusal| eprintln!("{word}: {refusal}"));
    Ok(!lenient && !refusals.is_empty())
}
