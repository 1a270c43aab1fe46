//! What sealing promises, on documents small enough to read.

use super::*;
use crate::document::{Indent, KeyPath, Value};
use crate::format::{json::Json, yaml::Yaml};
use crate::key::Stanza;
use crate::metadata::{Metadata, Selection};
use crate::secret::DataKey;
use crate::{Result, error};

fn key() -> DataKey {
    DataKey::from_bytes((0..32).collect()).unwrap()
}

fn metadata(selection: Selection) -> Metadata {
    // The data key is at hand, so that nothing ever looks into the stanza.
    let text = |text: &str| Value::Str(text.to_owned());
    let fields = vec![("recipient".to_owned(), text("age1nobody")), ("enc".to_owned(), text("nothing"))];
    Metadata::new(vec![vec![Stanza::new("age", fields)]], 0, selection, false)
}

fn everything() -> Selection {
    Selection::UnencryptedSuffix("_unencrypted".to_owned())
}

fn encrypt_with(format: &dyn Format, text: &str, selection: Selection) -> Result<String> {
    let document = format.index(text.to_owned())?;
    encrypt(format, &document, &key(), &mut metadata(selection), None)
}

fn encrypted(text: &str, selection: Selection) -> String {
    encrypt_with(&Yaml, text, selection).unwrap()
}

fn decrypt_text(format: &dyn Format, text: &str) -> Result<Decrypted> {
    let document = format.index(text.to_owned())?;
    let block = document.value(format.metadata_entries(&document)[0]);
    decrypt(format, &document, &key(), &Metadata::from_value(&block)?, false)
}

/// Opens `sealed`, changes its plaintext and seals it again.
fn reseal(format: &dyn Format, sealed: &str, change: impl FnOnce(String) -> String) -> String {
    let document = format.index(sealed.to_owned()).unwrap();
    let mut metadata = Metadata::from_value(&format.metadata(&document).unwrap()).unwrap();
    let (previous, _) = Previous::open(format, document, &key(), &metadata, false).unwrap();
    let plaintext = change(String::from_utf8(previous.plaintext().to_vec()).unwrap());
    let document = format.index(plaintext.clone()).unwrap();
    let again = encrypt(format, &document, &key(), &mut metadata, Some(&previous)).unwrap();
    assert_eq!(decrypt_text(format, &again).unwrap().plaintext, plaintext.as_bytes(), "{again}");
    again
}

fn text_of(decrypted: Decrypted) -> String {
    String::from_utf8(decrypted.into_file()).unwrap()
}

/// The lines of `after` that are not in `before`.
fn new_lines<'a>(before: &str, after: &'a str) -> Vec<&'a str> {
    let before: Vec<&str> = before.lines().collect();
    after.lines().filter(|line| !before.contains(line)).collect()
}

#[test]
fn what_was_encrypted_comes_back() {
    let texts = [
        "a: 1 # one\nb: \"two\"\n\n# end\n",
        "a: &x 0x1F\nb: *x\nc: {d: [1.10, yes, ~]}\n",
        "a: |\n  x",
        "a: >-\r\n  x\r\n  y\r\n",
        "---\n# nothing\n---\na: !!binary aGk=\n...\n",
        "\u{feff}a: 2020-01-01",
        "\u{feff}a: |\n  x",
        "a: 1\n--- ~ # nothing\n---\nb: 2\n",
    ];
    for text in texts {
        for selection in [everything(), Selection::EncryptedRegex("^b$".to_owned())] {
            let sealed = encrypted(text, selection);
            assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
        }
    }
    let json = "{\"a\" : 1.10,\n\t\"b\":[true , null, \"\\u0041\"] }";
    let sealed = encrypt_with(&Json, json, everything()).unwrap();
    assert_eq!(decrypt_text(&Json, &sealed).unwrap().plaintext, json.as_bytes(), "{sealed}");
}

