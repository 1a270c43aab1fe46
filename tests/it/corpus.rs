//! Real files come back byte for byte, whole and under several rules; and real sops reads what we made of them.
//!
//! The files are those of `testdata/corpus/` and, where the folder is there, of `../shared/data`. What is
//! refused stands in `testdata/refusals.tsv` with its reason. `testdata/refused/` holds files of our own
//! that must be refused, for the reasons in `testdata/refused.tsv`.

use crate::builder::Test;
use crate::harness::{self, Rule, Sops, format_of};
use crate::known;
use crate::peers::package;
use leafcrypt::format::{Format, json::Json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The folders of `../shared/data` whose files we run.
const SHARED: &[&str] = &["kubernetes-examples", "yaml-test-suite/valid"];

/// A file of a corpus, by the name that the tables use.
struct File {
    name: String,
    bytes: Vec<u8>,
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

fn files_below(root: &Path, folder: &str) -> Vec<File> {
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    paths
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| is_ours(&name.to_string_lossy())))
        .map(|path| File {
            name: path.strip_prefix(root).unwrap().to_string_lossy().into_owned(),
            bytes: std::fs::read(path).unwrap(),
        })
        .collect()
}

fn is_ours(name: &str) -> bool {
    [".yaml", ".yml", ".json", ".env", ".ini", ".bin", ".pem"].iter().any(|extension| name.ends_with(extension))
}

/// `../shared/data`, when this machine has it. `LEAFCRYPT_SHARED` names another place;
/// `LEAFCRYPT_REQUIRE_SHARED` makes its absence a failure, which is what CI does.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("LEAFCRYPT_SHARED").map_or_else(|| package().join("../shared"), PathBuf::from);
    let data = folder.join("data");
    if data.is_dir() {
        return Some(data);
    }
    assert!(
        std::env::var_os("LEAFCRYPT_REQUIRE_SHARED").is_none_or(|value| value.is_empty()),
        "LEAFCRYPT_REQUIRE_SHARED is set and {} is not there",
        data.display()
    );
    eprintln!("note: {} is not there; only the files of testdata/ are run", data.display());
    None
}

fn all_files() -> Vec<File> {
    let mut files = files_below(&package().join("testdata"), "corpus");
    assert!(files.len() >= 60, "the corpus has only {} files", files.len());
    if let Some(data) = shared() {
        for folder in SHARED {
            let more = files_below(&data, folder);
            assert!(!more.is_empty(), "no files below {}", data.join(folder).display());
            files.extend(more);
        }
    }
    files
}

/// A table of `testdata/`: tab-separated, `#` begins a comment line.
fn table(name: &str, columns: usize) -> Vec<Vec<String>> {
    let path = package().join("testdata").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
        .inspect(|row| assert_eq!(row.len(), columns, "{}: {row:?}", path.display()))
        .collect()
}

/// Does `work` for all files on all processors and gives what it said, in the order of the files.
fn for_all(files: &[File], work: impl Fn(&Sops, &File) -> Vec<String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let said = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |n| n.get().min(8)) {
            scope.spawn(|| {
                let sops = Sops::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { return };
                    let lines = work(&sops, file);
                    said.lock().unwrap().insert(at, lines);
                }
            });
        }
    });
    said.into_inner().unwrap().into_values().flatten().collect()
}

