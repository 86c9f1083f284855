//! What preferences and weights of pools cost.

use super::table::money;
use crate::model::Price;
use std::fmt;

/// What a plan pays per hour for rules that it could do without; see
/// [`Solver::premiums`](crate::Solver::premiums).
///
/// `Display` writes a line for each that isn't 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Premiums {
    /// What the plan costs per hour.
    pub cost: Price,
    /// How much of that is paid for preferences that are honoured; 0 where they count for nothing.
    /// `None`: the plan without them places other numbers of pods, so that they can't be compared.
    pub preferences: Option<Price>,
    /// How much is paid for filling pools of a higher weight first; `None` as for preferences.
    pub weights: Option<Price>,
}

impl fmt::Display for Premiums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let premiums = [("preferences", self.preferences), ("weights of pools", self.weights)];
        let mut first = true;
        for (name, premium) in premiums {
            let Some(premium) = premium.filter(|premium| *premium != Price::ZERO) else { continue };
            let without = Price::from_nanos(self.cost.nanos().saturating_sub(premium.nanos()));
            let line = if first { "" } else { "\n" };
            write!(f, "{line}{name} cost {} an hour: ", money(premium))?;
            write!(f, "{} without, {} with them", money(without), money(self.cost))?;
            first = false;
        }
        Ok(())
    }
}
