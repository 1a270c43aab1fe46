//! The differences to real sops that are known, each with its reason in `docs/sops-differences.md`.
//!
//! A difference in *values* is never known, but where sops itself changes the value: the others are about
//! comments and layout of what sops prints.

use crate::peers;
use leafcrypt::format::{Format, dotenv::Dotenv, ini::Ini, yaml::Yaml};
use std::collections::BTreeSet;

/// What a difference is judged by.
struct Pair<'a> {
    /// What real sops prints for its own file.
    sops: &'a str,
    /// What is compared with it: what leafcrypt prints, or what real sops prints for leafcrypt's file.
    ours: &'a str,
    /// The document that was encrypted.
    source: &'a str,
    /// Whether real sops printed both.
    both_by_sops: bool,
}

/// A known difference.
pub(crate) struct Known {
    /// Its heading in the documentation.
    pub(crate) name: &'static str,
    /// Whether the two plaintexts differ by it and nothing else.
    is: fn(&Pair<'_>) -> bool,
}

/// The order is that of the documentation. Those about scalars come first, and are taken out of both
/// texts before the comments are looked at.
const KNOWN: &[Known] = &[
    Known {
        name: "Comments that sops cannot decrypt itself",
        is: |pair| {
            let same_lines = without_comments(pair.sops) == without_comments(pair.ours);
            is_undecrypted_comment(pair.sops)
                && (same_lines || Parts::of(pair.sops).values == Parts::of(pair.ours).values)
        },
    },
    Known {
        name: "Integers of JSON beyond 2^53",
        // Equal once our integers are rounded as sops 3.11 rounds them, and not only then.
        is: |pair| pair.ours.trim_start().starts_with('{') && pair.sops == with_rounded_integers(pair.ours),
    },
    Known {
        name: "Comments above an item of a list in a list",
        is: |pair| {
            let (sops, ours) = (Parts::of(pair.sops), Parts::of(pair.ours));
            let in_list =
                |text: &str| text.lines().any(|line| line.trim_start().starts_with("- #") || line.contains("- - "));
            sops == ours && (in_list(pair.sops) || in_list(pair.ours))
        },
    },
    Known {
        name: "Comments behind the last item of a list",
        is: |pair| Parts::of(pair.sops) == Parts::of(pair.ours) && pair.sops.lines().any(is_dash),
    },
    Known {
        name: "Comments behind a last item in brackets",
        // Each comment stands where it does in our text, or one line of a value later.
        is: |pair| {
            let places = |text: &str| {
                let is_comment = |line: &&str| line.trim_start().starts_with('#');
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                let comments = lines.iter().enumerate().filter(|(_, line)| is_comment(line));
                let mut places: Vec<(String, usize)> = comments
                    .map(|(at, line)| (line.trim().to_owned(), lines[..at].iter().filter(|l| !is_comment(l)).count()))
                    .collect();
                places.sort();
                places
            };
            let (sops, ours) = (places(pair.sops), places(pair.ours));
            let is_behind = |((comment, at), (same, before)): (&(String, usize), &(String, usize))| {
                comment == same && (at == before || *at == before + 1)
            };
            let has_one = |line: &str| line.trim_start().starts_with("- ") && line.contains(['{', '[']);
            pair.source.lines().any(has_one)
                && without_comments(pair.sops) == without_comments(pair.ours)
                && sops.len() == ours.len()
                && sops.iter().zip(&ours).all(is_behind)
        },
    },
    Known {
        name: "Comments behind an empty item",
        is: |pair| {
            let (sops, ours): (Vec<&str>, Vec<&str>) = (pair.sops.lines().collect(), pair.ours.lines().collect());
            let same = |(sops, ours): (&&str, &&str)| {
                sops == ours || sops.trim() == ours.trim() && ours.trim_start().starts_with('#')
            };
            let is_behind = |line: &str| line.split_once('#').is_some_and(|(mark, _)| mark.trim_end().ends_with('-'));
            pair.source.lines().any(is_behind) && sops.len() == ours.len() && sops.iter().zip(&ours).all(same)
        },
    },
    Known {
        name: "Comments in what an alias repeats",
        is: |pair| {
            let (sops, ours) = (Parts::of(pair.sops), Parts::of(pair.ours));
            // sops repeats them; where the same comment stands first may differ. Others it drops, see below.
            let distinct = |parts: &Parts| parts.comments.iter().cloned().collect::<BTreeSet<_>>();
            let repeats = is_part_of(&ours.comments, &sops.comments) || !is_part_of(&sops.comments, &ours.comments);
            pair.source.contains('*')
                && sops.values == ours.values
                && repeats
                && distinct(&sops).is_subset(&distinct(&ours))
        },
    },
    Known {
        name: "Comments behind an empty value at the end",
        is: |pair| {
            let (mut sops, mut ours) = (Parts::of(pair.sops), Parts::of(pair.ours));
            sops.comments.sort();
            ours.comments.sort();
            pair.both_by_sops && pair.source.contains(['&', '!']) && sops == ours
        },
    },
    Known {
        name: MISREAD,
        is: |pair| {
            let ours = pair.ours.lines().map(|line| match line.split_once('?') {
                Some((mark, rest)) if mark.trim_matches([' ', '-']).is_empty() => {
                    let key = if rest.contains(": ") { "" } else { ": null" };
                    format!("{mark}{rest}{key}")
                }
                _ => line.to_owned(),
            });
            pair.both_by_sops && pair.source.contains('?') && pair.sops.lines().eq(ours)
        },
    },
    Known {
        name: MISREAD_ANCHOR,
        is: |pair| {
            let is_misread = |sops: &str, ours: &str| {
                let (Some((key, value)), Some((own, text))) = (sops.split_once(": "), ours.split_once(": ")) else {
                    return sops == ours;
                };
                let rest = value.trim_start_matches(['\'', '"']).strip_prefix([':', '?']);
                key == own && (value == text || rest.is_some_and(|rest| rest.ends_with(text)))
            };
            pair.both_by_sops
                && pair.source.contains('&')
                && pair.sops.lines().count() == pair.ours.lines().count()
                && pair.sops.lines().zip(pair.ours.lines()).all(|(sops, ours)| is_misread(sops, ours))
        },
    },
    Known {
        name: "Line breaks of YAML 1.1",
        // The same comments, keys and values, another spelling.
        is: |pair| {
            let leaves = |text: &str| {
                let document = Yaml.index(text.to_owned()).ok()?;
                let leaf = |id| (document.key(id).to_owned(), document.scalar(id).bytes.to_owned());
                let is_leaf = |&id: &usize| !document.entry(id).kind().is_container();
                Some((0..document.len()).filter(is_leaf).map(leaf).collect::<Vec<_>>())
            };
            let has_one = pair.sops.contains(['\u{85}', '\u{2028}', '\u{2029}']);
            has_one && leaves(pair.sops).is_some_and(|sops| Some(sops) == leaves(pair.ours))
        },
    },
    Known {
        name: "The indentation in the header of a block scalar",
        // sops reads the lines below its own header as comments, so the text is empty.
        is: |pair| {
            let lost = |text: &str| {
                let emptied = |line: &str| {
                    let mark = line.trim_end_matches(['-', '+']);
                    mark.strip_suffix(" |4").map_or(line.trim().to_owned(), |rest| format!("{} \"\"", rest.trim()))
                };
                text.lines().filter(|line| !line.trim().is_empty()).map(emptied).collect::<Vec<_>>()
            };
            let headers = |text: &str| text.matches(" |4").count();
            headers(pair.ours) > headers(pair.sops) && lost(pair.sops) == lost(pair.ours)
        },
    },
    Known {
        name: "The indentation in the header of a block scalar",
        // sops reads the lines below its own header without some of their leading spaces.
        is: |pair| {
            let depth = |line: &str| line.len() - line.trim_start().len();
            let mut header = None;
            pair.sops.lines().count() == pair.ours.lines().count()
                && pair.sops.lines().zip(pair.ours.lines()).all(|(sops, ours)| {
                    header = header.filter(|&header| depth(ours) > header);
                    let is_same = sops == ours || header.is_some() && sops.trim_start() == ours.trim_start();
                    if ours.trim_end_matches(['-', '+']).ends_with(" |4") {
                        header = Some(depth(ours));
                    }
                    is_same
                })
        },
    },
    Known {
        name: "Empty comments in a list",
        // Behind an empty list, which then has an item.
        is: |pair| {
            let told = |text: &str, end: &str, next: &str| {
                let mut lines = text.lines().peekable();
                let mut told = Vec::new();
                while let Some(line) = lines.next() {
                    match line.strip_suffix(end).filter(|_| lines.peek().is_some_and(|it| it.trim() == next)) {
                        Some(key) => told.push((key.to_owned(), lines.next().is_some())),
                        None => told.push((line.to_owned(), false)),
                    }
                }
                told
            };
            told(pair.sops, ":", "- \"\"") == told(pair.ours, ": []", "#")
        },
    },
    Known {
        name: "Comments at the end of a document",
        is: |pair| {
            // The last comments of a document, one indented less, or with a blank line before them.
            let documents = |text: &str| {
                let mut documents = vec![(Vec::new(), Vec::new())];
                for line in text.lines().map(str::to_owned) {
                    let (lines, last) = documents.last_mut().expect("one at least");
                    if line.trim_start().starts_with('#') || line.trim().is_empty() {
                        last.push(line);
                    } else if line.starts_with("---") {
                        documents.push((vec![line], Vec::new()));
                    } else {
                        lines.append(last);
                        lines.push(line);
                    }
                }
                documents
            };
            let comments = |last: &[String]| -> Vec<String> {
                last.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
            };
            let (sops, ours) = (documents(pair.sops), documents(pair.ours));
            sops.len() == ours.len()
                && sops.iter().zip(&ours).all(|((lines, last), (our_lines, our_last))| {
                    let same = || !comments(last).is_empty() && comments(last) == comments(our_last);
                    lines == our_lines && (last == our_last || same())
                })
        },
    },
    Known {
        name: "Comments below the last value of a map",
        // The same lines, but for the indentation of comments that a shallower line follows.
        is: |pair| {
            let (sops, ours): (Vec<&str>, Vec<&str>) = (pair.sops.lines().collect(), pair.ours.lines().collect());
            let depth = |line: &&str| line.len() - line.trim_start().len();
            let is_value = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
            let is_below_last = |at: usize| {
                let above = sops[..at].iter().rev().find(is_value).map_or(0, depth);
                sops[at..].iter().find(is_value).map_or(0, depth) < above
            };
            let same = |(at, (sops, ours)): (usize, (&&str, &&str))| {
                sops == ours
                    || sops.trim_start() == ours.trim_start() && ours.trim_start().starts_with('#') && is_below_last(at)
            };
            sops.len() == ours.len() && sops.iter().zip(&ours).enumerate().all(same)
        },
    },
    Known {
        name: "Comments that sops drops",
        is: |pair| {
            let (sops, ours) = (Parts::of(pair.sops), Parts::of(pair.ours));
            let dropped = is_part_of(&sops.comments, &ours.comments);
            let dropped_of_ours = pair.both_by_sops && is_part_of(&ours.comments, &sops.comments);
            sops.values == ours.values && (dropped || dropped_of_ours) && sops.comments != ours.comments
        },
    },
];

/// The differences that are ones of values too, since sops changes them.
pub(crate) const MISREAD: &str = "Plain values in brackets that begin with a question mark";
pub(crate) const MISREAD_ANCHOR: &str = "Anchor names with a colon or a question mark";
/// Differences in the formats without nesting, by format.
const FLAT: &[(&str, Known)] = &[
    (
        "ini",
        Known {
            name: "Values of INI that sops prints so that they read as others",
            is: |pair| {
                // Ours has quotes around what sops printed as it is.
                let same = |sops: &str, ours: &str| {
                    let (Some((key, value)), Some((own, spelling))) = (sops.split_once(" = "), ours.split_once(" = "))
                    else {
                        return sops == ours;
                    };
                    let quoted = ["\"\"\"", "`", "\"", "'"].iter().any(|quote| {
                        spelling.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote)) == Some(value)
                    });
                    key == own && (value == spelling || quoted)
                };
                !pair.both_by_sops
                    && pair.sops.lines().count() == pair.ours.lines().count()
                    && pair.sops.lines().zip(pair.ours.lines()).all(|(sops, ours)| same(sops, ours))
            },
        },
    ),
    (
        "ini",
        Known {
            name: "Comments of INI with both marks",
            is: |pair| {
                let plain = |text: &str| text.lines().map(with_one_mark).collect::<Vec<_>>();
                has_both_marks(pair.source) && plain(pair.sops) == plain(pair.ours)
            },
        },
    ),
    (
        "ini",
        Known {
            name: "Comments behind the header of a section",
            is: |pair| {
                let has_both = has_both_marks(pair.source);
                let comment = |line: &str| if has_both { with_one_mark(line) } else { line.to_owned() };
                let comments = |text: &str| {
                    text.lines().filter(|line| line.starts_with([';', '#'])).map(comment).collect::<Vec<_>>()
                };
                let others = |text: &str| {
                    text.lines().filter(|line| !line.starts_with([';', '#'])).map(str::to_owned).collect::<Vec<_>>()
                };
                let has_one = pair.source.lines().any(|line| {
                    let line = line.trim_start_matches('\u{feff}').trim_start();
                    line.starts_with('[') && line.rsplit_once(']').is_some_and(|(_, rest)| rest.contains([';', '#']))
                });
                pair.both_by_sops
                    && has_one
                    && others(pair.sops) == others(pair.ours)
                    && is_part_of(&comments(pair.ours), &comments(pair.sops))
            },
        },
    ),
];

