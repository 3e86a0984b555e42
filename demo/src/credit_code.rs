//! Unified social credit codes (GB 32100-2015) with both check characters right. Each is made from
//! a number, different numbers give different codes, and none is meant to be anyone's.

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The `number`-th code, registered in the region of these six digits. Numbers below 80 million.
pub(super) fn credit_code(region: &str, number: u64) -> String {
    let mut code = Vec::with_capacity(18);
    code.extend_from_slice(b"91");
    code.extend_from_slice(region.as_bytes());
    code.extend_from_slice(&body(number));
    code.push(body_check(&code[8..16]));
    code.push(check(&code));
    String::from_utf8_lossy(&code).into_owned()
}

/// Eight characters of the organisation: one code in four is of the older kind, digits only.
fn body(number: u64) -> [u8; 8] {
    const OLD_KIND: u64 = 100_000_000;
    const NEW_KIND: u64 = 31u64.pow(6);
    let mut body = *b"MA000000";
    if number.is_multiple_of(4) {
        // An odd multiplier without the factor 5 visits every residue once.
        let mut rest = (number * 48_271 + 31_415_927) % OLD_KIND;
        for place in body.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    } else {
        let mut rest = (number * 69_621 + 271_828_182) % NEW_KIND;
        for place in body[2..].iter_mut().rev() {
            *place = ALPHABET[(rest % 31) as usize];
            rest /= 31;
        }
    }
    body
}

fn body_check(body: &[u8]) -> u8 {
    let sum: u32 = body.iter().zip(BODY_WEIGHTS).map(|(c, weight)| letter_value(*c) * weight).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    }
}

fn letter_value(character: u8) -> u32 {
    if character.is_ascii_digit() { u32::from(character - b'0') } else { u32::from(character - b'A') + 10 }
}

fn check(code: &[u8]) -> u8 {
    let sum: u32 = code.iter().zip(WEIGHTS).map(|(c, weight)| place_in_alphabet(*c) * weight).sum();
    ALPHABET[((31 - sum % 31) % 31) as usize]
}

fn place_in_alphabet(character: u8) -> u32 {
    ALPHABET.iter().position(|known| *known == character).unwrap_or(0) as u32
}

/// The same code with another last character: exactly what a slip of the finger gives.
pub(super) fn with_wrong_check(code: &str) -> String {
    let mut wrong = code.as_bytes().to_vec();
    if let Some(last) = wrong.last_mut() {
        let next = (place_in_alphabet(*last) as usize + 1) % ALPHABET.len();
        *last = ALPHABET[next];
    }
    String::from_utf8_lossy(&wrong).into_owned()
}

/// Whether both check characters are right.
#[cfg(test)]
pub(super) fn is_valid(code: &str) -> bool {
    let code = code.as_bytes();
    code.len() == 18
        && code.iter().all(|c| ALPHABET.contains(c))
        && code[16] == body_check(&code[8..16])
        && code[17] == check(&code[..17])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_published_examples_are_valid() {
        for code in [
            "91330100799655058B",
            "91440300708461136T",
            "91110000802100433B",
            "91330200123456788M",
            "91331083MA0A000067",
        ] {
            assert!(is_valid(code), "{code}");
        }
    }

    #[test]
    fn every_number_gives_a_valid_code_of_its_own() {
        let codes: BTreeSet<String> = (0..20_000).map(|n| credit_code("330106", n)).collect();
        assert_eq!(codes.len(), 20_000);
        assert!(codes.iter().all(|code| is_valid(code)));
    }

    #[test]
    fn another_last_character_is_always_wrong() {
        for number in 0..1_000 {
            assert!(!is_valid(&with_wrong_check(&credit_code("330106", number))));
        }
    }
}
