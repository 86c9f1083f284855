//! Column generation and what it needs.

#[cfg_attr(not(test), expect(dead_code, reason = "generation uses it once it is here"))]
mod knapsack;
#[cfg_attr(not(test), expect(dead_code, reason = "generation uses it once it is here"))]
mod prove;
#[cfg_attr(not(test), expect(dead_code, reason = "generation uses it once it is here"))]
mod simplex;
