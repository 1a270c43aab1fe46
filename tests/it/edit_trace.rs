//! The system calls of `edit` and `decrypt`: plaintext goes to memory, pipes and the named output, and to nothing else.

use crate::edit::Edit;
use crate::strace::Trace;

const SECRETS: &[&str] = &["hunter2", "ratio: 1.10"];

#[test]
fn an_edit_writes_plaintext_to_memory_alone() {
    let change = "sed -i 's/^user: .*/user: root/' \"$file\"";
    for (after, code) in [
        ("", Some(0)),
        ("; echo 'bad: [' >> \"$file\"", Some(1)),
        ("; echo '# x' >> a.yaml", Some(3)),
        ("; exit 3", Some(201)),
        ("; kill -TERM $PPID; exec sleep 60", None),
    ] {
        let edit = Edit::new().editor(&format!("{change}{after}"));
        let trace = Trace::of(&edit.test, "edit a.yaml");
        assert_eq!(trace.output.code, code, "{:?}", trace.output);
        assert!(trace.programs().contains(&"sed".to_owned()), "{:?}", trace.programs());
        assert_eq!(trace.leaks(SECRETS, &[]), Vec::<String>::new(), "{after}");
        assert!(edit.left().is_empty());
        // What was written elsewhere is encrypted: the file, or else the draft.
        if code == Some(0) { assert!(edit.decrypted().contains("user: root\n")) } else { drop(edit.draft()) }
    }
}

/// A folder that is named may be on a disk; the check sees it.
#[test]
fn a_folder_that_is_named_is_taken_as_it_is() {
    let edit = Edit::new().editor("touch \"$file\"");
    let folder = edit.test.path("plain");
    std::fs::create_dir(&folder).unwrap();
    let edit = edit.env("LEAFCRYPT_PRIVATE_DIR", folder.to_str().unwrap());
    let trace = Trace::of(&edit.test, "edit a.yaml");
    assert_eq!(trace.output.code, Some(200));
    assert_eq!(trace.leaks(SECRETS, &[]).is_empty(), folder.starts_with("/dev/shm"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn decrypt_writes_plaintext_to_its_output_alone() {
    let edit = Edit::new();
    for line in ["decrypt a.yaml", "decrypt --extract '[\"password\"]' a.yaml", "decrypt --output-type json a.yaml"] {
        let trace = Trace::of(&edit.test, line);
        assert!(trace.output.code == Some(0) && trace.output.text().contains("hunter2"), "{:?}", trace.output);
        assert_eq!(trace.leaks(SECRETS, &[]), Vec::<String>::new(), "{line}");
    }
    // A file that was asked for is written beside its place, without a name.
    let leaks = Trace::of(&edit.test, "decrypt --output out.yaml a.yaml").leaks(SECRETS, &[]);
    let folder = edit.test.path("").canonicalize().unwrap();
    assert!(leaks.len() == 1 && leaks[0].contains(folder.to_str().unwrap()), "{leaks:?}");
    // Nothing at all of a file that does not verify.
    let broken = edit.test.read("a.yaml").replace("lastmodified: \"2", "lastmodified: \"1");
    std::fs::write(edit.test.path("a.yaml"), broken).unwrap();
    let trace = Trace::of(&edit.test, "decrypt --output out2.yaml a.yaml");
    assert_eq!((trace.output.code, trace.leaks(SECRETS, &[])), (Some(51), Vec::new()));
}
