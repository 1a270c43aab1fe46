//! The integration tests: one binary, so that there is one link and one set-up of the peers.
//!
//! How they are organised, and how to reproduce a failing case: `docs/testing.md`.

#![allow(clippy::print_stderr, reason = "a test says on standard error what it skipped and how to reproduce a failure")]

mod age;
mod age_prompts;
mod audit;
mod aws;
mod azure;
mod bad_input;
mod bad_input_texts;
mod block_lines;
mod builder;
mod change;
mod cli;
mod completion;
mod convert;
mod corpus;
mod decode_data;
mod edit;
mod edit_terminal;
mod edit_trace;
mod examples;
mod exec;
mod exec_terminal;
mod flux;
mod folded;
mod formats;
#[allow(unreachable_pub, reason = "the fuzz targets include the same file")]
#[path = "../../fuzz/fuzz_targets/law.rs"]
mod fuzz_law;
mod gcp;
mod generate;
mod git;
mod gnupg;
mod groups;
mod harness;
mod helm;
mod huawei;
mod indent;
mod keyservice;
mod keyservice_bad;
mod known;
mod ksops;
mod ksops_bad;
mod kubectl;
mod kustomize;
mod large;
mod law3;
mod layers;
mod many;
mod metadata;
mod misplaced;
mod nameless;
mod parity;
mod peers;
mod pgp;
mod publish;
mod publish_buckets;
mod publish_manifests;
mod reference;
mod registry;
mod remote;
mod rotate;
mod rotate_services;
mod safety;
mod sealed_secret;
mod services;
mod set;
mod strace;
mod surface;
mod team;
mod terminal;
mod tokens;
mod updatekeys;
mod updatekeys_terminal;
mod utf16;
mod vault;
mod verbose;
mod way;
