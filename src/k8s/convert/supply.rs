//! What can be bought and what runs: the catalog with its overlays, pools, nodes and claims.
//!
//! The catalog comes first, since nodes that don't say yet what they have are looked up in it.
//! Claims come before nodes, which are in the state that their claims tell; a claim without a node
//! comes after them, so that it is a node of its own only where there is none.

use super::super::catalog::{self, NodeOverlay};
use super::super::kind::ObjectKind;
use super::super::node::{self, OfNodes};
use super::super::node_pool;
use super::Converter;
use crate::model::{NodePool, well_known};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Converter<'_> {
    /// Types, as overlays make them, and the pools that may buy them.
    pub(super) fn catalog(&mut self) {
        let mut types = self.options.catalog.clone();
        let mut overlays: Vec<NodeOverlay> = Vec::new();
        self.each(&[ObjectKind::NodeOverlay], |at, entry, findings| {
            overlays.push(catalog::read_overlay(entry, at, findings));
        });
        overlays.retain(|overlay| {
            self.findings.get(overlay.entry).is_some_and(|findings| !findings.is_refused())
        });
        catalog::apply(&mut overlays, &mut types, &mut self.findings);
        let mut pools: Vec<NodePool> = Vec::new();
        let mut names = BTreeSet::new();
        let kinds = [ObjectKind::NodePool, ObjectKind::Provisioner, ObjectKind::MachineGroup];
        self.each(&kinds, |_, entry, findings| {
            let pool = match entry.kind {
                ObjectKind::NodePool => Some(node_pool::node_pool(entry, findings)),
                ObjectKind::Provisioner => Some(node_pool::provisioner(entry, findings)),
                _ => catalog::machine_group(entry, &types, findings),
            };
            let Some(pool) = pool.filter(|_| !findings.is_refused()) else { return };
            if names.insert(Arc::clone(&pool.name)) {
                pools.push(pool);
            } else {
                findings.refuse("metadata.name", "a second pool of this name", "a name of its own");
            }
        });
        let has_pools = self.dump.entries.iter().any(|entry| kinds.contains(&entry.kind));
        if !has_pools && !types.is_empty() {
            pools.push(NodePool::new("default"));
            self.pool_added = true;
        }
        self.parts.instance_types = types;
        self.parts.node_pools = pools;
    }

    /// Nodes that run, with what their claims say of them, and claims without a node as nodes on
    /// their way.
    pub(super) fn nodes(&mut self) {
        let mut of_nodes = OfNodes { now: self.options.now, ..OfNodes::default() };
        let types = std::mem::take(&mut self.parts.instance_types);
        of_nodes.types = types.iter().map(|one| (one.name(), one)).collect();
        self.each(&[ObjectKind::CsiNode], |_, entry, _| {
            node::read_attach_limits(entry, &mut of_nodes.attach_limits);
        });
        let mut waiting: BTreeSet<usize> = BTreeSet::new();
        self.each(&[ObjectKind::NodeClaim], |at, entry, findings| {
            if let Some(why) = node::failed(entry) {
                findings.note("status.conditions", why);
            } else if let Some(name) = node::node_of_claim(entry) {
                let _former = of_nodes.claims.insert(name, entry);
            } else {
                let _new = waiting.insert(at);
            }
        });
        let mut nodes = Vec::new();
        let mut hostnames: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
        self.each(&[ObjectKind::Node], |_, entry, findings| {
            let node = of_nodes.node(entry, findings).filter(|_| !findings.is_refused());
            if let Some(node) = node {
                let hostname = node.labels.get(well_known::HOSTNAME).unwrap_or(&node.name);
                if !hostnames.insert(Arc::clone(hostname)) {
                    findings.refuse(
                        &format!("metadata.labels[{}]", well_known::HOSTNAME),
                        "another node has this hostname, so the two would count as one host",
                        "a hostname of its own",
                    );
                    return;
                }
                let _new = names.insert(Arc::clone(&node.name));
                nodes.push(node);
            }
        });
        self.each(&[ObjectKind::NodeClaim], |at, entry, findings| {
            if !waiting.contains(&at) {
                if let Some(name) = node::node_of_claim(entry).filter(|name| !names.contains(name))
                {
                    findings.note("status.nodeName", format!("its node {name} isn't here"));
                }
                return;
            }
            let node = of_nodes.launched(entry, findings).filter(|_| !findings.is_refused());
            if let Some(node) = node.filter(|node| names.insert(Arc::clone(&node.name))) {
                nodes.push(node);
            }
        });
        drop(of_nodes);
        self.parts.instance_types = types;
        self.parts.nodes = nodes;
    }
}
