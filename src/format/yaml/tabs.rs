//! Tabs that indent lines between brackets.
//!
//! YAML wants spaces there, and the parser is strict about it; go-yaml is not, and people who put JSON into
//! YAML are not either. So the parser gets the text with spaces in their place, which changes no byte
//! position and no value: the blanks at the beginning of a line are part of none.

/// `text` with spaces for the tabs that indent lines of the collection in brackets that begins at `start`.
pub(super) fn spaced(text: &str, start: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        let begins_word =
            at == start || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r' | b'[' | b'{' | b',' | b':');
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'#' if begins_word => {
                at = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |end| at + end - 1)
            }
            b'"' if begins_word => at = quoted_end(&bytes, at, b'"'),
            b'\'' if begins_word => at = quoted_end(&bytes, at, b'\''),
            b'\n' | b'\r' => {
                let blanks = bytes[at + 1..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
                bytes[at + 1..=at + blanks].fill(b' ');
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        at += 1;
    }
    // One ASCII character for another.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where the quoted text that begins at `start` ends: at its closing quote, or the end of the text.
pub(super) fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 1,
            _ if byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_indentation_between_the_brackets_changes() {
        let text = "\ta: [\n\t\"]\n\t\", 'it''s\n\t]', # ]\n \t{b:\tdon't\n\t}\n]\n\tc: [\n\t]\n";
        let wanted = "\ta: [\n \"]\n\t\", 'it''s\n\t]', # ]\n  {b:\tdon't\n }\n]\n\tc: [\n\t]\n";
        assert_eq!(spaced(text, 4), wanted);
        assert_eq!(spaced("[\n\t\"", 0), "[\n \"");
        assert_eq!(spaced("[\n\t# x", 0), "[\n # x");
    }
}
