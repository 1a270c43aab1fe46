//! Real files, changed at random, through the law of the fuzz targets.
//!
//!     cargo run --release --manifest-path fuzz/Cargo.toml --example mutate -- --cases 100000 FILE|FOLDER…
//!
//! Each document is saved before it is tried, and tried for at most `--limit` seconds, so that one that never
//! comes back, overflows the stack or ends the process is kept as well as one that panics. The documents of the
//! findings are in `--save` (default `fuzz/artifacts/mutate`), each with a `.txt` that says what happened.
//! `--seed` begins elsewhere; a seed and the same files give the same document. With `--as-they-are` the files are
//! tried unchanged: the findings of an earlier run.
//!
//! With `--sops PROGRAM` each document goes to the real sops as well (a tenth of a second each). A finding is then also
//! what sops takes and leafcrypt refuses (`refused`), what sops cannot read of leafcrypt (`unread`; `foreign` where it
//! does not take the document itself either), and what sops reads as other values (`differs`).

#[path = "fuzz_targets/law.rs"]
mod law;
mod sops;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

struct Options {
    cases: u64,
    seed: u64,
    limit: u64,
    save: PathBuf,
    /// Set in the process that tries documents; the one that starts it watches over it.
    worker: bool,
    as_they_are: bool,
    /// The real sops, when it is asked as well.
    sops: Option<PathBuf>,
    sources: Vec<PathBuf>,
}

fn options() -> Options {
    let save = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts/mutate");
    let mut options = Options {
        cases: 10_000,
        seed: 1,
        limit: 10,
        save,
        worker: false,
        as_they_are: false,
        sops: None,
        sources: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number behind the option");
        match word.as_str() {
            "--cases" => options.cases = number(),
            "--seed" => options.seed = number(),
            "--limit" => options.limit = number(),
            "--save" => options.save = words.next().expect("a folder behind --save").into(),
            "--sops" => options.sops = Some(words.next().expect("a program behind --sops").into()),
            "--worker" => options.worker = true,
            "--as-they-are" => options.as_they_are = true,
            _ => options.sources.push(word.into()),
        }
    }
    assert!(!options.sources.is_empty(), "name the files or folders to begin with");
    options
}

struct File {
    format: &'static str,
    bytes: Vec<u8>,
}

fn files(sources: &[PathBuf]) -> Vec<File> {
    const LARGEST: usize = 100_000;
    let mut paths = Vec::new();
    let mut folders = sources.to_vec();
    while let Some(path) = folders.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => folders.extend(entries.map(|entry| entry.expect("an entry").path())),
            Err(_) => paths.push(path),
        }
    }
    paths.sort();
    let format = |path: &Path| leafcrypt::format::by_file_name(&path.to_string_lossy()).map(|format| format.name());
    let read = |path: PathBuf| Some(File { format: format(&path)?, bytes: std::fs::read(path).expect("a file") });
    paths.into_iter().filter_map(read).filter(|file| file.bytes.len() <= LARGEST).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// What has a meaning somewhere.
const WORDS: &[&str] = &[
    "- ",
    "-\n",
    "? ",
    "?",
    ": ",
    ":",
    ",",
    "#",
    " # c",
    "\n# c\n",
    "\n#\n",
    "  # c\n",
    "---\n",
    "--- ",
    "\n---\n",
    "...\n",
    "\n...\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "  ",
    "    ",
    "|",
    ">",
    "|\n",
    ">\n",
    "|-\n",
    ">+\n",
    "|2+\n",
    "|-5",
    ">1-\n",
    "|9\n",
    "| # c\n",
    "|",
    "\"",
    "'",
    "\"\"",
    "''",
    "\\",
    "\\\n",
    "\\u0041",
    "\\ud83d",
    "\\x",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "[{",
    "}]",
    "{ ? a }",
    "[a: b]",
    "&a ",
    "&b",
    "*a",
    " *a",
    "*a : ",
    "<<: *a\n",
    "<<: [*a, *b]\n",
    "&é ",
    "!!str ",
    "!!int ",
    "!!binary ",
    "!!null ",
    "!local ",
    "! ",
    "!<tag:x> ",
    "%YAML 1.2\n---\n",
    "%TAG ! tag:x,2000:\n---\n",
    "null",
    "~",
    "true",
    "yes",
    "0x1F",
    "0755",
    "1_000",
    "1e3",
    "-0.0",
    ".nan",
    ".inf",
    "9007199254740993",
    "18446744073709551615",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "12:30:45",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "é",
    "\u{1f511}",
    "\0",
    "\u{7f}",
    "sops: 1\n",
    "sops",
    "a_unencrypted: b\n",
    "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]",
    "#ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]\n",
    "a: ",
    "a: b\n",
    "\"a\": ",
    "- - ",
    "- a: b\n",
];

