//! Better plans and better bounds, by column generation over what one node can hold.

#[cfg_attr(not(test), expect(dead_code, reason = "column generation will call it"))]
mod knapsack;
#[cfg_attr(not(test), expect(dead_code, reason = "column generation will call it"))]
mod prove;
