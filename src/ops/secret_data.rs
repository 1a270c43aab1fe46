//! The `data` of Kubernetes Secrets as what it stands for: text to read and to edit, and base64 again.
//!
//! A view of a plaintext in which each value below `data` stands as itself. One that is no text stands in the
//! way in which the format writes bytes, which no text can be taken for: behind `!!binary` in YAML, as
//! `{"base64": "…"}` in JSON. What is not touched in the view comes back as it was written, byte for byte.

use super::manifest::{decode_base64, secrets};
use crate::document::{Builder, Document, EntryId, Flags, Kind, Node, Place, Scalar, Splice, Style, Value};
use crate::error::{self, Error, Result};
use crate::format::{Format, json::Json};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use zeroize::{Zeroize, Zeroizing};

/// What stands in JSON for a value that is no text: a map with this key.
const MARK: &str = "base64";

/// A plaintext as it is shown.
pub(super) struct View {
    format: &'static dyn Format,
    /// The plaintext as it was.
    original: Zeroizing<Vec<u8>>,
    shown: Document,
    /// The values below `data`, by their Secret and key.
    values: HashMap<(String, String), Vec<Shown>>,
    /// What the user should know though nothing failed.
    pub(super) warnings: Vec<String>,
}

/// A value below `data` in the view.
struct Shown {
    id: EntryId,
    /// Where it stands in the plaintext and in the view, when those differ.
    places: Option<(Range<usize>, Range<usize>)>,
    /// Whether it was base64, and is not any more.
    is_decoded: bool,
}

impl Drop for View {
    fn drop(&mut self) {
        std::mem::take(&mut self.shown).into_bytes().zeroize();
    }
}

/// The values to write, by the entries that they replace.
type Wanted = BTreeMap<EntryId, Zeroizing<Vec<u8>>>;

impl View {
    /// Makes the view of `plaintext`.
    ///
    /// # Errors
    /// When it is not of `format`, or a value cannot be shown because it is repeated elsewhere.
    pub(super) fn of(format: &'static dyn Format, plaintext: Vec<u8>) -> Result<Self> {
        let document = format.index_plaintext(plaintext)?;
        let view = Self::show(format, &document);
        let original = Zeroizing::new(document.into_bytes());
        view.map(|mut view| {
            view.original = original;
            view
        })
    }

    fn show(format: &'static dyn Format, document: &Document) -> Result<Self> {
        let mut warnings = Vec::new();
        let mut wanted = Wanted::new();
        let mut found = Vec::new();
        for secret in secrets(document) {
            for id in values(document, secret) {
                let scalar = document.scalar(id);
                let decoded = decode_base64(scalar.bytes).filter(|_| scalar.kind == Kind::Str);
                if decoded.is_none() && scalar.kind != Kind::Null {
                    let path = document.path(id);
                    warnings.push(format!("{path}: the value is not base64, and is shown as it stands"));
                }
                found.push((name(document, secret, id), id, decoded.is_some()));
                wanted.extend(decoded.map(|decoded| (id, decoded)));
            }
        }
        if secrets(document).next().is_none() {
            warnings.push("there is no Kubernetes Secret in the file, so no value to show as text".to_owned());
        }
        let mut splices = Splices::default();
        let mut places = HashMap::new();
        for (&id, decoded) in &wanted {
            if !is_repeated(document, id, &wanted) {
                places.extend(splices.add(write(format, document, id, decoded)?).map(|place| (id, place)));
            }
        }
        let shown = format.index_plaintext(splices.apply(document))?;
        let twins = twins(document, &shown, |old, new| {
            let bytes = wanted.get(&old)?;
            Some(typed(format, &shown, new).is_ok_and(|found| found == *bytes))
        });
        let Some(twins) = twins else {
            shown.into_bytes().zeroize();
            return Err(not_possible("shown as text"));
        };
        let mut values: HashMap<_, Vec<Shown>> = HashMap::new();
        for (name, id, is_decoded) in found {
            values.entry(name).or_default().push(Shown { id: twins[id], places: places.remove(&id), is_decoded });
        }
        Ok(View { format, original: Zeroizing::default(), shown, values, warnings })
    }

    /// The text to show.
    pub(super) fn text(&self) -> &[u8] {
        self.shown.bytes()
    }

