//! SHA-256 as senders write it: hexadecimal or base64, bare or in `Content-Digest` (RFC 9530) and
//! its predecessor `Digest` (RFC 3230).

/// The SHA-256 in the value of a header, in lower-case hexadecimal; `None` where there is none.
///
/// `Content-Digest` and `Digest` may name several algorithms, of which SHA-256 counts; any other
/// header holds the digest alone, at most behind `sha256:` or `sha-256=`.
pub fn sha256_in(header: &str, value: &str) -> Option<String> {
    let value = value.trim();
    match header.to_ascii_lowercase().as_str() {
        "content-digest" | "repr-digest" => of_member(value, |text| text.strip_prefix(':')?.strip_suffix(':')),
        "digest" => of_member(value, Some),
        _ => {
            let prefixes = ["sha-256=", "sha256=", "sha-256:", "sha256:"];
            let bare = prefixes.iter().find_map(|prefix| {
                let head = value.get(..prefix.len())?;
                head.eq_ignore_ascii_case(prefix).then(|| &value[prefix.len()..])
            });
            bytes_of(bare.unwrap_or(value).trim().trim_matches('"'))
        }
    }
}

/// The member `sha-256=…` of a list.
fn of_member<'v>(list: &'v str, unwrap: impl Fn(&'v str) -> Option<&'v str>) -> Option<String> {
    list.split(',').find_map(|member| {
        let (name, value) = member.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("sha-256").then(|| unwrap(value.trim()))?.and_then(bytes_of)
    })
}

/// 32 bytes written in hexadecimal or base64, as lower-case hexadecimal.
fn bytes_of(text: &str) -> Option<String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    let bytes = base64(text)?;
    (bytes.len() == 32).then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Base64 of RFC 4648, either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0x3fff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `hello`, in both writings.
    const HEX: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const BASE64: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

    #[test]
    fn a_digest_is_read_however_it_is_written() {
        for (header, value) in [
            ("X-Content-SHA256", HEX.to_owned()),
            ("X-Content-SHA256", HEX.to_ascii_uppercase()),
            ("X-Content-SHA256", BASE64.to_owned()),
            ("X-Checksum", format!("sha256:{HEX}")),
            ("X-Checksum", format!("SHA-256={BASE64}")),
            ("Content-Digest", format!("sha-512=:YWJj:, sha-256=:{BASE64}:")),
            ("content-digest", format!("sha-256=:{BASE64}:")),
            ("Digest", format!("md5=abc, SHA-256={BASE64}")),
        ] {
            assert_eq!(sha256_in(header, &value).as_deref(), Some(HEX), "{header}: {value}");
        }
    }

    #[test]
    fn what_is_no_digest_is_none() {
        for (header, value) in [
            ("X-Content-SHA256", ""),
            ("X-Content-SHA256", "abc"),
            ("X-Content-SHA256", "汉字汉字汉字汉字"),
            ("X-Content-SHA256", "LPJNul-wow4m!DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
            ("Content-Digest", "sha-512=:YWJj:"),
            ("Content-Digest", "sha-256=abc"),
            ("Digest", "md5=abc"),
        ] {
            assert_eq!(sha256_in(header, value), None, "{header}: {value}");
        }
    }
}
