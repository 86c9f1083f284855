//! The figures that are kept: what counts as worse, and that the file says what can be true.

#[path = "../../examples/recorded/mod.rs"]
#[allow(dead_code, reason = "only the example measures all of it")]
mod figures;

use figures::{Figures, compare, read, write};

fn figures(name: &str, placed: u64, cost: &str, least: &str, moved: u64) -> Figures {
    let (cost, lower_bound) = (cost.parse().unwrap(), least.parse().unwrap());
    Figures { name: name.to_owned(), placed, cost, lower_bound, nodes: 3, moved }
}

#[test]
fn worse_is_told_from_other() {
    let before = [figures("a", 10, "2.5", "2", 7)];
    let worse = |now: Figures| compare(&before, &[now]).1;
    assert!(worse(figures("a", 9, "2", "2", 7)), "fewer pods are worse, however cheap");
    assert!(worse(figures("a", 10, "2.500000001", "2", 0)));
    assert!(worse(figures("a", 10, "2.4", "1.999999999", 0)), "so is less of a proof");
    assert!(worse(figures("a", 10, "2.5", "2", 8)));
    assert!(!worse(figures("a", 10, "2.4", "2", 8)), "moves may bring savings");
    assert!(!worse(figures("a", 11, "3", "1", 9)), "more pods may cost more");
    assert!(worse(figures("b", 10, "2.5", "2", 7)), "what isn't measured any more counts as worse");
    assert_eq!(compare(&before, &before), (String::new(), false));
    let mut other = before[0].clone();
    other.nodes = 2;
    let (said, worse) = compare(&before, &[other]);
    assert!(said.contains("a: no worse") && !worse, "{said}");
}

#[test]
fn the_file_reads_back_and_can_be_true() {
    let file = crate::layering::root().join("testdata/quality.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let kept = read(&text).unwrap();
    assert_eq!(write(&kept), text);
    for one in &kept {
        assert!(one.lower_bound <= one.cost, "{one:?}");
    }
    assert!(kept.iter().any(|one| one.moved > 0));
    assert_eq!(read("a 1 2 3"), None);
}
