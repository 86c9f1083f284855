//! The README's first lines: three pods, one type, one pool.
#![allow(clippy::print_stdout, reason = "examples print; the library must not")]

use plimsoll::{InstanceType, NodePool, Offering, Options, Pod, Problem, Resources};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let web = Pod::new("web")
        .with_replicas(3)
        .with_requests(Resources::parse([("cpu", "1500m"), ("memory", "3Gi")])?);
    let capacity = Resources::parse([("cpu", "4"), ("memory", "16Gi"), ("pods", "58")])?;
    let xlarge = InstanceType::new("m7i.xlarge", capacity)
        .with_offering(Offering::on_demand("us-east-1a", "0.2016".parse()?))
        .with_offering(Offering::spot("us-east-1a", "0.09475".parse()?));
    let pool = NodePool::new("default");
    let problem = Problem::builder().pod(web).instance_type(xlarge).node_pool(pool).build()?;
    let plan = plimsoll::provision(&problem, &Options::default())?;
    println!("{plan}");
    Ok(())
}
