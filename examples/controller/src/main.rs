//! The controller against the cluster of the kubeconfig, or of the pod that it runs in.
//!
//! `plimsoll-controller CATALOG.json`: the file has a list of instance types in the form of the
//! problem document's `instanceTypes`.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "programs have files and a clock"
)]

use plimsoll::{InstanceType, Problem};
use plimsoll_controller::controller::Settings;
use plimsoll_controller::run::run;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

fn catalog(file: &str) -> Result<Vec<InstanceType>, Box<dyn Error>> {
    let types: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let document = serde_json::json!({"pods": [], "nodePools": [], "instanceTypes": types});
    Ok(Problem::from_json(&document.to_string())?.instance_types().to_vec())
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: plimsoll-controller CATALOG.json")?;
    let settings = Settings::new(catalog(&file)?);
    let client = kube::Client::try_default().await?;
    let log = |line: String| eprintln!("{line}");
    tokio::select! {
        () = run(client, settings, &now, &log) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}
