//! Every format to every other one, when a file is encrypted and when it is decrypted, beside the real sops.

use crate::builder::Test;

const FORMATS: [&str; 5] = ["yaml", "json", "dotenv", "ini", "binary"];

/// Documents of each format: of texts alone, which all formats hold, and nested ones.
const DOCUMENTS: &[(&str, &str)] = &[
    ("yaml", "# top\nuser: admin\nport: \"5432\"\ntext: |\n  a\n  b\n"),
    ("json", "{\"user\": \"admin\", \"port\": \"5432\", \"on\": true}"),
    ("dotenv", "# c\nuser=admin\nport=5432\n"),
    ("ini", "; c\nuser = admin\n\n[db]\nport = 5432\n"),
    ("binary", "just bytes\n"),
    ("yaml", "db:\n  user: x\n  list: [1, two]\nday: 2020-01-01\nratio: 1.50\n"),
    ("json", "{\"db\": {\"user\": \"x\", \"list\": [1, \"two\"]}, \"ratio\": 1.5}"),
];

#[test]
fn all_formats_to_all_formats_as_sops_converts_them() {
    let owner = Test::new().identity();
    let (age, keys) = (owner.recipient(), owner.home().join(".config/sops/age/keys.txt"));
    let (mut wrong, mut done) = (Vec::new(), 0);
    for (from, plain) in DOCUMENTS {
        let test = Test::new().env("SOPS_AGE_KEY_FILE", keys.to_str().unwrap());
        let test = test.file("plain", plain);
        let same = format!("encrypt --age {age} --input-type {from} --output-type {from} plain");
        let own = test.sops(&same).code(0).stdout;
        let test = test.file("own", own);
        for to in FORMATS {
            let read = format!("decrypt --input-type {to} --output-type {to} enc");
            let line = format!("encrypt --age {age} --input-type {from} --output-type {to} plain");
            let (ours, theirs) = (test.run(&line), test.sops(&line));
            let texts = [&ours, &theirs].map(|output| {
                std::fs::write(test.path("enc"), &output.stdout).unwrap();
                // A document of another shape than {"data": …} is none of the binary format, to either program.
                let [theirs, ours] = [test.sops(&read), test.run(&read)].map(|read| (read.code, read.stdout));
                (output.code == Some(0)).then_some([theirs, ours])
            });
            // What sops made of our file and of its own, and what we made of its own.
            match texts {
                [Some([ours, _]), Some([theirs, read])] if ours == theirs && read == theirs => done += 1,
                [None, None] if ours.code == theirs.code => {}
                _ => wrong.push(format!("{line}\n{ours:?}\n{theirs:?}")),
            }
            let line = format!("decrypt --input-type {from} --output-type {to} own");
            let (ours, theirs) = (test.run(&line), test.sops(&line));
            let because = ours.code == Some(0) || ours.stderr.contains("  because: ");
            if ours.code != theirs.code || ours.stdout != theirs.stdout || !because {
                wrong.push(format!("{line}\n{ours:?}\n{theirs:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(done > 20, "only {done} conversions were possible");
}

/// A binary file is JSON to whoever says so, and still comes out as it was.
#[test]
fn bytes_come_out_of_what_is_called_json() {
    let bytes: Vec<u8> = (0..=255).rev().cycle().take(3_000).collect();
    let test = Test::new().identity().file("x.bin", &bytes);
    for encrypted in [test.run("encrypt --age {age} x.bin"), test.sops("encrypt --age {age} x.bin")] {
        std::fs::write(test.path("x.enc"), encrypted.code(0).stdout).unwrap();
        let line = "-d --input-type json --output-type binary x.enc";
        assert!(test.sops(line).code(0).stdout == bytes);
        assert!(test.run(line).code(0).stdout == bytes);
    }
}