/// Whether an INI file has a comment with both marks.
fn has_both_marks(source: &str) -> bool {
    [";#", "; #", "#;", "# ;"].iter().any(|marks| source.contains(marks))
}

/// A line of INI, a comment with but one mark.
fn with_one_mark(line: &str) -> String {
    match line.strip_prefix([';', '#']) {
        Some(comment) => format!(";{}", comment.trim_start_matches([';', '#', ' '])),
        None => line.to_owned(),
    }
}

/// Takes a difference out of a line; nothing when the line has none.
type Cut = fn(&str) -> Option<String>;

/// Differences in how a scalar is printed, by name, and what takes them out of a line of either text.
const SCALARS: &[(&str, Cut)] = &[
    ("The indentation in the header of a block scalar", |line| {
        let header = line.trim_end_matches(['-', '+']);
        let digit = header.strip_suffix(['2', '4']).filter(|rest| rest.ends_with(" |") || rest.ends_with(" >"))?;
        Some(format!("{digit}{}", &line[header.len()..]))
    }),
    ("Empty comments in a list", |line| match line.strip_suffix("- \"\"") {
        Some(rest) if !rest.trim().is_empty() => Some(format!("{rest}#")),
        Some(_) => Some("#".to_owned()),
        None => (line.trim() == "#").then(|| "#".to_owned()),
    }),
    ("Negative zero", |line| {
        let rest = line.strip_suffix(" -0.0").or(line.strip_suffix(" -0"))?;
        Some(format!("{rest} 0"))
    }),
    ("Texts of several lines that begin with a tab", |line| {
        let start = line.find(" \"\\t").filter(|_| line.contains("\\n") && line.ends_with('"'))?;
        Some(format!("{} null", &line[..start]))
    }),
];

