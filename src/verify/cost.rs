//! Cost, added up again, and what a plan claims about it.
//!
//! The total is the sum of the launches' prices and the fees, in billionths of a dollar, exactly;
//! running nodes cost the same whatever is planned and aren't in it. A fee is the same for every
//! launch, so all fees together divide by their number. The bound lies between nothing and the
//! total, and the word for it follows: `optimal` where they meet, `none` where nothing is proved.
//! Whether the bound *is* one is the certificate's matter.

use super::violation::Violation;
use crate::model::Price;
use crate::plan::{LaunchPlan, Proof};

/// Reports a cost whose parts don't agree with each other or with the launches.
///
/// Each of the four is checked by itself, so that a wrong sum doesn't hide a wrong claim.
pub(super) fn check(plan: &LaunchPlan, out: &mut Vec<Violation>) {
    let cost = plan.cost;
    let launches = u64::try_from(plan.launches.len()).unwrap_or(u64::MAX);
    let (total, fees) = (cost.total.nanos(), cost.fees.nanos());
    let even = match i128::from(launches) {
        0 => fees == 0,
        launches => fees >= 0 && fees % launches == 0,
    };
    if !even {
        out.push(Violation::FeesUneven { fees: cost.fees, launches });
    }
    let prices = plan.launches.iter().map(|launch| launch.template.offering.price.nanos());
    let expected = Price::from_nanos(prices.fold(fees, i128::saturating_add));
    if cost.total != expected {
        out.push(Violation::TotalWrong { stated: cost.total, expected });
    }
    let bound = cost.lower_bound.nanos();
    if bound < 0 || bound > total {
        out.push(Violation::LowerBoundWrong { lower_bound: cost.lower_bound, total: cost.total });
    }
    let expected = if bound == total {
        Proof::Optimal
    } else if bound == 0 {
        Proof::None
    } else {
        Proof::Within
    };
    if cost.proof != expected {
        out.push(Violation::ProofWrong { stated: cost.proof, expected });
    }
}
