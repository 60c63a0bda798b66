//! Text that is a UUID in its usual form, `8-4-4-4-12` lowercase hexadecimal digits: as 16 bytes
//! it takes less than half.

const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The bytes of a UUID in exactly the form that [`format`] gives.
pub(super) fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if HYPHENS.iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let mut uuid = [0; 16];
    let mut at = 0;
    for byte in &mut uuid {
        if text[at] == b'-' {
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(uuid)
}

/// The text of a UUID.
pub(super) fn format(uuid: [u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in uuid {
        if HYPHENS.contains(&at) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    text
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_a_uuid() {
        let text = b"0192d4e0-7b5a-7cc3-98f1-0123456789ab";
        assert_eq!(format(parse(text).unwrap()), *text);
        for (at, character) in [(0, b'A'), (8, b'0'), (9, b'-'), (35, b'g'), (20, b' ')] {
            let mut other = *text;
            other[at] = character;
            assert_eq!(parse(&other), None, "{:?}", String::from_utf8_lossy(&other));
        }
        assert_eq!(parse(&text[..35]), None);
        assert_eq!(parse(b"{0192d4e0-7b5a-7cc3-98f1-0123456789ab}"), None);
    }
}
