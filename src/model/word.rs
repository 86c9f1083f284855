//! Words of documents as values: how they are read and written.
//!
//! Enumerations whose variants are words of Kubernetes or Karpenter share one way of being read:
//! the word as it stands in documents, letter by letter, capitals included. The reader of documents
//! uses the same lists, so a word that parses is a word that a document may have.

use super::{BudgetReason, CapacityType, Effect, Operator, Protocol};
use std::fmt;
use std::str::FromStr;

/// Why a text isn't one of the words that are known.
///
/// # Examples
/// ```
/// use plimsoll::model::CapacityType;
///
/// let error = "Spot".parse::<CapacityType>().unwrap_err();
/// assert_eq!(error.to_string(), r#""Spot" isn't one of on-demand, spot, reserved"#);
/// assert_eq!(error.expected, ["on-demand", "spot", "reserved"]);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParseWordError {
    /// The text.
    pub text: String,
    /// The words.
    pub expected: &'static [&'static str],
}

impl fmt::Display for ParseWordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} isn't one of {}", self.text, self.expected.join(", "))
    }
}

impl std::error::Error for ParseWordError {}

macro_rules! words {
    ($kind:ident, $words:ident: $($word:literal => $variant:ident),*) => {
        const $words: &[&str] = &[$($word),*];

        impl $kind {
            /// Every word with its meaning.
            #[cfg(feature = "serde")]
            pub(crate) const WORDS: &[(&'static str, Self)] = &[$(($word, Self::$variant)),*];
        }

        impl FromStr for $kind {
            type Err = ParseWordError;

            fn from_str(text: &str) -> Result<Self, ParseWordError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(ParseWordError { text: text.into(), expected: $words }),
                }
            }
        }
    };
}

words! {
    Operator, OPERATORS:
    "In" => In, "NotIn" => NotIn, "Exists" => Exists, "DoesNotExist" => DoesNotExist,
    "Gt" => Gt, "Lt" => Lt, "Gte" => Gte, "Lte" => Lte
}

words! {
    Effect, EFFECTS:
    "NoSchedule" => NoSchedule, "PreferNoSchedule" => PreferNoSchedule, "NoExecute" => NoExecute
}

words! {
    BudgetReason, BUDGET_REASONS:
    "Empty" => Empty, "Underutilized" => Underutilized, "Drifted" => Drifted
}

words! {
    CapacityType, CAPACITY_TYPES:
    "on-demand" => OnDemand, "spot" => Spot, "reserved" => Reserved
}

words! {
    Protocol, PROTOCOLS: "TCP" => Tcp, "UDP" => Udp, "SCTP" => Sctp
}

/// What a word of documents is shown as: itself.
macro_rules! shown {
    ($($kind:ident),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}

shown! { Effect, BudgetReason, CapacityType, Protocol }

impl Effect {
    /// The effect's name in documents.
    ///
    /// # Examples
    /// ```
    /// use plimsoll::model::Effect;
    ///
    /// assert_eq!("NoExecute".parse::<Effect>()?.as_str(), "NoExecute");
    /// let error = "noexecute".parse::<Effect>().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#""noexecute" isn't one of NoSchedule, PreferNoSchedule, NoExecute"#
    /// );
    /// # Ok::<(), plimsoll::model::ParseWordError>(())
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for word in OPERATORS {
            assert_eq!(word.parse::<Operator>().unwrap().as_str(), *word);
        }
        for word in EFFECTS {
            assert_eq!(word.parse::<Effect>().unwrap().to_string(), *word);
        }
        for word in BUDGET_REASONS {
            assert_eq!(word.parse::<BudgetReason>().unwrap().to_string(), *word);
        }
        for word in CAPACITY_TYPES {
            assert_eq!(word.parse::<CapacityType>().unwrap().to_string(), *word);
        }
        for word in PROTOCOLS {
            assert_eq!(word.parse::<Protocol>().unwrap().to_string(), *word);
        }
    }
}
