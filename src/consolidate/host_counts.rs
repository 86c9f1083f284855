//! How many pods each host has, and how many hosts have the fewest: what a spread over hosts asks.

/// How many pods of a selection each host has that a counter looks at.
#[derive(Clone, Debug, Default)]
pub(super) struct HostCounts {
    /// By node.
    pub(super) on: Vec<u32>,
    /// For each number of pods, how many nodes have so many.
    pub(super) nodes_with: Vec<u32>,
    /// How many nodes it looks at.
    pub(super) nodes: usize,
}

impl HostCounts {
    pub(super) fn stand(&mut self, count: u32) {
        let at = count as usize;
        if self.nodes_with.len() <= at {
            self.nodes_with.resize(at + 1, 0);
        }
        self.nodes_with[at] += 1;
        self.nodes += 1;
    }

    pub(super) fn fall(&mut self, count: u32) {
        if let Some(nodes) = self.nodes_with.get_mut(count as usize) {
            *nodes = nodes.saturating_sub(1);
        }
        self.nodes = self.nodes.saturating_sub(1);
    }

    pub(super) fn least(&self, min_domains: usize) -> i64 {
        if self.nodes < min_domains {
            return 0;
        }
        let least = self.nodes_with.iter().position(|nodes| *nodes > 0);
        least.and_then(|least| i64::try_from(least).ok()).unwrap_or(0)
    }
}