/// One change.
fn change(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(text.len() + 1);
    let lines: Vec<usize> = std::iter::once(0).chain((1..text.len()).filter(|&at| text[at - 1] == b'\n')).collect();
    let line = random.below(lines.len());
    let line_span = |line: usize| lines[line]..lines.get(line + 1).copied().unwrap_or(text.len());
    let short = |random: &mut Random, len: usize| {
        let longest = if random.below(4) > 0 { 4 } else { 80 };
        1 + random.below(longest.min(len))
    };
    match random.below(17) {
        0..4 => drop(text.splice(at..at, random.of(WORDS).bytes())),
        4 => {
            let len = short(random, text.len() - at);
            drop(text.splice(at..(at + len).min(text.len()), random.of(WORDS).bytes()));
        }
        5 => {
            let len = short(random, text.len() - at);
            text.drain(at..(at + len).min(text.len()));
        }
        6 => {
            text.drain(line_span(line));
        }
        7 => {
            let copy = text[line_span(line)].to_vec();
            let to = lines[random.below(lines.len())];
            drop(text.splice(to..to, copy));
        }
        8 => {
            // Some lines deeper.
            let count = 1 + random.below(5);
            let blanks = random.of(&[" ", "  ", "    ", "\t", "- "]);
            for &start in lines[line..].iter().take(count).rev() {
                drop(text.splice(start..start, blanks.bytes()));
            }
        }
        9 => {
            // Some lines less deep.
            let count = 1 + random.below(5);
            for &start in lines[line..].iter().take(count).rev() {
                let blanks = text[start..].iter().take_while(|&&byte| byte == b' ').count();
                let some = blanks.min(1 + random.below(4));
                text.drain(start..start + some);
            }
        }
        10 => text.truncate(at),
        11 => {
            text.drain(..at);
        }
        12 => {
            // The line break behind a line.
            let end = line_span(line).end;
            if end > 0 {
                text.remove(end - 1);
            }
        }
        13 => {
            // A piece of another file.
            let from = random.below(other.len() + 1);
            let len = short(random, other.len() - from) * (1 + random.below(8));
            let piece = other[from..(from + len).min(other.len())].to_vec();
            let to = if random.below(2) == 0 { at } else { lines[line] };
            drop(text.splice(to..to, piece));
        }
        14 => {
            // The same many times.
            let word = random.of(WORDS);
            let most = if random.below(8) > 0 { 6 } else { 400 };
            let times = 2 + random.below(most);
            drop(text.splice(at..at, word.repeat(times).into_bytes()));
        }
        15 => {
            let other = lines[random.below(lines.len())];
            let piece = text.drain(line_span(line)).collect::<Vec<_>>();
            let to = other.min(text.len());
            drop(text.splice(to..to, piece));
        }
        _ => {
            let breaks = random.of(&["\r\n", "\r", "\n\n", "\n \n"]);
            *text = String::from_utf8_lossy(text).replace('\n', breaks).into_bytes();
        }
    }
}

/// The document of a seed.
fn mutant(options: &Options, files: &[File], seed: u64) -> (&'static str, Vec<u8>, Random) {
    let mut random = Random(seed);
    if options.as_they_are {
        let file = &files[(seed - 1) as usize];
        return (file.format, file.bytes.clone(), random);
    }
    let file = &files[random.below(files.len())];
    let other = &files[random.below(files.len())].bytes;
    let mut text = file.bytes.clone();
    // Mostly a piece of a long file: shorter is faster, and its end is nearer to its changes.
    if text.len() > 2_000 && random.below(4) > 0 {
        let start = random.below(text.len() - 1_000);
        let start = text[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |found| found + 1);
        text.drain(..start);
        text.truncate(1_000 + random.below(1_000));
    }
    for _ in 0..1 + random.below(6) {
        change(&mut text, other, &mut random);
    }
    // Cut within a character, mostly; a text that is not UTF-8 is refused at once.
    (file.format, String::from_utf8_lossy(&text).into_owned().into_bytes(), random)
}

/// The name under which the document at hand lies, until it has come back.
fn current(options: &Options, seed: u64, format: &str) -> PathBuf {
    options.save.join(format!("current-{}-{seed}.{format}", options.seed))
}

