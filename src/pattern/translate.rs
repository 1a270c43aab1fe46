//! From Go's dialect to Rust's: one pass over the pattern, no recursion.

mod escapes;

use super::quote;
use crate::error::{Error, Kind};

/// Go refuses expressions that nest deeper ("expression nests too deeply").
const MAX_DEPTH: usize = 1000;

/// Rust counts repetitions and classes too, and a group here may need one more of its own.
pub(super) const RUST_NEST_LIMIT: u32 = 4 * MAX_DEPTH as u32;

/// Go's limit for a repetition count and for the product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// An empty class, for what Go accepts although no text can match it.
const NOTHING: &str = r"\P{any}";

/// A category that has no character in Rust, and no name therefore.
const SURROGATES: &str = "gc=cs";

/// Why Go does not compile a pattern, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Byte offset in the pattern.
    at: usize,
    why: String,
    hint: &'static str,
}

impl Refusal {
    fn new(at: usize, why: impl Into<String>, hint: &'static str) -> Self {
        Refusal { at, why: why.into(), hint }
    }

    /// The error for the user. The pattern is no secret, so it is shown as it is.
    pub(super) fn into_error(self, pattern: &str) -> Error {
        let column = pattern[..self.at].chars().count() + 1;
        Error::new(Kind::Generic, format!("the regular expression {} is wrong at character {column}", quote(pattern)))
            .because(self.why)
            .hint(self.hint)
    }
}

type Parsed<T> = Result<T, Refusal>;

/// The flags that a pattern can set; Go has no others.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

impl Flags {
    /// The flag of a letter.
    fn get_mut(&mut self, letter: char) -> Option<&mut bool> {
        match letter {
            'i' => Some(&mut self.ignore_case),
            'm' => Some(&mut self.multi_line),
            's' => Some(&mut self.dot_newline),
            'U' => Some(&mut self.swap_greed),
            _ => None,
        }
    }

    /// The group that sets all four: `(?im-sU)`.
    fn setter(mut self) -> String {
        let (on, off): (Vec<char>, Vec<char>) =
            ['i', 'm', 's', 'U'].into_iter().partition(|&letter| self.get_mut(letter).is_some_and(|flag| *flag));
        let mut group = String::from("(?");
        group.extend(on);
        if !off.is_empty() {
            group.push('-');
            group.extend(off);
        }
        group.push(')');
        group
    }
}

/// What a repetition operator would apply to.
struct Item {
    /// Where it starts in the output.
    start: usize,
    /// The largest product of nested repetition counts in it.
    weight: u32,
    /// Whether it ends in a repetition, so that one more needs a group.
    repeated: bool,
}

/// An open group, or the whole pattern.
struct Frame {
    /// Where it was opened in the pattern.
    opened: usize,
    /// Where it starts in the output.
    start: usize,
    /// The flags to restore when it is closed.
    outer: Flags,
    /// The flags that hold in the output around it.
    outer_emitted: Flags,
    /// The last item of the current alternative.
    last: Option<Item>,
    /// The largest weight of the items before.
    weight: u32,
}

impl Frame {
    fn settle(&mut self) {
        if let Some(item) = self.last.take() {
            self.weight = self.weight.max(item.weight);
        }
    }
}