#[test]
fn real_files_come_back_byte_for_byte_under_every_rule() {
    let wrong = for_all(&all_files(), |_, file| {
        let text = &file.bytes;
        let format = format_of(&file.name);
        let mut wrong = Vec::new();
        for rule in Rule::ALL {
            let Ok(encrypted) = harness::encrypt(format, text, *rule) else { continue };
            match harness::decrypt(format, &encrypted) {
                Ok(back) if back == *text => {}
                Ok(back) => wrong.push(format!("{}: under {rule:?}:\n{}", file.name, harness::diff(text, &back))),
                Err(error) => wrong.push(format!("{}: under {rule:?}: decrypt: {error}", file.name)),
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{} failures\n{}", wrong.len(), wrong.join("\n"));
}

/// Whatever is refused is refused by real sops too, or stands in the table as our own refusal; and what
/// stands in the table is refused.
#[test]
fn refusals_are_those_of_the_table() {
    let table: BTreeMap<String, (String, String)> =
        table("refusals.tsv", 3).into_iter().map(|row| (row[0].clone(), (row[1].clone(), row[2].clone()))).collect();
    let files = all_files();
    let wrong = for_all(&files, |sops, file| {
        let text = &file.bytes;
        let format = format_of(&file.name);
        let row = table.get(&file.name);
        let refusals: BTreeSet<String> = Rule::ALL
            .iter()
            .map(|rule| harness::encrypt(format, text, *rule).map_or_else(|error| error.to_string(), |_| String::new()))
            .collect();
        let whole = harness::encrypt(format, text, Rule::EVERYTHING);
        // What sops refuses may still be kept where it is encrypted.
        if refusals.contains("") && refusals.len() > 1 && sops.encrypt(format, text, Rule::EVERYTHING).is_ok() {
            return vec![format!("{}: accepted under some rules and refused under others: {refusals:?}", file.name)];
        }
        match (whole, row) {
            (Ok(_), None) => vec![],
            (Ok(_), Some(_)) => vec![format!("{}: is accepted now; take it out of testdata/refusals.tsv", file.name)],
            (Err(error), None) => {
                let theirs = sops.encrypt(format, text, Rule::EVERYTHING).and_then(|text| sops.decrypt(format, &text));
                let theirs =
                    theirs.map_or_else(|error| format!("refuses it too: {error}"), |_| "accepts it".to_owned());
                vec![format!("{}: refused: {error}\n    and real sops {}", file.name, theirs.trim())]
            }
            (Err(error), Some((by, reason))) => {
                let mut wrong = Vec::new();
                if !error.to_string().contains(reason.as_str()) {
                    wrong.push(format!("{}: the reason is not `{reason}`: {error}", file.name));
                }
                let theirs = sops.encrypt(format, text, Rule::EVERYTHING).and_then(|text| sops.decrypt(format, &text));
                match (by.as_str(), theirs) {
                    ("sops", Ok(_)) => wrong.push(format!("{}: real sops accepts it", file.name)),
                    ("ours", Err(error)) => {
                        wrong.push(format!("{}: real sops refuses it too, write `sops`: {}", file.name, error.trim()));
                    }
                    ("sops", Err(_)) | ("ours", Ok(_)) => {}
                    _ => wrong.push(format!("{}: the second column is `sops` or `ours`, not `{by}`", file.name)),
                }
                wrong
            }
        }
    });
    assert!(wrong.is_empty(), "{} differences to testdata/refusals.tsv\n{}", wrong.len(), wrong.join("\n"));

    let known: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let has_shared = shared().is_some();
    for name in table.keys() {
        let missing = !known.contains(name.as_str()) && (has_shared || name.starts_with("corpus/"));
        assert!(!missing, "testdata/refusals.tsv names {name}, which is not there");
    }
}

#[test]
fn real_sops_decrypts_what_we_encrypted_to_the_same_values() {
    let files = all_files();
    let (compared, moved) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = for_all(&files, |sops, file| {
        let text = &file.bytes;
        let format = format_of(&file.name);
        let Ok(ours) = harness::encrypt(format, text, Rule::EVERYTHING) else { return vec![] };
        let theirs = match sops.decrypt(format, &ours) {
            Ok(theirs) => theirs,
            Err(error) => return vec![format!("{}: real sops does not decrypt ours: {}", file.name, error.trim())],
        };
        if let Err(error) = read_in_the_clear(sops, format, text) {
            return vec![format!("{}: real sops does not decrypt it in the clear: {}", file.name, error.trim())];
        }
        let Ok(own) = sops.encrypt(format, text, Rule::EVERYTHING) else { return vec![] };
        let Ok(own_plain) = sops.decrypt(format, &own) else { return vec![] };
        compared.fetch_add(1, Ordering::Relaxed);
        if theirs == own_plain {
            return vec![];
        }
        let difference = known::find(format, &own_plain, &theirs, text, true);
        let values = |file: &str| sops.decrypt_to(format, file, &Json);
        // In its own file sops has one item more for each empty comment in a list; not so in the clear.
        let values_of_text = || sops.encrypt(format, text, Rule::NOTHING).and_then(|clear| values(&clear));
        if matches!(difference, Some(known::MISREAD | known::MISREAD_ANCHOR))
            || difference.is_some() && [values(&own), values_of_text()].contains(&values(&ours))
        {
            moved.fetch_add(1, Ordering::Relaxed);
            eprintln!("note: {}: the same values, but a difference of docs/sops-differences.md", file.name);
            return vec![];
        }
        vec![format!(
            "{}: (- what real sops prints for its own file)\n{}",
            file.name,
            harness::diff(&own_plain, &theirs)
        )]
    });
    let (compared, moved) = (compared.into_inner(), moved.into_inner());
    eprintln!(
        "real sops decrypted {compared} of {} files to the same values, {moved} with a known difference",
        files.len()
    );
    assert!(wrong.is_empty(), "{} failures\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared * 10 >= files.len() * 6, "only {compared} of {} files were compared", files.len());
}

/// Whether real sops reads the file with no value encrypted, where all stand as they did. What it refuses itself may be
/// refused then.
fn read_in_the_clear(sops: &Sops, format: &dyn Format, text: &[u8]) -> Result<(), String> {
    let own = || sops.encrypt(format, text, Rule::NOTHING).and_then(|own| sops.decrypt(format, &own));
    match harness::encrypt(format, text, Rule::NOTHING) {
        Ok(clear) => sops.decrypt(format, &clear).map(drop),
        Err(_) if own().is_err() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn we_decrypt_what_real_sops_encrypted() {
    let files = all_files();
    let wrong = for_all(&files, |sops, file| {
        let text = &file.bytes;
        let format = format_of(&file.name);
        let Ok(theirs) = sops.encrypt(format, text, Rule::EVERYTHING) else { return vec![] };
        let Ok(plain) = sops.decrypt(format, &theirs) else { return vec![] };
        match harness::decrypt_of_sops(format, &theirs) {
            Ok(ours) if ours == plain || known::find(format, &plain, &ours, text, false).is_some() => vec![],
            Ok(ours) => {
                let difference = harness::diff(&plain, &ours);
                vec![format!("{}: (- what real sops prints)\n{difference}", file.name)]
            }
            Err(error) => vec![format!("{}: {error}", file.name)],
        }
    });
    assert!(wrong.is_empty(), "{} failures\n{}", wrong.len(), wrong.join("\n"));
}

/// A few files through the program itself, in place and through standard output.
#[test]
fn the_program_gives_files_back_in_place() {
    let files = files_below(&package().join("testdata"), "corpus");
    let refused: BTreeSet<String> = table("refusals.tsv", 3).into_iter().map(|row| row[0].clone()).collect();
    for file in files.iter().filter(|file| !refused.contains(&file.name)).step_by(7) {
        let name = Path::new(&file.name).file_name().unwrap().to_string_lossy().into_owned();
        let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file(&name, &file.bytes);
        test.run(&format!("encrypt -i {name}")).code(0).stdout("");
        assert_ne!(std::fs::read(test.path(&name)).unwrap(), file.bytes, "{}", file.name);
        test.run(&format!("decrypt {name}")).code(0).stdout(&file.bytes);
        test.run(&format!("decrypt -i {name}")).code(0).stdout("");
        assert_eq!(std::fs::read(test.path(&name)).unwrap(), file.bytes, "{}", file.name);
    }
}

/// The law of the fuzz targets, on real files: so it compiles, and a fuzzer begins where nothing is known to fail.
#[test]
fn the_law_of_the_fuzz_targets_holds() {
    for file in all_files() {
        crate::fuzz_law::check(format_of(&file.name).name(), &file.bytes);
    }
}

/// Files that must be refused: with the exit code and the reason that the table says, before anything is written.
#[test]
fn what_cannot_be_kept_is_refused_with_its_reason() {
    for row in table("refused.tsv", 3) {
        let [name, code, reason] = &row[..] else { unreachable!("three columns") };
        let bytes = std::fs::read(package().join("testdata/refused").join(name)).unwrap();
        let test = Test::new().identity().rules("creation_rules:\n  - age: {age}\n").file(name, &bytes);
        test.run(&format!("encrypt -i {name}")).fails().code(code.parse().unwrap()).stderr_has(reason).stderr_has(name);
        assert_eq!(std::fs::read(test.path(name)).unwrap(), bytes, "{name} was changed");
    }
}

/// No file lies in `testdata/` unused.
#[test]
fn every_file_of_testdata_is_run() {
    let root = package().join("testdata");
    let refused: BTreeSet<String> =
        table("refused.tsv", 3).into_iter().map(|row| format!("refused/{}", row[0])).collect();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    for path in &paths {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let run = match name.split('/').next().unwrap() {
            "corpus" => is_ours(&name),
            "refused" => refused.contains(&name),
            "refusals.tsv" | "refused.tsv" | ".gitattributes" => true,
            _ => false,
        };
        assert!(run, "testdata/{name} is run by no test; add it to a runner's table or take it away");
    }
    for name in refused {
        assert!(root.join(&name).is_file(), "testdata/refused.tsv names {name}, which is not there");
    }
}
