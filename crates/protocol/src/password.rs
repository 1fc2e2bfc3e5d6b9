//! What a password must be: one set of rules for server, command line and browser.

use crate::json::wire;

pub const MIN_PASSWORD_LENGTH: usize = 8;
pub const MAX_PASSWORD_LENGTH: usize = 128;

/// The rules in one sentence.
pub const PASSWORD_SUMMARY: &str = "Password must be at least 8 characters long, no more than 128 characters, and contain at \
     least one uppercase letter, one lowercase letter, and one number";

wire! {
    pub struct PasswordCheck {
        label: String,
        met: bool,
    }

    pub struct PasswordReport {
        /// All rules are met.
        valid: bool,
        /// One per rule, always in the same order.
        checks: Vec<PasswordCheck>,
    }
}

/// Check a password. Lengths are counted in Unicode code points; letters and digits are ASCII.
pub fn check_password(password: &str) -> PasswordReport {
    let length = password.chars().count();
    let checks: Vec<PasswordCheck> = [
        ("At least 8 characters", length >= MIN_PASSWORD_LENGTH),
        ("At least one uppercase letter (A-Z)", password.bytes().any(|byte| byte.is_ascii_uppercase())),
        ("At least one lowercase letter (a-z)", password.bytes().any(|byte| byte.is_ascii_lowercase())),
        ("At least one number (0-9)", password.bytes().any(|byte| byte.is_ascii_digit())),
        ("No more than 128 characters", length <= MAX_PASSWORD_LENGTH),
    ]
    .into_iter()
    .map(|(label, met)| PasswordCheck { label: label.to_owned(), met })
    .collect();
    PasswordReport { valid: checks.iter().all(|check| check.met), checks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(password: &str) -> Vec<usize> {
        check_password(password).checks.iter().enumerate().filter(|(_, check)| !check.met).map(|(at, _)| at).collect()
    }

    #[test]
    fn every_rule_is_reported_in_its_place() {
        assert_eq!(unmet(""), [0, 1, 2, 3]);
        assert_eq!(unmet("abcdefgh"), [1, 3]);
        assert!(unmet("Abcdefg1").is_empty());
        assert_eq!(unmet(&format!("Aa1{}", "x".repeat(126))), [4]);
        assert!(check_password(&format!("Aa1{}", "x".repeat(125))).valid);
    }

    #[test]
    fn lengths_are_code_points_and_letters_are_ascii() {
        assert_eq!(unmet("Aä1äöü😀😀"), [2]);
        assert_eq!(unmet("ÄÖÜßßß11"), [1, 2]);
    }
}
