//! What begins with a backslash, and classes in brackets.

use super::{NOTHING, Parsed, Refusal, SURROGATES, Translator};

impl<'p> Translator<'p> {
    pub(super) fn escape(&mut self) -> Parsed<()> {
        match self.rest()[1..].chars().next() {
            Some('A') => self.short_item(r"\A"),
            Some('z') => self.short_item(r"\z"),
            Some('b') => self.short_item(r"(?-u:\b)"),
            Some('B') => self.short_item(r"(?-u:\B)"),
            Some('Q') => {
                self.at += 2;
                let (text, read) = match self.rest().split_once(r"\E") {
                    Some((text, _)) => (text, text.len() + 2),
                    None => (self.rest(), self.rest().len()),
                };
                text.chars().for_each(|c| self.literal(c));
                self.at += read;
            }
            _ => {
                if let Some(class) = self.class_escape()? {
                    self.item(&class);
                    return Ok(());
                }
                match char::from_u32(self.character_escape()?) {
                    Some(c) => self.literal(c),
                    None => self.item(NOTHING), // a surrogate
                }
            }
        }
        Ok(())
    }

    /// An item whose Go spelling is two bytes.
    fn short_item(&mut self, rust: &str) {
        self.at += 2;
        self.item(rust);
    }

    /// Reads `\d` and its like, `\pN` or `\p{Greek}`, if one of them is next.
    fn class_escape(&mut self) -> Parsed<Option<String>> {
        // Spelt as sets, which Rust then folds under `(?i)` as Go does: `(?i)\w` matches the Kelvin sign.
        let class = match self.rest()[1..].chars().next() {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('s') => r"[\t\n\f\r ]",
            Some('S') => r"[^\t\n\f\r ]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            Some('p' | 'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(class.to_owned()))
    }

    fn unicode_class(&mut self) -> Parsed<String> {
        let start = self.at;
        let mut negative = self.rest().starts_with(r"\P");
        self.at += 2;
        let unknown = |name: &str| {
            Err(Refusal::new(
                start,
                format!("there is no Unicode category or script {name:?}"),
                "write a category or a script that Go knows: `\\pL`, `\\p{Lu}`, `\\p{Greek}`",
            ))
        };
        let name = if self.rest().starts_with('{') {
            let Some((name, _)) = self.rest()[1..].split_once('}') else { return unknown(&self.rest()[1..]) };
            self.at += name.len() + 2;
            name
        } else {
            let from = self.at;
            self.next();
            &self.pattern[from..self.at]
        };
        let positive_name = name.strip_prefix('^').unwrap_or(name);
        negative ^= positive_name.len() < name.len();
        match unicode_property(positive_name) {
            Some(property) if property == SURROGATES => Ok(if negative { r"\p{any}" } else { NOTHING }.to_owned()),
            Some(property) => Ok(format!("\\{}{{{property}}}", if negative { 'P' } else { 'p' })),
            None => unknown(name),
        }
    }

    /// Reads an escape that stands for one character. Go allows surrogates here, hence a number.
    fn character_escape(&mut self) -> Parsed<u32> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else {
            return Err(Refusal::new(start, "a backslash at the end escapes nothing", "write `\\\\` for a backslash"));
        };
        match c {
            'a' => Ok(7),
            'f' => Ok(12),
            'n' => Ok(10),
            'r' => Ok(13),
            't' => Ok(9),
            'v' => Ok(11),
            'x' => self.hex(start),
            '0' => Ok(self.octal(0)),
            '1'..='7' if self.peek().is_some_and(|next| matches!(next, '0'..='7')) => {
                Ok(self.octal(u32::from(c) - u32::from('0')))
            }
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c.into()),
            _ => Err(unknown_escape(start, c)),
        }
    }

    /// The one or two further digits of an octal escape.
    fn octal(&mut self, first: u32) -> u32 {
        let mut value = first;
        for _ in 0..2 {
            match self.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) => value = value * 8 + digit,
                None => break,
            }
            self.at += 1;
        }
        value
    }

    fn hex(&mut self, start: usize) -> Parsed<u32> {
        let digits = match self.rest().strip_prefix('{') {
            Some(rest) => rest.split_once('}').map(|(digits, _)| (digits, digits.len() + 2)),
            None => self.rest().get(..2).map(|digits| (digits, 2)),
        };
        if let Some((digits, read)) = digits
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
            && let Ok(value @ 0..=0x10_FFFF) = u32::from_str_radix(digits, 16)
        {
            self.at += read;
            return Ok(value);
        }
        Err(Refusal::new(start, "this is no hexadecimal escape", "write `\\x7F` or `\\x{10FFFF}`"))
    }

    // Classes.

    /// Reads `[…]`. In Go there are no nested classes and no set operations: `[`, `&`, `-` and `~` are characters.
    pub(super) fn class(&mut self) -> Parsed<String> {
        let start = self.at;
        let never_closed = || Refusal::new(start, "this character class is never closed", "add a `]`, or write `\\[`");
        self.at += 1;
        let mut class = String::from("[");
        if self.rest().starts_with('^') {
            self.at += 1;
            class.push('^');
        }
        let empty = class.len();
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(never_closed()),
                Some(']') if !first => break,
                Some('[') if self.rest().starts_with("[:") => {
                    if let Some(named) = self.posix_class()? {
                        class.push_str(named);
                        first = false;
                        continue;
                    }
                }
                Some('\\') => {
                    if let Some(set) = self.class_escape()? {
                        class.push_str(&set);
                        first = false;
                        continue;
                    }
                }
                Some(_) => {}
            }
            first = false;
            let from = self.at;
            let low = self.class_character().ok_or_else(never_closed)??;
            let mut high = low;
            if self.rest().starts_with('-') && self.rest().len() > 1 && !self.rest().starts_with("-]") {
                self.at += 1;
                high = self.class_character().ok_or_else(never_closed)??;
            }
            if high < low {
                let range = &self.pattern[from..self.at];
                return Err(Refusal::new(
                    from,
                    format!("the range `{range}` ends before it begins"),
                    "swap its ends, or write the `-` last",
                ));
            }
            push_range(&mut class, low, high);
        }
        self.at += 1;
        if class.len() == empty {
            class.push_str(NOTHING); // nothing but surrogates
        }
        class.push(']');
        Ok(class)
    }

    fn class_character(&mut self) -> Option<Parsed<u32>> {
        match self.peek()? {
            '\\' => Some(self.character_escape()),
            _ => self.next().map(|c| Ok(c.into())),
        }
    }

    /// Reads `[:alpha:]`; without an end it is no name but a `[` in Go.
    fn posix_class(&mut self) -> Parsed<Option<&'p str>> {
        let Some(end) = self.rest()[2..].find(":]") else { return Ok(None) };
        let named = &self.rest()[..end + 4];
        let name = &named[2..end + 2];
        let known = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit",
        ];
        if !known.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(Refusal::new(
                self.at,
                format!("there is no character class `{named}`"),
                "the names are alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit",
            ));
        }
        self.at += named.len();
        Ok(Some(named))
    }
}

