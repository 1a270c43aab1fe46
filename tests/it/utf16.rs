//! YAML in UTF-16, as PowerShell writes it: a plaintext, an encrypted file that went through `>`, and rules. Real sops
//! reads all of that, and always writes UTF-8.

use crate::builder::{Output, Test, leafcrypt};
use crate::edit::Edit;
use crate::kustomize::{generator, indented, resource_list};
use std::fs;

const RULES: &str = "creation_rules:\n  - age: {age}\n";
const PLAIN: &str = "# Käse 😀\r\nuser: 'ädmin'   # inline\r\nratio: 1.10\r\n\r\nlist:\r\n  - &a x\r\n  - *a";

/// `text` as PowerShell (little end first) or an old Mac writes it.
fn utf16(text: &str, of_unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(of_unit).collect()
}

fn by_powershell(text: &str) -> Vec<u8> {
    utf16(text, u16::to_le_bytes)
}

/// The bytes of a file.
fn bytes(test: &Test, name: &str) -> Vec<u8> {
    fs::read(test.path(name)).unwrap()
}

#[test]
fn a_plaintext_comes_back_byte_for_byte() {
    for of_unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let plain = utf16(PLAIN, of_unit);
        let test = Test::new().identity().rules(RULES).file("a.yaml", &plain);
        let theirs = test.sops("encrypt a.yaml").code(0).stdout;
        test.run("encrypt -i a.yaml").code(0).stderr_is_empty();
        // The encrypted file is what sops makes of it: UTF-8.
        assert!(test.read("a.yaml").contains("user: 'ENC["), "{}", test.read("a.yaml"));
        test.run("decrypt a.yaml").code(0).stderr_is_empty().stdout(&plain);
        let opened = test.sops("decrypt a.yaml").code(0).text();
        // What sops itself encrypted has the same values.
        fs::write(test.path("b.yaml"), theirs).unwrap();
        test.run("decrypt b.yaml").code(0).stdout(test.sops("decrypt b.yaml").code(0).stdout);
        assert!(opened.contains("user: ädmin") && opened.contains("Käse 😀"), "{opened}");
        let printed = test.sops("decrypt --output-type json a.yaml").code(0).stdout;
        test.run("decrypt --output-type json a.yaml").code(0).stdout(printed);

        // Through every command that seals it again.
        let changed = |from: &str, to: &str| utf16(&PLAIN.replace(from, to), of_unit);
        test.run("rotate -i a.yaml").code(0);
        test.run("decrypt a.yaml").code(0).stdout(&plain);
        test.run("set a.yaml ratio 2.5").code(0);
        test.run("decrypt a.yaml").code(0).stdout(changed("1.10", "2.5"));
        // A program gets a text in UTF-8, as from sops.
        test.run("exec-file a.yaml 'cat {}'").code(0).stdout(PLAIN.replace("1.10", "2.5"));
        test.run("decrypt -i a.yaml").code(0);
        assert_eq!(bytes(&test, "a.yaml"), changed("1.10", "2.5"));
    }
}

/// An editor gets UTF-8, which all of them know, and the line that it changes is the one that changes.
#[test]
fn an_edit_keeps_the_encoding() {
    let edit = Edit::new();
    let test = edit.test.file("u.yaml", by_powershell(PLAIN));
    let edit = Edit { test, ..edit };
    edit.test.run("encrypt -i u.yaml").code(0);
    let before = edit.test.read("u.yaml");
    let edit = edit.editor("grep -q 'ädmin' \"$file\" && sed -i 's/1.10/7/' \"$file\"");
    edit.run("edit u.yaml").code(0);
    edit.test.run("decrypt u.yaml").code(0).stdout(by_powershell(&PLAIN.replace("1.10", "7")));
    let after = edit.test.read("u.yaml");
    let changed = after.lines().filter(|line| !before.contains(*line) && !line.contains("lastmodified"));
    let names: Vec<_> = changed.map(|line| line.split(':').next().unwrap().trim()).collect();
    assert_eq!(names, ["ratio", "mac", "leafcrypt_layout"], "{before}\n{after}");
    // What an editor has saved with UTF-8's own mark is UTF-8.
    let edit = edit.editor("printf '\\357\\273\\277a: 1\\n' > \"$file\"");
    edit.run("edit u.yaml").code(0);
    edit.test.run("decrypt u.yaml").code(0).stdout("\u{feff}a: 1\n");
}