fn work(options: &Options) {
    let files = files(&options.sources);
    let message = Arc::new(Mutex::new(String::new()));
    let said = Arc::clone(&message);
    std::panic::set_hook(Box::new(move |panic| *said.lock().unwrap() = panic.to_string()));
    // Milliseconds since the start, at which the document at hand began.
    let began = Arc::new(AtomicU64::new(u64::MAX));
    let start = Instant::now();
    let (watched, limit) = (Arc::clone(&began), options.limit * 1_000);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let began = watched.load(Ordering::Relaxed);
            if began != u64::MAX && start.elapsed().as_millis() as u64 > began.saturating_add(limit) {
                std::process::exit(3);
            }
        }
    });
    let sops = options.sops.clone().map(|program| sops::Sops::new(program, options.save.join("sops")));
    let mut accepted = 0;
    for seed in options.seed..options.seed + options.cases {
        let (format, text, mut random) = mutant(options, &files, seed);
        let path = current(options, seed, format);
        let attempt = |text: &[u8], check: &dyn Fn()| {
            std::fs::write(&path, text).expect("the document is saved");
            began.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
            let result = catch_unwind(AssertUnwindSafe(check));
            began.store(u64::MAX, Ordering::Relaxed);
            if result.is_err() {
                let saved = options.save.join(format!("panic-{seed}.{format}"));
                std::fs::rename(&path, &saved).expect("the document is kept");
                std::fs::write(saved.with_extension("txt"), &*message.lock().unwrap()).expect("what it said is kept");
                println!("{}: {}", saved.display(), message.lock().unwrap().lines().next().unwrap_or_default());
            }
            result.is_ok()
        };
        if attempt(&text, &|| law::check(format, &text))
            && let Ok(Some(sealed)) = catch_unwind(|| law::seal(format, &text))
        {
            accepted += 1;
            let mut damaged = sealed.into_bytes();
            for _ in 0..1 + random.below(3) {
                change(&mut damaged, &text, &mut random);
            }
            attempt(&damaged, &|| law::check_damaged(format, &damaged));
        }
        if let Some((kind, what)) = sops.as_ref().and_then(|sops| sops.finding(format, &text)) {
            let saved = options.save.join(format!("{kind}-{seed}.{format}"));
            std::fs::write(&saved, &text).expect("the document is kept");
            std::fs::write(saved.with_extension("txt"), &what).expect("what it is is kept");
            println!("{}: {}", saved.display(), what.lines().next().unwrap_or_default());
        }
        let _ = std::fs::remove_file(&path);
    }
    println!("{accepted} of {} were accepted", options.cases);
}

/// Runs workers until all documents were tried, each beginning behind the one that its forerunner died of.
fn watch(options: &Options) {
    std::fs::create_dir_all(&options.save).expect("a folder for the findings");
    let program = std::env::current_exe().expect("the path of this program");
    let mut seed = options.seed;
    let end = options.seed + options.cases;
    while seed < end {
        let mut worker = Command::new(&program);
        worker.args(["--worker", "--seed", &seed.to_string(), "--cases", &(end - seed).to_string()]);
        worker.args(["--limit", &options.limit.to_string(), "--save"]).arg(&options.save).args(&options.sources);
        worker.args(options.as_they_are.then_some("--as-they-are"));
        worker.args(options.sops.iter().flat_map(|program| [std::ffi::OsStr::new("--sops"), program.as_os_str()]));
        let status = worker.status().expect("a worker");
        if status.success() {
            return;
        }
        let prefix = format!("current-{seed}-");
        let left = std::fs::read_dir(&options.save).expect("the folder").map(|entry| entry.expect("an entry").path());
        let name =
            |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(path) = left.into_iter().find(|path| name(path).starts_with(&prefix)) else {
            panic!("a worker ended by {status} without a document");
        };
        let last = name(&path)[prefix.len()..].split('.').next().and_then(|text| text.parse::<u64>().ok());
        let what = if status.code() == Some(3) { "slow" } else { "dead" };
        let kept = options.save.join(name(&path).replace(&prefix, &format!("{what}-")));
        std::fs::rename(&path, &kept).expect("the document is kept");
        println!("{}: {status}", kept.display());
        seed = last.expect("a seed in the name") + 1;
    }
}

fn main() {
    let mut options = options();
    if options.as_they_are {
        options.cases = files(&options.sources).len() as u64;
    }
    if options.worker { work(&options) } else { watch(&options) }
}
