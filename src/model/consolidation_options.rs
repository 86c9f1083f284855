//! What a caller asks of a consolidation: what binds a plan, and what it is weighed by.
//!
//! Three kinds of wishes stand side by side: limits that hold in every plan
//! ([`max_moves`](ConsolidationOptions::max_moves),
//! [`max_surge`](ConsolidationOptions::max_surge)), what an action must save to be worth it (the
//! four prices and shares), and what the caller knows that the problem doesn't say
//! ([`now`](ConsolidationOptions::now)). Rules of pools and pods (policies, budgets,
//! `do-not-disrupt`) aren't options: they are part of the problem.

use super::Price;

/// How running nodes are to be consolidated; the defaults are what most people want.
///
/// # Examples
/// ```
/// use plimsoll::ConsolidationOptions;
///
/// let mut options = ConsolidationOptions::default();
/// options.max_moves = Some(200);
/// options.move_price = "0.01".parse()?;
/// assert_eq!(options.minimum_saving, 100_000_000);
/// # Ok::<(), plimsoll::model::ParsePriceError>(())
/// ```
///
/// Fields are set one by one, as above, since the struct may grow. Every amount is per hour, in the
/// currency of the prices.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConsolidationOptions {
    /// At most so many pods are moved; `None`: as many as are worth it.
    ///
    /// Pods that are evicted and have to run elsewhere count; those of daemon sets and static pods,
    /// which go with their node, don't. Default: `None`.
    pub max_moves: Option<u64>,
    /// What moving one plain pod must save per hour; pods that are dearer to evict, by their
    /// deletion cost or priority, must save as much more. 0 by default.
    ///
    /// An action whose moves cost more than it saves isn't taken.
    pub move_price: Price,
    /// Whether pods without an owner may be moved. Once evicted nothing creates them anew, so by
    /// default they keep their node where it is.
    ///
    /// Default: `false`. With `true` it is for the caller to create them anew.
    pub bare_pods_move: bool,
    /// Of what nodes cost that are replaced, the share that must be saved at least, in billionths;
    /// a tenth by default. What is deleted without a launch needs save nothing in particular.
    ///
    /// 100,000,000 is a tenth. It keeps a plan from replacing nodes for next to nothing, over and
    /// over.
    pub minimum_saving: u32,
    /// What every action must save per hour at least. 0 by default.
    ///
    /// An action is one deletion, or a replacement of one or several nodes together.
    pub minimum_saving_per_action: Price,
    /// What every action must save per hour at least for each pod that it evicts. 0 by default.
    pub minimum_saving_per_move: Price,
    /// A single spot node is replaced by a spot launch only where so many instance types would do
    /// that are cheaper than it is, the one that is launched among them: what is launched then is
    /// no rare type. Karpenter's 15 by default; with 1 the cheapest will do.
    ///
    /// Source: `MinInstanceTypesForSpotToSpotConsolidation` of
    /// <https://karpenter.sh/docs/concepts/disruption/#spot-consolidation>.
    pub spot_flexibility: u32,
    /// The instant of the call, in seconds since the epoch, which budgets with a schedule need.
    /// `None`: all of these are taken as active.
    ///
    /// There is no clock in here: a caller who leaves it out gets the more careful answer.
    pub now: Option<i64>,
    /// At most so many nodes are launched in one wave; `None`: as many as limits allow.
    ///
    /// Default: `None`. A cluster with a quota for its account sets it to what the quota leaves.
    pub max_surge: Option<u32>,
    /// Whether it is worked out, by planning anew without it, what each kind of blocker holds back,
    /// which [`stats`](crate::plan::ConsolidationPlan::stats) tell then, and what else holds a
    /// node, which is among its reasons then: with all of these lifted from the problem, it goes.
    /// That takes a plan for each kind; by default it isn't worked out.
    pub held_back: bool,
}

/// All of something, in billionths.
pub(crate) const WHOLE_SHARE: u32 = 1_000_000_000;

impl Default for ConsolidationOptions {
    fn default() -> Self {
        Self {
            max_moves: None,
            move_price: Price::ZERO,
            bare_pods_move: false,
            minimum_saving: WHOLE_SHARE / 10,
            minimum_saving_per_action: Price::ZERO,
            minimum_saving_per_move: Price::ZERO,
            spot_flexibility: 15,
            now: None,
            max_surge: None,
            held_back: false,
        }
    }
}