/// A YAML text as its comments and the lines of its values, each in their order. A container that begins
/// on the line of a dash does so without a comment behind the dash too.
#[derive(PartialEq, Eq)]
struct Parts {
    comments: Vec<String>,
    values: Vec<String>,
}

impl Parts {
    fn of(text: &str) -> Parts {
        let mut parts = Parts { comments: Vec::new(), values: Vec::new() };
        let mut dashes = String::new();
        for line in text.lines() {
            let bare = line.trim_start_matches([' ', '-']);
            let mark = &line[..line.len() - bare.len()];
            if is_dash(line) {
                // A dash alone: a comment comes between it and its item.
                dashes = format!("{mark} ");
            } else if bare.starts_with('#') && (mark.is_empty() || mark.ends_with(' ')) {
                parts.comments.push(bare.to_owned());
                if mark.contains("- ") {
                    dashes = format!("{dashes}{}", mark.get(dashes.len()..).unwrap_or(mark));
                }
            } else if dashes.is_empty() {
                // Brackets that held nothing but comments.
                let opened = parts.values.last_mut().filter(|last| last.ends_with(['{', '[']));
                match opened {
                    Some(last) if bare.starts_with(['}', ']']) => last.push_str(bare),
                    _ if !line.trim().is_empty() => parts.values.push(line.to_owned()),
                    _ => {}
                }
            } else {
                parts.values.push(format!("{dashes}{}", line.get(dashes.len()..).unwrap_or(line)));
                dashes.clear();
            }
        }
        parts
    }
}

