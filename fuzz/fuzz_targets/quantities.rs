//! Quantities: what is printed reads back as the same amount, order and sums are those of integers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::Quantity;

fuzz_target!(|text: &str| {
    let (one, other) = text.split_once(' ').unwrap_or((text, "1"));
    let (Ok(one), Ok(other)) = (one.parse::<Quantity>(), other.parse::<Quantity>()) else { return };
    for amount in [one, other] {
        assert!(amount >= Quantity::ZERO && amount <= Quantity::MAX);
        assert_eq!(amount.to_string().parse(), Ok(amount));
        assert_eq!(Quantity::from_nanos(amount.nanos()), amount);
    }
    assert_eq!(one.cmp(&other), one.nanos().cmp(&other.nanos()));
    let sum = one.saturating_add(other);
    assert_eq!(sum.nanos(), (one.nanos() + other.nanos()).min(Quantity::MAX.nanos()));
    assert_eq!(one.saturating_sub(other).nanos(), (one.nanos() - other.nanos()).max(0));
});
