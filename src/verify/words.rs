//! Violations in words.

use super::violation::{BindingRule, PlanPlace, Violation};
use std::fmt;

impl fmt::Display for PlanPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launch(launch) => write!(f, "launch {launch}"),
            Self::Alternative { launch, alternative } => {
                write!(f, "launch {launch} as alternative {alternative}")
            }
            Self::Node(node) => write!(f, "node {node}"),
            Self::Unschedulable => f.write_str("the unschedulable pods"),
        }
    }
}

impl fmt::Display for BindingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spread { key, domain: None, .. } => {
                write!(f, "its spread over {key} needs a node with that label")
            }
            Self::Spread { key, domain: Some(domain), count, least, max_skew } => write!(
                f,
                "its spread over {key} allows {max_skew} above the lowest count, which is {least}, \
                 and {domain} has {count}"
            ),
            Self::Affinity { key } => {
                write!(f, "its affinity over {key} needs a pod there that can't be bound before")
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Violation as V;
        match self {
            V::PodUnknown { pod, place } => {
                write!(f, "{place}: the problem has no pod {pod}")
            }
            V::PodBound { pod, place } => write!(f, "{place}: pod {pod} is bound already"),
            V::PodRepeated { pod, times } => write!(f, "pod {pod} occurs {times} times"),
            V::PodMissing { pod, count } => {
                write!(f, "pod {pod} is missing, with all pods alike {count}")
            }
            V::ReasonMissing { pod } => write!(f, "pod {pod} has no place and no reason"),
            V::NodeUnknown { pod, node } => {
                write!(f, "pod {pod} is placed on node {node}, which the problem doesn't have")
            }
            V::NodeDeleting { pod, node } => {
                write!(f, "pod {pod} is placed on node {node}, which is being deleted")
            }
            V::LaunchEmpty { launch } => write!(f, "launch {launch} has no pods"),
            V::NodePoolUnknown { launch, node_pool } => {
                write!(f, "launch {launch}: the problem has no node pool {node_pool}")
            }
            V::OfferingUnknown { place, choice } => write!(
                f,
                "{place}: the problem doesn't offer {} in {} as {}{}{}",
                choice.instance_type,
                choice.zone,
                choice.capacity_type,
                if choice.reservation.is_some() { " from " } else { "" },
                choice.reservation.as_deref().unwrap_or("")
            ),
            V::OfferingUnavailable { place, choice } => write!(
                f,
                "{place}: {} in {} as {} isn't available",
                choice.instance_type, choice.zone, choice.capacity_type
            ),
            V::PriceWrong { place, stated, expected } => {
                write!(f, "{place}: the price is {expected}, not {stated}")
            }
            V::InstanceTypeForbidden { place, node_pool, instance_type } => {
                write!(f, "{place}: node pool {node_pool} doesn't list type {instance_type}")
            }
            V::OfferingForbidden { place, node_pool, key } => {
                write!(f, "{place}: node pool {node_pool} and the offering disagree on label {key}")
            }
            V::LabelMissing { launch, key, expected } => {
                write!(f, "launch {launch}: label {key} must be there and be {expected}")
            }
            V::LabelWrong { launch, key, value } => {
                write!(f, "launch {launch}: label {key} can't be {value}")
            }
            V::LabelOpen { place, key } => {
                write!(f, "{place}: label {key} matters, and isn't fixed to a possible value")
            }
            V::TaintsWrong { launch, node_pool } => {
                write!(f, "launch {launch}: the taints aren't those of node pool {node_pool}")
            }
            V::StartupTaintsWrong { launch, node_pool } => {
                write!(
                    f,
                    "launch {launch}: the startup taints aren't those of node pool {node_pool}"
                )
            }
            V::CapacityWrong { launch, resource, stated, expected } => {
                write!(f, "launch {launch}: the capacity of {resource} is {expected}, not {stated}")
            }
            V::RequestsWrong { launch, resource, stated, expected } => {
                write!(f, "launch {launch}: requests of {resource} are {expected}, not {stated}")
            }
            V::RequirementBroken { place, key } => {
                write!(f, "{place}: a stated requirement on label {key} doesn't hold")
            }
            V::MinValuesMissing { launch, key, asked } => write!(
                f,
                "launch {launch}: no minimum is stated for label {key}, of which the pool asks \
                 {asked} values"
            ),
            V::MinValuesUnmet { launch, key, stated, found } => write!(
                f,
                "launch {launch}: label {key} has {found} values among the alternatives, not \
                 {stated}"
            ),
            V::AlternativesUnsorted { launch, alternative } => write!(
                f,
                "launch {launch}: alternative {alternative} isn't after the one before it"
            ),
            V::ChoiceNotListed { launch } => {
                write!(f, "launch {launch}: the choice isn't among the alternatives")
            }
            V::AlternativeAboveChoice { launch, alternative, resource } => write!(
                f,
                "launch {launch}: alternative {alternative} has more {resource}, which the pool \
                 limits, than the choice"
            ),
            V::AlternativeReserved { launch, alternative, reservation } => write!(
                f,
                "launch {launch}: alternative {alternative} draws on reservation {reservation}"
            ),
            V::Overfull { place, resource, requested, allocatable } => {
                write!(
                    f,
                    "{place}: {requested} of {resource} are requested, {allocatable} are there"
                )
            }
            V::NodeSelector { pod, place } => {
                write!(f, "{place}: the node selector of pod {pod} doesn't match")
            }
            V::NodeAffinity { pod, place } => {
                write!(f, "{place}: the required node affinity of pod {pod} doesn't match")
            }
            V::Untolerated { pod, place, taint } => write!(
                f,
                "{place}: pod {pod} doesn't tolerate taint {}={}:{:?}",
                taint.key, taint.value, taint.effect
            ),
            V::HostPort { pod, other, place, port, protocol } => {
                write!(f, "{place}: {pod} and {other} both take host port {port}/{protocol}")
            }
            V::VolumeZone { pod, place, volume } => {
                write!(f, "{place}: volume {volume} of pod {pod} can't be reached from there")
            }
            V::VolumeLimit { place, driver, volumes, limit } => {
                write!(f, "{place}: {volumes} volumes of {driver}, at most {limit} attach")
            }
            V::AntiAffinity { pod, other, place } => {
                write!(f, "{place}: the anti-affinity of pod {pod} forbids pod {other}")
            }
            V::DomainAntiAffinity { pod, other, key, domain } => {
                write!(f, "{key} {domain}: the anti-affinity of pod {pod} forbids pod {other}")
            }
            V::NoBindingOrder { pod, place, rule, certain } => {
                write!(f, "{place}: no order of binding accepts pod {pod}: {rule}")?;
                if *certain { Ok(()) } else { f.write_str(" (not every order was tried)") }
            }
            V::AlternativeElsewhere { launch, alternative, key } => write!(
                f,
                "launch {launch}: alternative {alternative} has another {key}, which pods depend on"
            ),
            V::AlternativeOpensDomain { launch, alternative, key, domain } => write!(
                f,
                "launch {launch}: alternative {alternative} would open {key} {domain}, which a spread counts"
            ),
            V::PreferencesWrong { stat, stated, expected } => {
                write!(f, "stats: {stat} is stated as {stated}, it is {expected}")
            }
            V::StaticLaunches { node_pool, launches, expected } => write!(
                f,
                "static node pool {node_pool}: {launches} launches, {expected} are missing"
            ),
            V::StaticReservations { missing, left } => write!(
                f,
                "launches leave reservations for {left} of {missing} nodes that static node pools lack"
            ),
            V::OnlyPlaceholders { launch } => {
                write!(f, "launch {launch} holds only placeholders that may not cause a launch")
            }
            V::Limit { node_pool, resource, running, launched, limit } => write!(
                f,
                "node pool {node_pool}: {running} of {resource} run and {launched} are launched, \
                 the limit is {limit}"
            ),
            V::Reservation { reservation, launches, remaining } => write!(
                f,
                "reservation {reservation}: {launches} launches draw on it, {remaining} remain"
            ),
            V::Weight { pod, launch, node_pool } => write!(
                f,
                "launch {launch}: pod {pod} could be on node pool {node_pool}, which has a higher \
                 weight"
            ),
            V::TotalWrong { stated, expected } => {
                write!(f, "the total cost is {expected}, not {stated}")
            }
            V::FeesUneven { fees, launches } => {
                write!(f, "fees of {fees} aren't the same for each of {launches} launches")
            }
            V::LowerBoundWrong { lower_bound, total } => {
                write!(f, "the lower bound {lower_bound} isn't between 0 and the total {total}")
            }
            V::ProofWrong { stated, expected } => {
                write!(f, "{stated:?} is claimed to be proved, what is proved is {expected:?}")
            }
            V::CertificateMalformed { part } => {
                write!(f, "the certificate's {part} is out of range, unknown or repeated")
            }
            V::CertificateFee { stated, fees, launches } => write!(
                f,
                "the certificate's fee of {stated} isn't that of {launches} launches with {fees}"
            ),
            V::CertificatePods { pods, counted, found } => {
                write!(f, "the certificate counts {counted} of its pods {pods}, there are {found}")
            }
            V::NotApart { pod, other } => {
                write!(f, "the certificate's pods {pod} and {other} may share a node")
            }
            V::OfferingUnproved { node_pool, instance_type, offering } => write!(
                f,
                "the certificate has no proof for offering {offering} of {instance_type} in node \
                 pool {node_pool}"
            ),
            V::OfferingWorth { node_pool, instance_type, offering, worth, cost } => write!(
                f,
                "offering {offering} of {instance_type} in node pool {node_pool} costs {cost}, the \
                 certificate's pods there are worth {worth}"
            ),
            V::NodeUnproved { node } => write!(f, "the certificate has no proof for node {node}"),
            V::WorthUnproved { place, proof } => {
                write!(f, "proof {proof} of the certificate proves nothing of {place}")
            }
            V::NotExhausted { stated, found } => {
                write!(f, "nothing is said to cost less than {stated}, but something costs {found}")
            }
            V::PlacementBoundUnproved { stated, proved } => write!(
                f,
                "{stated} pods are said to be all that can be placed, the certificate proves {proved}"
            ),
            V::Wave { wave, violation } => write!(f, "wave {wave}: {violation}"),
            V::Consolidation { path, fault } => write!(f, "{path}: {fault}"),
            V::LowerBoundUnproved { stated, proved } => {
                write!(f, "the lower bound is {stated}, the certificate proves {proved}")
            }
        }
    }
}