    /// The plaintext that `edited` is the view of.
    ///
    /// # Errors
    /// When it is not of the format, or a value below `data` is none that a Secret can have: with its place.
    pub(super) fn plaintext(&self, edited: Vec<u8>) -> Result<Vec<u8>> {
        let document = self.format.index_plaintext(edited)?;
        let plaintext = self.encode(&document);
        document.into_bytes().zeroize();
        plaintext
    }

    fn encode(&self, edited: &Document) -> Result<Vec<u8>> {
        let mut wanted = Wanted::new();
        let mut kept = HashMap::new();
        for secret in secrets(edited) {
            for id in values(edited, secret) {
                let known = self.values.get(&name(edited, secret, id)).map(Vec::as_slice).unwrap_or_default();
                let mut same = known.iter().filter(|shown| self.is_unchanged(shown, edited, id)).peekable();
                if same.peek().is_some_and(|shown| !shown.is_decoded) {
                    continue;
                }
                kept.extend(same.find_map(|shown| self.as_it_was(shown, edited, id)).map(|splice| (id, splice)));
                wanted.insert(id, typed(self.format, edited, id)?);
            }
        }
        // As it was written, where it is what it was; and all anew, should that not fit any more.
        for keep in [true, false] {
            let mut splices = Splices::default();
            for (&id, bytes) in &wanted {
                if let Some(splice) = kept.get(&id).filter(|_| keep) {
                    splices.add(vec![splice.clone()]);
                } else if !is_repeated(edited, id, &wanted) {
                    let base64 = Zeroizing::new(BASE64_STANDARD.encode(bytes));
                    splices.add(write(self.format, edited, id, base64.as_bytes())?);
                }
            }
            let Ok(plain) = self.format.index_plaintext(splices.apply(edited)) else { continue };
            let is_right = twins(edited, &plain, |old, new| {
                let bytes = wanted.get(&old)?;
                let found = plain.scalar(new);
                Some(found.kind == Kind::Str && decode_base64(found.bytes).as_ref() == Some(bytes))
            });
            let mut bytes = plain.into_bytes();
            if is_right.is_some() {
                return Ok(bytes);
            }
            bytes.zeroize();
        }
        Err(not_possible("written as base64"))
    }

    /// Whether the value `id` of `edited` is the one that was shown.
    fn is_unchanged(&self, shown: &Shown, edited: &Document, id: EntryId) -> bool {
        let (old, new) = (self.shown.scalar(shown.id), edited.scalar(id));
        if old.kind.is_container() {
            return old.kind == new.kind && self.shown.value(shown.id) == edited.value(id);
        }
        old == new
    }

    /// What to put where, so that the value `id` stands as it stood in the plaintext: if all that was changed
    /// there for the view, its block header say, stands as it did.
    fn as_it_was(&self, shown: &Shown, edited: &Document, id: EntryId) -> Option<Splice> {
        let (from, to) = shown.places.as_ref()?;
        let before = self.shown.entry(shown.id).span().start.checked_sub(to.start)?;
        let start = edited.entry(id).span().start.checked_sub(before)?;
        let place = start..start + to.len();
        let is_same = edited.bytes().get(place.clone())? == &self.shown.bytes()[to.clone()];
        let text = std::str::from_utf8(&self.original[from.clone()]).ok()?;
        is_same.then(|| (place, text.to_owned()))
    }
}

/// The values below the `data` of a Secret.
fn values(document: &Document, secret: EntryId) -> impl Iterator<Item = EntryId> {
    let data = document.child(secret, "data").filter(|&data| document.entry(data).kind() == Kind::Map);
    data.into_iter().flat_map(|data| document.children(data))
}

/// What tells a value from others: its Secret's name, and its key.
fn name(document: &Document, secret: EntryId, id: EntryId) -> (String, String) {
    let text = |key: &str| {
        let found = document.child(secret, "metadata").and_then(|metadata| document.child(metadata, key));
        found.map_or_else(String::new, |id| String::from_utf8_lossy(document.scalar(id).bytes).into_owned())
    };
    (format!("{}/{}", text("namespace"), text("name")), document.key(id).to_owned())
}