/// Whether `line` is a dash of a list and nothing else.
fn is_dash(line: &str) -> bool {
    line.ends_with('-') && line.trim_start().split(' ').all(|word| word == "-")
}

/// Whether every comment of `few` stands in `many`, as often at least.
fn is_part_of(few: &[String], many: &[String]) -> bool {
    let mut many = many.to_vec();
    few.iter().all(|comment| many.iter().position(|other| other == comment).map(|at| many.remove(at)).is_some())
}

/// Whether real sops refuses what we made of the document `text` since it rounds an integer that is not
/// encrypted before it computes the MAC.
pub(crate) fn is_refusal(error: &str, text: &str) -> bool {
    error.starts_with("MAC mismatch") && text.trim_start().starts_with('{') && with_rounded_integers(text) != text
}

/// `text` with every integer of 16 digits or more as the nearest 64-bit float.
fn with_rounded_integers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let is_numeral = |c: char| c.is_ascii_digit() || ".eE+-".contains(c);
        let length = rest[start..].find(|c| !is_numeral(c)).unwrap_or(rest.len() - start);
        let number = &rest[start..start + length];
        out.push_str(&rest[..start]);
        match number.parse::<f64>() {
            Ok(value) if length >= 16 && number.bytes().all(|b| b.is_ascii_digit()) => out.push_str(&value.to_string()),
            _ => out.push_str(number),
        }
        rest = &rest[start + length..];
    }
    out + rest
}

