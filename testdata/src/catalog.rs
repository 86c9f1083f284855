//! The bundled catalog, and larger ones derived from it.

use crate::SplitMix64;
use plimsoll::model::well_known;
use plimsoll::{InstanceType, Offering, Price, Quantity, Resources};

/// The zones in which every type of the catalog is offered.
pub const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// Labels of Karpenter's AWS provider that the catalog's types carry.
pub mod label {
    /// The leading letters of the family: "c", "m", "r", "t" or "g".
    pub const CATEGORY: &str = "karpenter.k8s.aws/instance-category";
    /// Virtual processors.
    pub const CPU: &str = "karpenter.k8s.aws/instance-cpu";
    /// Who makes the processor: "intel", "amd" or "aws".
    pub const CPU_MANUFACTURER: &str = "karpenter.k8s.aws/instance-cpu-manufacturer";
    /// What precedes the dot of the type's name.
    pub const FAMILY: &str = "karpenter.k8s.aws/instance-family";
    /// The family's number.
    pub const GENERATION: &str = "karpenter.k8s.aws/instance-generation";
    /// Graphics processors.
    pub const GPU_COUNT: &str = "karpenter.k8s.aws/instance-gpu-count";
    /// Who makes the graphics processor.
    pub const GPU_MANUFACTURER: &str = "karpenter.k8s.aws/instance-gpu-manufacturer";
    /// Memory of one graphics processor in MiB.
    pub const GPU_MEMORY: &str = "karpenter.k8s.aws/instance-gpu-memory";
    /// The graphics processor's name.
    pub const GPU_NAME: &str = "karpenter.k8s.aws/instance-gpu-name";
    /// Memory in MiB.
    pub const MEMORY: &str = "karpenter.k8s.aws/instance-memory";
    /// What follows the dot of the type's name.
    pub const SIZE: &str = "karpenter.k8s.aws/instance-size";
}

const AWS: &str = include_str!("../catalog/aws.txt");
const MIB: u64 = 1 << 20;

/// What a `family` line says.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    arch: &'static str,
    cpu_manufacturer: &'static str,
    gpu: Option<Gpu>,
}

#[derive(Clone, Copy)]
struct Gpu {
    manufacturer: &'static str,
    name: &'static str,
    memory_mib: &'static str,
}

/// What a type's line says.
#[derive(Clone, Copy)]
struct Facts {
    family: Family,
    size: &'static str,
    vcpus: u64,
    memory_mib: u64,
    overhead_millicpu: u64,
    overhead_mib: u64,
    pods: u64,
    on_demand: Price,
    spot: Option<Price>,
    gpus: u64,
}

/// The bundled catalog: real types, on demand and as spot in three zones.
#[must_use]
pub fn catalog() -> Vec<InstanceType> {
    facts().iter().map(|facts| facts.instance_type(facts.family.name, |_| facts.spot)).collect()
}

/// A catalog of exactly so many types, which is the same for the same arguments.
///
/// Up to the bundled catalog's size it is an even choice from it. Beyond, it is all of it and then
/// families derived from it ("c7i-v1", "c7i-v2", …): a family's prices are up to 15% higher or
/// lower, its memory may be a sixteenth smaller or an eighth larger, and spot prices differ by
/// zone.
#[must_use]
pub fn synthetic_catalog(types: usize, seed: u64) -> Vec<InstanceType> {
    let facts = facts();
    if types <= facts.len() {
        let chosen = (0..types).map(|i| &facts[i * facts.len() / types]);
        return chosen.map(|f| f.instance_type(f.family.name, |_| f.spot)).collect();
    }
    let mut random = SplitMix64::new(seed);
    let mut result = catalog();
    let mut family = "";
    let (mut permille, mut sixteenths) = (0, 0);
    for at in facts.len()..types {
        let (variant, facts) = (at / facts.len(), facts[at % facts.len()]);
        if facts.family.name != family {
            family = facts.family.name;
            permille = random.between(850, 1150);
            sixteenths = random.weighted(&[(15, 1), (16, 2), (18, 1)]);
        }
        let derived = Facts {
            memory_mib: facts.memory_mib * sixteenths / 16,
            overhead_mib: facts.overhead_mib * sixteenths / 16,
            on_demand: scaled(facts.on_demand, permille),
            ..facts
        };
        result.push(derived.instance_type(&format!("{family}-v{variant}"), |_| {
            let spot = scaled(facts.spot?, random.between(600, 1400));
            Some(spot.min(derived.on_demand))
        }));
    }
    result
}

