//! Kubernetes' objects to problems, and launches to Karpenter's objects.

mod accounting;
mod back;
mod buffers;
mod cluster;
mod pods;
mod pools;
mod real;
mod requests;

use plimsoll::Problem;
use plimsoll::k8s::{Conversion, ConvertOptions, Dump};

/// What a text comes to.
fn convert(text: &str) -> Conversion {
    convert_with(text, &ConvertOptions::default())
}

fn convert_with(text: &str, options: &ConvertOptions) -> Conversion {
    let mut dump = Dump::new();
    dump.add_text("test", text);
    dump.convert(options)
}

/// The problem of a text of which nothing is refused.
fn problem(text: &str) -> Problem {
    let conversion = convert(text);
    assert_eq!(conversion.refusals(), [], "{text}");
    conversion.problem().unwrap()
}

/// What is refused, as texts.
fn refused(text: &str) -> Vec<String> {
    convert(text).refusals().iter().map(ToString::to_string).collect()
}

/// What is noted, as texts.
fn noted(text: &str) -> Vec<String> {
    convert(text).notes().iter().map(ToString::to_string).collect()
}

/// A pod with a `spec` that has one container that asks for nothing.
fn pod(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{{name: c}}], {spec}}}}}"
    )
}
