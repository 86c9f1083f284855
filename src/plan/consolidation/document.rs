//! The consolidation document, both ways.
//!
//! The consolidation document shares templates, launches, bindings, reasons and offerings with the
//! launch plan's; what is its own are actions, kept nodes, and costs. A disruption cost is a
//! decimal number of plain pods with nine digits behind the point at most; savings may be negative,
//! and are left out where a price isn't known. Reading checks the form and collects every fault;
//! whether the plan is any good is for [`verify_consolidation`](crate::verify_consolidation()) to
//! say.

use super::{
    ConsolidationAction, ConsolidationCost, ConsolidationPlan, DisruptionCost, DisruptionReason,
    KeptNode, NodeToLaunch, RejectedAction,
};
use crate::error::Error;
use crate::model::Price;
use crate::model::document::read::{
    Cursor, choice, number_text, price, signed_price, text, texts, whole,
};
use crate::model::document::value::Value;
use crate::model::document::write::{self, Object, word};
use crate::model::document::{parse, to_text};
use crate::model::fault::{Faults, Path};
use crate::plan::document::{
    LaunchReader, TemplatesRead, launch_fields, read_binding, read_choice, read_stats,
    read_template, read_warning, write_binding, write_choice, write_template, write_warning,
};
use crate::plan::reason::{read_reason, write_reason};
use crate::plan::template::TemplateList;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

impl ConsolidationPlan {
    /// Reads a consolidation document in JSON; it is checked for its form only.
    ///
    /// # Errors
    /// Every fault of the document, each with the path of its field; for text that isn't JSON, the
    /// line and the column.
    ///
    /// # Examples
    /// ```
    /// # use plimsoll::{InstanceType, Node, NodePool, Options, Problem, Resources, consolidate};
    /// # let room = Resources::parse([("cpu", "4"), ("pods", "29")])?;
    /// # let (pool, price) = ("karpenter.sh/nodepool", "0.2".parse()?);
    /// # let node = |name: &str| Node::new(name, room.clone()).with_price(price);
    /// # let node = |name: &str| node(name).with_label(pool, "default");
    /// # let problem = Problem::builder()
    /// #     .instance_type(InstanceType::new("m.xlarge", room.clone()))
    /// #     .node_pool(NodePool::new("default"))
    /// #     .nodes([node("idle"), node("held").with_do_not_disrupt(true)])
    /// #     .build()?;
    /// # let plan = consolidate(&problem, &Options::default())?;
    /// use plimsoll::plan::ConsolidationPlan;
    ///
    /// assert_eq!(ConsolidationPlan::from_json(&plan.to_json())?, plan);
    /// let error = ConsolidationPlan::from_json("{\"moved\": -1}").unwrap_err();
    /// assert!(error.to_string().contains("moved"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read_plan(&parse(text)?)
    }

    /// The plan as a JSON document; it reads back as an equal plan.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_text(&write_plan(self))
    }
}

impl<'d> Deserialize<'d> for ConsolidationPlan {
    /// Reads a consolidation document in any self-describing format; the error lists every fault.
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        read_plan(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for ConsolidationPlan {
    /// Writes the consolidation document.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_plan(self).serialize(serializer)
    }
}

const REASONS: [(&str, DisruptionReason); 5] = [
    (DisruptionReason::Empty.word(), DisruptionReason::Empty),
    (DisruptionReason::Underutilized.word(), DisruptionReason::Underutilized),
    (DisruptionReason::Drifted.word(), DisruptionReason::Drifted),
    (DisruptionReason::Expired.word(), DisruptionReason::Expired),
    (DisruptionReason::Pending.word(), DisruptionReason::Pending),
];

const LISTS: [&str; 7] = ["templates", "actions", "keep", "cost", "moved", "warnings", "stats"];

fn read_plan(document: &Value<'_>) -> Result<ConsolidationPlan, Error> {
    let mut faults = Faults::default();
    let root = Cursor { value: document, path: &Path::Root, faults: &mut faults };
    let mut fields = root.object(&LISTS);
    let templates = TemplatesRead::new(fields.list("templates", read_template));
    let mut launches = LaunchReader::default();
    let plan = ConsolidationPlan {
        actions: fields
            .list("actions", |cursor| Some(read_action(cursor, &templates, &mut launches))),
        keep: fields.list("keep", read_kept),
        cost: fields.required("cost", read_cost).unwrap_or(ConsolidationCost {
            before: Price::ZERO,
            after: Price::ZERO,
            lower_bound: Price::ZERO,
            lower_bound_for_moves: Price::ZERO,
        }),
        moved: fields.required("moved", whole).unwrap_or_default(),
        warnings: fields.list("warnings", read_warning),
        stats: fields.optional("stats", read_stats).unwrap_or_default(),
        certificate: None,
        certificate_for_moves: None,
    };
    faults.into_result(&LISTS)?;
    Ok(plan)
}

fn write_plan(plan: &ConsolidationPlan) -> Value<'_> {
    let templates = plan.template_list();
    Object::new()
        .field("templates", write::list(&templates.templates, |one| write_template(one)))
        .field("actions", write::list(&plan.actions, |one| write_action(one, &templates)))
        .field("keep", write::list(&plan.keep, write_kept))
        .field("cost", write_cost(plan.cost))
        .field("moved", plan.moved)
        .field("warnings", write::list(&plan.warnings, write_warning))
        .field("stats", &plan.stats)
        .into()
}

