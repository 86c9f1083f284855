//! Figures of plans that are kept in a file, and what has become worse since.
//!
//! Everything is counted in work, never in time, so the same code gives the same figures on every
//! machine: what differs is the code's doing. Each line of the file is one plan: its name, the pods
//! that it places, what it costs, what any plan costs at least, how many nodes it has at the end,
//! and how many running pods move.

use plimsoll::{
    ConsolidationOptions, Effort, Limits, Options, Price, Problem, consolidate, provision, verify,
    verify_consolidation,
};
use plimsoll_testdata::{BENCH_PROBLEMS, problem, running_cluster};
use std::error::Error;
use std::fmt::Write as _;

const HEAD: &str = "\
# What plans are worth, by `cargo run --release --example quality -- --renew testdata/quality.txt`.
# name                                 placed       cost/h at-least/h    nodes    moved
";

/// What a plan is worth.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) placed: u64,
    pub(crate) cost: Price,
    pub(crate) lower_bound: Price,
    pub(crate) nodes: u64,
    pub(crate) moved: u64,
}

impl Figures {
    /// What is worse than it was: fewer pods are placed; as many cost more; less is proved of the
    /// same pods; as cheap an outcome takes more moves.
    pub(crate) fn worse_than(&self, former: &Self) -> Option<String> {
        if self.placed != former.placed {
            let fewer = self.placed < former.placed;
            return fewer.then(|| format!("places {}, not {}", self.placed, former.placed));
        }
        if self.cost > former.cost {
            return Some(format!("costs {}, not {}", self.cost, former.cost));
        }
        if self.lower_bound < former.lower_bound {
            return Some(format!("proves {}, not {}", self.lower_bound, former.lower_bound));
        }
        let more = self.cost == former.cost && self.moved > former.moved;
        more.then(|| format!("moves {}, not {}", self.moved, former.moved))
    }

    fn line(&self) -> String {
        let (cost, least) = (self.cost.to_string(), self.lower_bound.to_string());
        let Self { name, placed, nodes, moved, .. } = self;
        format!("{name:36} {placed:8} {cost:>12} {least:>12} {nodes:8} {moved:8}\n")
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let figures = Self {
            name: fields.next()?.to_owned(),
            placed: fields.next()?.parse().ok()?,
            cost: fields.next()?.parse().ok()?,
            lower_bound: fields.next()?.parse().ok()?,
            nodes: fields.next()?.parse().ok()?,
            moved: fields.next()?.parse().ok()?,
        };
        fields.next().is_none().then_some(figures)
    }
}

/// The figures of a file; `None` where a line isn't one of them.
pub(crate) fn read(text: &str) -> Option<Vec<Figures>> {
    text.lines().filter(|line| !line.starts_with('#')).map(Figures::read).collect()
}

pub(crate) fn write(figures: &[Figures]) -> String {
    let mut text = HEAD.to_owned();
    figures.iter().for_each(|one| text.push_str(&one.line()));
    text
}

/// What to say of the figures beside those of before, and whether any is worse.
pub(crate) fn compare(former: &[Figures], now: &[Figures]) -> (String, bool) {
    let (mut said, mut worse) = (String::new(), false);
    for figures in now {
        let Some(before) = former.iter().find(|before| before.name == figures.name) else {
            let _written = writeln!(said, "{}: not recorded", figures.name);
            continue;
        };
        if let Some(how) = figures.worse_than(before) {
            worse = true;
            let _written = writeln!(said, "{}: worse: {how}", figures.name);
        } else if figures != before {
            let _written = writeln!(
                said,
                "{}: no worse, and not the same:\n{}{}",
                figures.name,
                before.line(),
                figures.line()
            );
        }
    }
    for before in former {
        if !now.iter().any(|figures| figures.name == before.name) {
            worse = true;
            let _written = writeln!(said, "{}: recorded, and not measured any more", before.name);
        }
    }
    (said, worse)
}

/// Plans the fixed set; every plan is verified.
pub(crate) fn measure() -> Result<Vec<Figures>, Box<dyn Error>> {
    let mut all = Vec::new();
    let small =
        ["web-small"].into_iter().chain(BENCH_PROBLEMS).filter(|name| !name.starts_with("1m"));
    for name in small {
        let problem = problem(name).ok_or("no such problem")?;
        all.push(of_plan(name, &problem, &Options::default())?);
    }
    let few = Limits::default().with_rounds(150).with_attempts(40);
    let refined = Options::default().with_effort(Effort::Refine(few));
    for name in ["web-small", "1k-10-100", "10k-10-100"] {
        let problem = problem(name).ok_or("no such problem")?;
        all.push(of_plan(&format!("{name}/refined"), &problem, &refined)?);
    }
    for (nodes, pods, classes, types) in
        [(20, 300, 30, 60), (60, 700, 60, 100), (150, 2_000, 80, 200)]
    {
        let problem = running_cluster(nodes, pods, classes, types, 1);
        let name = format!("running-{nodes}-{pods}-{classes}-{types}");
        let mut options = ConsolidationOptions::default();
        options.bare_pods_move = true;
        let options = Options::default().with_consolidation(options);
        all.push(of_consolidation(&name, &problem, &options)?);
    }
    Ok(all)
}

fn of_plan(name: &str, problem: &Problem, options: &Options) -> Result<Figures, Box<dyn Error>> {
    let plan = provision(problem, options)?;
    let _verified = verify(problem, &plan).map_err(|violations| violations.to_string())?;
    let launched: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
    Ok(Figures {
        name: name.to_owned(),
        placed: (launched + plan.bindings().len()) as u64,
        cost: plan.cost().total,
        lower_bound: plan.cost().lower_bound,
        nodes: plan.launches().len() as u64,
        moved: 0,
    })
}

fn of_consolidation(
    name: &str,
    problem: &Problem,
    options: &Options,
) -> Result<Figures, Box<dyn Error>> {
    let plan = consolidate(problem, options)?;
    let _verified = verify_consolidation(problem, &plan, &options.consolidation)
        .map_err(|violations| violations.to_string())?;
    let deleted: usize = plan.actions().iter().map(|action| action.delete.len()).sum();
    let launched: usize = plan.actions().iter().map(|action| action.launches.len()).sum();
    Ok(Figures {
        name: name.to_owned(),
        // Those that a node loses are placed by the same plan, or it isn't accepted.
        placed: problem.pods().iter().map(|pod| u64::from(pod.replicas())).sum(),
        cost: plan.cost().after,
        lower_bound: plan.cost().lower_bound,
        nodes: (problem.nodes().len() + launched - deleted) as u64,
        moved: plan.moved(),
    })
}
