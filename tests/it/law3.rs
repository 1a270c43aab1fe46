//! Law 3: an edit changes the edited lines, `lastmodified`, `mac` and the layout record, and no other line.
//!
//! Generated documents, encrypted by real sops and by leafcrypt; one or two values are changed, and the files are
//! compared line by line. Real sops decrypts the result, and prints what it prints for the changed plaintext.

use crate::generate::{self, Case};
use crate::harness::{self, Rule, Sops};
use crate::known;
use leafcrypt::document::{Document, EntryId, Flags, KeyPath, Kind, Node, Style};
use leafcrypt::format::{self, Format, change};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The entries that are data, in the order of the plaintext's entries.
fn data(format: &dyn Format, document: &Document) -> Vec<EntryId> {
    let blocks: Vec<_> = format.metadata_entries(document).into_iter().map(|block| document.subtree(block)).collect();
    (0..document.len()).filter(|id| !blocks.iter().any(|block| block.contains(id))).collect()
}

/// The lines of a text that `range` touches.
fn lines_of(text: &str, range: Range<usize>) -> Range<usize> {
    let before = |at: usize| text[..at].matches('\n').count();
    before(range.start)..before(range.end) + 1
}

/// The lines that a value stands on, the line of its key among them.
fn lines(document: &Document, id: EntryId) -> Range<usize> {
    let text = document.text();
    let span = document.entry(id).span();
    let head = text[..span.start].trim_end().len();
    // Blank lines at the end of a block scalar are lines of it.
    let is_block = matches!(document.entry(id).style(), Style::Literal | Style::Folded);
    let blank = text[span.end..].len() - text[span.end..].trim_start_matches([' ', '\n']).len();
    lines_of(text, head.saturating_sub(1)..span.end + if is_block { blank } else { 0 })
}

/// Those of `lines` that may change: of the block, what says when and with what MAC.
fn is_of_block(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches('"').trim_start_matches("sops_");
    // In a document in braces all of the block is on one line.
    ["lastmodified", "mac", "leafcrypt_layout"].iter().any(|field| line.starts_with(field))
        || line.contains("\"lastmodified\"")
}

/// The numbers of the lines of each text that are not in the other, by the longest common subsequence. A comma that a
/// member gets since another follows is no change.
fn changed_lines(before: &str, after: &str) -> [BTreeSet<usize>; 2] {
    let bare = |text: &str| text.split('\n').map(|line| line.trim_end_matches(',').to_owned()).collect::<Vec<_>>();
    let (old, new) = (bare(before), bare(after));
    let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let mut longest = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for at in (head..old.len()).rev() {
        for twin in (head..new.len()).rev() {
            longest[at][twin] = match old[at] == new[twin] {
                true => longest[at + 1][twin + 1] + 1,
                false => longest[at + 1][twin].max(longest[at][twin + 1]),
            };
        }
    }
    let mut changed = [BTreeSet::new(), BTreeSet::new()];
    let (mut at, mut twin) = (head, head);
    while at < old.len() || twin < new.len() {
        if at < old.len() && twin < new.len() && old[at] == new[twin] {
            (at, twin) = (at + 1, twin + 1);
        } else if twin == new.len() || at < old.len() && longest[at + 1][twin] >= longest[at][twin + 1] {
            changed[0].insert(at);
            at += 1;
        } else {
            changed[1].insert(twin);
            twin += 1;
        }
    }
    changed
}

struct Change {
    format: &'static dyn Format,
    rule: Rule,
    seed: u64,
    by_sops: bool,
}

