//! The forms of the plan document and of the consolidation document.
//!
//! Plans are written by this library and read by others, so these schemas are for those who read:
//! which fields are always there (`must`), and which are left out where they have nothing to say
//! (`may`).

use super::form::Kind::{List, Map, Number, Of, Price, SignedPrice, Text, Whole, Word};
use super::form::{Form, FormField, Kind, form, may, must};
use super::problem::{AMOUNTS, CAPACITY_TYPE, COUNT, LABELS, REQUIREMENT, TAINT};

const LARGE: Kind = Whole(0, i64::MAX);

pub(super) const PLAN: Form = form(
    "LaunchPlan",
    "What to launch for the pending pods",
    &[
        may("templates", List(&Of(&TEMPLATE)), "none", "what is launched, each kind once"),
        may("launches", List(&Of(&LAUNCH)), "none", "the nodes to create"),
        may("bindings", List(&Of(&BINDING)), "none", "pods placed on nodes of the problem"),
        may("unschedulable", List(&Of(&UNSCHEDULABLE)), "none", "pods with no place, and why"),
        must("cost", Of(&COST), "what the launches cost per hour"),
        may("warnings", List(&Of(&WARNING)), "none", "what is accepted but hardly meant"),
        may("stats", Map(&LARGE), "none", "counts that describe the solve"),
    ],
);

const TEMPLATE: Form = form(
    "LaunchTemplate",
    "What a node to create is like, whatever pods it is for",
    &[
        must("nodePool", Text, "the pool that buys it"),
        must("offering", Of(&PLACE), "the choice that the cost counts"),
        must("price", Price, "of the choice, per hour, fees not included"),
        may(
            "alternatives",
            List(&Of(&OFFERING_REF)),
            "none",
            "all that hold its pods, cheapest first",
        ),
        may("labels", LABELS, "none", "the node's labels with the choice"),
        may("taints", List(&Of(&TAINT)), "none", "the pool's taints"),
        may("startupTaints", List(&Of(&TAINT)), "none", "the pool's startup taints"),
        may("capacity", AMOUNTS, "none", "of the choice's type, overhead included"),
        may("requirements", List(&Of(&REQUIREMENT)), "none", "what the node must satisfy"),
    ],
);

const OF_TYPE: FormField = must("instanceType", Text, "the type's name");
const IN_ZONE: FormField = must("zone", Text, "the zone");
const FOR_CAPACITY: FormField = must("capacityType", CAPACITY_TYPE, "how it is paid for");
const OF_RESERVATION: FormField =
    may("reservation", Text, "none", "the reservation that it draws on");

const PLACE: Form =
    form("Place", "What is bought, and where", &[OF_TYPE, IN_ZONE, FOR_CAPACITY, OF_RESERVATION]);

const OFFERING_REF: Form = form(
    "OfferingRef",
    "One way to buy a node, with its price",
    &[
        OF_TYPE,
        IN_ZONE,
        FOR_CAPACITY,
        must("price", Price, "per hour, fees not included"),
        OF_RESERVATION,
    ],
);

const LAUNCH: Form = form(
    "Launch",
    "One node to create",
    &[
        must("template", LARGE, "the place of its template in `templates`, from 0"),
        may("pods", List(&Text), "none", "`namespace/name` of the pods that go there"),
        may("requests", AMOUNTS, "none", "their sum, with that of the node's daemon sets"),
    ],
);

const BINDING: Form = form(
    "Binding",
    "A pod placed on a node",
    &[must("pod", Text, "`namespace/name`"), must("node", Text, "the node's name")],
);

const UNSCHEDULABLE: Form = form(
    "Unschedulable",
    "A pod with no place",
    &[
        must("pod", Text, "`namespace/name`"),
        may("reasons", List(&Of(&REASON)), "none", "why, what rules out most first"),
    ],
);

pub(super) const REASON: Form = Form {
    name: "Reason",
    about: "Why something has no place, or stays; further fields are the operands of its code",
    fields: &[
        must("code", Text, "which rule; codes stay the same between versions"),
        must("sentence", Text, "the same for people, without a full stop"),
        must("candidates", COUNT, "how many candidates it ruled out"),
    ],
    is_open: true,
};

