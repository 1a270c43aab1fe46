//! Thousands of generated documents, both ways with the real sops.
//!
//! For each document that real sops accepts:
//! 1. leafcrypt encrypts it and gives it back byte for byte;
//! 2. real sops decrypts what leafcrypt encrypted, and prints exactly what it prints for its own encryption;
//! 3. leafcrypt decrypts what real sops encrypted, and prints exactly what real sops prints.
//!
//! `LEAFCRYPT_PARITY_CASES` asks for more documents, `LEAFCRYPT_SEED` for others: see `docs/testing.md`.

use crate::generate::{self, Case};
use crate::harness::{self, Rule, Sops};
use crate::known;
use crate::peers;
use leafcrypt::format::Format;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// After so many failures a run ends.
const ENOUGH: usize = 5;

/// How often a failing document is made simpler.
const SHRINK_STEPS: usize = 400;

/// What a document showed, when it showed nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All three laws held.
    Equal,
    /// Real sops refuses the document; leafcrypt gives it back or refuses it too.
    RefusedBySops(String),
    /// Real sops cannot decrypt what it encrypted itself.
    LostBySops(String),
    /// One of the differences of [`known`].
    Known(&'static str),
}

/// A law that did not hold.
struct Failure {
    law: &'static str,
    details: String,
}

fn protected<T>(law: &'static str, work: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Failure {
        law,
        details: panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "a panic".to_owned()),
    })
}

/// Checks the laws on one document.
fn check(sops: &Sops, format: &dyn Format, text: &str, rule: Rule) -> Result<Outcome, Failure> {
    let fail = |law, details: String| Err(Failure { law, details });
    let theirs = sops.encrypt(format, text, rule);

    const LAW1: &str = "leafcrypt gives back what it encrypted, byte for byte";
    let ours = match (protected(LAW1, || harness::encrypt(format, text, rule))?, &theirs) {
        (Ok(ours), _) => ours,
        (Err(_), Err(reason)) => return Ok(Outcome::RefusedBySops(first_line(reason))),
        (Err(error), Ok(_)) => return fail("leafcrypt accepts what real sops accepts", error.to_string()),
    };
    match protected(LAW1, || harness::decrypt(format, &ours))? {
        Ok(back) if back == text.as_bytes() => {}
        Ok(back) => return fail(LAW1, format!("{}\n=== encrypted\n{ours}", harness::diff(text, &back))),
        Err(error) => return fail(LAW1, format!("{error}\n=== encrypted\n{ours}")),
    }

    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(reason) => {
            return match sops.decrypt(format, &ours) {
                Ok(_) => Ok(Outcome::RefusedBySops(first_line(&reason))),
                // It crashes on the document, whoever encrypted it: docs/sops-differences.md.
                Err(error) if [&reason, &error].iter().all(|said| said.starts_with("panic: ")) => {
                    Ok(Outcome::LostBySops(first_line(&reason)))
                }
                Err(error) => fail("real sops decrypts what leafcrypt encrypted", format!("{error}\n=== {ours}")),
            };
        }
    };
    let plain = match sops.decrypt(format, &theirs) {
        Ok(plain) => plain,
        Err(reason) => return Ok(Outcome::LostBySops(first_line(&reason))),
    };
    let mut outcome = Outcome::Equal;

    const LAW2: &str = "real sops decrypts what leafcrypt encrypted, to the same";
    match sops.decrypt(format, &ours) {
        Ok(theirs_of_ours) => {
            if let Some(name) = compare(LAW2, format, text, &plain, &theirs_of_ours, &ours)? {
                outcome = Outcome::Known(name);
            }
        }
        Err(error) if known::is_refusal(&error, text) => outcome = Outcome::Known("Integers of JSON beyond 2^53"),
        Err(error) => return fail(LAW2, format!("{error}\n=== encrypted by leafcrypt\n{ours}")),
    }

    const LAW3: &str = "leafcrypt decrypts what real sops encrypted, byte for byte as real sops prints it";
    match protected(LAW3, || harness::decrypt_of_sops(format, &theirs))? {
        Ok(ours_of_theirs) => {
            if let Some(name) = compare(LAW3, format, text, &plain, &ours_of_theirs, &theirs)? {
                outcome = Outcome::Known(name);
            }
        }
        Err(error) => return fail(LAW3, format!("{error}\n=== encrypted by real sops\n{theirs}")),
    }
    Ok(outcome)
}