fn scaled(price: Price, permille: u64) -> Price {
    // To a hundred-thousandth of a dollar, as the real prices are.
    let hundred_thousandths = price.nanos() * i128::from(permille) / 1_000 / 10_000;
    Price::from_nanos(hundred_thousandths.max(1) * 10_000)
}

impl Facts {
    /// The type in a family of the given name, with a spot price by zone.
    fn instance_type(
        &self,
        family: &str,
        mut spot: impl FnMut(&str) -> Option<Price>,
    ) -> InstanceType {
        let mut capacity = Resources::new();
        let _ = capacity.insert("cpu", Quantity::from_units(self.vcpus));
        let _ = capacity.insert("memory", Quantity::from_units(self.memory_mib * MIB));
        let _ = capacity.insert("ephemeral-storage", Quantity::from_units(20 * 1024 * MIB));
        let _ = capacity.insert("pods", Quantity::from_units(self.pods));
        let mut overhead = Resources::new();
        let _ = overhead.insert("cpu", Quantity::from_millis(self.overhead_millicpu));
        let _ = overhead.insert("memory", Quantity::from_units(self.overhead_mib * MIB));
        let _ = overhead.insert("ephemeral-storage", Quantity::from_units(3 * 1024 * MIB));
        if let Some(gpu) = self.family.gpu {
            let resource = format!("{}.com/gpu", gpu.manufacturer);
            let _ = capacity.insert(resource, Quantity::from_units(self.gpus));
        }

        let (category, rest) = family.split_at(family.find(|c: char| c.is_ascii_digit()).unwrap());
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let mut result = InstanceType::new(format!("{family}.{}", self.size), capacity)
            .with_overhead(overhead)
            .with_label(well_known::ARCH, self.family.arch)
            .with_label(well_known::OS, "linux")
            .with_label(label::CATEGORY, category)
            .with_label(label::CPU, self.vcpus.to_string())
            .with_label(label::CPU_MANUFACTURER, self.family.cpu_manufacturer)
            .with_label(label::FAMILY, family)
            .with_label(label::GENERATION, &rest[..digits])
            .with_label(label::MEMORY, self.memory_mib.to_string())
            .with_label(label::SIZE, self.size);
        if let Some(gpu) = self.family.gpu {
            result = result
                .with_label(label::GPU_COUNT, self.gpus.to_string())
                .with_label(label::GPU_MANUFACTURER, gpu.manufacturer)
                .with_label(label::GPU_MEMORY, gpu.memory_mib)
                .with_label(label::GPU_NAME, gpu.name);
        }
        for zone in ZONES {
            result = result.with_offering(Offering::on_demand(zone, self.on_demand));
            if let Some(price) = spot(zone) {
                result = result.with_offering(Offering::spot(zone, price));
            }
        }
        result
    }
}

