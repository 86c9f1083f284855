//! Amounts of named resources: what pods ask for, machines have, and pools are limited to.
//!
//! Every resource is a name and a [`Quantity`]. Four names mean something here; all others, such as
//! `nvidia.com/gpu`, are counted in whole units and compared, and nobody asks what they are.
//!
//! | name | meaning | counts in |
//! |---|---|---|
//! | `cpu` | processors | thousandths |
//! | `memory` | bytes | whole units |
//! | `pods` | how many pods a node runs; every pod takes one | whole units |
//! | `nodes` | in limits only: how many nodes a pool has | whole units |

use super::fault::quoted;
use super::list::List;
use super::quantity::hint;
use super::{ParseQuantityError, Quantity};
use std::fmt;
use std::sync::Arc;

/// Amounts by resource name, sorted by name, each name once.
///
/// A name that isn't there is an amount of nothing: a pod that doesn't name a resource asks for
/// none of it, a machine that doesn't name it has none. Clones share their memory until one is
/// changed.
///
/// # Examples
/// ```
/// use plimsoll::{Quantity, Resources};
///
/// let mut large = Resources::parse([("memory", "16Gi"), ("cpu", "4")])?;
/// assert_eq!(large.insert("pods", Quantity::from_units(58)), None);
/// let names: Vec<&str> = large.iter().map(|(name, _)| &**name).collect();
/// assert_eq!(names, ["cpu", "memory", "pods"]);
/// assert_eq!(large.get("nvidia.com/gpu"), None);
/// # Ok::<(), plimsoll::model::ParseResourcesError>(())
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Resources(List<(Arc<str>, Quantity)>);

/// Why amounts couldn't be read from texts: the first text that isn't a quantity.
///
/// It prints the resource, the text and, where the text is close to something, what was most likely
/// meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseResourcesError {
    /// The resource.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
    /// What is wrong with it.
    pub error: ParseQuantityError,
}

impl fmt::Display for ParseResourcesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is {}", self.name, quoted(&self.text), self.error)?;
        hint(&self.text).iter().try_for_each(|hint| write!(f, "; expected {hint}"))
    }
}

impl std::error::Error for ParseResourcesError {}

/// The resource counted in thousandths; all others count in whole units.
pub(crate) const CPU: &str = "cpu";
/// The resource of which every pod takes one.
pub(crate) const PODS: &str = "pods";
/// The resource of which every node is one, in limits.
pub(crate) const NODES: &str = "nodes";

impl Resources {
    /// Shares the memory of others that are the same.
    pub(crate) fn share(&mut self, other: &Self) {
        self.0.share(&other.0);
    }