/// Adds a range to a class, without the surrogates, which are no characters in Rust.
fn push_range(class: &mut String, low: u32, high: u32) {
    for (low, high) in [(low, high.min(0xD7FF)), (low.max(0xE000), high)] {
        if low <= high {
            class.push_str(&format!("\\x{{{low:X}}}-\\x{{{high:X}}}"));
        }
    }
}

/// Rust's name of a Unicode category or script of Go.
///
/// Both compare names loosely, but Rust knows more of them: other properties, and scripts by their four-letter code.
fn unicode_property(name: &str) -> Option<String> {
    const SCRIPTS_OF_FOUR_LETTERS: [&str; 7] = ["ahom", "cham", "kawi", "lisu", "newa", "thai", "toto"];
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b' ')) {
        return None;
    }
    let canonical = name.replace(['_', '-', ' '], "").to_ascii_lowercase();
    match canonical.as_str() {
        "any" | "ascii" | "assigned" => return Some(canonical),
        "cs" | "surrogate" => return Some(SURROGATES.to_owned()),
        _ => {}
    }
    let exists = |property: &String| regex_syntax::parse(&format!("\\p{{{property}}}")).is_ok();
    Some(format!("gc={canonical}")).filter(exists).or_else(|| {
        let is_code = canonical.len() == 4 && !SCRIPTS_OF_FOUR_LETTERS.contains(&canonical.as_str());
        Some(format!("sc={canonical}")).filter(|property| !is_code && exists(property))
    })
}

fn unknown_escape(at: usize, c: char) -> Refusal {
    let hint = match c {
        'C' => "there is no single-byte match; write `.`",
        'Z' => "write `\\z` for the end of the text",
        '<' | '>' => "write `\\b` for a word boundary",
        'u' | 'U' => "write `\\x{1F600}` for a character by its number",
        'h' => "write `[ \\t]`",
        'R' => "write `\\r?\\n`",
        'E' => "`\\E` needs a `\\Q` before it",
        '1'..='9' => "Go has no back references",
        _ => "write the character without its backslash",
    };
    Refusal::new(at, format!("`\\{c}` is not an escape in Go"), hint)
}