fn facts() -> Vec<Facts> {
    let mut family = None;
    let mut result = Vec::new();
    for line in AWS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&'static str> = line.split(' ').collect();
        if fields[0] == "family" {
            family = Some(Family {
                name: fields[1],
                arch: fields[2],
                cpu_manufacturer: fields[3],
                gpu: (fields.len() > 4).then(|| Gpu {
                    manufacturer: fields[4],
                    name: fields[5],
                    memory_mib: fields[6],
                }),
            });
            continue;
        }
        let number = |at: usize| fields[at].parse::<u64>().expect("a whole number");
        let price = |at: usize| fields[at].parse::<Price>().expect("a price");
        let family = family.expect("types follow their family");
        result.push(Facts {
            family,
            size: fields[0],
            vcpus: number(1),
            memory_mib: number(2),
            overhead_millicpu: number(3),
            overhead_mib: number(4),
            pods: number(5),
            on_demand: price(6),
            spot: (fields[7] != "-").then(|| price(7)),
            gpus: if family.gpu.is_some() { number(8) } else { 0 },
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll::model::CapacityType;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_category_is_there() {
        let mut by_category = BTreeMap::new();
        for instance_type in catalog() {
            let category = instance_type.labels().get(label::CATEGORY).unwrap().to_string();
            *by_category.entry(category).or_insert(0) += 1;
        }
        let counts: Vec<_> = by_category.iter().map(|(c, n)| (c.as_str(), *n)).collect();
        assert_eq!(counts, [("c", 71), ("g", 37), ("m", 71), ("r", 71), ("t", 21)]);
    }

    #[test]
    fn types_are_sane() {
        for instance_type in synthetic_catalog(1345, 1) {
            let name = instance_type.name();
            for (resource, overhead) in instance_type.overhead().iter() {
                assert!(overhead < instance_type.capacity().get(resource).unwrap(), "{name}");
            }
            let mut on_demand = None;
            for offering in instance_type.offerings() {
                assert!(offering.price() > Price::ZERO, "{name}");
                match offering.capacity_type() {
                    CapacityType::OnDemand => on_demand = Some(offering.price()),
                    CapacityType::Reserved | CapacityType::Spot => {
                        assert!(Some(offering.price()) <= on_demand, "{name}");
                    }
                }
            }
            assert_eq!(
                instance_type.labels().get(label::GPU_COUNT).is_some(),
                instance_type.capacity().get("nvidia.com/gpu").is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn one_type_in_full() {
        let catalog = catalog();
        let found = catalog.iter().find(|t| t.name() == "g5.12xlarge").unwrap();
        assert_eq!(found.capacity().get("cpu"), Some(Quantity::from_units(48)));
        assert_eq!(found.capacity().get("nvidia.com/gpu"), Some(Quantity::from_units(4)));
        assert_eq!(found.overhead().get("cpu"), Some(Quantity::from_millis(190)));
        assert_eq!(found.labels().get(label::GENERATION).map(AsRef::as_ref), Some("5"));
        assert_eq!(found.labels().get(label::GPU_NAME).map(AsRef::as_ref), Some("a10g"));
        assert_eq!(found.offerings().len(), 6);
        assert_eq!(found.offerings()[0].price(), Price::from_nanos(5_672_000_000));
        assert_eq!(found.offerings()[1].price(), Price::from_nanos(2_382_240_000));
    }

    #[test]
    fn synthetic_catalogs_have_the_asked_size_and_distinct_names() {
        for types in [0, 1, 100, 271, 272, 400, 1345] {
            let catalog = synthetic_catalog(types, 1);
            let names: BTreeSet<&str> = catalog.iter().map(InstanceType::name).collect();
            assert_eq!((catalog.len(), names.len()), (types, types));
            assert_eq!(catalog, synthetic_catalog(types, 1));
        }
        assert_ne!(synthetic_catalog(400, 1), synthetic_catalog(400, 2));
    }

    #[test]
    fn small_synthetic_catalogs_still_have_all_kinds() {
        let catalog = synthetic_catalog(100, 1);
        for category in ["c", "g", "m", "r", "t"] {
            let of =
                |t: &&InstanceType| t.labels().get(label::CATEGORY).unwrap().as_ref() == category;
            assert!(catalog.iter().filter(of).count() >= 5, "{category}");
        }
    }
}
