//! Timestamps: the four layouts that go-yaml tries, with the freedoms of Go's `time.Parse`.
//!
//! `2006-1-2T15:4:5.999999999Z07:00`, the same with a small `t`, `2006-1-2 15:4:5.999999999` and
//! `2006-1-2`: one digit is enough but for the year, a fraction may follow a comma and is cut after
//! nine digits, spaces may repeat.

use std::fmt::Write;

/// The zone is a day or more away from UTC: a time for Go, but one that it cannot write as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ZoneTooFar;

/// The canonical text of `text` if that is a timestamp: RFC 3339 with the zeros that end the fraction
/// left out, in the zone that was written.
pub(super) fn parse(text: &str) -> Option<Result<String, ZoneTooFar>> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut cursor = Cursor(&bytes[5..]);
    let year = bytes[..4].iter().fold(0, |year, digit| year * 10 + u32::from(digit - b'0'));
    let month = cursor.number().filter(|month| (1..=12).contains(month))?;
    cursor.take(b'-')?;
    let day = cursor.number().filter(|day| (1..=days_in(year, month)).contains(day))?;

    let mut canonical = String::with_capacity(35);
    let _ = write!(canonical, "{}-{month:02}-{day:02}T", &text[..4]);
    let zoned = match cursor.0 {
        [] => {
            canonical.push_str("00:00:00Z");
            return Some(Ok(canonical));
        }
        [b'T' | b't', ..] => true,
        [b' ', ..] => false,
        _ => return None,
    };
    let start = 1 + if zoned { 0 } else { cursor.0[1..].iter().take_while(|&&b| b == b' ').count() };
    cursor.0 = &cursor.0[start..];
    let hour = cursor.number().filter(|&hour| hour < 24)?;
    cursor.take(b':')?;
    let minute = cursor.number().filter(|&minute| minute < 60)?;
    cursor.take(b':')?;
    let second = cursor.number().filter(|&second| second < 60)?;
    let _ = write!(canonical, "{hour:02}:{minute:02}:{second:02}");
    cursor.fraction(&mut canonical);
    let minutes_from_utc = if zoned { cursor.zone()? } else { 0 };
    if !cursor.0.is_empty() {
        return None;
    }
    match minutes_from_utc {
        0 => canonical.push('Z'),
        minutes if minutes.abs() >= 24 * 60 => return Some(Err(ZoneTooFar)),
        minutes => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let _ = write!(canonical, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        }
    }
    Some(Ok(canonical))
}

/// What of the text has not been read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// One or two digits.
    fn number(&mut self) -> Option<u32> {
        let digits = self.0.iter().take(2).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        (digits > 0).then(|| number.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        (first == expected).then_some(())
    }

    /// A fraction of a second, if one stands here, appended without the zeros at its end.
    fn fraction(&mut self, out: &mut String) {
        let [b'.' | b',', rest @ ..] = self.0 else { return };
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return;
        }
        self.0 = &rest[digits..];
        let kept = &rest[..digits.min(9)];
        let significant = kept.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        if significant > 0 {
            out.push('.');
            out.extend(kept[..significant].iter().map(|&digit| char::from(digit)));
        }
    }

    /// `Z` or `±hh:mm`, as minutes. Go lets 24 hours and 60 minutes pass here.
    fn zone(&mut self) -> Option<i32> {
        let minutes = match *self.0 {
            [b'Z', ..] => {
                self.0 = &self.0[1..];
                return Some(0);
            }
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] if [h1, h2, m1, m2].iter().all(u8::is_ascii_digit) => {
                let two = |tens: u8, ones: u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
                let (hours, minutes) = (two(h1, h2), two(m1, m2));
                if hours > 24 || minutes > 60 {
                    return None;
                }
                (hours * 60 + minutes) * if sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        self.0 = &self.0[6..];
        Some(minutes)
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen on sops 3.11.
    #[test]
    fn layouts_are_those_of_go() {
        let table = [
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-12-14 21:59:43.10", Some("2001-12-14T21:59:43.1Z")),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-12-14 21:59:43Z", None),
            ("2001-12-14T21:59:43", None),
            ("2001-12-14T21:59Z", None),
            ("2001-12-14T21:59:43.Z", None),
            ("2001-12-14T21:59:43.000Z", Some("2001-12-14T21:59:43Z")),
            ("2001-12-14T24:00:00Z", None),
            ("2001-12-14T23:60:00Z", None),
            ("2001-12-14T23:59:60Z", None),
            ("2001-12-14T9:5:3+00:60", Some("2001-12-14T09:05:03+01:00")),
            ("2001-12-14T9:5:3+00:61", None),
            ("2001-12-14T9:5:3+0100", None),
            ("2001-1-1", Some("2001-01-01T00:00:00Z")),
            ("2001-01-", None),
            ("2001-1-0", None),
            ("2001-2-29", None),
            ("2004-2-29", Some("2004-02-29T00:00:00Z")),
            ("1900-2-29", None),
            ("2000-2-29", Some("2000-02-29T00:00:00Z")),
            ("0000-1-1", Some("0000-01-01T00:00:00Z")),
            ("2001-4-31", None),
            ("2001-1-123", None),
            ("20011-1-1", None),
            ("2001-1-1T", None),
            ("2001-1-1T  1:1:1Z", None),
        ];
        for (text, canonical) in table {
            assert_eq!(parse(text), canonical.map(|text| Ok(text.to_owned())), "{text}");
        }
        assert_eq!(parse("2001-01-01T01:01:01-24:00"), Some(Err(ZoneTooFar)));
        assert_eq!(parse("2001-01-01T01:01:01+23:60"), Some(Err(ZoneTooFar)));
    }
}
