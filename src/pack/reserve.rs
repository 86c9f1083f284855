//! A start in the manner of reservation prices.
//!
//! *Problem.* The worth that the bound gives pods is right on the average of many nodes; with few pods a
//! node that it finds efficient may leave a rest that fills no other.
//!
//! *Idea.* A pod's reservation price is what the cheapest node costs that takes it alone. Columns are
//! taken dearest first, each filled with pods of the highest reservation prices, and bought as long as
//! these pay for it. Nothing is thereby bought that costs more than its pods would on nodes of their
//! own; and large nodes come first, while there are pods to fill them.
//!
//! *Cost.* One filling of each column, and one for each purchase.
//!
//! Reference: Eva (Chang and Venkataraman 2025), full reconfiguration, without interference between tasks.

use super::fill::{Lanes, Style};
use super::greedy::{self, Tier};
use super::state::{Context, Group, Place, State};
use super::{of_weight, right_size, running, static_pool, top_up};
use crate::compile::ClassId;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Packs everything that fits: onto running nodes, then onto launches, weight by weight.
pub(super) fn pack(context: &Context<'_>) -> State {
    let compiled = context.compiled;
    let mut state = State::new(compiled);
    let everyone = |_: ClassId| true;
    let homeless = |class: ClassId| static_pool::is_homeless(compiled, class);
    running::fill(context, &mut state, Style::Balanced, &homeless);
    top_up::top_up(context, &mut state, Style::Balanced, &everyone);
    running::fill(context, &mut state, Style::Balanced, &everyone);
    static_pool::launch(context, &mut state, Style::Balanced, &everyone);
    static_pool::launch_rest(context, &mut state);
    let weights: BTreeSet<Reverse<i32>> =
        compiled.columns.iter().map(|column| Reverse(column.weight)).collect();
    for Reverse(weight) in weights {
        let mut columns = of_weight(compiled, weight);
        columns.sort_by_key(|at| (Reverse(context.cost(*at)), *at));
        buy(context, &mut state, &columns);
        right_size(context, &mut state);
        // What reservations or limits kept from its own cheapest place.
        let tier = Tier { columns: &columns, style: Style::Balanced, wanted: &everyone };
        greedy::buy(context, &mut state, tier);
        right_size(context, &mut state);
    }
    state
}

/// Buys from these columns, in their order, what its pods' reservation prices pay for.
fn buy(context: &Context<'_>, state: &mut State, columns: &[usize]) {
    let compiled = context.compiled;
    let left = state.waiting(&|_| true);
    let worth = state.reservation_prices(context, &left, columns);
    let mut lanes = Lanes::new(context, &worth, &left, Style::Balanced);
    for column in columns {
        let supply = |state: &State| state.supply(compiled, &compiled.columns[*column]);
        while supply(state) > 0 {
            let room = context.room(*column);
            if !lanes.may_fit(&room) {
                break;
            }
            let filling = lanes.fill(context, &room, &[], &state.left);
            let times = filling.items.iter().map(|(class, count)| state.left[*class] / count).min();
            let times = times.unwrap_or(0).min(supply(state));
            if times == 0 || !worth.pays_for(filling.worth, *column) {
                break;
            }
            let place = Place::Launch(*column);
            let group = Group { place, items: filling.items, load: filling.load, times };
            let used: Vec<ClassId> = group.items.iter().map(|(class, _)| *class).collect();
            state.add(compiled, group);
            let emptied = used.into_iter().filter(|class| state.left[*class] == 0);
            emptied.for_each(|class| lanes.forget(class));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::pack;
    use crate::compile::Compiled;
    use crate::model::{InstanceType, NodePool, Offering, Pod, Price, Problem, Resources};
    use crate::pack::Context;
    use crate::stop::Stop;

    /// What is packed of pods of these cpus costs, in billionths, with types of 4 and 16 cpu.
    fn cost(cpus: &[&str]) -> i128 {
        let instance = |name: &str, cpu: &str, price: &str| {
            InstanceType::new(name, Resources::parse([("cpu", cpu), ("pods", "110")]).unwrap())
                .with_offering(Offering::new("a", "on-demand", price.parse().unwrap()))
        };
        let mut builder = Problem::builder()
            .instance_type(instance("c4", "4", "0.2"))
            .instance_type(instance("c16", "16", "0.7"))
            .node_pool(NodePool::new("default"));
        for (number, cpu) in cpus.iter().enumerate() {
            let requests = Resources::parse([("cpu", *cpu)]).unwrap();
            builder = builder.pod(Pod::new(format!("p{number}")).with_requests(requests));
        }
        let problem = builder.build().unwrap();
        let compiled = Compiled::new(&problem, Price::ZERO).unwrap();
        let context = Context {
            compiled: &compiled,
            listed: &compiled,
            fee: 0,
            lenient: false,
            wishful: false,
            wish_price: None,
            strict: false,
            scarcity: None,
            stop: &Stop::default(),
        };
        let state = pack(&context);
        assert!(state.left.values().all(|left| *left == 0));
        state.cost(&context)
    }

    #[test]
    fn a_node_is_bought_when_its_pods_would_cost_more_apart() {
        // Four of 4 cpu would cost 0.8 apart, and 0.7 on one large node.
        assert_eq!(cost(&["4", "4", "4", "4"]), 700_000_000);
        // Three would cost 0.6.
        assert_eq!(cost(&["4", "4", "4"]), 600_000_000);
        // Small ones fill what large ones leave.
        assert_eq!(cost(&["3", "3", "3", "3", "2", "1", "1"]), 700_000_000);
    }
}
