//! Versions: of the handshake, and of programs.

use std::cmp::Ordering;

/// Version of the handshake. Raised only when old and new cannot talk at all; new events need no new version.
pub const SOCKET_PROTOCOL_VERSION: u32 = 1;

/// Can a client that claims this version be served in full? No claim counts as yes.
pub fn is_compatible(claimed: Option<u32>) -> bool {
    claimed.is_none_or(|version| version == SOCKET_PROTOCOL_VERSION)
}

/// Major, minor and patch of a version; a leading `v` and pre-release and build parts are ignored, missing parts are 0.
pub fn parse_semver(version: &str) -> Option<[u64; 3]> {
    let version = version.trim();
    let version = version.strip_prefix(['v', 'V']).unwrap_or(version);
    let version = version.split('-').next()?.split('+').next()?;
    let mut triplet = [0; 3];
    for (place, part) in version.split('.').enumerate() {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *triplet.get_mut(place)? = part.parse().ok()?;
    }
    Some(triplet)
}

/// Compare two versions; one that cannot be read counts as equal to any.
pub fn compare_semver(left: &str, right: &str) -> Ordering {
    match (parse_semver(left), parse_semver(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_generously() {
        for (text, expected) in [
            ("1.2.3", Some([1, 2, 3])),
            (" v1.2 ", Some([1, 2, 0])),
            ("V2", Some([2, 0, 0])),
            ("1.2.3-beta.1+5", Some([1, 2, 3])),
            ("1.2.3+b-2", Some([1, 2, 3])),
            ("", None),
            ("v", None),
            ("1.2.3.4", None),
            ("1..3", None),
            ("1.x", None),
            ("vv1", None),
        ] {
            assert_eq!(parse_semver(text), expected, "{text:?}");
        }
    }

    #[test]
    fn unreadable_versions_are_equal_to_any() {
        assert_eq!(compare_semver("1.10.0", "1.9.9"), Ordering::Greater);
        assert_eq!(compare_semver("v1.0", "1.0.0-rc"), Ordering::Equal);
        assert_eq!(compare_semver("soon", "1.0.0"), Ordering::Equal);
    }

    #[test]
    fn only_another_integer_is_incompatible() {
        assert!(is_compatible(None) && is_compatible(Some(1)) && !is_compatible(Some(2)));
    }
}
