//! Values as mere text, for where there is nothing else: dotenv, INI, the environment.

use crate::document::{Kind, Scalar, float};
use std::borrow::Cow;

/// The text that sops gives to a value where all values are text. Not the canonical one: a float has Go's short form,
/// `1E+06`, a time no fraction of a second, and null is `<nil>`.
///
/// Source: `stores.ValToString` of sops 3.11, and what the program prints.
#[must_use]
pub fn flat(scalar: Scalar<'_>) -> Cow<'_, [u8]> {
    let text = || String::from_utf8_lossy(scalar.bytes);
    match scalar.kind {
        Kind::Bool => text().to_ascii_lowercase().into_bytes().into(),
        Kind::Float => match text().parse::<f64>() {
            Ok(value) if value.is_finite() => {
                let short = short_float(value).to_uppercase();
                // It must not read as an integer.
                let suffix = if short.contains(['.', 'E']) { "" } else { ".0" };
                format!("{short}{suffix}").into_bytes().into()
            }
            _ => scalar.bytes.into(),
        },
        Kind::Time => match scalar.bytes.iter().position(|&byte| byte == b'.') {
            Some(dot) => {
                let fraction = scalar.bytes[dot + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                [&scalar.bytes[..dot], &scalar.bytes[dot + 1 + fraction..]].concat().into()
            }
            None => scalar.bytes.into(),
        },
        Kind::Null => b"<nil>".into(),
        Kind::Str | Kind::Int | Kind::Map | Kind::List | Kind::Comment => scalar.bytes.into(),
    }
}

/// Go's `FormatFloat(value, 'g', -1, 64)` of a finite value.
pub(super) fn short_float(value: f64) -> String {
    // Go switches at 10⁻⁵ and, for shortest digits, at 10⁶.
    match float::scientific(value) {
        (mantissa, power) if !(-4..6).contains(&power) => format!("{mantissa}e{power:+03}"),
        _ => float::fixed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right side is what sops 3.11 printed.
    #[test]
    fn values_become_the_text_that_sops_gives_them() {
        for (kind, canonical, printed) in [
            (Kind::Str, "a\nb", "a\nb"),
            (Kind::Int, "1234567890123456789", "1234567890123456789"),
            (Kind::Bool, "True", "true"),
            (Kind::Bool, "False", "false"),
            (Kind::Float, "1.5", "1.5"),
            (Kind::Float, "1", "1.0"),
            (Kind::Float, "1000", "1000.0"),
            (Kind::Float, "1000000", "1E+06"),
            (Kind::Float, "1000000000000000000000", "1E+21"),
            (Kind::Float, "100000.5", "100000.5"),
            (Kind::Float, "123456789.5", "1.234567895E+08"),
            (Kind::Float, "0.0001", "0.0001"),
            (Kind::Float, "0.00001", "1E-05"),
            (Kind::Float, "-0", "-0.0"),
            (Kind::Float, "+Inf", "+Inf"),
            (Kind::Float, "NaN", "NaN"),
            (Kind::Time, "2020-01-01T10:00:00.5+02:00", "2020-01-01T10:00:00+02:00"),
            (Kind::Time, "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            (Kind::Null, "", "<nil>"),
        ] {
            let text = flat(Scalar { kind, bytes: canonical.as_bytes() });
            assert_eq!(String::from_utf8_lossy(&text), printed, "{kind:?} {canonical}");
        }
    }
}
