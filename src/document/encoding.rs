//! How the bytes of a file say a text: in UTF-8, or in UTF-16 behind a byte order mark, as PowerShell writes files.
//!
//! Owns: the way from bytes to the text and back. Must not know: which formats may be written so.

use zeroize::Zeroize;

/// How a text is written down. Inside of leafcrypt every text is UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8. A byte order mark is a part of the text then.
    #[default]
    Utf8,
    /// UTF-16, little end first, behind its byte order mark.
    Utf16Le,
    /// UTF-16, big end first, behind its byte order mark.
    Utf16Be,
}

impl Encoding {
    const UTF16: [(Self, &'static str, [u8; 2]); 2] =
        [(Encoding::Utf16Le, "UTF-16LE", [0xff, 0xfe]), (Encoding::Utf16Be, "UTF-16BE", [0xfe, 0xff])];

    /// What `bytes` begin as.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let found = Self::UTF16.into_iter().find(|(.., mark)| bytes.starts_with(mark));
        found.map_or(Encoding::Utf8, |(encoding, ..)| encoding)
    }

    /// The encoding of this name, one of those that IANA has.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::UTF16.into_iter().find(|(_, known, _)| *known == name).map(|(encoding, ..)| encoding)
    }

    /// Its name; UTF-8, which goes without saying, has none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::UTF16.into_iter().find(|(encoding, ..)| *encoding == self).map(|(_, name, _)| name)
    }

    /// The text that `bytes` say. They are wiped where they are not the text themselves.
    ///
    /// # Errors
    /// When they are no text, with as much of it as is one.
    ///
    /// ```
    /// use leafcrypt::document::Encoding;
    /// let file = b"\xff\xfea\0:\0 \x001\0\n\0".to_vec();
    /// let encoding = Encoding::of(&file);
    /// assert_eq!(encoding.decode(file.clone()).unwrap(), "a: 1\n");
    /// assert_eq!(encoding.encode(b"a: 1\n".to_vec()), file);
    /// ```
    pub fn decode(self, bytes: Vec<u8>) -> Result<String, String> {
        let unit = match self {
            Encoding::Utf8 => {
                return String::from_utf8(bytes).map_err(|broken| {
                    let (place, mut bytes) = (broken.utf8_error().valid_up_to(), broken.into_bytes());
                    let text = String::from_utf8_lossy(&bytes[..place]).into_owned();
                    bytes.zeroize();
                    text
                });
            }
            Encoding::Utf16Le => u16::from_le_bytes,
            Encoding::Utf16Be => u16::from_be_bytes,
        };
        // No unit becomes more than three bytes: growing would leave copies behind.
        let mut text = String::with_capacity(bytes.len() / 2 * 3);
        let (units, rest) = bytes.as_chunks();
        let mut is_text = rest.is_empty();
        for character in char::decode_utf16(units.iter().skip(1).map(|&bytes| unit(bytes))) {
            match character {
                Ok(character) => text.push(character),
                Err(_) => {
                    is_text = false;
                    break;
                }
            }
        }
        wiped(bytes);
        if is_text { Ok(text) } else { Err(text) }
    }

    /// The bytes that say `text`, which is UTF-8 and is wiped where it is not that itself. The counterpart of
    /// [`Self::decode`].
    #[must_use]
    pub fn encode(self, text: Vec<u8>) -> Vec<u8> {
        let Some((.., mark)) = Self::UTF16.into_iter().find(|(encoding, ..)| *encoding == self) else { return text };
        let bytes = match std::str::from_utf8(&text) {
            Ok(text) => {
                let mut bytes = Vec::with_capacity(mark.len() + 2 * text.len());
                bytes.extend_from_slice(&mark);
                let of_unit = if self == Encoding::Utf16Le { u16::to_le_bytes } else { u16::to_be_bytes };
                text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&of_unit(unit)));
                bytes
            }
            Err(_) => return text,
        };
        wiped(text);
        bytes
    }
}

fn wiped(mut bytes: Vec<u8>) {
    bytes.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decoded_is_encoded_to_the_same_bytes() {
        for text in ["", "a: 1\r\n", "\u{feff}a: ä€😀\n", "\u{0}"] {
            for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be] {
                let bytes = encoding.encode(text.as_bytes().to_vec());
                assert_eq!(Encoding::of(&bytes), encoding);
                assert_eq!(encoding.decode(bytes).as_deref(), Ok(text), "{encoding:?}");
                assert_eq!(encoding.name().and_then(Encoding::named).unwrap_or_default(), encoding);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        for bytes in [&b"\xff\xfea\0\x00\xd8b\0"[..], b"\xff\xfea\0b", b"\xfe\xff\0a\xdc\0", b"a\xff"] {
            assert_eq!(Encoding::of(bytes).decode(bytes.to_vec()), Err("a".to_owned()), "{bytes:?}");
        }
    }
}
