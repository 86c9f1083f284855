//! How the events of a history are weighed.

/// How the events of an [`OfferingHistory`](super::OfferingHistory) are weighed; the defaults are
/// for a cloud that mostly has what is asked for.
///
/// # Examples
/// ```
/// use plimsoll::history::{HistoryPolicy, OfferingHistory};
///
/// let mut policy = HistoryPolicy::default();
/// policy.first_backoff = 300;
/// let history = OfferingHistory::new(policy);
/// assert_eq!(history.policy().longest_backoff, 1800);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HistoryPolicy {
    /// In how many seconds what was seen counts for half as much; 3,600.
    pub half_life: u32,
    /// For how many seconds what failed once isn't asked for; 180. It doubles with each further
    /// failure within a half-life, until a launch succeeds.
    pub first_backoff: u32,
    /// For how many seconds what fails isn't asked for at most; 1,800.
    pub longest_backoff: u32,
    /// How likely a launch succeeds of which nothing is known, in millionths; 950,000. The share of
    /// all launches that succeeded in the past is a good one.
    pub prior_success: u32,
    /// How many attempts of an offering its prior counts for; 2.
    pub prior_attempts: u32,
    /// How many node hours of an offering its stated interruption rate counts for; 100.
    pub prior_hours: u32,
    /// What was seen of the type in other zones counts for this percentage; 25.
    pub same_type: u32,
    /// What was seen of other types in the zone counts for this percentage; 10.
    pub same_zone: u32,
    /// An offering that succeeds less often, in millionths, isn't asked for until what was seen has
    /// faded; 100,000. With 0, backoffs alone decide.
    pub least_success: u32,
    /// How many seconds a node is expected to live; 86,400. A launch that fails delays its pods as
    /// an interruption does, once in this time.
    pub node_life: u32,
}

impl Default for HistoryPolicy {
    fn default() -> Self {
        Self {
            half_life: 3_600,
            first_backoff: 180,
            longest_backoff: 1_800,
            prior_success: 950_000,
            prior_attempts: 2,
            prior_hours: 100,
            same_type: 25,
            same_zone: 10,
            least_success: 100_000,
            node_life: 86_400,
        }
    }
}

impl HistoryPolicy {
    /// The half-life, at least a second.
    pub(super) fn seconds_of_half_life(&self) -> i64 {
        i64::from(self.half_life.max(1))
    }
}
