//! The loop: what happens is observed, and when something is due it is decided and done.

use crate::api::{Performer, watch};
use crate::controller::{Action, Controller, Outcome, Settings};
use futures::StreamExt;
use kube::Client;
use std::time::Duration;

/// Where the present instant comes from, in milliseconds since the beginning of 1970.
pub type Clock = dyn Fn() -> i64 + Send + Sync;

/// Runs the controller until the watches end, which they don't by themselves.
///
/// `log` hears of faults: the controller goes on.
pub async fn run(client: Client, settings: Settings, clock: &Clock, log: &(dyn Fn(String) + Sync)) {
    let performer = Performer::new(client.clone());
    let mut changes = watch(&client);
    let mut controller = Controller::new(settings);
    loop {
        let wait = controller
            .due()
            .map(|due| Duration::from_millis(u64::try_from(due - clock()).unwrap_or(0)));
        // While something is due, what has happened already is heard first.
        tokio::select! {
            biased;
            change = changes.next() => match change {
                Some(Ok(change)) => controller.observe(change, clock()),
                Some(Err(error)) => log(format!("watch: {error}")),
                None => return,
            },
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                match controller.decide(clock()) {
                    Ok(actions) => {
                        for action in actions {
                            act(&mut controller, &performer, action, clock, log).await;
                        }
                    }
                    Err(error) => {
                        log(format!("plan: {error}"));
                        tokio::time::sleep(Duration::from_secs(10)).await;
                    }
                }
            }
        }
    }
}

async fn act(
    controller: &mut Controller,
    performer: &Performer,
    action: Action,
    clock: &Clock,
    log: &(dyn Fn(String) + Sync),
) {
    let outcome = performer.perform(&action).await;
    if let Outcome::Refused(why) = &outcome {
        log(format!("{}: {why}", action.name()));
    }
    if let Some(report) = controller.done(&action, &outcome, clock())
        && let Outcome::Refused(why) = performer.perform(&Action::Report(report)).await
    {
        log(format!("event: {why}"));
    }
}