/// Nothing when the texts are equal; the name of the difference when it is a known one.
fn compare(
    law: &'static str,
    format: &dyn Format,
    source: &str,
    sops: &[u8],
    ours: &[u8],
    encrypted: &str,
) -> Result<Option<&'static str>, Failure> {
    if sops == ours {
        return Ok(None);
    }
    known::find(format, sops, ours, source.as_bytes(), law.starts_with("real sops")).map(Some).ok_or_else(|| Failure {
        law,
        details: format!(
            "(- what real sops prints for its own file)\n{}\n=== encrypted\n{encrypted}",
            harness::diff(sops, ours)
        ),
    })
}

/// What sops said, without what differs from document to document.
fn first_line(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_ascii_digit()).take(100).collect()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// The rule of a seed: mostly everything is encrypted.
fn rule_of(seed: u64) -> Rule {
    match seed % 10 {
        0..6 => Rule::EVERYTHING,
        _ => Rule::ALL[(seed / 10) as usize % Rule::ALL.len()],
    }
}

/// Runs `cases` documents and panics with the failures.
fn run(format_name: &str, cases: u64, longest: usize, make: fn(&[u8]) -> String) {
    let format = leafcrypt::format::by_name(format_name).unwrap();
    let cases = number("LEAFCRYPT_PARITY_CASES", cases);
    let first = number("LEAFCRYPT_SEED", 1);
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::<String>::new());
    let counts = Mutex::new(BTreeMap::<Outcome, u64>::new());
    let work = || {
        let sops = Sops::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + cases || failures.lock().unwrap().len() >= ENOUGH {
                return;
            }
            let mut case = Case::new(seed, longest, make);
            let rule = rule_of(seed);
            match check(&sops, format, &case.text(), rule) {
                Ok(outcome) => *counts.lock().unwrap().entry(outcome).or_default() += 1,
                Err(failure) => {
                    let law = failure.law;
                    let smallest = case.shrink(SHRINK_STEPS, |text| {
                        check(&sops, format, text, rule).is_err_and(|failure| failure.law == law)
                    });
                    let report = report(&sops, format, seed, rule, &smallest, failure);
                    failures.lock().unwrap().push(report);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get().min(8)) {
            scope.spawn(work);
        }
    });

    let counts = counts.into_inner().unwrap();
    eprintln!("{format_name}: {cases} documents from seed {first}:");
    for (outcome, count) in &counts {
        eprintln!("{count:6} {outcome:?}");
    }
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {cases} documents failed\n\n{}", failures.len(), failures.join("\n\n"));
    // A generator whose documents are refused tests nothing.
    let of_use = |outcome: &Outcome| matches!(outcome, Outcome::Equal | Outcome::Known(_));
    let junk: u64 = counts.iter().filter(|(outcome, _)| !of_use(outcome)).map(|(_, count)| count).sum();
    assert!(cases < 100 || junk * 10 < cases, "real sops refused or lost {junk} of {cases} documents");
}

/// Describes a failure and saves its document.
fn report(sops: &Sops, format: &dyn Format, seed: u64, rule: Rule, smallest: &str, first: Failure) -> String {
    let folder = peers::target().join("parity");
    let path = folder.join(format!("seed-{seed}.{}", format.name()));
    let saved = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, smallest));
    let failure = check(sops, format, smallest, rule).err().unwrap_or(first);
    let mut out = String::new();
    let _ = writeln!(out, "seed {seed}: this does not hold: {}", failure.law);
    let _ = writeln!(out, "=== document, simplified ({saved:?}: {})\n{smallest}", path.display());
    let details: String = failure.details.chars().take(6_000).collect();
    let _ = writeln!(out, "=== under {rule:?}\n{details}");
    let _ = writeln!(out, "hint: LEAFCRYPT_SEED={seed} LEAFCRYPT_PARITY_CASES=1 cargo test parity::{}", format.name());
    out
}