/// Whether the value `id` has no text of its own, or one that repeats a value that is written anyway.
fn is_repeated(document: &Document, id: EntryId, wanted: &Wanted) -> bool {
    let entry = document.entry(id);
    entry.is(Flags::COPIED)
        || entry.is(Flags::ALIAS) && document.alias_target(id).is_some_and(|target| wanted.contains_key(&target))
}

/// The splices that put `bytes` in the place of the value `id`.
fn write(format: &dyn Format, document: &Document, id: EntryId, bytes: &[u8]) -> Result<Vec<Splice>> {
    let scalar = Scalar { kind: Kind::Str, bytes };
    if document.scalar(id) == scalar {
        return Ok(Vec::new());
    }
    let is_marked = format.name() == Json.name() && std::str::from_utf8(bytes).is_err();
    let entry = document.entry(id);
    let has_lines = bytes.contains(&b'\n') || matches!(entry.style(), Style::Literal | Style::Folded);
    if !has_lines && !is_marked && !entry.kind().is_container() {
        let mut out = Vec::new();
        format.write_scalar(document, id, scalar, &mut out)?;
        let text = String::from_utf8(out).map_err(|_| not_possible("written"))?;
        return Ok(vec![(entry.span(), text)]);
    }
    let value = if is_marked {
        Value::Map(vec![(MARK.to_owned(), Value::Str(BASE64_STANDARD.encode(bytes)))]).to_document()
    } else {
        let mut builder = Builder::default();
        let text = builder.intern(bytes);
        builder.leaf(Kind::Str, 0..0, None, text, Style::Plain, Flags::NONE);
        builder.finish()
    };
    format.put(document, &Place::Of(id), Node::root(&value))
}

/// The bytes that the value `id` of a view stands for. A number or a truth without quotes is the text that was typed.
fn typed(format: &dyn Format, document: &Document, id: EntryId) -> Result<Zeroizing<Vec<u8>>> {
    let entry = document.entry(id);
    let refuse = |message: &str, hint: &str| {
        let error = Error::new(error::Kind::Format, message).at_path(document.path(id)).hint(hint);
        Err(error.at(document.text(), entry.span().start))
    };
    let scalar = document.scalar(id);
    match scalar.kind {
        Kind::Str => Ok(Zeroizing::new(scalar.bytes.to_vec())),
        Kind::Int | Kind::Float | Kind::Bool | Kind::Time
            if ![Flags::TAGGED, Flags::ALIAS, Flags::COPIED].iter().any(|&flag| entry.is(flag)) =>
        {
            Ok(Zeroizing::new(document.raw_bytes(id).to_vec()))
        }
        Kind::Map if format.name() == Json.name() => {
            let mut children = document.children(id);
            let (only, more) = (children.next(), children.next());
            let base64 = only.filter(|&only| more.is_none() && document.key(only) == MARK);
            match base64.map(|base64| document.scalar(base64)).filter(|base64| base64.kind == Kind::Str) {
                Some(base64) => decode_base64(base64.bytes).map_or_else(
                    || refuse("the value is not base64", "text stands as a string, \"…\", without {\"base64\": …}"),
                    Ok,
                ),
                None => refuse(
                    "a value in the data of a Secret must be a text",
                    "\"…\", or {\"base64\": \"…\"} for what is no text",
                ),
            }
        }
        Kind::Null => refuse("the value is null", "\"\" is an empty text, and \"null\" the word"),
        _ => refuse("a value in the data of a Secret must be a text", "put it in quotes"),
    }
}

/// For each entry of `before` the one in `after` that takes its place: if those that `judge` says nothing of are
/// the same values in the same places, and it is content with all others.
fn twins(
    before: &Document,
    after: &Document,
    judge: impl Fn(EntryId, EntryId) -> Option<bool>,
) -> Option<Vec<EntryId>> {
    let next = |document: &Document, mut at: EntryId| {
        while at < document.len() {
            let entry = document.entry(at);
            if entry.kind() != Kind::Comment && !entry.is(Flags::SHADOWED) {
                return Some(at);
            }
            at = document.subtree(at).end;
        }
        None
    };
    let mut twins = vec![EntryId::MAX; before.len()];
    let (mut old, mut new) = (next(before, 0), next(after, 0));
    while let (Some(one), Some(other)) = (old, new) {
        let parent = before.entry(one).parent().map(|parent| twins[parent]);
        if parent != after.entry(other).parent() || before.key_bytes(one) != after.key_bytes(other) {
            return None;
        }
        twins[one] = other;
        let (behind, beyond) = match judge(one, other) {
            Some(false) => return None,
            Some(true) => (before.subtree(one).end, after.subtree(other).end),
            None if before.scalar(one).is_same_value(&after.scalar(other)) => (one + 1, other + 1),
            None => return None,
        };
        (old, new) = (next(before, behind), next(after, beyond));
    }
    (old.is_none() && new.is_none()).then_some(twins)
}