/// The Rust spelling of a Go pattern.
pub(super) fn translate(pattern: &str) -> Parsed<String> {
    Translator::new(pattern).run()
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    /// The flags in force.
    flags: Flags,
    /// The flags in force at the end of the output. They are written only before the next item, because in Go
    /// the star of `a(?i)*` still belongs to the `a`.
    emitted: Flags,
    frames: Vec<Frame>,
    /// Whether the last thing read was a repetition.
    after_repeat: bool,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Self {
        let whole = Frame {
            opened: 0,
            start: 0,
            outer: Flags::default(),
            outer_emitted: Flags::default(),
            last: None,
            weight: 0,
        };
        Translator {
            pattern,
            at: 0,
            out: String::with_capacity(pattern.len() + 16),
            flags: Flags::default(),
            emitted: Flags::default(),
            frames: vec![whole],
            after_repeat: false,
        }
    }

    fn run(mut self) -> Parsed<String> {
        while let Some(c) = self.peek() {
            let start = self.at;
            let mut is_repeat = false;
            match c {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.at += 1;
                    self.frame().settle();
                    self.out.push('|');
                }
                '^' | '$' | '.' => {
                    self.at += 1;
                    self.item(c.encode_utf8(&mut [0; 4]));
                }
                '[' => {
                    let class = self.class()?;
                    self.item(&class);
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    self.repeat(start, &c.to_string(), None)?;
                    is_repeat = true;
                }
                '{' => match self.counts()? {
                    Some((min, max)) => {
                        let operator = self.pattern[start..self.at].to_owned();
                        self.repeat(start, &operator, Some((min, max)))?;
                        is_repeat = true;
                    }
                    None => {
                        self.at += 1;
                        self.literal('{');
                    }
                },
                '\\' => self.escape()?,
                _ => {
                    self.at += c.len_utf8();
                    self.literal(c);
                }
            }
            self.after_repeat = is_repeat;
        }
        match self.frames.len() {
            1 => Ok(self.out),
            _ => Err(Refusal::new(self.frame().opened, "this group is never closed", "add a `)`, or write `\\(`")),
        }
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the whole pattern is a frame that is never closed")
    }

    // Items and their repetition.

    /// Writes one item: something that a repetition operator may follow.
    fn item(&mut self, text: &str) {
        self.write_flags();
        let start = self.out.len();
        self.out.push_str(text);
        let frame = self.frame();
        frame.settle();
        frame.last = Some(Item { start, weight: 0, repeated: false });
    }

    fn literal(&mut self, c: char) {
        self.item(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn write_flags(&mut self) {
        if self.emitted != self.flags {
            self.out.push_str(&self.flags.setter());
            self.emitted = self.flags;
        }
    }

    /// Applies a repetition to the last item. `counts` are those of the `{n,m}` form, without a maximum for `{n,}`.
    fn repeat(&mut self, start: usize, operator: &str, counts: Option<(u32, Option<u32>)>) -> Parsed<()> {
        let lazy = self.rest().starts_with('?');
        self.at += usize::from(lazy);
        if self.after_repeat {
            return Err(Refusal::new(
                start,
                format!("`{operator}` follows another repetition"),
                "put the first repetition in a group: `(?:a*)*`; `a++` does not exist in Go",
            ));
        }
        let Some(mut item) = self.frame().last.take() else {
            return Err(Refusal::new(
                start,
                format!("there is nothing that `{operator}` could repeat"),
                "escape it with a backslash if it is meant literally; for \"anything\" write `.*`",
            ));
        };
        if let Some((min, max)) = counts {
            item.weight = match max {
                Some(0) => 0,
                Some(max) => max * item.weight.max(1),
                None => min.max(1) * item.weight.max(u32::from(min > 0)),
            };
            if item.weight > MAX_REPEAT && (min >= 2 || max >= Some(2)) {
                return Err(Refusal::new(
                    start,
                    format!("nested repetitions multiply to {}, and Go allows {MAX_REPEAT}", item.weight),
                    "use `*` or smaller counts",
                ));
            }
        }
        if item.repeated {
            self.out.insert_str(item.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        item.repeated = true;
        self.frame().last = Some(item);
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`. Anything else is a literal brace in Go, and is left unread.
    fn counts(&mut self) -> Parsed<Option<(u32, Option<u32>)>> {
        let Some((body, _)) = self.rest()[1..].split_once('}') else { return Ok(None) };
        let (min, max) = match body.split_once(',') {
            None => (body, Some(body)),
            Some((min, "")) => (min, None),
            Some((min, max)) => (min, Some(max)),
        };
        if !is_count(min) || !max.is_none_or(is_count) {
            return Ok(None);
        }
        let start = self.at;
        self.at += body.len() + 2;
        let in_range = |digits: &str| digits.parse().ok().filter(|&count| count <= MAX_REPEAT);
        match (in_range(min), max.map(in_range)) {
            (Some(min), None) => Ok(Some((min, None))),
            (Some(min), Some(Some(max))) if min <= max => Ok(Some((min, Some(max)))),
            (Some(_), Some(Some(_))) => Err(Refusal::new(
                start,
                "the first count of this repetition is above the second",
                "swap the two counts",
            )),
            _ => Err(Refusal::new(
                start,
                format!("this repetition count is above {MAX_REPEAT}, Go's limit"),
                "use `*` or a smaller count",
            )),
        }
    }

    // Groups.

    fn open(&mut self) -> Parsed<()> {
        let opened = self.at;
        self.at += 1;
        let outer = self.flags;
        if self.rest().starts_with('?') {
            self.at += 1;
            if self.rest().starts_with("P<") || self.rest().starts_with('<') {
                self.group_name(opened)?;
            } else if !self.group_flags(opened)? {
                return Ok(()); // `(?i)` sets flags and opens nothing
            }
        }
        if self.frames.len() > MAX_DEPTH {
            return Err(Refusal::new(opened, format!("groups nest deeper than {MAX_DEPTH}"), "nest less deeply"));
        }
        let inner = std::mem::replace(&mut self.flags, outer);
        self.write_flags();
        self.flags = inner;
        let start = self.out.len();
        // Nobody asks what a group has captured, so none does.
        self.out.push_str("(?:");
        let outer_emitted = self.emitted;
        self.frame().settle();
        self.frames.push(Frame { opened, start, outer, outer_emitted, last: None, weight: 0 });
        Ok(())
    }

    fn close(&mut self) -> Parsed<()> {
        if self.frames.len() == 1 {
            return Err(Refusal::new(self.at, "this `)` closes no group", "remove it, or write `\\)`"));
        }
        self.at += 1;
        self.frame().settle();
        self.out.push(')');
        if let Some(group) = self.frames.pop() {
            self.flags = group.outer;
            self.emitted = group.outer_emitted;
            self.frame().last = Some(Item { start: group.start, weight: group.weight, repeated: false });
        }
        Ok(())
    }

    /// Reads `P<name>` or `<name>`.
    fn group_name(&mut self, opened: usize) -> Parsed<()> {
        if self.rest().starts_with("<=") || self.rest().starts_with("<!") {
            return Err(look_around(opened));
        }
        let refusal = |why: &str| {
            Err(Refusal::new(opened, why, "write `(?P<name>…)`, with letters, digits and underscores in the name"))
        };
        let Some((head, _)) = self.rest().split_once('>') else {
            return refusal("the name of this group has no end");
        };
        let name = head.trim_start_matches('P').trim_start_matches('<');
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return refusal("this is not a name for a group");
        }
        self.at += head.len() + 1;
        Ok(())
    }

    /// Reads the flags of `(?i-s:` or `(?i-s)`; whether a group is opened.
    fn group_flags(&mut self, opened: usize) -> Parsed<bool> {
        if self.rest().starts_with(['=', '!']) {
            return Err(look_around(opened));
        }
        let mut flags = self.flags;
        let (mut negative, mut saw_flag) = (false, false);
        loop {
            match self.next() {
                Some('-') if !negative => (negative, saw_flag) = (true, false),
                Some(end @ (':' | ')')) if !negative || saw_flag => {
                    self.flags = flags;
                    return Ok(end == ':');
                }
                Some(letter) => match flags.get_mut(letter) {
                    Some(flag) => (*flag, saw_flag) = (!negative, true),
                    None => return Err(unknown_flag(opened, letter)),
                },
                None => {
                    return Err(Refusal::new(opened, "this group is never closed", "add a `)`, or write `\\(`"));
                }
            }
        }
    }

    // Escapes outside of classes.
}

/// Whether this is a count of a repetition: digits without leading zeros.
fn is_count(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

fn look_around(at: usize) -> Refusal {
    Refusal::new(at, "Go has no look-ahead and no look-behind", "write an earlier rule for what shall not match")
}

fn unknown_flag(at: usize, letter: char) -> Refusal {
    Refusal::new(
        at,
        format!("`{letter}` cannot stand in the head of a group"),
        "Go knows `(?:…)`, `(?P<name>…)` and the flags i, m, s and U: `(?i)`, `(?i-s:…)`",
    )
}
