//! A short digest of a text, for noticing that it changed.

/// The digest of `text`: twelve hexadecimal digits, the same on every machine and in every version.
///
/// It is kept in place of the text where only *changed or not* matters, so that neither size nor
/// secrets of what others write end up in our state.  Two texts share a digest by chance once in
/// 2^48; it is no protection against somebody who wants that, who could only hide a change of
/// their own.
///
/// # Source
///
/// FNV-1a, 64 bits, with the upper bits folded in.
pub fn digest(text: &str) -> String {
    digest_of_bytes(text.as_bytes())
}

/// The same of any bytes: of a file, for example.
pub fn digest_of_bytes(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:012x}", (hash ^ (hash >> 48)) & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stay_what_they_are() {
        // Kept in the unit state between versions: a change here reports every databag as changed.
        assert_eq!(digest(""), "9ce48422e8d7");
        assert_eq!(digest("a"), "dc4c860143ef");
        assert_ne!(digest("ab"), digest("ba"));
    }
}