/// The name of the difference between what real sops prints and our text, when it is a known one. `source`
/// is the document that was encrypted; `both_by_sops` says that ours is what real sops printed for our file.
pub(crate) fn find(
    format: &dyn Format,
    sops: &[u8],
    ours: &[u8],
    source: &[u8],
    both_by_sops: bool,
) -> Option<&'static str> {
    let [sops, ours, source] = [sops, ours, source].map(String::from_utf8_lossy);
    let pair = Pair { sops: &sops, ours: &ours, source: &source, both_by_sops };
    match format.name() {
        "yaml" | "json" => of_trees(&pair),
        name => FLAT.iter().find(|(of, known)| *of == name && (known.is)(&pair)).map(|(_, known)| known.name),
    }
}

/// Differences in YAML and JSON.
fn of_trees(pair: &Pair<'_>) -> Option<&'static str> {
    let &Pair { sops, ours, source, both_by_sops } = pair;
    let by_comments = |sops: &str, ours: &str| {
        KNOWN.iter().find(|known| (known.is)(&Pair { sops, ours, source, both_by_sops })).map(|known| known.name)
    };
    if let Some(name) = by_comments(sops, ours) {
        return Some(name);
    }
    let plain = |text: &str| {
        text.lines().map(|line| SCALARS.iter().find_map(|(_, of)| of(line)).unwrap_or(line.to_owned()) + "\n").collect()
    };
    let (sops_plain, ours_plain): (String, String) = (plain(sops), plain(ours));
    if sops_plain != ours_plain && by_comments(&sops_plain, &ours_plain).is_none() {
        return None;
    }
    // The first that one text has and the other has not.
    let of = |text: &str, find: fn(&str) -> Option<String>| {
        text.lines().filter(|line| find(line).is_some()).map(str::to_owned).collect::<Vec<_>>()
    };
    SCALARS.iter().find(|(_, find)| of(sops, *find) != of(ours, *find)).map(|(name, _)| *name)
}

fn is_undecrypted_comment(text: &str) -> bool {
    text.contains("ENC[AES256_GCM,") && text.contains(",type:comment]")
}

/// The lines of a YAML text that are neither comments nor blank. A line of a block scalar that looks like a
/// comment goes too, on both sides alike.
pub(crate) fn without_comments(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty()).collect()
}