#[test]
fn pieces_come_back_as_the_whole_does() {
    let text = "{\"a\": {\"b\": [1.10, 2, [{\"c\": true}, \"\\u0041\"], 4e2], \"d_unencrypted\": 1.50}, \"e\": null ,\n\"f\":\"\"}\n";
    let sealed = encrypt_with(&Json, text, everything()).unwrap();
    let document = Json.index(sealed.clone()).unwrap();
    let metadata = Metadata::from_value(&document.value(Json.metadata_entries(&document)[0])).unwrap();
    assert!(metadata.layout.is_some());
    let decrypt = |sealed: &str, size| {
        let pieces = Json.pieces(Box::new(sealed.as_bytes()), size).unwrap();
        decrypt_pieces(&Json, pieces, 0, &key(), &metadata, false)
            .map(|opened| String::from_utf8(opened.into_file()).unwrap())
    };
    for size in 1..sealed.len() {
        assert_eq!(decrypt(&sealed, size).as_deref(), Some(text), "{size}");
    }
    let changed = sealed.replacen("1.50", "1.60", 1);
    assert_ne!(changed, sealed);
    assert!(decrypt(&changed, 100).is_none(), "the MAC does not match");
    let changed = sealed.replacen("\"c\"", "\"d\"", 1);
    assert!(decrypt(&changed, 100).is_none(), "a token does not open");
}

#[test]
fn what_is_sealed_in_pieces_is_what_is_sealed_as_a_whole() {
    let texts = [
        "{\"a\": {\"b\": [1.10, 2, [{\"c\": true}, \"\\u0041\"], 4e2], \"d_unencrypted\": 1.50}, \"e\": null ,\n\"f\":\"\"}\n",
        "{\n  \"a\": {\n    \"b\": [\n      1.10,\n      2\n    ]\n  }\n}",
        "{\"a\":{\"b\":[1.10,2,3],\"c\":[]}}",
    ];
    let masked = |sealed: &str| {
        let tokens = regex::Regex::new(r"ENC\[[^\]]*\]|[0-9-]+T[0-9:]+Z").unwrap();
        tokens.replace_all(sealed, "ENC").into_owned()
    };
    for (text, selection) in
        texts.into_iter().flat_map(|text| [(text, everything()), (text, Selection::EncryptedRegex("^b$".to_owned()))])
    {
        let whole = encrypt_with(&Json, text, selection.clone()).unwrap();
        for size in 1..text.len() + 1 {
            let mut metadata = metadata(selection.clone());
            let pieces = Json.pieces(Box::new(text.as_bytes()), size).unwrap();
            let sealed = encrypt_pieces(&Json, pieces, Indent::OfSops, &key(), &mut metadata).unwrap().unwrap();
            assert_eq!(masked(&sealed), masked(&whole), "{size}");
            assert_eq!(decrypt_text(&Json, &sealed).unwrap().plaintext, text.as_bytes(), "{size}: {sealed}");
        }
    }
    for text in ["{\"a\": [1, 2], \"a\": 3}", "[1, 2", "{\"a\": [1, 2], \"sops\": {}}"] {
        let pieces = Json.pieces(Box::new(text.as_bytes()), 5).unwrap();
        let sealed = encrypt_pieces(&Json, pieces, Indent::OfSops, &key(), &mut metadata(everything()));
        assert!(sealed.unwrap().is_none(), "{text}");
    }
}

/// The beginnings of the lines in which two files differ.
fn changed_fields(before: &str, after: &str) -> Vec<String> {
    let beginning = |line: &&str| line.trim_start().split(':').next().unwrap_or_default().to_owned();
    let fields = new_lines(before, after).iter().map(beginning).filter(|field| field != "lastmodified").collect();
    assert_eq!(new_lines(after, before).len(), new_lines(before, after).len(), "{after}");
    fields
}

#[test]
fn leaves_that_do_not_change_keep_their_tokens() {
    let sealed = encrypted("a: one\nb: two\n# why\nc: [x, y]\n", everything());
    let again = reseal(&Yaml, &sealed, |text| text.replace("two", "other"));
    assert_eq!(changed_fields(&sealed, &again), ["b", "mac", "leafcrypt_layout"], "{again}");
    // Two values that are the same at the same path keep a token each.
    let sealed = encrypted("l:\n- x: same\n  y: 1\n- x: same\n  y: 2\n- x: same\n  y: 3\n", everything());
    let again = reseal(&Yaml, &sealed, |text| text.replace("- x: same\n  y: 1\n", "").replace("3", "4"));
    let old: Vec<&str> = sealed.lines().collect();
    assert_eq!(again.lines().take(5).filter(|line| !old.contains(line)).count(), 1, "{again}");
}