#[test]
fn yaml_both_ways_with_real_sops() {
    run("yaml", 1_500, 400, generate::yaml::text);
}

#[test]
fn json_both_ways_with_real_sops() {
    run("json", 500, 200, generate::json::text);
}

#[test]
fn dotenv_both_ways_with_real_sops() {
    run("dotenv", 400, 120, generate::dotenv::text);
}

#[test]
fn ini_both_ways_with_real_sops() {
    run("ini", 600, 160, generate::ini::text);
}

/// Law 1 alone needs no other program: many more documents in the same time, and larger ones.
#[test]
fn larger_documents_come_back_byte_for_byte() {
    let factor = number("LEAFCRYPT_PARITY_CASES", 0) / 1_000 + 1;
    for (name, make) in
        [("yaml", generate::yaml::text as fn(&[u8]) -> String), ("json", generate::json::text as fn(&[u8]) -> String)]
    {
        let format = leafcrypt::format::by_name(name).unwrap();
        let first = number("LEAFCRYPT_SEED", 1) + 1_000_000;
        let mut accepted = 0;
        for seed in first..first + 1_500 * factor {
            let text = Case::new(seed, 1_500, make).text();
            for rule in [Rule::EVERYTHING, Rule::ALL[1 + seed as usize % (Rule::ALL.len() - 1)]] {
                let Ok(encrypted) = harness::encrypt(format, &text, rule) else { continue };
                accepted += 1;
                match harness::decrypt(format, &encrypted) {
                    Ok(back) => assert!(
                        text.as_bytes() == back,
                        "seed {seed} under {rule:?}\n{}\n{encrypted}",
                        harness::diff(&text, &back)
                    ),
                    Err(error) => {
                        panic!("seed {seed} under {rule:?}: {error}\n=== document\n{text}\n=== encrypted\n{encrypted}")
                    }
                }
            }
        }
        assert!(accepted > 1_500, "leafcrypt accepted {accepted} of {name} only");
    }
}

/// The generator's documents are such as real sops takes, and they are of all kinds.
#[test]
fn the_generators_make_what_they_promise() {
    let all = |make: fn(&[u8]) -> String| (1..400).map(|seed| Case::new(seed, 300, make).text()).collect::<Vec<_>>();
    let yaml = all(generate::yaml::text);
    for piece in [
        "#",
        "---",
        "...",
        "&",
        " *",
        "<<: *",
        "|",
        ">",
        "|-",
        ">+",
        "'",
        "\"",
        "[",
        "{",
        "? ",
        "\r\n",
        "\n\n",
        "- - ",
        "0x1F",
        "\n#",
        "2001-12-14",
        "!!str",
        "\t",
        "\u{feff}",
        "%YAML",
    ] {
        assert!(yaml.iter().any(|text| text.contains(piece)), "no document has {piece:?}");
    }
    assert!(yaml.iter().any(|text| !text.ends_with('\n')));
    assert_eq!(yaml, all(generate::yaml::text), "the same seeds give the same documents");
    let json = all(generate::json::text);
    for piece in ["[]", "{}", "1e3", "\\u", "\r\n", "\t", "null", "9007199254740993"] {
        assert!(json.iter().any(|text| text.contains(piece)), "no document has {piece:?}");
    }
    for text in json {
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
}

/// The checks see a difference when there is one.
#[test]
fn a_difference_is_reported() {
    for format in leafcrypt::format::ALL {
        assert!(compare("", *format, "", b"a: 1\n", b"a: 1\n", "").is_ok());
        assert!(compare("", *format, "", b"a: 1\n", b"a: 1\n\n", "").is_err());
    }
    let mut case = Case::new(7, 300, generate::yaml::text);
    let length = case.text().len();
    let smallest = case.shrink(SHRINK_STEPS, |text| text.contains(':'));
    assert!(smallest.len() < length / 2, "{length} bytes shrank to {smallest:?}");
}