fn not_possible(how: &str) -> Error {
    Error::new(error::Kind::Generic, format!("the values of this Secret cannot be {how}"))
        .because("something else in the file would change with them; most likely an alias repeats one of them")
        .hint("leave --decode-data away: they are edited in base64 then")
}

/// Splices in their order, and how far what comes behind them moves.
#[derive(Default)]
struct Splices {
    splices: Vec<Splice>,
    /// What was put in, and what was taken out.
    moved: (usize, usize),
}

impl Drop for Splices {
    fn drop(&mut self) {
        self.splices.iter_mut().for_each(|(_, text)| text.zeroize());
    }
}

impl Splices {
    /// Adds the splices of one change; gives the place that it is made in, before and after it.
    fn add(&mut self, change: Vec<Splice>) -> Option<(Range<usize>, Range<usize>)> {
        let from = change.first()?.0.start..change.last()?.0.end;
        let start = from.start + self.moved.0 - self.moved.1;
        for (range, text) in &change {
            self.moved.0 += text.len();
            self.moved.1 += range.len();
        }
        let end = from.end + self.moved.0 - self.moved.1;
        self.splices.extend(change);
        Some((from, start..end))
    }

    fn apply(&self, document: &Document) -> Vec<u8> {
        document.spliced(&self.splices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::yaml::Yaml;

    const HEAD: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n";

    fn view(format: &'static dyn Format, text: &str) -> View {
        View::of(format, text.as_bytes().to_vec()).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn shown(view: &View) -> &str {
        std::str::from_utf8(view.text()).unwrap()
    }

    fn edited(view: &View, edit: impl Fn(&str) -> String) -> Result<String> {
        view.plaintext(edit(shown(view)).into_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn values_are_shown_as_what_they_are_and_come_back_as_they_were() {
        let long = BASE64_STANDARD.encode([b"one line\n".repeat(20), vec![0xff]].concat());
        for (data, text) in [
            ("data:\n  a: aGk=\n", "data:\n  a: hi\n"),
            ("data:\n  a: aGk= # c\n  b: 'aGk='\n", "data:\n  a: hi # c\n  b: 'hi'\n"),
            ("data:\n    a: aGkKaG8K\n", "data:\n    a: |\n        hi\n        ho\n"),
            ("data:\n  a: \"aGkKaG8=\"  # c\n  b: aA==\n", "data:\n  a: |-  # c\n    hi\n    ho\n  b: h\n"),
            ("data:\n  a: |\n    aGkK\n    aG8K\n  b: aA==\n", "data:\n  a: |\n    hi\n    ho\n  b: h\n"),
            ("data:\n  a: >-\n    aGk=\n\n  # c\nkeep: 0x1F\n", "data:\n  a: hi\n\n  # c\nkeep: 0x1F\n"),
            ("data: {a: aGk=, b: \"eDog\"}", "data: {a: hi, b: \"x: \"}"),
            ("data:\n  a: AP8=\n  t: NTQzMg==\n", "data:\n  a: !!binary AP8=\n  t: \"5432\"\n"),
            ("data: {a: AP8=}\n", "data: {a: !!binary AP8=}\n"),
            ("data:\n  a: aGl=\n  b: \"\"\n  c:\n  d: ~\n", "data:\n  a: hi\n  b: \"\"\n  c:\n  d: ~\n"),
            ("data:\n  a: &x aGk=\n  b: *x\n", "data:\n  a: &x hi\n  b: *x\n"),
            ("data:\n  a: no base64!\n  b: [x]\n  c: 12\n", "data:\n  a: no base64!\n  b: [x]\n  c: 12\n"),
            ("data: []\nstringData:\n  a: aGk=\n", "data: []\nstringData:\n  a: aGk=\n"),
            ("data:\r\n  a: aGkKaG8K\r\n", "data:\r\n  a: |\r\n    hi\r\n    ho\r\n"),
        ] {
            let head = if data.contains('\r') { HEAD.replace('\n', "\r\n") } else { HEAD.to_owned() };
            let (plain, text) = (format!("{head}{data}"), format!("{head}{text}"));
            let view = view(&Yaml, &plain);
            assert_eq!(shown(&view), text);
            assert_eq!(edited(&view, str::to_owned).unwrap(), plain);
        }
        let plain = format!("{HEAD}data:\n  a: {long}\n");
        let view = view(&Yaml, &plain);
        assert!(shown(&view).contains("  a: !!binary |\n"), "{}", shown(&view));
        assert_eq!(edited(&view, str::to_owned).unwrap(), plain);
    }

    #[test]
    fn what_is_changed_is_encoded_and_nothing_else() {
        let plain =
            format!("{HEAD}data:\n  a: aGk=   # c\n  b: \"aGkKaG8=\"\n  c: |\n    aGkK\n    aG8K\n  d: AP8=\nz: 1\n");
        let view = view(&Yaml, &plain);
        for (from, to, old, new) in [
            ("a: hi ", "a: 1_000 ", "aGk=   # c", "MV8wMDA=   # c"),
            ("a: hi ", "a: ' true' ", "a: aGk= ", "a: 'IHRydWU=' "),
            ("b: |-\n    hi\n    ho", "b: x", "\"aGkKaG8=\"", "eA=="),
            ("c: |\n    hi\n    ho\n", "c: |\n    hi\n    hey\n", "|\n    aGkK\n    aG8K\n", "aGkKaGV5Cg==\n"),
            ("!!binary AP8=", "!!binary AP//", "AP8=", "AP//"),
            ("!!binary AP8=", "\"AP8=\"", "AP8=", "\"QVA4PQ==\""),
            ("z: 1", "z: 2", "z: 1", "z: 2"),
        ] {
            let made = edited(&view, |text| text.replace(from, to)).unwrap();
            assert_eq!(made, plain.replace(old, new), "{to}");
        }
        let added = edited(&view, |text| text.replace("  d:", "  new: \"€\"\n  d:")).unwrap();
        assert_eq!(added, plain.replace("  d:", "  new: \"4oKs\"\n  d:"));
        // What was no base64 stays as long as nobody touches it.
        let view = super::View::of(&Yaml, format!("{HEAD}data:\n  a: \"${{X}}\"\n  b: eA==\n").into_bytes()).unwrap();
        let made = edited(&view, |text| text.replace("b: x", "b: y")).unwrap();
        assert_eq!(made, format!("{HEAD}data:\n  a: \"${{X}}\"\n  b: eQ==\n"));
        let made = edited(&view, |text| text.replace("${X}", "${Y}")).unwrap();
        assert_eq!(made, format!("{HEAD}data:\n  a: \"JHtZfQ==\"\n  b: eA==\n"));
    }

    #[test]
    fn what_no_secret_can_hold_is_refused_with_its_place() {
        let view = view(&Yaml, &format!("{HEAD}data:\n  a: aGk=\n"));
        for (to, message) in [
            ("a: [x]", "a value in the data of a Secret must be a text"),
            ("a: {x: y}", "a value in the data of a Secret must be a text"),
            ("a:", "the value is null"),
            ("a: !!binary '%'", ""),
        ] {
            let error = edited(&view, |text| text.replace("a: hi", to)).unwrap_err();
            assert_eq!(error.place().line_column.map(|place| place.0), Some(5), "{to}: {error:?}");
            assert!(error.message().starts_with(message), "{to}: {error:?}");
        }
    }

    #[test]
    fn several_secrets_of_every_kind_of_file() {
        let plain = format!(
            "{HEAD}data: {{a: aGk=}}\n---\napiVersion: v1\nkind: ConfigMap\ndata: {{a: aGk=}}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  data:\n    a: aG8=\n"
        );
        let view = view(&Yaml, &plain);
        assert_eq!(
            shown(&view),
            plain
                .replace("Secret\nmetadata: {name: x}\ndata: {a: aGk=}", "Secret\nmetadata: {name: x}\ndata: {a: hi}")
                .replace("aG8=", "ho")
        );
        assert_eq!(edited(&view, str::to_owned).unwrap(), plain);

        let plain = "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"a\": \"aGk=\", \"b\": \"AP8=\"}}\n";
        let view = self::view(&Json, plain);
        assert!(shown(&view).contains("\"a\": \"hi\""), "{}", shown(&view));
        assert!(shown(&view).contains("{\"base64\": \"AP8=\"}"), "{}", shown(&view));
        assert_eq!(edited(&view, str::to_owned).unwrap(), plain);
        let made = edited(&view, |text| text.replace("AP8=", "AP//").replace("\"hi\"", "12")).unwrap();
        assert_eq!(made, plain.replace("AP8=", "AP//").replace("aGk=", "MTI="));
        let error = edited(&view, |text| text.replace("AP8=", "%")).unwrap_err();
        assert_eq!(error.message(), "the value is not base64");
    }

    #[test]
    fn what_is_repeated_elsewhere_is_not_shown() {
        let text = format!("x: &x aGk=\n{HEAD}data:\n  a: *x\n");
        assert_eq!(shown(&view(&Yaml, &text)), format!("x: &x aGk=\n{HEAD}data:\n  a: hi\n"));
        let text = format!("{HEAD}data:\n  a: &x aGk=\nspec: *x\n");
        let error = View::of(&Yaml, text.into_bytes()).err().unwrap();
        assert!(error.message().contains("cannot be shown as text"), "{error:?}");
        let view = view(&Yaml, "a: 1\n");
        assert!(view.warnings[0].starts_with("there is no Kubernetes Secret"), "{:?}", view.warnings);
    }

    /// Values of every kind in every style: each is shown as what it is, and the plaintext comes back to the byte.
    #[test]
    fn generated_secrets_come_back() {
        let mut state = 1_u64;
        let mut pick = |of: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % of
        };
        let texts: [&[u8]; 16] = [
            b"hunter2",
            b"",
            b"yes",
            b"1.50",
            b"null",
            b"<<",
            b"=",
            b"- a",
            b"x: y # z",
            b" a ",
            b"a\r\nb\r\n",
            b"\ttab\nnext",
            "€😀\u{2028}\u{feff}".as_bytes(),
            b"one\n\n  two\n\n",
            b"\x00\xff\xfe",
            b"-----BEGIN-----\nabc\n-----END-----\n",
        ];
        for _ in 0..400 {
            let indent = 1 + pick(4);
            let (mut plain, mut values) = (format!("{HEAD}data:\n"), Vec::new());
            for key in 0..1 + pick(6) {
                let value = texts[pick(texts.len())].repeat(1 + pick(3) * pick(3));
                let base64 = BASE64_STANDARD.encode(&value);
                let comment = ["", "", "  # note"][pick(3)];
                let spaces = " ".repeat(indent);
                plain += ["", "\n", &format!("{spaces}# above\n")][pick(8).saturating_sub(5)];
                plain += &format!("{spaces}k{key}:");
                plain += &match pick(4) {
                    _ if base64.is_empty() => format!(" ''{comment}\n"),
                    0 => format!(" {base64}{comment}\n"),
                    1 => format!(" '{base64}'{comment}\n"),
                    2 => format!(" \"{base64}\"{comment}\n"),
                    _ => {
                        let lines = base64.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line).into_owned());
                        let lines: String = lines.map(|line| format!("{spaces}  {line}\n")).collect();
                        format!(" |{}{comment}\n{lines}", ["", "-"][pick(2)])
                    }
                };
                values.push(value);
            }
            let view = view(&Yaml, &plain);
            let secret = secrets(&view.shown).next().unwrap();
            for (id, value) in super::values(&view.shown, secret).zip(&values) {
                assert_eq!(view.shown.scalar(id).bytes, value, "{plain}\n{}", shown(&view));
            }
            assert_eq!(edited(&view, str::to_owned).unwrap(), plain, "{}", shown(&view));
            assert_eq!(edited(&view, |text| format!("{text}\n# end\n")).unwrap(), format!("{plain}\n# end\n"));
        }
    }
}