    /// Nothing.
    ///
    /// It allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(List::new())
    }

    /// Amounts from texts, such as `[("cpu", "250m"), ("memory", "1Gi")]`; of a name that occurs
    /// twice the last amount counts.
    ///
    /// # Errors
    /// The first text that isn't a quantity, with its resource.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Resources;
    ///
    /// let error = Resources::parse([("cpu", "2"), ("memory", "3GB")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"memory: "3GB" is not a quantity; expected 3G (powers of 1000) or 3Gi (powers of 1024)"#
    /// );
    /// ```
    pub fn parse<'a>(
        amounts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ParseResourcesError> {
        let mut resources = Self::new();
        for (name, text) in amounts {
            let amount = text.parse().map_err(|error| ParseResourcesError {
                name: name.into(),
                text: text.into(),
                error,
            })?;
            let _former = resources.insert(name, amount);
        }
        Ok(resources)
    }

    /// The amount of a name, `None` where it isn't named.
    ///
    /// `None` and an amount of zero mean the same wherever amounts are compared.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Quantity> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        self.0.get(at).map(|(_, amount)| *amount)
    }

    /// Sets a name's amount and returns the former one.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::{Quantity, Resources};
    ///
    /// let mut requests = Resources::new();
    /// let one = Quantity::from_units(1);
    /// assert_eq!(requests.insert("nvidia.com/gpu", one), None);
    /// assert_eq!(requests.insert("nvidia.com/gpu", Quantity::from_units(2)), Some(one));
    /// ```
    pub fn insert(&mut self, name: impl Into<Arc<str>>, amount: Quantity) -> Option<Quantity> {
        let name = name.into();
        match self.0.binary_search_by(|(n, _)| n.cmp(&name)) {
            Ok(at) => Some(std::mem::replace(&mut self.0.items_mut()[at].1, amount)),
            Err(at) => {
                self.0.to_mut().insert(at, (name, amount));
                None
            }
        }
    }

    /// Names and amounts by name.
    #[must_use]
    pub fn iter(&self) -> ResourceIter<'_> {
        self.into_iter()
    }

    /// The sums with other amounts, each at most [`Quantity::MAX`].
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Resources;
    ///
    /// let web = Resources::parse([("cpu", "1500m"), ("memory", "1Gi")])?;
    /// let sidecar = Resources::parse([("cpu", "500m")])?;
    /// assert_eq!(web.saturating_add(&sidecar), Resources::parse([("cpu", "2"), ("memory", "1Gi")])?);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn saturating_add(&self, other: &Self) -> Self {
        let mut sums = self.clone();
        for (name, amount) in other {
            let own = self.get(name).unwrap_or(Quantity::ZERO);
            let _former = sums.insert(name.clone(), own.saturating_add(amount));
        }
        sums
    }

    /// What is left of the amounts without others; nothing where those are more.
    ///
    /// Only names of these amounts are in the result, those of which nothing is left among them.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::Resources;
    ///
    /// let capacity = Resources::parse([("cpu", "2"), ("pods", "29")])?;
    /// let overhead = Resources::parse([("cpu", "70m"), ("ephemeral-storage", "1Gi")])?;
    /// let left = Resources::parse([("cpu", "1930m"), ("pods", "29")])?;
    /// assert_eq!(capacity.saturating_sub(&overhead), left);
    /// # Ok::<(), plimsoll::model::ParseResourcesError>(())
    /// ```
    #[must_use]
    pub fn saturating_sub(&self, other: &Self) -> Self {
        let left = |(name, amount): (&Arc<str>, Quantity)| {
            let less = other.get(name).unwrap_or(Quantity::ZERO);
            (name.clone(), amount.saturating_sub(less))
        };
        self.iter().map(left).collect()
    }

    /// How many resources are named.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Arc<str>>> FromIterator<(K, Quantity)> for Resources {
    /// Of a name that occurs twice the last amount counts.
    fn from_iter<T: IntoIterator<Item = (K, Quantity)>>(amounts: T) -> Self {
        let mut resources = Self::new();
        resources.extend(amounts);
        resources
    }
}

impl<K: Into<Arc<str>>> Extend<(K, Quantity)> for Resources {
    fn extend<T: IntoIterator<Item = (K, Quantity)>>(&mut self, amounts: T) {
        for (name, amount) in amounts {
            let _former = self.insert(name, amount);
        }
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = (&'a Arc<str>, Quantity);
    type IntoIter = ResourceIter<'a>;

    fn into_iter(self) -> ResourceIter<'a> {
        ResourceIter(self.0.iter())
    }
}

/// Goes through resources by name.
#[derive(Clone, Debug)]
pub struct ResourceIter<'a>(std::slice::Iter<'a, (Arc<str>, Quantity)>);

impl<'a> Iterator for ResourceIter<'a> {
    type Item = (&'a Arc<str>, Quantity);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, amount)| (name, *amount))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for ResourceIter<'_> {}

/// How many of a resource's counting units make one of its units: 1,000 for cpu, else 1.
///
/// Kubernetes keeps `cpu` in millicores too; no other resource has parts.
pub(crate) fn per_unit(name: &str) -> i64 {
    if name == CPU { 1000 } else { 1 }
}

/// So many counting units of a resource, the reverse of counting; nothing where below zero.
pub(crate) fn amount(name: &str, count: i64) -> Quantity {
    let count = u64::try_from(count).unwrap_or(0);
    if name == CPU { Quantity::from_millis(count) } else { Quantity::from_units(count) }
}
