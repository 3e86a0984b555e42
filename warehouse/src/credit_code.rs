//! 统一社会信用代码: the unified social credit code of GB 32100-2015 and its two check characters.
//!
//! Eighteen characters: two of registration, six of region, nine of the organisation code
//! (GB 11714, with a check of its own) and one check over all of them.

/// The 31 characters of GB 32100, in the order of their values.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Weights of the first seventeen characters (GB 32100).
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// Weights of the first eight characters of the organisation code (GB 11714).
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
/// Where the organisation code starts, and where its check character stands.
const BODY: usize = 8;
const BODY_CHECK: usize = 16;
/// Marks a byte that is not in the alphabet.
const NO_VALUE: u8 = u8::MAX;

/// Value of every byte in GB 32100.
const VALUES: [u8; 256] = {
    let mut values = [NO_VALUE; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Whether the code has 18 characters of the alphabet and both check characters hold.
///
/// Capital letters only: a code in small letters is not valid until someone has raised it.
pub fn is_valid(code: &str) -> bool {
    let Ok(code) = <&[u8; 18]>::try_from(code.as_bytes()) else {
        return false;
    };
    is_in_alphabet(code) && body_check(code) == code[BODY_CHECK] && check(code) == code[17]
}

/// Whether the code has the shape of one: 18 characters of the alphabet, checks not looked at.
pub fn has_shape(code: &str) -> bool {
    <&[u8; 18]>::try_from(code.as_bytes()).is_ok_and(is_in_alphabet)
}

fn is_in_alphabet(code: &[u8; 18]) -> bool {
    code.iter().all(|byte| VALUES[usize::from(*byte)] != NO_VALUE)
}

/// The check character over the first seventeen (GB 32100).
fn check(code: &[u8; 18]) -> u8 {
    let sum: u32 = code.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(VALUES[usize::from(*byte)]) * weight).sum();
    ALPHABET[((31 - sum % 31) % 31) as usize]
}

/// The check character of the organisation code (GB 11714), where letters run from A = 10 to Z = 35.
fn body_check(code: &[u8; 18]) -> u8 {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        letter => u32::from(letter - b'A') + 10,
    };
    let sum: u32 = code[BODY..BODY_CHECK].iter().zip(BODY_WEIGHTS).map(|(byte, weight)| value(*byte) * weight).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real codes, with check characters from all over the alphabet.
    const VALID: [&str; 5] =
        ["91330100799655058B", "91440300708461136T", "91110000802100433B", "91330200123456788M", "91331083MA0A000067"];

    #[test]
    fn published_codes_are_valid() {
        for code in VALID {
            assert!(is_valid(code), "{code}");
        }
    }

    #[test]
    fn any_single_changed_character_is_noticed() {
        // 31 is prime and no weight is a multiple of it, so every substitution changes the sum.
        for code in VALID {
            for at in 0..18 {
                for other in ALPHABET.iter().filter(|other| **other != code.as_bytes()[at]) {
                    let mut changed = code.as_bytes().to_vec();
                    changed[at] = *other;
                    let changed = String::from_utf8(changed).unwrap();
                    assert!(!is_valid(&changed), "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_body_with_a_wrong_check_is_refused_though_the_last_character_holds() {
        // 12345678: 3+14+27+40+25+48+28+16 = 201, 201 mod 11 = 3, so the body's check is 8.
        // With 9 there instead, the sum for the last character rises by its weight 28: from M (value
        // 21) to (21 - 28) mod 31 = 24, which is Q. Only the body's own check tells.
        assert!(is_valid("91330200123456788M"));
        let code = "91330200123456789Q";
        assert_eq!(check(code.as_bytes().try_into().unwrap()), b'Q');
        assert!(!is_valid(code));
    }

    #[test]
    fn ten_and_eleven_are_written_x_and_0() {
        // 00000004: 4·2 = 8, 11 - 8 = 3; 00000006: 12 mod 11 = 1, 11 - 1 = 10, written X;
        // 00000000: 11 - 0 = 11, written 0.
        let code = |body: &[u8; 8]| {
            let mut code = *b"913301000000000000";
            code[8..16].copy_from_slice(body);
            body_check(&code)
        };
        assert_eq!(code(b"00000004"), b'3');
        assert_eq!(code(b"00000006"), b'X');
        assert_eq!(code(b"00000000"), b'0');
    }

    #[test]
    fn shape_is_eighteen_characters_of_the_alphabet() {
        assert!(has_shape("913301007996550580"));
        assert!(!has_shape("91330100799655058"));
        assert!(!has_shape("91330100799655058I"), "I, O, S, V and Z are not used");
        assert!(!has_shape("91330100799655058b"));
        assert!(!has_shape("９１３３０１"), "eighteen bytes of wide digits");
        assert!(!is_valid(""));
    }
}
