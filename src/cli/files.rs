//! Work over many files: at the same time, told in their order, with a progress bar on a terminal.

use super::args::Job;
use super::report;
use crate::error::{Error, Kind, Result};
use crate::secret::SecretBytes;
use crate::{ops, sys};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// More files than that at the same time are no faster, and each is in memory.
const AT_ONCE: usize = 8;

/// What is done sooner needs no progress bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// Does `work` with each of `items` and hands the results to `told`, in the order of the items and one at a time. One
/// item is worked on by this thread alone; `doing` is what the progress bar says.
pub(super) fn each<'a, T: Sync, R: Send>(
    items: &'a [T],
    doing: &'static str,
    work: impl Fn(&'a T) -> R + Sync,
    mut told: impl FnMut(&'a T, R),
) {
    if items.len() < 2 {
        return items.iter().for_each(|item| told(item, work(item)));
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(AT_ONCE).min(items.len());
    let next = AtomicUsize::new(0);
    let (report, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (report, next, work) = (report.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    if report.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(report);
        let mut progress = Progress::new(items.len(), doing);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, result) in results {
            early.insert(at, result);
            progress.step();
            while let Some(result) = early.remove(&due) {
                progress.bar.suspend(|| told(&items[due], result));
                due += 1;
            }
        }
    });
}

/// What a job comes to.
pub(super) struct Done {
    /// What is to be written.
    pub(super) bytes: SecretBytes,
    /// What the user should know though nothing failed.
    pub(super) warnings: Vec<String>,
}

/// Does each of `jobs` by `work` and writes the result. One that fails keeps none of the others from being done.
///
/// # Errors
/// That of the job when there is one alone; else how many failed, which have been told by then.
pub(super) fn do_each(jobs: &[Job], doing: &'static str, work: impl Fn(&Job) -> Result<Done> + Sync) -> Result<()> {
    if let [only] = jobs {
        let destination = only.destination.watch();
        let done = work(only)?;
        report::warnings(&done.warnings);
        return destination.write(done.bytes.expose());
    }
    let work = |job: &Job| {
        let destination = job.destination.watch();
        let done = work(job)?;
        destination.write(done.bytes.expose())?;
        Ok(done.warnings)
    };
    let mut failed = 0;
    let mut warnings = Warnings::default();
    each(jobs, doing, work, |job, result| match result {
        Ok(found) => warnings.tell(&job.source.shown(), found),
        Err(error) => {
            failed += 1;
            report::error(&error);
        }
    });
    warnings.count();
    if failed == 0 { Ok(()) } else { Err(some_failed(failed, jobs.len())) }
}

/// Warnings about many files, each told once: what is odd about the rules would be told of every file.
#[derive(Default)]
struct Warnings {
    /// How often each came, in the order in which they came first.
    told: Vec<(String, usize)>,
}

impl Warnings {
    fn tell(&mut self, file: &str, warnings: Vec<String>) {
        for warning in warnings {
            match self.told.iter_mut().find(|(told, _)| *told == warning) {
                Some((_, count)) => *count += 1,
                None => {
                    report::warnings(&[format!("{file}: {warning}")]);
                    self.told.push((warning, 1));
                }
            }
        }
    }

    fn count(self) {
        for (warning, count) in self.told.into_iter().filter(|(_, count)| *count > 1) {
            let files = if count == 2 { "1 more file".to_owned() } else { format!("{} more files", count - 1) };
            report::warnings(&[format!("{files}: {warning}")]);
        }
    }
}

/// What was said so far of a run over files.
pub(super) struct Teller {
    of: usize,
    failures: Vec<Error>,
    warned: HashSet<String>,
}

impl Teller {
    /// For a run over `of` files.
    pub(super) fn new(of: usize) -> Self {
        Teller { of, failures: Vec::new(), warned: HashSet::new() }
    }

    /// Of many files the failures are told as they come; that of one file alone is how the program ends.
    pub(super) fn fail(&mut self, error: Error) {
        // A file that is not there has another exit code here than elsewhere.
        let error = if error.kind() == Kind::NoFile { error.of_kind(Kind::Generic) } else { error };
        if self.of > 1 {
            report::error(&error);
        }
        self.failures.push(error);
    }

    /// Warnings about the rules are the same for all files: each is told once.
    pub(super) fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        let new: Vec<String> = warnings.into_iter().filter(|warning| self.warned.insert(warning.clone())).collect();
        report::warnings(&new);
    }

    /// How the program ends.
    pub(super) fn end(mut self) -> Result<()> {
        match self.failures.len() {
            0 => Ok(()),
            _ if self.of == 1 => Err(self.failures.remove(0)),
            failed => Err(some_failed(failed, self.of)),
        }
    }
}

/// That some of many files failed, which has been told of each.
fn some_failed(failed: usize, of: usize) -> Error {
    let error = Error::new(Kind::Generic, format!("{failed} of {of} files failed"));
    if failed < of { error.because("the others are done") } else { error }
}

/// The files that are meant by `named`: where that is a folder, all encrypted files below it.
///
/// # Errors
/// When a folder cannot be read, or has no encrypted file in it.
pub(super) fn with_folders(named: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        let before = files.len();
        files.extend(sys::files_below(&path)?.into_iter().filter(|file| ops::looks_encrypted(file)));
        if files.len() == before {
            return Err(Error::new(Kind::Generic, "there is no encrypted file in this folder")
                .in_file(path.display().to_string()));
        }
    }
    Ok(files)
}

/// The files, each once, whatever the names and links are that lead to it.
pub(super) fn each_once(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    if files.len() > 1 {
        let mut seen = HashSet::new();
        files.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    }
    files
}

struct Progress {
    bar: ProgressBar,
    began: Instant,
    shown: bool,
}

impl Progress {
    fn new(files: usize, doing: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden()).with_message(doing);
        // A template that does not parse would be a bug that the tests see; the bar has a style of its own then.
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len} files, {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress { bar, began: Instant::now(), shown: false }
    }

    /// Counts a file, and shows the bar once it is worth it. It is drawn at no other time: nothing moves
    /// while somebody is asked for a passphrase. Where there is no terminal nothing is ever shown.
    fn step(&mut self) {
        if !self.shown && self.began.elapsed() >= PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
