//! Refinement of a plan by column generation.

#[cfg_attr(not(test), expect(dead_code, reason = "the rest of refine isn't here yet"))]
mod simplex;
