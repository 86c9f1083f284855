//! Which nodes can't have room for a pod, sixty-four at a look.
//!
//! *Problem.* To place a pod all nodes are looked at that its rules admit, and in a cluster that is
//! packed well nearly none has room: with thousands of nodes this is what a trial takes.
//!
//! *Idea.* For each word of sixty-four nodes, and for each resource, no node of them that stands
//! has more free than so much. Where that is less than what a pod asks for, none is looked at. When
//! room comes free, the bound rises at once; when it is taken, the bound stays, and is found anew
//! when all nodes of the word were looked at in vain. And where no node at all had room for a pod
//! of a class, only those are looked at next time that have more free since then.
//!
//! *Why it is right.* A bound never falls below what is free on a node that stands, and a node that
//! had no room has none until it has more free, or stands again: nothing is passed over that would
//! take the pod.

use super::state::ClusterState;

/// Nodes of one word.
pub(super) const NODES: usize = 64;

/// How much of each resource is free at most on each of so many nodes.
#[derive(Clone, Debug)]
pub(super) struct FreeBound {
    width: usize,
    /// By word, one resource after another.
    most: Vec<i64>,
    /// Words of which a bound may be too high.
    stale: Vec<bool>,
    /// Nodes that had more free from then on, in this order.
    raised: Vec<usize>,
    /// For each class, how many there were of these when no node had room for a pod.
    full_at: Vec<Option<usize>>,
}

/// So many nodes with more free than before are remembered.
const MOST_RAISED: usize = 1 << 12;

impl FreeBound {
    /// Of no nodes, with so many resources, for so many classes.
    pub(super) fn new(width: usize, classes: usize) -> Self {
        let full_at = vec![None; classes];
        Self { width, most: Vec::new(), stale: Vec::new(), raised: Vec::new(), full_at }
    }

    /// A node that stands has so much free, which is more than before.
    pub(super) fn raise(&mut self, node: usize, free: &[i64]) {
        if self.raised.len() >= MOST_RAISED {
            self.raised.clear();
            self.full_at.fill(None);
        }
        self.raised.push(node);
        self.hold(node, free);
    }

    /// A node that stands has so much free.
    pub(super) fn hold(&mut self, node: usize, free: &[i64]) {
        let word = node / NODES;
        if self.stale.len() <= word {
            self.stale.resize(word + 1, false);
            self.most.resize((word + 1) * self.width, i64::MIN);
        }
        let most = &mut self.most[word * self.width..(word + 1) * self.width];
        most.iter_mut().zip(free).for_each(|(most, free)| *most = (*most).max(*free));
    }

    /// A node has less free, or stands no longer.
    pub(super) fn lower(&mut self, node: usize) {
        if let Some(stale) = self.stale.get_mut(node / NODES) {
            *stale = true;
        }
    }

    /// Whether a node of a word may have as much free as is asked for.
    pub(super) fn may_hold(&self, word: usize, request: &[i64]) -> bool {
        let most = self.most.get(word * self.width..(word + 1) * self.width).unwrap_or_default();
        most.len() == request.len()
            && most.iter().zip(request).all(|(most, want)| most >= want || *want == 0)
    }

    /// No node that stands has room for a pod of a class.
    pub(super) fn note_full(&mut self, class: usize) {
        self.full_at[class] = Some(self.raised.len());
    }

    /// Forgets for which classes no node had room.
    pub(super) fn forget_full(&mut self) {
        self.full_at.fill(None);
    }

    /// Where no node had room for a pod of a class: the nodes that have more free since then, if
    /// they are no more than so many.
    pub(super) fn raised_since_full(&self, class: usize, most: usize) -> Option<&[usize]> {
        let since = self.raised.get(self.full_at[class]?..)?;
        (since.len() <= most).then_some(since)
    }

    /// Whether the bound of a word may be too high.
    pub(super) fn is_stale(&self, word: usize) -> bool {
        self.stale.get(word).copied().unwrap_or(false)
    }

    /// Forgets what is known of a word, of which all nodes that stand are told again.
    pub(super) fn begin(&mut self, word: usize) {
        if let Some(stale) = self.stale.get_mut(word) {
            *stale = false;
            self.most[word * self.width..(word + 1) * self.width].fill(i64::MIN);
        }
    }
}

impl ClusterState<'_> {
    /// Notes that a node has more free than before, or less.
    pub(super) fn note_free(&mut self, node: usize, more: bool) {
        let width = self.model.width;
        match more && self.stands(node) {
            true => self.free_bound.raise(node, &self.free[node * width..(node + 1) * width]),
            false => self.free_bound.lower(node),
        }
    }

    /// Finds anew what is free at most on the nodes of a word, after all were looked at in vain.
    pub(super) fn tighten(&mut self, word: usize) {
        if self.free_bound.is_stale(word) {
            self.free_bound.begin(word);
            let last = self.nodes().min((word + 1) * NODES);
            for node in word * NODES..last {
                if self.stands(node) {
                    let free = node * self.model.width..(node + 1) * self.model.width;
                    self.free_bound.hold(node, &self.free[free]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FreeBound;

    #[test]
    fn bounds_rise_at_once_and_fall_when_found_anew() {
        let mut bound = FreeBound::new(2, 1);
        assert!(!bound.may_hold(0, &[0, 0]), "there is no node");
        bound.raise(3, &[5, -1]);
        bound.raise(70, &[1, 9]);
        assert!(bound.may_hold(0, &[5, 0]));
        assert!(!bound.may_hold(0, &[6, 0]));
        assert!(!bound.may_hold(0, &[1, 1]));
        assert!(bound.may_hold(1, &[1, 9]));
        bound.lower(3);
        assert!(bound.is_stale(0) && !bound.is_stale(1));
        assert!(bound.may_hold(0, &[5, 0]), "until it is found anew");
        bound.begin(0);
        bound.hold(3, &[4, 0]);
        assert!(!bound.is_stale(0) && !bound.may_hold(0, &[5, 0]));
        assert!(bound.may_hold(0, &[4, 0]));
    }

    #[test]
    fn where_no_node_had_room_those_count_that_have_more() {
        let mut bound = FreeBound::new(1, 2);
        bound.raise(1, &[5]);
        assert_eq!(bound.raised_since_full(0, 9), None, "nothing is known");
        bound.note_full(0);
        assert_eq!(bound.raised_since_full(0, 9), Some(&[][..]));
        assert_eq!(bound.raised_since_full(1, 9), None);
        bound.raise(2, &[5]);
        bound.hold(3, &[5]);
        bound.lower(1);
        assert_eq!(bound.raised_since_full(0, 9), Some(&[2][..]));
        assert_eq!(bound.raised_since_full(0, 0), None, "too many");
    }
}
