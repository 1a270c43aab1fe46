//! Floats as Go writes them: what a float's canonical bytes are, and the digits for every other way to print it.
//!
//! Of the shortest digits that mean a value there can be two that are equally near, as for most values that were once
//! floats of 32 bits: `99.970367431640625` is half-way between `…62` and `…63`. Go takes the even one, Rust's own
//! `Display` the larger, and then the MAC is another.

/// Go's `FormatFloat(value, 'f', -1, 64)`: the shortest digits that mean `value`, never an exponent; `NaN`, `+Inf` and
/// `-Inf`.
///
/// ```
/// use leafcrypt::document::float;
/// assert_eq!(float::fixed(1e21), "1000000000000000000000");
/// assert_eq!(float::fixed(f64::from(99.970_37_f32)), "99.97036743164062");
/// ```
#[must_use]
pub fn fixed(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN" } else { ["+Inf", "-Inf"][usize::from(value < 0.0)] }.to_owned();
    }
    let Digits { sign, digits, point } = Digits::of(value);
    let zeros = |many: i32| "0".repeat(usize::try_from(many).unwrap_or_default());
    match usize::try_from(point) {
        Ok(place @ 1..) if place < digits.len() => format!("{sign}{}.{}", &digits[..place], &digits[place..]),
        Ok(1..) => format!("{sign}{digits}{}", zeros(point - signed(digits.len()))),
        _ => format!("{sign}0.{}{digits}", zeros(-point)),
    }
}

/// The shortest digits that mean a finite `value`, with one of them before the point, and the power of ten that they are
/// to be multiplied by: `-12.5` is `("-1.25", 1)`. What this says of no finite value has no meaning.
#[must_use]
pub fn scientific(value: f64) -> (String, i32) {
    let Digits { sign, digits, point } = Digits::of(value);
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    (format!("{sign}{first}{dot}{rest}"), point - 1)
}

/// The shortest digits of a value.
struct Digits {
    sign: &'static str,
    /// Without zeros at either end, but for the value zero: `0`.
    digits: String,
    /// How many digits stand before the point; below zero, how many zeros between the point and the digits.
    point: i32,
}

impl Digits {
    fn of(value: f64) -> Self {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let point = signed(whole.len()) - signed(all.len() - digits.len()) + power.parse().unwrap_or(0);
        match digits.trim_end_matches('0') {
            "" => Digits { sign, digits: "0".to_owned(), point: 1 },
            digits => Digits { sign, digits: digits.to_owned(), point },
        }
    }
}

fn signed(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The second text is what sops 3.11 printed.
    #[test]
    fn floats_have_the_digits_of_go() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-10.5, "-10.5"),
            (100.0, "100"),
            (0.001, "0.001"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::from(99.970_37_f32), "99.97036743164062"),
            (f64::from(1e20_f32), "100000002004087730000"),
            (5e-324, &format!("0.{}5", "0".repeat(323))),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(fixed(value), text);
        }
    }

    proptest! {
        #[test]
        fn they_are_the_shortest_that_mean_the_value(value in any::<f64>()) {
            let text = fixed(value);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            prop_assert_eq!(text.len(), value.to_string().len());
            let (mantissa, power) = scientific(value);
            let text = format!("{mantissa}e{power}");
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            prop_assert_eq!(text.len(), format!("{value:e}").len());
        }
    }
}
