//! How a plan looks: who stays, who comes and who goes. As sops prints it, and each with the kind of its key.

use super::report::harmless;
use crate::ops::Plan;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

const COMES: Style = AnsiColor::Green.on_default();
const GOES: Style = AnsiColor::Red.on_default();
const GROUP: Style = Style::new().underline();

/// The plan, with colours.
pub(super) fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |mark: &str, style: Style, text: &str| {
        let _ = writeln!(out, "{style}{mark}{}{style:#}", harmless(text));
    };
    let (before, after) = plan.threshold;
    if before == after {
        if after > 0 {
            line("", Style::new(), &format!("shamir_threshold: {after}"));
        }
    } else {
        for (mark, style, threshold) in [("+++ ", COMES, after), ("--- ", GOES, before)] {
            if threshold > 0 {
                line(mark, style, &format!("shamir_threshold: {threshold}"));
            }
        }
    }
    for (group, number) in plan.groups.iter().zip(1..) {
        line("", GROUP, &format!("Group {number}"));
        for (mark, style, names) in
            [("    ", Style::new(), &group.kept), ("+++ ", COMES, &group.added), ("--- ", GOES, &group.removed)]
        {
            names.iter().for_each(|name| line(mark, style, name));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::GroupPlan;

    #[test]
    fn a_plan_shows_who_stays_comes_and_goes() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let groups = vec![
            GroupPlan { kept: names(&["age a"]), added: names(&["pgp b"]), removed: names(&["age c", "age d"]) },
            GroupPlan { kept: Vec::new(), added: names(&["age e"]), removed: Vec::new() },
        ];
        let plain =
            |threshold| anstream::adapter::strip_str(&render(&Plan { threshold, groups: groups.clone() })).to_string();
        let groups = "Group 1\n    age a\n+++ pgp b\n--- age c\n--- age d\nGroup 2\n+++ age e\n";
        assert_eq!(plain((0, 2)), format!("+++ shamir_threshold: 2\n{groups}"));
        assert_eq!(plain((3, 2)), format!("+++ shamir_threshold: 2\n--- shamir_threshold: 3\n{groups}"));
        assert_eq!(plain((2, 2)), format!("shamir_threshold: 2\n{groups}"));
        assert_eq!(plain((0, 0)), groups);
    }
}
