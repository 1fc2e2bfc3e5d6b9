//! Small cryptographic forms: signatures, and secrets sealed with a token that is not stored.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// HMAC-SHA256.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What is stored instead of a token: base64url of its SHA-256.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// Equal, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Seal `secret` with a random, single-use `token`: a keystream of HMAC blocks, then a tag.
pub fn seal(token: &str, secret: &str) -> String {
    let mut body = keystream_xor(token, secret.as_bytes());
    let tag = hmac(token.as_bytes(), &[b"pizzapi seal tag", &body]);
    body.extend_from_slice(&tag);
    STANDARD.encode(body)
}

/// What [`seal`] hid, if `token` is the same and nothing was changed.
pub fn unseal(token: &str, sealed: &str) -> Option<String> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if !same(tag, &hmac(token.as_bytes(), &[b"pizzapi seal tag", body])) {
        return None;
    }
    String::from_utf8(keystream_xor(token, body)).ok()
}

/// Safe only because each token seals one secret once.
fn keystream_xor(token: &str, data: &[u8]) -> Vec<u8> {
    data.chunks(32)
        .zip(0_u64..)
        .flat_map(|(chunk, block)| {
            let key = hmac(token.as_bytes(), &[b"pizzapi seal key", &block.to_be_bytes()]);
            chunk.iter().zip(key).map(|(byte, key)| byte ^ key).collect::<Vec<u8>>()
        })
        .collect()
}

/// `base64url(json).base64url(signature)` for links that carry their own right.
pub fn sign_json(secret: &[u8], purpose: &str, json: &str) -> String {
    let body = URL_SAFE_NO_PAD.encode(json);
    let signature = hmac(secret, &[purpose.as_bytes(), b"\n", body.as_bytes()]);
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The JSON text of [`sign_json`], when the signature holds.
pub fn verify_json(secret: &[u8], purpose: &str, token: &str) -> Option<String> {
    let (body, signature) = token.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !same(&signature, &hmac(secret, &[purpose.as_bytes(), b"\n", body.as_bytes()])) {
        return None;
    }
    String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_token_only() {
        let sealed = seal("token", "a key of some length that spans more than one block");
        assert_eq!(unseal("token", &sealed).as_deref(), Some("a key of some length that spans more than one block"));
        assert_eq!(unseal("other", &sealed), None);
        assert!(!sealed.contains("key"));
    }

    #[test]
    fn a_changed_link_is_refused() {
        let token = sign_json(b"s", "p", r#"{"a":1}"#);
        assert_eq!(verify_json(b"s", "p", &token).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(verify_json(b"s", "q", &token), None);
        assert_eq!(verify_json(b"s", "p", &format!("x{token}")), None);
    }
}