impl Change {
    /// What went wrong with `text`, if anything.
    fn check(&self, sops: &Sops, text: &str) -> Result<bool, String> {
        let Change { format, rule, .. } = *self;
        let encrypted = match self.by_sops {
            true => sops.encrypt(format, text, rule),
            false => harness::encrypt(format, text, rule).map_err(|error| error.to_string()),
        };
        let Ok(encrypted) = encrypted else { return Ok(false) };
        let Ok(mut opened) = harness::Opened::of(format, &encrypted) else { return Ok(false) };
        let plain = String::from_utf8(opened.previous.plaintext().to_vec()).unwrap();
        let Ok(document) = format.index(plain.clone()) else { return Ok(false) };
        let old = format.index(encrypted.clone()).unwrap();
        let old_data = data(format, &old);
        if old_data.len() != document.len() {
            return Ok(false);
        }
        // One value, or two.
        let leaves: Vec<EntryId> = (0..document.len())
            .filter(|&id| {
                let entry = document.entry(id);
                !entry.kind().is_container() && entry.kind() != Kind::Comment && !entry.is(Flags::COPIED)
            })
            .filter(|&id| entry_root(&document, id) == document.roots()[0] && document.entry(id).parent().is_some())
            .filter(|&id| {
                // Of keys that are there twice, a path means one.
                let path = KeyPath::parse(&document.path(id)).unwrap();
                document.find(document.roots()[0], path.steps()).is_ok_and(|found| found == id)
            })
            .filter(|&id| !document.shadows().any(|(_, by)| by == id))
            .collect();
        if leaves.is_empty() {
            return Ok(false);
        }
        let pick = |n: u64| leaves[((self.seed / n) % leaves.len() as u64) as usize];
        let picked: BTreeSet<EntryId> = [pick(1), pick(if self.seed.is_multiple_of(3) { 7 } else { 1 })].into();
        let value = format::json::Json.index("{\"value\": \"another value\"}".to_owned()).unwrap();
        let mut changed = document;
        for &id in &picked {
            let path = KeyPath::parse(&changed.path(id)).unwrap();
            let root = changed.roots()[0];
            match change::set(format, &changed, root, path.steps(), Node { document: &value, id: 1 }) {
                Ok(next) => changed = next,
                Err(_) => return Ok(false), // an alias
            }
        }
        if changed.len() != old_data.len() {
            return Ok(false); // a comment of what was there went with it
        }
        let wanted = changed.text().to_owned();
        let sealed =
            opened.seal(format, &changed).map_err(|error| format!("seal: {error}\n=== encrypted\n{encrypted}"))?;
        let fail = |what: &str, details: String| {
            Err(format!("{what}\n{details}\n=== encrypted\n{encrypted}\n=== again\n{sealed}"))
        };

        let new = format.index(sealed.clone()).unwrap();
        let new_data = data(format, &new);
        let allowed = |document: &Document, data: &[EntryId]| -> BTreeSet<usize> {
            picked.iter().flat_map(|&id| lines(document, data[id])).collect()
        };
        let allowed = [allowed(&old, &old_data), allowed(&new, &new_data)];
        let mut lines: Vec<&str> = plain.lines().filter(|line| !line.trim().is_empty()).collect();
        lines.sort_unstable();
        let repeats = lines.windows(2).any(|two| two[0] == two[1]);
        let texts = [&encrypted, &sealed];
        for (side, changed) in changed_lines(&encrypted, &sealed).iter().enumerate() {
            let all: Vec<&str> = texts[side].split('\n').collect();
            let is_near =
                |line: usize| [line.saturating_sub(1), line + 1].iter().any(|near| allowed[side].contains(near));
            let is_fine = |line: usize| {
                let text = all[line];
                // sops may see a comment elsewhere when what is below it becomes another kind of value.
                let is_moved = text.contains(",type:comment]") && is_near(line);
                allowed[side].contains(&line) || is_of_block(text) || is_moved || text.trim().is_empty()
            };
            let wrong: Vec<usize> = changed.iter().copied().filter(|&line| !is_fine(line)).collect();
            // Of values that are equal and stand below each other, nobody can tell which one has changed.
            let others = changed.iter().filter(|&&line| !is_of_block(all[line])).count();
            let is_one_of_equals = repeats && others <= allowed[side].len();
            if !wrong.is_empty() && !is_one_of_equals && texts[side].lines().count() > 1 {
                let wrong: Vec<_> = wrong.into_iter().map(|line| all[line]).collect();
                return fail("other lines changed", format!("{wrong:#?}"));
            }
        }
        match harness::decrypt_of_sops(format, &sealed) {
            Ok(back) if back == wanted.as_bytes() => {}
            other => return fail("it does not come back", format!("{:?}", other.map(|back| lossy(&back)))),
        }
        let theirs = match sops.decrypt(format, &sealed) {
            Ok(theirs) => theirs,
            Err(error) => {
                let own = sops.decrypt(format, &encrypted);
                return if own.is_err() { Ok(false) } else { fail("real sops cannot decrypt it", error) };
            }
        };
        let Ok(plain) = sops.encrypt(format, &wanted, rule).and_then(|own| sops.decrypt(format, &own)) else {
            return Ok(false);
        };
        if theirs == plain || known::find(format, &plain, &theirs, wanted.as_bytes(), true).is_some() {
            return Ok(true);
        }
        let (theirs, plain) = (lossy(&theirs), lossy(&plain));
        // Where sops moves comments, or exchanges their marks, each time it reads a file, it has by now done so once more.
        let values = |text: &str| -> Vec<String> {
            let lines = known::without_comments(text).into_iter();
            lines.filter(|line| !line.trim_start().starts_with(';')).map(str::to_owned).collect()
        };
        if values(&theirs) == values(&plain) {
            return Ok(true);
        }
        fail("real sops prints something else", harness::diff(&plain, &theirs))
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn entry_root(document: &Document, id: EntryId) -> EntryId {
    std::iter::successors(Some(id), |&at| document.entry(at).parent()).last().unwrap_or(id)
}

fn run(format_name: &str, cases: u64, longest: usize, make: fn(&[u8]) -> String) {
    let format = format::by_name(format_name).unwrap();
    let first = std::env::var("LEAFCRYPT_SEED").map_or(1, |text| text.parse().unwrap());
    let cases = std::env::var("LEAFCRYPT_PARITY_CASES").map_or(cases, |text| text.parse().unwrap());
    let next = AtomicU64::new(first);
    let (failures, compared) = (Mutex::new(Vec::<String>::new()), AtomicU64::new(0));
    let work = || {
        let sops = Sops::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + cases || failures.lock().unwrap().len() >= 5 {
                return;
            }
            let mut case = Case::new(seed, longest, make);
            let rule = if seed.is_multiple_of(4) {
                Rule::ALL[(seed / 4) as usize % Rule::ALL.len()]
            } else {
                Rule::EVERYTHING
            };
            let change = Change { format, rule, seed, by_sops: !seed.is_multiple_of(3) };
            match change.check(&sops, &case.text()) {
                Ok(true) => drop(compared.fetch_add(1, Ordering::Relaxed)),
                Ok(false) => {}
                Err(_) => {
                    let smallest = case.shrink(150, |text| change.check(&sops, text).is_err());
                    let error = change.check(&sops, &smallest).err().unwrap_or_default();
                    let by = if change.by_sops { "real sops" } else { "leafcrypt" };
                    failures
                        .lock()
                        .unwrap()
                        .push(format!("seed {seed}, encrypted by {by} under {rule:?}:\n{smallest}\n=== {error}"));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let compared = compared.into_inner();
    assert!(compared * 2 > cases, "only {compared} of {cases} documents were compared");
}

#[test]
fn one_value_of_yaml() {
    run("yaml", 300, 300, generate::yaml::text);
}

#[test]
fn one_value_of_json() {
    run("json", 100, 150, generate::json::text);
}

#[test]
fn one_value_of_dotenv() {
    run("dotenv", 60, 120, generate::dotenv::text);
}

#[test]
fn one_value_of_ini() {
    run("ini", 100, 160, generate::ini::text);
}

#[test]
fn a_file_of_any_kind() {
    let format = format::by_name("binary").unwrap();
    let (before, after) = (b"\x00\xff hunter2\n".as_slice(), b"\x00\xff another\n".as_slice());
    let sops = Sops::new();
    let own = harness::encrypt(format, before, Rule::EVERYTHING).unwrap();
    for encrypted in [own, sops.encrypt(format, before, Rule::EVERYTHING).unwrap()] {
        let mut opened = harness::Opened::of(format, &encrypted).unwrap();
        assert_eq!(opened.previous.plaintext(), before);
        let sealed = opened.seal(format, &format.index_plaintext(after.to_vec()).unwrap()).unwrap();
        let texts = [&encrypted, &sealed];
        for (text, changed) in texts.iter().zip(changed_lines(&encrypted, &sealed)) {
            let lines: Vec<&str> = text.split('\n').collect();
            let keys: Vec<&str> = changed.iter().filter_map(|&line| lines[line].trim().split('"').nth(1)).collect();
            assert!(keys.contains(&"data") && keys.contains(&"mac"), "{keys:?}");
            assert!(keys.iter().all(|key| ["data", "lastmodified", "mac"].contains(key)), "{keys:?}");
            assert_eq!(keys.len(), changed.len(), "{keys:?}");
        }
        assert_eq!(harness::decrypt_of_sops(format, &sealed).unwrap(), after);
        assert_eq!(sops.decrypt(format, &sealed).unwrap(), after);
        // The same text again is the same token.
        let again = opened.seal(format, &format.index_plaintext(before.to_vec()).unwrap()).unwrap();
        assert_eq!(tokens(&again)[0], tokens(&encrypted)[0]);
    }
}

/// The tokens of a file in order, without those of its `sops` block.
fn tokens(text: &str) -> Vec<&str> {
    let token = regex::Regex::new(r"ENC\[AES256_GCM,[^\]]*\]").unwrap();
    let lines = text.lines().filter(|line| !is_of_block(line) && !line.contains("sops_"));
    lines.flat_map(|line| token.find_iter(line)).map(|found| found.as_str()).collect()
}

#[test]
fn of_equal_values_the_one_that_is_edited_gets_another_token() {
    let documents = [
        ("yaml", "data:\n    k: same\n---\ndata:\n    k: same\n---\ndata:\n    k: same\n"),
        ("yaml", "list:\n    - k: same\n    - k: same\n    - k: same\n"),
        ("yaml", "list:\n    - same\n    - same\n    - same\n"),
        ("yaml", "list: [same, same, {k: same}, {k: same}]\n"),
        (
            "json",
            "{\n\t\"list\": [\n\t\t{\n\t\t\t\"k\": \"same\"\n\t\t},\n\t\t{\n\t\t\t\"k\": \"same\"\n\t\t}\n\t]\n}\n",
        ),
        ("json", "{\n\t\"list\": [\n\t\t\"same\",\n\t\t\"same\",\n\t\t\"same\"\n\t]\n}\n"),
        ("dotenv", "K=same\nK=same\nK=same\n"),
        ("ini", "k = same\n\n[a]\nk = same\nl = same\n\n[b]\nk = same\n"),
    ];
    let sops = Sops::new();
    for (name, plain) in documents {
        let format = format::by_name(name).unwrap();
        let own = harness::encrypt(format, plain, Rule::EVERYTHING).unwrap();
        for encrypted in [own, sops.encrypt(format, plain, Rule::EVERYTHING).unwrap()] {
            let mut opened = harness::Opened::of(format, &encrypted).unwrap();
            let plain = String::from_utf8(opened.previous.plaintext().to_vec()).unwrap();
            let before = tokens(&encrypted);
            let places: Vec<usize> = plain.match_indices("same").map(|(at, _)| at).collect();
            assert!(before.len() == places.len() && places.len() > 1, "{encrypted}");
            for (edited, &at) in places.iter().enumerate() {
                let changed = format!("{}other{}", &plain[..at], &plain[at + 4..]);
                let sealed = opened.seal(format, &format.index(changed.clone()).unwrap()).unwrap();
                let after = tokens(&sealed);
                for (place, (was, is)) in before.iter().zip(&after).enumerate() {
                    assert_eq!(was == is, place != edited, "{place}, of {edited}:\n{encrypted}\n{sealed}");
                }
                assert_eq!(harness::decrypt_of_sops(format, &sealed).unwrap(), changed.as_bytes());
            }
        }
    }
}