/// `sops encrypt a.yaml > b.yaml` in PowerShell.
#[test]
fn an_encrypted_file_may_be_in_utf_16() {
    let test = Test::new().identity().rules(RULES).file("a.yaml", PLAIN);
    for encrypted in [test.run("encrypt a.yaml"), test.sops("encrypt a.yaml")] {
        fs::write(test.path("b.yaml"), by_powershell(&encrypted.code(0).text())).unwrap();
        let printed = test.sops("decrypt --output-type json b.yaml").code(0).stdout;
        test.run("decrypt --output-type json b.yaml").code(0).stdout(printed);
        test.run("filestatus b.yaml").code(0).stdout_has("true");
        test.run("exec-env --flatten b.yaml 'printf %s \"$user\"'").code(0).stdout("ädmin");
        // The commands that look for encrypted files see it, and what they write is UTF-8, as of sops.
        let another = age::x25519::Identity::generate().to_public();
        let rules = format!("creation_rules:\n  - age: {},{another}\n", test.recipient());
        fs::write(test.path("new.sops.yaml"), rules).unwrap();
        test.run("--config new.sops.yaml updatekeys -y b.yaml").code(0);
        assert!(test.read("b.yaml").contains(&another.to_string()));
        test.run("decrypt b.yaml").code(0).stdout_has("ädmin");
        fs::remove_file(test.path("b.yaml")).unwrap();
        fs::create_dir_all(test.path("folder")).unwrap();
        fs::write(test.path("folder/c.yaml"), by_powershell(&test.run("encrypt a.yaml").code(0).text())).unwrap();
        test.run("--config new.sops.yaml updatekeys -y folder").code(0);
        assert!(test.read("folder/c.yaml").contains(&another.to_string()));
    }
}

/// kustomize, Helm and Argo CD get texts in UTF-8, whatever the plaintext and the encrypted file were.
#[test]
fn clusters_get_utf_8() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {user: ädmin}\n";
    let test = Test::new().identity().rules("creation_rules:\n  - encrypted_regex: ^stringData$\n    age: {age}\n");
    let test = test.file("folder/a.yaml", by_powershell(secret)).file("folder/b.yaml", secret);
    test.run("encrypt -i folder/a.yaml folder/b.yaml").code(0);
    let encrypted = test.read("folder/b.yaml");
    let test = test.file("folder/b.yaml", by_powershell(&encrypted));
    let generator = generator(
        "files: [folder/a.yaml, folder/b.yaml]\nsecretFrom:\n- metadata: {name: t}\n  files: [folder/a.yaml]\n",
    );
    let list = resource_list(&indented(&generator, "- ", "  "), &indented(&generator, "  ", "  "));
    let rendered = test.run_with("kustomize", &list).code(0).text();
    assert_eq!(rendered.matches("user: ädmin").count(), 3, "{rendered}");
    for name in ["a", "b"] {
        test.run(&format!("helm download secrets://folder/{name}.yaml")).code(0).stdout(secret);
    }
    let mut argo = test.command(leafcrypt(), "kustomize --argocd");
    argo.current_dir(test.path("folder"));
    let rendered = Output::of("kustomize --argocd", argo, b"").code(0).text();
    assert_eq!(rendered.matches("user: ädmin").count(), 2, "{rendered}");
}

#[test]
fn rules_may_be_in_utf_16() {
    let test = Test::new().identity().file("a.yaml", PLAIN);
    let rules = format!("# für alle\r\ncreation_rules:\r\n  - age: {}\r\n", test.recipient());
    let test = test.file(".sops.yaml", by_powershell(&rules));
    test.sops("encrypt a.yaml").code(0);
    test.run("encrypt -i a.yaml").code(0).stderr_is_empty();
    test.run("decrypt a.yaml").code(0).stdout(PLAIN);
    let cut = by_powershell(&rules);
    let test = test.file(".sops.yaml", &cut[..cut.len() - 1]);
    test.run("encrypt a.yaml").fails().stderr_has("the configuration is not UTF-16LE").stderr_has(".sops.yaml:3:");
}

/// No other format may: sops does not read it either, or takes each byte of it for a character.
#[test]
fn other_formats_are_utf_8() {
    let json = by_powershell("{\"a\": 1}\n");
    let test = Test::new().identity().rules(RULES).file("a.json", &json).file("a.env", by_powershell("a=1\n"));
    test.sops("encrypt a.json").code(2);
    for name in ["a.json", "a.env"] {
        let refused = test.run(&format!("encrypt {name}")).fails();
        refused.stderr_has("the text is not UTF-8").stderr_has("it is UTF-16LE").stderr_has("iconv -f UTF-16 -t UTF-8");
    }
    // As a binary file it is what it is.
    test.run("encrypt -i --input-type binary --output-type binary a.json").code(0);
    test.run("decrypt --input-type binary --output-type binary a.json").code(0).stdout(json);
}