#[test]
fn a_nonce_is_not_used_for_another_value_or_place() {
    let sealed = encrypted("a: one\nb: two\n", everything());
    // The values change places: same values, other paths.
    let again = reseal(&Yaml, &sealed, |_| "a: two\nb: one\n".to_owned());
    let nonces =
        |text: &str| -> Vec<String> { text.match_indices("iv:").map(|(at, _)| text[at..at + 47].to_owned()).collect() };
    let before = nonces(&sealed);
    assert_eq!(before.len(), 3);
    assert!(nonces(&again).iter().all(|nonce| !before.contains(nonce)));
}

#[test]
fn a_leaf_that_moves_takes_its_token_along() {
    let sealed = encrypted("a: one\nb: two\nc: three\n", everything());
    let again = reseal(&Yaml, &sealed, |_| "c: three\na: one\nb: two\n".to_owned());
    assert_eq!(changed_fields(&sealed, &again), ["mac"]);
    // Under another key everything below is at another path, and the spelling stays.
    let sealed = encrypted("k:\n  a: 'one'\n  b: two\n", everything());
    let again = reseal(&Yaml, &sealed, |text| text.replace("k:", "other:"));
    assert_eq!(changed_fields(&sealed, &again), ["other", "a", "b", "mac"]);
    assert!(again.contains("a: 'ENC[") && again.contains("b: ENC["), "{again}");
}

/// A file as real sops writes it, with what it says about itself in an order and a style of its own.
fn of_sops(text: &str, block: impl FnOnce(&str) -> String) -> String {
    let sealed = encrypted(text, everything());
    let (body, own) = sealed.split_at(sealed.find("sops:").unwrap());
    // As sops does, every token plain.
    let body: String = body.lines().map(|line| format!("{}\n", line.replace(['\'', '"'], ""))).collect();
    body.replace("|-\n    ENC", "ENC").replace("|-\n  ENC", "ENC") + &block(own)
}

#[test]
fn the_spelling_of_sops_stays() {
    let text = "a: 'yes'\nb: \"1\"\nc: |-\n  x\n  y\nl:\n- 'no'\nz: 1\n";
    let sealed = of_sops(text, str::to_owned);
    assert!(!sealed.contains('|') && !sealed.contains("'ENC"), "{sealed}");
    for (old, new, line) in [("z: 1", "z: 2", "z"), ("'yes'", "maybe", "a"), ("b: \"1\"", "b: \"2\"", "b")] {
        let again = reseal(&Yaml, &sealed, |text| text.replace(&old.replace('\'', "\""), new).replace(old, new));
        assert_eq!(changed_fields(&sealed, &again), [line, "mac"], "{again}");
    }
}

#[test]
fn the_block_stays_where_and_as_it_is() {
    let other_order = |block: &str| {
        let mut lines: Vec<String> = block.lines().map(|line| line.replacen("    ", "  ", 1)).collect();
        lines[1..].rotate_right(1);
        lines.insert(1, "  unknown: {a: [1, 2]} # kept".to_owned());
        lines.insert(1, "  kms: []".to_owned());
        lines.join("\n") + "\n"
    };
    let sealed = of_sops("# top\na: one\nb: two\n", other_order);
    let again = reseal(&Yaml, &sealed, |text| text.replace("two", "other"));
    assert_eq!(changed_fields(&sealed, &again), ["b", "mac"], "{again}");
    let again = reseal(&Yaml, &sealed, |text| text + "c: 0x10\n");
    let (before, after): (Vec<_>, Vec<_>) = (sealed.lines().collect(), again.lines().collect());
    assert_eq!(after.len(), before.len() + 2, "{again}");
    assert!(after[3].starts_with("c: ENC[") && after[4] == "sops:" && after.last().unwrap().contains("_layout"));
    // In the middle of the file, and at its beginning.
    let (body, block) = sealed.split_at(sealed.find("sops:").unwrap());
    let middle = body.replace("b: ", &format!("{block}b: "));
    let again = reseal(&Yaml, &middle, |text| text.replace("two", "other"));
    assert_eq!(changed_fields(&middle, &again), ["mac", "b"], "{again}");
    let first = format!("{block}{body}");
    let again = reseal(&Yaml, &first, |text| text.replace("one", "other"));
    assert_eq!(changed_fields(&first, &again), ["mac", "a"], "{again}");
    // Nothing but the block is left, and something comes again.
    let again = reseal(&Yaml, &sealed, |_| "{}\n".to_owned());
    assert!(again.starts_with("sops:\n  kms: []\n"), "{again}");
    let back = reseal(&Yaml, &again, |_| "d: 1\n".to_owned());
    assert!(back.starts_with("d: ENC["), "{back}");
}

