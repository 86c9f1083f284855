//! Decimal numbers as they are written, to any length and without loss: the part that quantities
//! and prices share.
//!
//! A number is kept as its digits and the place of its point, so that it can be scaled by a power
//! of ten or two exactly, however long it is, and rounded once at the end. Time and memory are
//! linear in the length of the text.
//!
//! Quantities and prices differ in suffixes, in rounding (up, or to the nearest) and in range; what
//! they share is here: reading digits, scaling exactly, cutting at a place and saying what was cut
//! off. No float is involved, so `0.1` is a tenth.

/// A number as written: `0.d₁d₂d₃… × 10^point`, with a sign.
///
/// `1.50` is the digits 1, 5, 0 with the point at 1; zeros in front and behind are kept until the
/// end.
pub(super) struct Decimal {
    pub(super) negative: bool,
    /// Digits 0 to 9.
    digits: Vec<u8>,
    point: i64,
}

/// A number of whole parts, and whether what is cut off is nothing, less than half, or more.
///
/// The caller decides the direction: up where the rest isn't nothing, to the nearest by its half.
pub(super) struct Rounded {
    pub(super) whole: i128,
    pub(super) rest_is_zero: bool,
    pub(super) rest_is_half_or_more: bool,
}

/// More digits than any amount here has before its point; 10 to this power, in billionths, is far
/// below the limit of `i128`.
const MOST_DIGITS: i64 = 25;

impl Decimal {
    /// Reads `[+-]digits[.digits]`, with digits on at least one side of the point, and returns the
    /// text after it.
    ///
    /// What follows is the caller's: a suffix, an exponent, or a fault.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        let negative = text.starts_with('-');
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (before, rest) = leading_digits(text);
        let (after, rest) = rest.strip_prefix('.').map_or(("", rest), leading_digits);
        if before.is_empty() && after.is_empty() {
            return None;
        }
        let digits = before.bytes().chain(after.bytes()).map(|digit| digit - b'0').collect();
        let point = i64::try_from(before.len()).ok()?;
        Some((Self { negative, digits, point }, rest))
    }

    /// Reads an exponent, `e` or `E` and an integer, and moves the point by it.
    pub(super) fn with_exponent(mut self, text: &str) -> Option<Self> {
        let exponent: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
        self.point = self.point.saturating_add(exponent);
        Some(self)
    }

    /// The number times 10^`power`.
    pub(super) fn shift(mut self, power: i64) -> Self {
        self.point = self.point.saturating_add(power);
        self
    }

    /// The number times `factor`, by hand.
    ///
    /// Schoolbook multiplication, digit by digit with a carry: linear in the digits.
    pub(super) fn times(mut self, factor: u64) -> Self {
        let mut carry = 0_u128;
        let mut next = |digit: u8| {
            carry += u128::from(digit) * u128::from(factor);
            let last = u8::try_from(carry % 10).unwrap_or(0);
            carry /= 10;
            last
        };
        // Twenty zeros in front take whatever is carried out of 64 bits.
        let mut digits: Vec<u8> = self.digits.iter().rev().map(|digit| next(*digit)).collect();
        digits.extend([0; 20].map(&mut next));
        digits.reverse();
        self.digits = digits;
        self.point = self.point.saturating_add(20);
        self
    }

    /// The magnitude in whole parts of 10^-`places`; `None` where it is beyond any amount.
    ///
    /// At most `MOST_DIGITS + places` digits are looked at one by one, however long the number is.
    pub(super) fn round(&self, places: i64) -> Option<Rounded> {
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        let digits = self.digits.get(zeros..).unwrap_or_default();
        if digits.is_empty() {
            return Some(Rounded { whole: 0, rest_is_zero: true, rest_is_half_or_more: false });
        }
        let point = self.point.saturating_sub(i64::try_from(zeros).ok()?);
        if point > MOST_DIGITS {
            return None;
        }
        // Digit number `cut` is the first one behind the last part that counts.
        let cut = point.saturating_add(places);
        let digit = |at: i64| usize::try_from(at).ok().and_then(|at| digits.get(at)).copied();
        let whole = (0..cut).fold(0, |sum, at| sum * 10 + i128::from(digit(at).unwrap_or(0)));
        let rest = digits.get(usize::try_from(cut.max(0)).ok()?..).unwrap_or_default();
        Some(Rounded {
            whole,
            rest_is_zero: rest.iter().all(|digit| *digit == 0),
            rest_is_half_or_more: digit(cut).is_some_and(|digit| digit >= 5),
        })
    }
}

fn leading_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}