fn read_action(
    cursor: Cursor<'_>,
    templates: &TemplatesRead,
    launches: &mut LaunchReader,
) -> ConsolidationAction {
    let mut fields = cursor.object(&[
        "wave",
        "delete",
        "launches",
        "bindings",
        "reason",
        "savings",
        "disruptionCost",
    ]);
    ConsolidationAction {
        wave: fields.required("wave", whole).unwrap_or_default(),
        delete: fields.optional("delete", texts).unwrap_or_default(),
        launches: fields.list("launches", |cursor| {
            let Cursor { value, path, faults } = cursor;
            let cursor = Cursor { value, path, faults: &mut *faults };
            let mut fields = cursor.object(&["name", "template", "pods", "requests"]);
            let name = fields.required("name", text).unwrap_or_default();
            let draft = launches.read_fields(&mut fields);
            Some(NodeToLaunch { name, launch: templates.launch(draft, path, faults)? })
        }),
        bindings: fields.list("bindings", read_binding),
        reason: fields
            .required("reason", |cursor| choice(cursor, &REASONS))
            .unwrap_or(DisruptionReason::Underutilized),
        savings: fields.optional("savings", signed_price),
        disruption_cost: fields.required("disruptionCost", disruption_cost).unwrap_or_default(),
    }
}

fn write_action<'d>(action: &'d ConsolidationAction, templates: &TemplateList<'d>) -> Value<'d> {
    let launch = |node: &'d NodeToLaunch| {
        let object = Object::new().field("name", &node.name);
        launch_fields(object, &node.launch, templates).into()
    };
    Object::new()
        .field("wave", action.wave)
        .field("delete", &action.delete)
        .field("launches", write::list(&action.launches, launch))
        .field("bindings", write::list(&action.bindings, write_binding))
        .field("reason", word(&action.reason, &REASONS))
        .option("savings", action.savings)
        .field("disruptionCost", write_disruption_cost(action.disruption_cost))
        .into()
}

fn read_kept(cursor: Cursor<'_>) -> Option<KeptNode> {
    let mut fields = cursor.object(&["node", "reasons", "best"]);
    Some(KeptNode {
        node: fields.required("node", text).unwrap_or_default(),
        reasons: fields.list("reasons", read_reason),
        best: fields.optional("best", read_rejected),
    })
}

fn write_kept(kept: &KeptNode) -> Value<'_> {
    Object::new()
        .field("node", &kept.node)
        .field("reasons", write::list(&kept.reasons, write_reason))
        .option("best", kept.best.as_ref().map(write_rejected))
        .into()
}

fn read_rejected(cursor: Cursor<'_>) -> Option<RejectedAction> {
    let mut fields = cursor.object(&["savings", "disruptionCost", "moved", "launches"]);
    Some(RejectedAction {
        savings: fields.required("savings", signed_price).unwrap_or_default(),
        disruption_cost: fields.required("disruptionCost", disruption_cost).unwrap_or_default(),
        moved: fields.required("moved", whole).unwrap_or_default(),
        launches: fields.list("launches", read_choice),
    })
}

fn write_rejected(rejected: &RejectedAction) -> Value<'_> {
    Object::new()
        .field("savings", rejected.savings)
        .field("disruptionCost", write_disruption_cost(rejected.disruption_cost))
        .field("moved", rejected.moved)
        .field("launches", write::list(&rejected.launches, write_choice))
        .into()
}

fn read_cost(cursor: Cursor<'_>) -> Option<ConsolidationCost> {
    let mut fields = cursor.object(&["before", "after", "lowerBound", "lowerBoundForMoves"]);
    let mut of = |name| fields.required(name, price).unwrap_or_default();
    Some(ConsolidationCost {
        before: of("before"),
        after: of("after"),
        lower_bound: of("lowerBound"),
        lower_bound_for_moves: of("lowerBoundForMoves"),
    })
}

fn write_cost(cost: ConsolidationCost) -> Value<'static> {
    Object::new()
        .field("before", cost.before)
        .field("after", cost.after)
        .field("lowerBound", cost.lower_bound)
        .field("lowerBoundForMoves", cost.lower_bound_for_moves)
        .into()
}

fn disruption_cost(cursor: Cursor<'_>) -> Option<DisruptionCost> {
    let expected = "a number that isn't negative";
    let Some(text) = number_text(&cursor) else { return cursor.wrong(expected) };
    match text.parse::<Price>().ok().and_then(|cost| u128::try_from(cost.nanos()).ok()) {
        Some(billionths) => Some(DisruptionCost::from_billionths(billionths)),
        None => cursor.wrong(expected),
    }
}

fn write_disruption_cost(cost: DisruptionCost) -> Value<'static> {
    write::billionths(i128::try_from(cost.billionths()).unwrap_or(i128::MAX))
}
