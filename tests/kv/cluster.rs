//! The cases on a cluster of ours.

use groundwire::kv::Store;

use crate::conformance::conforms;

/// A client of a cluster with so many nodes; whatever else it needs is kept in the value.
fn cluster(_nodes: usize) -> Option<Box<dyn Store>> {
    None
}

#[test]
fn a_cluster_conforms() {
    for nodes in [1, 3] {
        match cluster(nodes) {
            Some(store) => conforms(&*store),
            None => println!("skipped: there is no cluster of {nodes} nodes to run on yet"),
        }
    }
}
