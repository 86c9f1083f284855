//! The same problem in other units, or with a type twice.

use serde_json::{Value, json};

fn list<'a>(value: &'a mut Value, key: &str) -> &'a mut [Value] {
    value.get_mut(key).and_then(Value::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

/// The problem with all prices so many times as high.
pub(crate) fn prices(problem: &Value, times: u32) -> Value {
    let mut problem = problem.clone();
    for kind in list(&mut problem, "instanceTypes") {
        for offering in list(kind, "offerings") {
            let price: plimsoll::Price = offering["price"].to_string().parse().unwrap();
            let price = price.checked_mul(times.into()).unwrap();
            offering["price"] = serde_json::from_str(&price.to_string()).unwrap();
        }
    }
    problem
}

/// The problem with so many times as much of every resource, asked for and given; a node holds as
/// many pods as it did.
pub(crate) fn resources(problem: &Value, times: u64) -> Value {
    let mut problem = problem.clone();
    for (of, key) in [
        ("pods", "requests"),
        ("daemonSets", "requests"),
        ("instanceTypes", "capacity"),
        ("instanceTypes", "overhead"),
        ("nodes", "allocatable"),
        ("nodePools", "limits"),
    ] {
        for one in list(&mut problem, of) {
            for (name, amount) in
                one.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten()
            {
                if !matches!(&**name, "pods" | "nodes") {
                    *amount = multiplied(amount, times);
                }
            }
        }
    }
    problem
}

fn multiplied(amount: &Value, times: u64) -> Value {
    let Value::String(text) = amount else { return json!(amount.as_u64().unwrap() * times) };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    json!(format!("{}{unit}", number.parse::<u64>().unwrap() * times))
}

/// The problem without demands for a number of different types or the like.
pub(crate) fn without_min_values(problem: &Value) -> Value {
    let mut problem = problem.clone();
    for pool in list(&mut problem, "nodePools") {
        for requirement in list(pool, "requirements") {
            let _none = requirement.as_object_mut().unwrap().remove("minValues");
        }
    }
    problem
}

/// The problem with one of its types a second time, for all pools that may use it; reservations are
/// of the one alone.
pub(crate) fn with_copy(problem: &Value, which: usize, name: &str) -> Value {
    let mut problem = problem.clone();
    let types = problem["instanceTypes"].as_array_mut().unwrap();
    let mut copy = types[which % types.len()].clone();
    let former = std::mem::replace(&mut copy["name"], json!(name));
    copy["offerings"].as_array_mut().unwrap().retain(|one| one.get("reservation").is_none());
    types.push(copy);
    for pool in list(&mut problem, "nodePools") {
        if let Some(names) = pool.get_mut("instanceTypes").and_then(Value::as_array_mut)
            && names.contains(&former)
        {
            names.push(json!(name));
        }
    }
    problem
}

/// What all prices are multiples of, in billionths.
pub(crate) fn step(problem: &Value) -> i128 {
    let types = problem["instanceTypes"].as_array().unwrap().iter();
    let offerings = types.flat_map(|kind| kind["offerings"].as_array().unwrap());
    let prices = offerings.map(|one| one["price"].to_string().parse::<plimsoll::Price>().unwrap());
    let divisor = |(mut one, mut other): (i128, i128)| {
        while other != 0 {
            (one, other) = (other, one % other);
        }
        one
    };
    prices.fold(0, |step, price| divisor((step, price.nanos())))
}
