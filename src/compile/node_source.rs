//! Where nodes come from: what can be bought, or what runs. All but this file asks by methods.

use super::{Base, Compiled, NodeId, NodeRoom, OfferId};

/// What equal nodes are: launches of one thing that can be bought, which `L` names, or these
/// running nodes.
///
/// Equal nodes of a packing are kept as one group with a multiplicity; this says what they are.
/// Launches are interchangeable, running nodes have names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NodeSource<L> {
    Launch(L),
    Running(Vec<NodeId>),
}

impl<L: Copy> NodeSource<L> {
    /// What is launched; `None` where the nodes run.
    pub(crate) fn launched(&self) -> Option<L> {
        match self {
            Self::Launch(launched) => Some(*launched),
            Self::Running(_) => None,
        }
    }

    /// The nodes, where these run.
    pub(crate) fn running(&self) -> Option<&[NodeId]> {
        match self {
            Self::Launch(_) => None,
            Self::Running(nodes) => Some(nodes),
        }
    }

    /// The nodes that run; none where it is launches.
    pub(crate) fn nodes(&self) -> &[NodeId] {
        self.running().unwrap_or_default()
    }

    pub(crate) fn is_launch(&self) -> bool {
        self.launched().is_some()
    }

    /// The same with another name for what is launched; `None` where that has none.
    pub(crate) fn renamed<M>(&self, name: impl Fn(L) -> Option<M>) -> Option<NodeSource<M>> {
        match self {
            Self::Launch(launched) => name(*launched).map(NodeSource::Launch),
            Self::Running(nodes) => Some(NodeSource::Running(nodes.clone())),
        }
    }

    /// So many of them from a place on; launches are all alike.
    pub(crate) fn some(&self, from: usize, count: usize) -> Self {
        match self {
            Self::Launch(launched) => Self::Launch(*launched),
            Self::Running(nodes) => {
                Self::Running(nodes.iter().skip(from).take(count).copied().collect())
            }
        }
    }

    /// Those from a place on, as nodes apart; launches are all alike.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Launch(launched) => Self::Launch(*launched),
            Self::Running(nodes) => Self::Running(nodes.split_off(at.min(nodes.len()))),
        }
    }
}

/// Equal nodes at one site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodesAtSite {
    pub(crate) site: usize,
    /// The running node that it is; `None` of launches.
    pub(crate) node: Option<NodeId>,
    pub(crate) count: u32,
}

impl NodeSource<OfferId> {
    /// Where the nodes are, each running node by itself; launches are so many.
    pub(crate) fn at_sites(&self, base: &Base, launches: u32) -> Vec<NodesAtSite> {
        match self {
            Self::Launch(offer) => {
                let site = base.site_of_offer(*offer);
                vec![NodesAtSite { site, node: None, count: launches }]
            }
            Self::Running(nodes) => {
                let nodes = nodes.iter().map(|node| (base.site_of_node(*node), *node));
                nodes.map(|(site, node)| NodesAtSite { site, node: Some(node), count: 1 }).collect()
            }
        }
    }
}

impl NodeSource<usize> {
    /// The room of one of the nodes, where bin types are launched; `None` of no nodes.
    pub(crate) fn room<'c>(&self, compiled: &'c Compiled) -> Option<NodeRoom<'c>> {
        match self.launched() {
            Some(bin_type) => Some(compiled.room_of_bin_type(bin_type)),
            None => self.nodes().first().map(|node| compiled.room_of_node(*node)),
        }
    }
}