const COST: Form = form(
    "Cost",
    "What launches cost per hour, and how far that can be from the cheapest",
    &[
        must("total", Price, "the sum of the launches' prices, and fees"),
        must("fees", Price, "the fee per node times the launches"),
        must("lowerBound", Price, "no plan that places the same pods costs less"),
        may("gap", Number(Some(1)), "what follows", "(total − lowerBound) / total"),
        must("proof", Word(&["optimal", "within", "none"]), "what is proved"),
    ],
);

const WARNING: Form = form(
    "Warning",
    "Something that is accepted but hardly meant",
    &[must("path", Text, "the field that says it"), must("message", Text, "what it means")],
);

pub(super) const CONSOLIDATION: Form = form(
    "ConsolidationPlan",
    "Which nodes to delete or replace, wave by wave, and why each other node stays",
    &[
        may("templates", List(&Of(&TEMPLATE)), "none", "what is launched, each kind once"),
        may("actions", List(&Of(&ACTION)), "none", "in the order in which they are carried out"),
        may("keep", List(&Of(&KEPT)), "none", "why each other node stays"),
        must("cost", Of(&CONSOLIDATION_COST), "what the nodes cost per hour, before and after"),
        must("moved", LARGE, "how many pods end on another node"),
        may("warnings", List(&Of(&WARNING)), "none", "what is accepted but hardly meant"),
        may("stats", Map(&LARGE), "none", "counts that describe the search"),
    ],
);

const ACTION: Form = form(
    "ConsolidationAction",
    "Nodes that are deleted together, with what is launched first",
    &[
        must("wave", COUNT, "the wave in which it is carried out, from 1"),
        may("delete", List(&Text), "none", "the nodes that are deleted, by name"),
        may("launches", List(&Of(&NODE_TO_LAUNCH)), "none", "what is launched before that"),
        may("bindings", List(&Of(&BINDING)), "none", "where other pods go, to nodes or launches"),
        must(
            "reason",
            Word(&["empty", "underutilized", "drifted", "expired", "pending"]),
            "why the nodes are deleted",
        ),
        may("savings", SignedPrice, "not known", "per hour"),
        must("disruptionCost", Price, "what it takes to move the pods, in moves of a plain pod"),
    ],
);

const NODE_TO_LAUNCH: Form = form(
    "NodeToLaunch",
    "A node to create, with a name by which later bindings can call it",
    &[
        must("name", Text, "unique among the nodes of the problem and of the plan"),
        must("template", LARGE, "the place of its template in `templates`, from 0"),
        may("pods", List(&Text), "none", "`namespace/name` of the pods that go there"),
        may("requests", AMOUNTS, "none", "their sum, with that of the node's daemon sets"),
    ],
);

const KEPT: Form = form(
    "KeptNode",
    "A node that stays",
    &[
        must("node", Text, "its name"),
        may("reasons", List(&Of(&REASON)), "none", "why it stays"),
        may("best", Of(&REJECTED), "none", "the best way to do without it that was rejected"),
    ],
);

const REJECTED: Form = form(
    "RejectedAction",
    "A way to do without a node that wasn't taken",
    &[
        must("savings", SignedPrice, "what it would save per hour"),
        must("disruptionCost", Price, "what it would take to move the pods"),
        must("moved", LARGE, "how many pods it would move"),
        may("launches", List(&Of(&OFFERING_REF)), "none", "what it would launch"),
    ],
);

const CONSOLIDATION_COST: Form = form(
    "ConsolidationCost",
    "What nodes of a known price cost per hour",
    &[
        must("before", Price, "the nodes of the problem"),
        must("after", Price, "the nodes that are there when the plan is carried out"),
        must("lowerBound", Price, "no outcome costs less in which pods leave deleted nodes alone"),
        must("lowerBoundForMoves", Price, "none such that moves as few pods"),
    ],
);
