//! What sealing promises, on documents small enough to read.

use super::*;
use crate::document::{KeyPath, Value};
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

fn encrypt_with(format: &dyn Format, text: &str, selection: Selection, nonces: &Nonces) -> Result<String> {
    let document = format.index(text.to_owned())?;
    encrypt(format, &document, &key(), &mut metadata(selection), nonces)
}

fn encrypted(text: &str, selection: Selection) -> String {
    encrypt_with(&Yaml, text, selection, &Nonces::default()).unwrap()
}

fn decrypt_text(format: &dyn Format, text: &str) -> Result<Decrypted> {
    decrypt_with(format, text, None)
}

fn decrypt_with(format: &dyn Format, text: &str, nonces: Option<&mut Nonces>) -> Result<Decrypted> {
    let document = format.index(text.to_owned())?;
    let block = format.metadata(&document).expect("a sops block");
    decrypt(format, &document, &key(), &Metadata::from_value(&block)?, false, nonces)
}

fn text_of(decrypted: Decrypted) -> String {
    String::from_utf8(decrypted.into_plaintext()).unwrap()
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
        "a: 1\n--- ~ # nothing\n---\nb: 2\n",
    ];
    for text in texts {
        for selection in [everything(), Selection::EncryptedRegex("^b$".to_owned())] {
            let sealed = encrypted(text, selection);
            assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes(), "{sealed}");
        }
    }
    let json = "{\"a\" : 1.10,\n\t\"b\":[true , null, \"\\u0041\"] }";
    let sealed = encrypt_with(&Json, json, everything(), &Nonces::default()).unwrap();
    assert_eq!(decrypt_text(&Json, &sealed).unwrap().plaintext, json.as_bytes(), "{sealed}");
}

#[test]
fn pieces_come_back_as_the_whole_does() {
    let text = "{\"a\": {\"b\": [1.10, 2, [{\"c\": true}, \"\\u0041\"], 4e2], \"d_unencrypted\": 1.50}, \"e\": null ,\n\"f\":\"\"}\n";
    let sealed = encrypt_with(&Json, text, everything(), &Nonces::default()).unwrap();
    let document = Json.index(sealed.clone()).unwrap();
    let metadata = Metadata::from_value(&document.value(Json.metadata_entries(&document)[0])).unwrap();
    assert!(metadata.layout.is_some());
    let decrypt = |sealed: &str, size| {
        let pieces = Json.pieces(Box::new(sealed.as_bytes()), size).unwrap();
        decrypt_pieces(&Json, pieces, 0, &key(), &metadata, false)
            .map(|opened| String::from_utf8(opened.into_plaintext()).unwrap())
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
fn leaves_that_do_not_change_keep_their_tokens() {
    let sealed = encrypted("a: one\nb: two\n# why\nc: [x, y]\n", everything());
    let mut nonces = Nonces::default();
    let opened = decrypt_with(&Yaml, &sealed, Some(&mut nonces)).unwrap();
    let edited = text_of(opened).replace("two", "other");
    let again = encrypt_with(&Yaml, &edited, everything(), &nonces).unwrap();
    let changed = new_lines(&sealed, &again);
    let beginning = |line: &&str| line.trim_start().split(':').next().unwrap_or_default().to_owned();
    let fields: Vec<String> = changed.iter().map(beginning).filter(|field| field != "lastmodified").collect();
    assert_eq!(fields, ["b", "mac", "leafcrypt_layout"], "{again}");
}

#[test]
fn a_nonce_is_not_used_for_another_value_or_place() {
    let sealed = encrypted("a: one\nb: two\n", everything());
    let mut nonces = Nonces::default();
    decrypt_with(&Yaml, &sealed, Some(&mut nonces)).unwrap();
    // The values change places: same values, other paths.
    let again = encrypt_with(&Yaml, "a: two\nb: one\n", everything(), &nonces).unwrap();
    let nonces =
        |text: &str| -> Vec<String> { text.match_indices("iv:").map(|(at, _)| text[at..at + 47].to_owned()).collect() };
    let before = nonces(&sealed);
    assert_eq!(before.len(), 3);
    assert!(nonces(&again).iter().all(|nonce| !before.contains(nonce)));
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
    let text = text_of(decrypt(&Yaml, &document, &key(), &metadata, false, None).unwrap());
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
    let opened = decrypt(&Yaml, &document, &key(), &metadata, false, None).unwrap();
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

    let text = "# public\na: 1\nb: 2\n";
    let sealed = encrypted(text, Selection::UnencryptedCommentRegex("public".to_owned()));
    let clear: Vec<&str> = sealed.lines().take(3).filter(|line| !line.contains("ENC[")).collect();
    assert_eq!(clear, ["# public", "a: 1"], "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());
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
fn a_key_that_is_an_alias_is_written_out_where_its_target_is_encrypted() {
    let text = "a: &a one\nb_clear: &b two\nc:\n  *a : 1\n  *b : 2\n";
    let sealed = encrypted(text, Selection::UnencryptedSuffix("_clear".to_owned()));
    assert!(sealed.contains("\n  \"one\" : ENC[") && sealed.contains("\n  *b : ENC["), "{sealed}");
    assert_eq!(decrypt_text(&Yaml, &sealed).unwrap().plaintext, text.as_bytes());
    let error = encrypt_with(&Yaml, "a: &a 'x\"y'\n*a : 1\n", everything(), &Nonces::default()).map(drop).unwrap_err();
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
    let text = decrypt(&Yaml, &document, &key(), &Metadata::from_value(&block).unwrap(), true, None).unwrap();
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
    let decrypt = |ignore_mac| decrypt(&Yaml, &document, &key(), &metadata, ignore_mac, None);
    assert_eq!(decrypt(false).err().map(|error| error.kind()), Some(error::Kind::MacMismatch));
    assert_eq!(text_of(decrypt(true).unwrap()), format!("a:\n- &x [1, 2, 3, 4, 5, 6, 7, 8, 9]\n{copies}"));
}
