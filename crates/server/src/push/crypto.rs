//! Web push on the wire: messages only the browser can read (RFC 8291), signed by a key it knows us by (RFC 8292).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use crate::auth::sealed::hmac;

/// One record holds the whole message.
const RECORD: u32 = 4096;
/// Longest message that fits, after padding byte and tag. Units: bytes.
pub const MAX_MESSAGE: usize = RECORD as usize - 17;

/// Why a message could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The browser's keys are malformed: the subscription is worthless.
    #[error("the subscription's keys are malformed")]
    BadKeys,
    #[error("the message is too long")]
    TooLong,
    #[error("the key pair of this server is malformed")]
    BadPair,
    #[error("cryptography failed")]
    Failed,
}

/// The key pair browsers know this server by.
pub struct Vapid {
    pair: EcdsaKeyPair,
    subject: String,
}

impl Vapid {
    /// A fresh pair as PKCS #8.
    pub fn generate() -> Result<Vec<u8>, CryptoError> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Ok(pair.map_err(|_| CryptoError::Failed)?.as_ref().to_vec())
    }

    pub fn from_pkcs8(bytes: &[u8], subject: String) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes, &SystemRandom::new());
        Ok(Self { pair: pair.map_err(|_| CryptoError::BadPair)?, subject })
    }

    /// A configured pair: 32 and 65 bytes as base64url.
    pub fn from_parts(private: &str, public: &str, subject: String) -> Result<Self, CryptoError> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| CryptoError::BadPair);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &decode(private)?,
            &decode(public)?,
            &SystemRandom::new(),
        );
        Ok(Self { pair: pair.map_err(|_| CryptoError::BadPair)?, subject })
    }

    /// What pages subscribe with: base64url of the uncompressed point.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The `Authorization` header for a push service. `origin` is the service's; `expires_at` in Unix seconds.
    pub fn authorization(&self, origin: &str, expires_at: i64) -> Result<String, CryptoError> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "typ": "JWT", "alg": "ES256" }));
        let claims = part(json!({ "aud": origin, "exp": expires_at, "sub": self.subject }));
        let signed = format!("{header}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| CryptoError::Failed)?;
        Ok(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.as_ref()), self.public_key()))
    }
}

/// Encrypt for a browser. `p256dh` and `auth` are what it subscribed with, base64url.
pub fn encrypt(p256dh: &str, auth: &str, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if message.len() > MAX_MESSAGE {
        return Err(CryptoError::TooLong);
    }
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| CryptoError::BadKeys);
    let (theirs, auth) = (decode(p256dh)?, decode(auth)?);
    if theirs.len() != 65 || auth.len() != 16 {
        return Err(CryptoError::BadKeys);
    }
    let random = SystemRandom::new();
    let ours = EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(|_| CryptoError::Failed)?;
    let our_public = ours.compute_public_key().map_err(|_| CryptoError::Failed)?.as_ref().to_vec();
    let peer = UnparsedPublicKey::new(&ECDH_P256, &theirs);
    let secret = agree_ephemeral(ours, &peer, <[u8]>::to_vec).map_err(|_| CryptoError::BadKeys)?;
    let salt: [u8; 16] = rand::random();
    let (key, nonce) = keys(&secret, &auth, &theirs, &our_public, &salt);

    let mut record = message.to_vec();
    // The mark of the last record.
    record.push(2);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(|_| CryptoError::Failed)?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)
        .map_err(|_| CryptoError::Failed)?;

    let mut body = Vec::with_capacity(86 + record.len());
    body.extend_from_slice(&salt);
    body.extend_from_slice(&RECORD.to_be_bytes());
    body.push(65);
    body.extend_from_slice(&our_public);
    body.extend_from_slice(&record);
    Ok(body)
}

/// Content key and nonce of one message.
fn keys(secret: &[u8], auth: &[u8], theirs: &[u8], ours: &[u8], salt: &[u8; 16]) -> ([u8; 16], [u8; 12]) {
    let ikm = hmac(&hmac(auth, &[secret]), &[b"WebPush: info\0", theirs, ours, &[1]]);
    let prk = hmac(salt, &[&ikm]);
    let first = |info: &[u8]| hmac(&prk, &[info, &[1]]);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    key.copy_from_slice(&first(b"Content-Encoding: aes128gcm\0")[..16]);
    nonce.copy_from_slice(&first(b"Content-Encoding: nonce\0")[..12]);
    (key, nonce)
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey as Verifier};

    use super::*;

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn keys_are_those_of_the_standards_example() {
        // RFC 8291, appendix A.
        let secret = decode("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let auth = decode("BTBZMqHH6r4Tts7J_aSIgg");
        let theirs = decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let ours = decode("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
        let salt: [u8; 16] = decode("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let (key, nonce) = keys(&secret, &auth, &theirs, &ours, &salt);
        assert_eq!(key.to_vec(), decode("oIhVW04MRdy2XN9CiKLxTg"));
        assert_eq!(nonce.to_vec(), decode("4h_95klXJ5E_qnoN"));
    }

    #[test]
    fn a_browser_can_read_what_it_gets() {
        let random = SystemRandom::new();
        let theirs = EphemeralPrivateKey::generate(&ECDH_P256, &random).unwrap();
        let public = theirs.compute_public_key().unwrap().as_ref().to_vec();
        let auth: [u8; 16] = rand::random();
        let body = encrypt(&URL_SAFE_NO_PAD.encode(&public), &URL_SAFE_NO_PAD.encode(auth), b"pizza is ready").unwrap();
        let (salt, ours) = (&body[..16], &body[21..86]);
        let peer = UnparsedPublicKey::new(&ECDH_P256, ours);
        let secret = agree_ephemeral(theirs, &peer, <[u8]>::to_vec).unwrap();
        let (key, nonce) = keys(&secret, &auth, &public, ours, salt.try_into().unwrap());
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut record = body[86..].to_vec();
        let clear = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record).unwrap();
        assert_eq!(clear, b"pizza is ready\x02");
    }

    #[test]
    fn malformed_keys_are_named_as_such() {
        let point = URL_SAFE_NO_PAD.encode([4; 65]);
        for (p256dh, auth) in [("x", "y"), (point.as_str(), "AAAAAAAAAAAAAAAAAAAAAA"), ("", "")] {
            assert_eq!(encrypt(p256dh, auth, b"x"), Err(CryptoError::BadKeys));
        }
    }

    #[test]
    fn the_signature_holds_for_the_public_key_we_tell() {
        let vapid = Vapid::from_pkcs8(&Vapid::generate().unwrap(), "mailto:a@b.c".to_owned()).unwrap();
        let header = vapid.authorization("https://push.example.org", 1_700_000_000).unwrap();
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let verifier = Verifier::new(&ECDSA_P256_SHA256_FIXED, decode(key));
        verifier.verify(signed.as_bytes(), &decode(signature)).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&decode(signed.split_once('.').unwrap().1)).unwrap();
        assert_eq!(claims, json!({ "aud": "https://push.example.org", "exp": 1_700_000_000, "sub": "mailto:a@b.c" }));
    }
}
