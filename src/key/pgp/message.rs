//! For whom a PGP message is, read from its first packets, so that gpg is run for those alone that it can
//! open.
//!
//! Source: RFC 4880 (RFC 9580 for version 6): sections 6.2 (armor), 4.2 (packet headers), 5.1 (public-key
//! encrypted session keys, tag 1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SESSION_KEY: u8 = 1;
const MARKER: u8 = 10;

/// The ids of the keys that open `armored`; 0 stands for one that is not named. `None` when the message
/// says it in a way that is not known here, and gpg is to judge.
pub(super) fn recipients(armored: &str) -> Option<Vec<u64>> {
    let bytes = STANDARD.decode(base64_of(armored)).ok()?;
    let mut rest = bytes.as_slice();
    let mut ids = Vec::new();
    while let Some((tag, body, after)) = packet(rest) {
        match (tag, body) {
            (SESSION_KEY, [3, id @ ..]) => ids.push(u64::from_be_bytes(id.first_chunk().copied()?)),
            (MARKER, _) => {}
            (SESSION_KEY, _) => return None,
            _ => break,
        }
        rest = after;
    }
    (!ids.is_empty()).then_some(ids)
}

/// What stands between the armor's headers and its checksum.
fn base64_of(armored: &str) -> String {
    let lines = armored.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
    let body = lines.skip_while(|line| !line.is_empty()).skip(1);
    body.take_while(|line| !line.starts_with(['=', '-'])).collect()
}

/// The tag and the body of the packet at the beginning, and what is behind it. `None` at the end, and at
/// a packet without a length of its own: that is the data, behind which nothing is of interest.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (tag, size_of_length) = if head & 0xC0 == 0xC0 {
        let size = match rest.first()? {
            0..192 => 1,
            192..224 => 2,
            255 => 5,
            _ => return None,
        };
        (head & 0x3F, size)
    } else if head & 0x80 != 0 && head & 3 != 3 {
        (head >> 2 & 0xF, 1 << (head & 3))
    } else {
        return None;
    };
    let (length, rest) = rest.split_at_checked(size_of_length)?;
    let length = match (head & 0x40 != 0, length) {
        (true, [first, second]) => ((usize::from(*first) - 192) << 8) + usize::from(*second) + 192,
        (true, [_, long @ ..]) if !long.is_empty() => number(long),
        (_, length) => number(length),
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armor(bytes: &[u8]) -> String {
        format!(
            "-----BEGIN PGP MESSAGE-----\nComment: x\n\n{}\n=abcd\n-----END PGP MESSAGE-----",
            STANDARD.encode(bytes)
        )
    }

    /// A session key packet of version 3 with a body of `size` bytes.
    fn body(id: u64, size: usize) -> Vec<u8> {
        let mut body = vec![3];
        body.extend(id.to_be_bytes());
        body.resize(size, 7);
        body
    }

    #[test]
    fn a_message_names_its_keys_in_every_form_of_packet() {
        let id = 0x0123_4567_89AB_CDEF;
        let forms: [(&[u8], usize); 6] = [
            (&[0x84, 100], 100),
            (&[0x85, 1, 12], 268),
            (&[0x86, 0, 0, 1, 12], 268),
            (&[0xC1, 100], 100),
            (&[0xC1, 0xC0, 0x4C], 268),
            (&[0xC1, 0xFF, 0, 0, 1, 12], 268),
        ];
        for (head, size) in forms {
            let mut message = [0xCA, 3, b'P', b'G', b'P'].to_vec();
            for id in [id, 0] {
                message.extend([head, &body(id, size)].concat());
            }
            message.extend([0xD2, 0xEF, 1]);
            assert_eq!(recipients(&armor(&message)), Some(vec![id, 0]), "{head:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_left_to_gpg() {
        let version_6 = [&[0xC1, 30][..], &[6; 30]].concat();
        for message in [&version_6[..], &[0xC1, 30, 3, 1], &[0xC1, 4, 3, 1, 2, 3], &[0xD2, 1, 1], &[0x41], &[]] {
            assert_eq!(recipients(&armor(message)), None, "{message:?}");
        }
        assert_eq!(recipients("nothing"), None);
        assert_eq!(recipients("-----BEGIN PGP MESSAGE-----\n\n!!\n"), None);
    }
}