#[test]
fn the_known_differences_are_documented() {
    let path = peers::package().join("docs/sops-differences.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for name in KNOWN
        .iter()
        .chain(FLAT.iter().map(|(_, known)| known))
        .map(|known| known.name)
        .chain(SCALARS.iter().map(|(name, _)| *name))
    {
        assert!(text.contains(&format!("\n## {name}\n")), "{} does not say `{name}`", path.display());
    }
}

#[test]
fn a_difference_of_values_is_not_known() {
    let find = |sops: &str, ours: &str| super::known::find(&Yaml, sops.as_bytes(), ours.as_bytes(), b"a: *b", false);
    let token = "#ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:comment]";
    assert_eq!(find(&format!("a: 1\n{token}\n"), "a: 1\n# c\n"), Some("Comments that sops cannot decrypt itself"));
    assert_eq!(find(&format!("a: 1\n{token}\n"), "a: 2\n# c\n"), None);
    assert_eq!(find("a: 1\n# b\n", "a: 1\n# c\n"), None);
    let rounded = Some("Integers of JSON beyond 2^53");
    assert_eq!(find("{\"a\": 9007199254740992}", "{\"a\": 9007199254740993}"), rounded);
    assert_eq!(find("{\"a\": 9223372036854776000}", "{\"a\": 9223372036854775807}"), rounded);
    assert_eq!(find("{\"a\": 9007199254740992}", "{\"a\": 9007199254740995}"), None);
    let fraction = "\"b\": 1.0800782972491846e-191";
    let (theirs, ours) =
        (format!("{{\"a\": 9007199254740992, {fraction}}}"), format!("{{\"a\": 9007199254740993, {fraction}}}"));
    assert_eq!(find(&theirs, &ours), rounded);
    let in_list = Some("Comments above an item of a list in a list");
    assert_eq!(find("a:\n    # b\n    - - c\n      - d\n", "a:\n    - # b\n      - c\n      - d\n"), in_list);
    assert_eq!(find("a:\n    # b\n    - - c\n", "a:\n    - # b\n      - d\n"), None);
    assert_eq!(find("a:\n    # b\n    - c\n", "a:\n    - # b\n      - c\n"), None);
    assert_eq!(find("# a\n# a\nb: 1\n", "# a\nb: 1\n"), Some("Comments in what an alias repeats"));
    assert_eq!(super::known::find(&Yaml, b"# a\n# a\nb: 1\n", b"# a\nb: 1\n", b"b: 1", false), None);
    assert_eq!(find("# a\n# c\nb: 1\n", "# a\nb: 1\n"), None);
    assert_eq!(find("b: 1\n", "# a\nb: 1\n"), Some("Comments that sops drops"));
    assert_eq!(find("b: 1\n", "# a\nb: 2\n"), None);
    assert_eq!(find("# a\nb: 1\n", "b: 1\n"), None, "leafcrypt drops none");
    assert!(super::known::find(&Yaml, b"# a\nb: 1\n", b"b: 1\n", b"", true).is_some());
    assert_eq!(find("b: {}\n", "b: {\n  # a\n}\n"), Some("Comments that sops drops"));
    assert_eq!(
        find("a:\n  - b\n-\n  # c\n  d: e\n", "a:\n  - b\n  # c\n- d: e\n"),
        Some("Comments behind the last item of a list")
    );
    assert_eq!(find("a:\n-\n  # c\n  d: e\n", "a:\n# c\n- d: f\n"), None);
    let behind = |sops: &str, ours: &str, source: &str| {
        super::known::find(&Yaml, sops.as_bytes(), ours.as_bytes(), source.as_bytes(), true)
    };
    let empty_item = Some("Comments behind an empty item");
    assert_eq!(behind("a:\n- null\n  # c\nb: 1\n", "a:\n- null\n# c\nb: 1\n", "a:\n- # c\nb: 1\n"), empty_item);
    assert_eq!(behind("a:\n- null\n  # c\nb: 1\n", "a:\n- null\n# c\nb: 1\n", "a:\n-\n# c\nb: 1\n"), None);
    assert_eq!(
        behind("a: {}\nb:\n  # c\n", "a: {\n # d\n}\nb:\n", "a: {} # d\nx: &x\n # c\nb: *x\n"),
        None,
        "what sops keeps is kept"
    );
    assert_eq!(
        behind("a: {}\n# c\nx: 1\n# c\nb: 1\n", "a: {\n # d\n}\n# c\nx: 1\nb: 1\n", "a: {} # d\n# c\nx: *y\nb: 1\n"),
        Some("Comments in what an alias repeats")
    );
    let header = Some("The indentation in the header of a block scalar");
    assert_eq!(behind("a:\n  - \"\"\n  # b\n", "a:\n  - |4+\n\n   # b\n", "a:\n- |\n\n  # b\n"), header);
    assert_eq!(behind("a:\n  - \"\"\n  # b\n", "a:\n  - |4+\n\n   # c\n", "a:\n- |\n\n  # b\n"), None);
    let last = |sops: &str, ours: &str| super::known::find(&Yaml, sops.as_bytes(), ours.as_bytes(), b"", true);
    assert_eq!(last("a:\n  - b\n  # c\n", "a:\n  - b\n# c\n"), Some("Comments at the end of a document"));
    assert_eq!(last("a: b\n\n# c\n---\nb: 1\n", "a: b\n# c\n---\nb: 1\n"), Some("Comments at the end of a document"));
    assert_eq!(last("a: b\n\n# c\nb: 1\n", "a: b\n# c\nb: 1\n"), None);
    assert_eq!(last("a: b\n\n", "a: b\n"), None);
    assert_eq!(last("a:\n  # c\n  - b\n", "a:\n# c\n  - b\n"), None);
    assert_eq!(last("a:\n  - b\n  # c\n", "a:\n  - b\n# d\n"), None);
    let brackets = Some("Comments behind a last item in brackets");
    assert_eq!(
        behind("a:\n- b: 1\nc: 2\n# d\n\ne: 3\n", "a:\n- b: 1\n  # d\nc: 2\ne: 3\n", "a:\n- {b: 1}\n"),
        brackets
    );
    assert_eq!(behind("a:\n- b: 1\nc: 2\n# d\n\ne: 3\n", "a:\n- b: 1\n  # d\nc: 2\ne: 3\n", "a:\n- b: 1\n"), None);
    assert_eq!(behind("a:\n- b: 1\nc: 2\ne: 3\n# d\n", "a:\n- b: 1\n  # d\nc: 2\ne: 3\n", "a:\n- {b: 1}\n"), None);
    assert_eq!(behind("a:\n- b: 1\nc: 2\n# d\n\ne: 3\n", "a:\n- b: 1\n  # f\nc: 2\ne: 3\n", "a:\n- {b: 1}\n"), None);
    let below = Some("Comments below the last value of a map");
    assert_eq!(last("a:\n  b: 1\n  # c\nd: 1\n", "a:\n  b: 1\n# c\nd: 1\n"), below);
    assert_eq!(last("a:\n  b: 1\n  # c\nd: 1\n", "a:\n  b: 1\n# d\nd: 1\n"), None);
    assert_eq!(last("a:\n  b: 1\n  # c\n  d: 1\n", "a:\n  b: 1\n# c\n  d: 1\n"), None);
    assert_eq!(last("a:\n  b: 1\n  # c\nd: 1\n", "a:\n  b: 2\n# c\nd: 1\n"), None);
    assert_eq!(find("a: |4-\n", "a: |2-\n"), Some("The indentation in the header of a block scalar"));
    assert_eq!(find("a: |4-\n", "a: |4\n"), None);
    let header = Some("The indentation in the header of a block scalar");
    assert_eq!(last("a:\n    - |4\n        b\nc: 1\n", "a:\n    - |4\n          b\nc: 1\n"), header);
    assert_eq!(last("a:\n    - |4\n        b\nc: 1\n", "a:\n    - |4\n          c\nc: 1\n"), None);
    assert_eq!(last("a:\n    - |\n        b\nc: 1\n", "a:\n    - |\n          b\nc: 1\n"), None);
    assert_eq!(last("a:\n    - |4\n    c: 1\n", "a:\n    - |4\n   c: 1\n"), None);
    assert_eq!(last("a:\n    - \"\"\nb: 1\n", "a: []\n# \nb: 1\n"), Some("Empty comments in a list"));
    assert_eq!(last("a:\n    - \"\"\nb: 1\n", "a: []\nb: 1\n"), None);
    assert_eq!(last("a:\n    - \"\"\nb: 1\n", "a: []\n# c\nb: 1\n"), None);
    assert_eq!(find("a:\n    - \"\"\n    - b\n", "a:\n    #\n    - b\n"), Some("Empty comments in a list"));
    let yaml = leafcrypt::format::by_name("yaml").unwrap();
    let misread = |sops: &str, ours: &str| super::known::find(yaml, sops.as_bytes(), ours.as_bytes(), b"[?x]", true);
    assert_eq!(misread("a:\n    - x: null\n    - k: v\n", "a:\n    - ?x\n    - ?k: v\n"), Some(super::known::MISREAD));
    assert_eq!(misread("a:\n    - x: null\n", "a:\n    - ?y\n"), None);
    let anchor =
        |sops: &str, ours: &str| super::known::find(yaml, sops.as_bytes(), ours.as_bytes(), b"a: &b:c d", true);
    assert_eq!(anchor("a: :c d\n", "a: d\n"), Some(super::known::MISREAD_ANCHOR));
    assert_eq!(anchor("a: :c d\n", "a: e\n"), None);
    assert_eq!(anchor("a: c d\n", "a: d\n"), None);
    assert_eq!(find("a: -0\n", "a: -0.0\n"), Some("Negative zero"));
    assert_eq!(find("a: 1\n", "a: -0.0\n"), None);
    assert_eq!(find("a: null\n", "a: \"\\tb\\nc\"\n"), Some("Texts of several lines that begin with a tab"));
    assert_eq!(find("a: null\n", "a: \"\\tb\"\n"), None);
    let find = |sops: &str, ours: &str, source: &str, both| {
        super::known::find(&Ini, sops.as_bytes(), ours.as_bytes(), source.as_bytes(), both)
    };
    let quoted = Some("Values of INI that sops prints so that they read as others");
    assert_eq!(find("a = 'b'\n", "a = \"\"\"'b'\"\"\"\n", "", false), quoted);
    assert_eq!(find("a = 'b'\n", "a = \"\"\"'c'\"\"\"\n", "", false), None);
    assert_eq!(find("a = 'b'\n", "a = \"\"\"'b'\"\"\"\n", "", true), None, "both by sops");
    let marks = Some("Comments of INI with both marks");
    assert_eq!(find("; c\na = 1\n", "# c\na = 1\n", ";# c\na=1", false), marks);
    assert_eq!(find("; c\na = 1\n", "# c\na = 1\n", "# c\na=1", false), None);
    assert_eq!(find("; c\na = 1\n", "# d\na = 1\n", ";# c\na=1", false), None);
    let header = Some("Comments behind the header of a section");
    assert_eq!(find("; c\n[a]\nb = 1\n", "[a]\nb = 1\n", "[a] ; c\nb=1\n", true), header);
    assert_eq!(find("; c\n[a]\nb = 1\n", "[a]\nb = 1\n", "; c\n[a]\nb=1\n", true), None);
    assert_eq!(find("; c\n[a]\nb = 1\n", "[a]\nb = 2\n", "[a] ; c\nb=1\n", true), None);
    assert_eq!(find("; c\n[a]\n; d\nb = 1\n", "[a]\n# d\nb = 1\n", "[a] ; c\n;# d\nb=1\n", true), header);
    assert_eq!(find("; c\n[a]\n; d\nb = 1\n", "[a]\n# d\nb = 1\n", "[a] ; c\n# d\nb=1\n", true), None);
    assert_eq!(super::known::find(&Dotenv, b"# a\nb=1\n", b"b=1\n", b"", true), None);
}
