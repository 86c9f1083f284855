//! The same problem, said in another order.

use serde_json::Value;

/// The same document with every list of things that have names in another order.
pub(crate) fn reordered(problem: &Value, turn: usize) -> Value {
    let turned = |list: &Value| {
        let mut list = list.as_array().cloned().unwrap_or_default();
        list.reverse();
        let by = turn % list.len().max(1);
        list.rotate_left(by);
        Value::Array(list)
    };
    let mut problem = problem.clone();
    for (key, list) in problem.as_object_mut().unwrap() {
        *list = turned(list);
        if key == "instanceTypes" {
            for ty in list.as_array_mut().unwrap() {
                ty["offerings"] = turned(&ty["offerings"]);
            }
        }
    }
    problem
}
