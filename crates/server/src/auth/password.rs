//! Passwords: what is accepted, and hashing off the async threads, a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::{OnceCell, Semaphore};
use unicode_normalization::UnicodeNormalization;

use crate::config::Argon2Cost;

pub use pizzapi_protocol::password::PASSWORD_SUMMARY as RULE;

/// What a person is told about a password everybody knows.
pub const BREACHED: &str = "This password is among the most commonly breached ones. Choose another";

/// Hashes computed at once; each takes tens of MiB and a core.
const PARALLEL_HASHES: usize = 2;

/// Words and endings that lead every public list of breached passwords, joined: lower-case, one per line, sorted.
const MOST_BREACHED: &str = include_str!("breached.txt");

/// Is `password` acceptable? The error is for people.
pub fn check(password: &str) -> Result<(), &'static str> {
    if !pizzapi_protocol::password::check_password(password).valid {
        return Err(RULE);
    }
    if is_breached(password) {
        return Err(BREACHED);
    }
    Ok(())
}

/// Capitals and punctuation around a breached word do not make it another word.
fn is_breached(password: &str) -> bool {
    let lower = password.to_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphanumeric());
    [lower.as_str(), core].iter().any(|word| MOST_BREACHED.lines().any(|line| line == *word))
}

/// Hashes and verifies; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hasher {
    cost: Argon2Cost,
    slots: Arc<Semaphore>,
    /// Verified against when there is no account, so that both answers take equally long.
    decoy: Arc<OnceCell<String>>,
}

/// The hash could not be computed.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashError(String);

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    Wrong,
    Right,
    /// Right, but stored with an older or cheaper hash.
    RightUpgrade,
}

impl Hasher {
    /// Errors: the cost is not one Argon2 accepts.
    pub fn new(cost: Argon2Cost) -> Result<Self, HashError> {
        argon2(cost)?;
        Ok(Self { cost, slots: Arc::new(Semaphore::new(PARALLEL_HASHES)), decoy: Arc::default() })
    }

    /// Make what wrong addresses are compared with, before the first one comes.
    pub async fn warm_up(&self) -> Result<(), HashError> {
        self.decoy().await.map(drop)
    }

    async fn decoy(&self) -> Result<&String, HashError> {
        self.decoy.get_or_try_init(|| self.hash("a password nobody has".to_owned())).await
    }

    /// Argon2id of `password` as a PHC string.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let cost = self.cost;
        self.run(move || hash_now(cost, &password)).await?
    }

    /// Does `password` belong to `stored`? Without a stored hash the answer is *wrong* after the same work.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verified, HashError> {
        let cost = self.cost;
        let exists = stored.is_some();
        let decoy = self.decoy().await?;
        let stored = stored.unwrap_or_else(|| decoy.clone());
        let found = self.run(move || verify_now(cost, &password, &stored)).await??;
        Ok(if exists { found } else { Verified::Wrong })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let _slot = self.slots.acquire().await.map_err(|error| HashError(error.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| HashError(error.to_string()))
    }
}

fn argon2(cost: Argon2Cost) -> Result<Argon2<'static>, HashError> {
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(cost: Argon2Cost, password: &str) -> Result<String, HashError> {
    let salt: [u8; 16] = rand::random();
    let hash: PasswordHash = argon2(cost)?
        .hash_password_with_salt(normal(password).as_bytes(), &salt)
        .map_err(|error| HashError(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify_now(cost: Argon2Cost, password: &str, stored: &str) -> Result<Verified, HashError> {
    let password = normal(password);
    if !stored.starts_with('$') {
        let right = verify_scrypt(&password, stored)?;
        return Ok(if right { Verified::RightUpgrade } else { Verified::Wrong });
    }
    let hash = PasswordHash::new(stored).map_err(|error| HashError(error.to_string()))?;
    let argon2 = argon2(cost)?;
    if argon2.verify_password(password.as_bytes(), &hash).is_err() {
        return Ok(Verified::Wrong);
    }
    let current =
        Params::try_from(&hash).is_ok_and(|used| used.m_cost() == cost.memory_kib && used.t_cost() == cost.passes);
    Ok(if current { Verified::Right } else { Verified::RightUpgrade })
}

/// Hashes brought along from the earlier product: `salt:key`, where the salt's text itself is the salt.
fn verify_scrypt(password: &str, stored: &str) -> Result<bool, HashError> {
    let (salt, key) = stored.split_once(':').ok_or_else(|| HashError("unknown form of a stored hash".to_owned()))?;
    let key = hex::decode(key).map_err(|error| HashError(error.to_string()))?;
    let params = scrypt::Params::new(14, 16, 1).map_err(|error| HashError(error.to_string()))?;
    let mut computed = vec![0; key.len()];
    scrypt::scrypt(password.as_bytes(), salt.as_bytes(), &params, &mut computed)
        .map_err(|error| HashError(error.to_string()))?;
    Ok(computed.ct_eq(&key).into())
}

/// The same characters typed on another keyboard are the same password.
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn the_rule_wants_length_and_three_kinds_of_characters() {
        assert_eq!(check("Tiny1"), Err(RULE));
        assert_eq!(check("alllowercase1"), Err(RULE));
        assert_eq!(check("ALLUPPERCASE1"), Err(RULE));
        assert_eq!(check("NoDigitsHere"), Err(RULE));
        assert_eq!(check(&format!("Aa1{}", "ö".repeat(126))), Err(RULE));
        assert_eq!(check(&format!("Aa1{}", "ö".repeat(125))), Ok(()));
        assert_eq!(check("Correct7Horse"), Ok(()));
    }

    #[test]
    fn well_known_passwords_are_refused_however_they_are_decorated() {
        assert_eq!(check("Password1"), Err(BREACHED));
        assert_eq!(check("PassWord123!!"), Err(BREACHED));
        assert_eq!(check("Qwerty123"), Err(BREACHED));
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_and_no_other() {
        let hasher = Hasher::new(CHEAP).unwrap();
        let hash = hasher.hash("Correct7Horse".into()).await.unwrap();
        assert_eq!(hasher.verify("Correct7Horse".into(), Some(hash.clone())).await.unwrap(), Verified::Right);
        assert_eq!(hasher.verify("correct7Horse".into(), Some(hash)).await.unwrap(), Verified::Wrong);
        assert_eq!(hasher.verify("a password nobody has".into(), None).await.unwrap(), Verified::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_the_earlier_product_verifies_and_asks_for_an_upgrade() {
        let salt = "0123456789abcdef0123456789abcdef";
        let mut key = [0; 64];
        scrypt::scrypt(b"Correct7Horse", salt.as_bytes(), &scrypt::Params::new(14, 16, 1).unwrap(), &mut key).unwrap();
        let hasher = Hasher::new(CHEAP).unwrap();
        let stored = format!("{salt}:{}", hex::encode(key));
        assert_eq!(hasher.verify("Correct7Horse".into(), Some(stored)).await.unwrap(), Verified::RightUpgrade);
    }

    #[test]
    fn the_list_of_breached_passwords_is_sorted_and_lower_case() {
        let lines: Vec<&str> = MOST_BREACHED.lines().collect();
        assert!(lines.len() > 200);
        assert!(lines.iter().all(|line| *line == line.to_lowercase()));
        assert!(lines.is_sorted());
    }
}
