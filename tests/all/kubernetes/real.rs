//! Real objects of public repositories, where their files are at hand: each alone, and by
//! repository.

use super::accounting::is_accounted_for;
use plimsoll::k8s::{ConvertOptions, Dump, PodSource};
use plimsoll::{Options, provision, verify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of each repository.
fn repositories() -> BTreeMap<String, Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/objects");
    let Ok(list) = std::fs::read_to_string(folder.join("files.tsv")) else {
        eprintln!("skipped: there are no real objects beside this repository");
        return BTreeMap::new();
    };
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for line in list.lines().skip(1) {
        let mut columns = line.split('\t');
        let repository = columns.next().unwrap().to_owned();
        let path = columns.nth(1).unwrap();
        files
            .entry(repository.clone())
            .or_default()
            .push(folder.join(repository.replace('/', "+")).join(path));
    }
    files
}

fn read(dump: &mut Dump, file: &Path) {
    dump.add_text(&file.display().to_string(), &std::fs::read_to_string(file).unwrap());
}

#[test]
fn each_file_is_accounted_for() {
    let mut counts = [0_usize; 3];
    for file in repositories().values().flatten() {
        let mut dump = Dump::new();
        read(&mut dump, file);
        for pods in [PodSource::Auto, PodSource::Live, PodSource::Templates] {
            let mut options = ConvertOptions::default();
            options.pods = pods;
            let conversion = dump.convert(&options);
            is_accounted_for(&dump, &conversion);
            if let Err(error) = conversion.problem() {
                panic!("{}: {error}", file.display());
            }
            if pods == PodSource::Auto {
                counts[0] += 1;
                counts[1] += usize::from(!conversion.refusals().is_empty());
                counts[2] += conversion.outcomes().len();
            }
        }
    }
    println!("{} files, {} with refusals, {} objects", counts[0], counts[1], counts[2]);
}

#[test]
fn each_repository_is_planned() {
    for (repository, files) in repositories() {
        let mut dump = Dump::new();
        files.iter().for_each(|file| read(&mut dump, file));
        let mut options = ConvertOptions::default();
        options.catalog = plimsoll_testdata::catalog();
        let conversion = dump.convert(&options);
        is_accounted_for(&dump, &conversion);
        let problem = conversion.problem().unwrap_or_else(|error| panic!("{repository}: {error}"));
        let plan = provision(&problem, &Options::default()).unwrap();
        let _verified =
            verify(&problem, &plan).unwrap_or_else(|faults| panic!("{repository}: {faults}"));
        println!(
            "{repository}: {} objects, {} refused; {} pods, {} launches, {} without a place",
            dump.len(),
            conversion.refusals().len(),
            problem.pods().iter().map(|pod| u64::from(pod.replicas())).sum::<u64>(),
            plan.launches().len(),
            plan.unschedulable().len()
        );
    }
}