#[test]
fn the_blocks_of_a_stream_stay() {
    let sealed = of_sops("a: 1\n---\nb: 2\n", |block| block.replacen("    ", "   ", 1).replace("\n    ", "\n   "));
    let again = reseal(&Yaml, &sealed, |text| text.replace("b: 2", "b: 3"));
    assert_eq!(changed_fields(&sealed, &again), ["mac", "b", "mac"], "{again}");
    let again = reseal(&Yaml, &sealed, |text| text + "---\nc: 3\n");
    assert_eq!(again.matches("\nsops:").count(), 3, "{again}");
    let again = reseal(&Yaml, &sealed, |_| "b: 2\n".to_owned());
    assert_eq!(again.matches("sops:\n").count(), 1, "{again}");
}

#[test]
fn json_of_any_layout_stays() {
    for text in ["{\"a\":\"x\",\"b\":{\"c\":[1,true]}}", "{\n  \"a\": \"x\",\n  \"b\": 1.5\n}\n", "{ \"a\" : \"x\" }"] {
        let sealed = encrypt_with(&Json, text, everything()).unwrap();
        let sealed = sealed.replace("\"mac\"", "\"x\": null, \"mac\"");
        let again = reseal(&Json, &sealed, |text| text.replace("\"x\"", "\"y\""));
        let tokens = |text: &str| {
            text.match_indices("ENC[")
                .map(|(at, _)| text[at..].split('"').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let old = tokens(&sealed);
        assert_eq!(
            tokens(&again).iter().filter(|token| !old.contains(token)).count(),
            1 + old.len().min(2) - 1 + usize::from(sealed.contains("_layout")),
            "{again}"
        );
        let without = |text: &str| tokens(text).iter().fold(text.to_owned(), |text, token| text.replace(token, "T"));
        let date = |text: String| text.split("lastmodified").next().unwrap().to_owned();
        assert_eq!(date(without(&sealed)), date(without(&again)));
        assert!(again.contains("\"x\": null, \"mac\""), "{again}");
    }
    let first = "{\"sops\": SOPS, \"a\": \"x\", \"b\": \"y\"}";
    let sealed = encrypt_with(&Json, "{\"a\": \"x\", \"b\": \"y\"}", everything()).unwrap();
    let (values, block) = sealed.split_at(sealed.find(", \"sops\": ").unwrap());
    let moved = format!("{{\"sops\": {}, {}}}", &block[", \"sops\": ".len()..block.len() - 1], &values[1..]);
    assert!(first.len() < moved.len());
    let again = reseal(&Json, &moved, |text| text.replace("\"y\"", "\"z\""));
    assert!(again.starts_with("{\"sops\": {\"age\""), "{again}");
    let a = |text: &str| text.split("\"a\": ").nth(1).unwrap().split(", \"b\"").next().unwrap().to_owned();
    assert_eq!(a(&moved), a(&again));
}

#[test]
fn a_layout_record_is_believed_only_where_it_reads_as_the_value() {
    // The record says how `1.10` was written; behind another value it must not show.
    let sealed = encrypted("a: 1.10\nb: 2.50\n", everything());
    let document = Yaml.index(sealed.clone()).unwrap();
    let block = document.value(Yaml.metadata_entries(&document)[0]);
    let mut metadata = Metadata::from_value(&block).unwrap();
    let mut cipher = crate::crypto::Cipher::new(&key());
    let mut layout = layout::Layout::default();
    layout.insert(1, "1.100");
    layout.insert(2, "9.99");
    metadata.layout = Some(layout.seal(&mut cipher, &metadata.last_modified).unwrap());
    let text = text_of(decrypt(&Yaml, &document, &key(), &metadata, false).unwrap());
    assert_eq!(text, "a: 1.100\nb: 2.5\n");
}

#[test]
fn a_layout_record_of_another_time_is_a_warning() {
    let sealed = encrypted("a: 1.10\n", everything());
    let document = Yaml.index(sealed).unwrap();
    let block = document.value(Yaml.metadata_entries(&document)[0]);
    let mut metadata = Metadata::from_value(&block).unwrap();
    let mut cipher = crate::crypto::Cipher::new(&key());
    metadata.layout = Some(layout::Layout::default().seal(&mut cipher, "2000-01-01T00:00:00Z").unwrap());
    let opened = decrypt(&Yaml, &document, &key(), &metadata, false).unwrap();
    assert_eq!(opened.plaintext, b"a: 1.1\n");
    assert_eq!(opened.warnings.len(), 1);
}

#[test]
fn a_value_that_moved_or_changed_is_refused() {
    let sealed = encrypted("a: one\nb: two\nc_unencrypted: three\n", everything());
    let code = |text: String| decrypt_text(&Yaml, &text).err().map(|error| error.kind());
    assert_eq!(code(sealed.replace("three", "four")), Some(error::Kind::MacMismatch));
    assert_eq!(code(sealed.replace("\nb:", "\nd:")), Some(error::Kind::DecryptTree));
    let line = |key: &str| sealed.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    let (a, b) = (line("a:"), line("b:"));
    assert_eq!(code(sealed.replace(&a, &format!("a{}", &b[1..]))), Some(error::Kind::DecryptTree));
    assert_eq!(code(sealed.replace(&format!("{a}\n"), "")), Some(error::Kind::MacMismatch));
}

#[test]
fn rules_on_comments_select_what_stands_below_them() {
    let text = "# sops:enc\na:\n  b: 1\n  c: 2\nd: 3\ne: 4 # sops:enc\n";
    let sealed = encrypted(text, Selection::EncryptedCommentRegex("sops:enc".to_owned()));
    let clear: Vec<&str> = sealed.lines().take(6).filter(|line| !line.contains("ENC[")).collect();
    assert_eq!(clear, ["# sops:enc", "a:", "d: 3"], "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());

    // The block stands between the comment and its value, since that must stay last; sops sees the two together.
    let text = "# sops:enc\na:\n- |\n  cut off";
    let sealed = encrypted(text, Selection::EncryptedCommentRegex("sops:enc".to_owned()));
    assert!(sealed.starts_with("# sops:enc\nsops:\n") && sealed.contains("\na:\n- |\n  ENC["), "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());

    let text = "# public\na: 1\nb: 2\n";
    let sealed = encrypted(text, Selection::UnencryptedCommentRegex("public".to_owned()));
    let clear: Vec<&str> = sealed.lines().take(3).filter(|line| !line.contains("ENC[")).collect();
    assert_eq!(clear, ["# public", "a: 1"], "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());
}

#[test]
fn a_tab_first_in_a_block_scalar_is_fine_where_a_token_takes_its_place() {
    let clear = || Selection::EncryptedSuffix("_x".to_owned());
    let text = "a: |\n  \tx\n  y\nb: >2-\n  \tx\n";
    assert_eq!(decrypt_text(&Yaml, &encrypted(text, everything())).unwrap().plaintext, text.as_bytes());
    let text = "b: >2-\n  \tx\n# 2\nc: |\n  x\n  \ty\nd: |\n\n";
    assert_eq!(decrypt_text(&Yaml, &encrypted(text, clear())).unwrap().plaintext, text.as_bytes());
    for text in ["a: |\n  \tx\n", "a: >- # 2\r\n\r\n  \tx\r\n", "a:\n- |\n   \n    \tx\n"] {
        let error = encrypt_with(&Yaml, text, clear()).unwrap_err();
        assert!(error.to_string().contains("a tab stands where sops takes only spaces"), "{text:?}: {error}");
    }
}

#[test]
fn a_merge_of_no_map_is_a_key_like_others() {
    for (text, line) in [
        ("<<: !include a.yaml\nb: 1\n", "\"<<\": !include ENC["),
        ("b: &b x\n!!merge <<: *b\n", "\"<<\": "),
        ("{b: 1, <<: ~}\n", "\"<<\": ~"),
    ] {
        let sealed = encrypted(text, everything());
        assert!(sealed.contains(line), "{sealed}");
        assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
    }
    for text in ["b: &b {c: 1}\n<<: *b\n", "b:\n  <<: 1\n", "b: 1\n---\n<<: 1\n", "'<<': 1\n", "<<: [{b: 1}]\n"] {
        let sealed = encrypted(text, everything());
        assert!(!sealed.contains("\"<<\""), "{sealed}");
        assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
    }
}

#[test]
fn the_additional_data_is_the_path() {
    let document = Yaml.index("a:\n  - b: 1\n    \"\": 2\nc: 3\n".to_owned()).unwrap();
    let mut additional = AdditionalData::new(&document);
    for id in 0..document.len() {
        assert_eq!(additional.of(id), document.additional_data(id), "{id}");
    }
    let leaf = document.find(0, KeyPath::parse(r#"["a"][0]["b"]"#).unwrap().steps()).unwrap();
    assert_eq!(document.additional_data(leaf), b"a:b:");
}

#[test]
fn a_block_scalar_that_ends_the_file_stays_at_its_end() {
    for text in [
        "name: &a x\ntext: |  # a comment\n  cut off",
        "text: >+ # a comment\n  cut off",
        "a: 1\n\n# of a\n\n# above\n# text\ntext: |-\n  cut off\n  here\n ",
        "a: |+\n  x\n\n\ntext: |2+",
        "a: 1\n? |\n  cut off",
        "a: &a one\n*a : |\n  x",
        "a: 1\n---\nb:\n- - |-5",
    ] {
        for selection in [everything(), Selection::EncryptedSuffix("_x".to_owned())] {
            let sealed = encrypted(text, selection);
            assert!(!sealed.ends_with('\n') && !sealed.ends_with("version: 3.11.0"), "{sealed}");
            assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
        }
    }
}

#[test]
fn what_sops_misreads_in_brackets_is_written_in_quotes() {
    let text = "a: [?x, ?y z, {?k: v, ?l: {?m}}]\nb: {? q: 1}\n";
    for (selection, list) in [
        (everything(), "[\"ENC["),
        (Selection::EncryptedSuffix("_x".to_owned()), "['?x', '?y z', {\"?k\": v, \"?l\": {\"?m\"}}]\nb: {? q: 1}\n"),
    ] {
        let sealed = encrypted(text, selection);
        assert!(sealed.contains(list), "{sealed}");
        assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
    }
}

#[test]
fn a_document_that_is_a_null_holds_the_block() {
    for text in ["~", "null # c\n---\na: 1\n", "# c\n--- !!null ''\n--- ~\n...\n", "!!null", "--- !!null &a ~ # d\n"] {
        let sealed = encrypted(text, everything());
        assert_eq!(sealed.matches("{\"sops\":").count(), 1, "{sealed}");
        assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
    }
}

#[test]
fn an_alias_of_what_has_an_encrypted_comment_is_written_out() {
    let text = "a: &x # why\n  b_clear: 1\nc_clear:\n  d: *x\n";
    let sealed = encrypted(text, Selection::UnencryptedSuffix("_clear".to_owned()));
    assert!(sealed.contains("  d: {\"b_clear\": 1}\n"), "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());
    let text = "a_clear: &x # why\n  b: 1\nc_clear:\n  d: *x\n";
    let sealed = encrypted(text, Selection::UnencryptedSuffix("_clear".to_owned()));
    assert!(sealed.contains("  d: *x\n"), "{sealed}");
}

#[test]
fn a_key_that_is_an_alias_is_written_out_where_its_target_is_encrypted() {
    let text = "a: &a one\nb_clear: &b two\nc:\n  *a : 1\n  *b : 2\n";
    let sealed = encrypted(text, Selection::UnencryptedSuffix("_clear".to_owned()));
    assert!(sealed.contains("\n  \"one\" : ENC[") && sealed.contains("\n  *b : ENC["), "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());
    let error = encrypt_with(&Yaml, "a: &a 'x\"y'\n*a : 1\n", everything()).map(drop).unwrap_err();
    assert!(error.to_string().contains("this key cannot be written out"), "{error}");
}

#[test]
fn the_blocks_of_several_documents_are_taken_out_each() {
    let text = "{}\n---\na: 1\n---\n# c\n{}\n";
    let sealed = encrypted("---\na: 1\n", everything());
    let block = &sealed[sealed.find("sops:").unwrap()..];
    let token = &sealed["---\n".len()..sealed.find("sops:").unwrap()];
    let all = format!("{block}---\n{token}{block}---\n# c\n{block}");
    assert_eq!(decrypt_text(&Yaml, &all).unwrap().plaintext, text.as_bytes());
}

#[test]
fn a_list_of_nothing_but_comment_items_is_an_empty_list() {
    let sealed = encrypted("a:\n  #one\n  - b\nz: 1\n", everything());
    let comment = sealed.lines().find_map(|line| line.strip_prefix("  #")).unwrap();
    let item = sealed.lines().find_map(|line| line.strip_prefix("  - ")).unwrap();
    let sops = sealed.replace(&format!("  #{comment}\n  - {item}"), &format!("  - {comment}"));
    let document = Yaml.index(sops).unwrap();
    let block = document.value(Yaml.metadata_entries(&document)[0]);
    let text = decrypt(&Yaml, &document, &key(), &Metadata::from_value(&block).unwrap(), true).unwrap();
    assert_eq!(text_of(text), "a: []\n#one\nz: 1\n");
}

#[test]
fn copies_of_tokens_by_aliases_are_no_more_than_values() {
    // In a list the copies are at the same path, so they decrypt; the MAC alone tells of them.
    let sealed = encrypted("a:\n- &x [1, 2, 3, 4, 5, 6, 7, 8, 9]\n", everything());
    let copies = "- *x\n".repeat(1000);
    let changed = sealed.replace("\nsops:", &format!("\n{copies}sops:"));
    let document = Yaml.index(changed).unwrap();
    let metadata = Metadata::from_value(&document.value(Yaml.metadata_entries(&document)[0])).unwrap();
    let decrypt = |ignore_mac| decrypt(&Yaml, &document, &key(), &metadata, ignore_mac);
    assert_eq!(decrypt(false).err().map(|error| error.kind()), Some(error::Kind::MacMismatch));
    assert_eq!(text_of(decrypt(true).unwrap()), format!("a:\n- &x [1, 2, 3, 4, 5, 6, 7, 8, 9]\n{copies}"));
}

/// sops writes comments of a list as items, and the list then stands before them.
#[test]
fn comments_that_are_items_stay_items() {
    let sealed = encrypted("l:\n    # one\n    - - a\n      - b\n    # two\n    - c\nk: 1\n", everything());
    let sealed = sealed.replace("    #ENC", "    - ENC");
    for (old, new, line) in [("k: 1", "k: 2", "k"), ("- b", "- x", "- ENC[AES256_GCM,data")] {
        let again = reseal(&Yaml, &sealed, |text| text.replace(old, new));
        assert_eq!(changed_fields(&sealed, &again), [line, "mac"], "{again}");
    }
}

#[test]
fn blank_lines_that_end_a_text_are_kept_with_it() {
    let sealed = encrypted("a: \"x\\ny\\n\\n\"\nk: 1\n", everything()).replace("a: \"ENC", "a: ENC");
    let line = sealed.lines().next().unwrap();
    let plain_token = sealed.replacen(line, line.trim_end_matches('"'), 1);
    let again = reseal(&Yaml, &plain_token, |text| text.replace("k: 1", "k: 2"));
    assert!(changed_fields(&plain_token, &again).starts_with(&["k".to_owned(), "mac".to_owned()]), "{again}");
}
