//! Public keys in PEM: a SubjectPublicKeyInfo (RFC 5280, 8410) of one of two algorithms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::keys::{Kind, without_zeros};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// What stands for Ed25519: the object identifier 1.3.101.112.
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// What stands for RSA: the object identifier 1.2.840.113549.1.1.1, and no parameters.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The first public key in a text.
pub(super) fn read(text: &str) -> Result<Kind, String> {
    let after = text.split_once(BEGIN).map(|(_, after)| after);
    let body = after.and_then(|after| after.split_once(END)).map(|(body, _)| body).ok_or_else(|| {
        format!("no `{BEGIN}` is there (from a certificate: openssl x509 -pubkey; from an RSA key: openssl rsa -pubout)")
    })?;
    let base64: String = body.split_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| "the key is not in base64".to_owned())?;
    key(&der).ok_or_else(|| "the key is neither RSA nor Ed25519".to_owned())
}

fn key(der: &[u8]) -> Option<Kind> {
    let (info, rest) = element(SEQUENCE, der)?;
    let (algorithm, info) = element(SEQUENCE, info)?;
    let (bits, after) = element(BIT_STRING, info)?;
    // The first byte counts the bits that the last one lacks.
    let (&0, key) = bits.split_first()? else { return None };
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    match algorithm {
        ED25519 => Some(Kind::EdDsa(key.to_vec())),
        RSA => {
            let (numbers, _) = element(SEQUENCE, key)?;
            let (n, numbers) = element(INTEGER, numbers)?;
            let (e, _) = element(INTEGER, numbers)?;
            Some(Kind::Rs256 { n: without_zeros(n.to_vec()), e: without_zeros(e.to_vec()) })
        }
        _ => None,
    }
}

/// The contents of the element of this kind that DER begins with, and what follows it.
fn element(kind: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[tag, length], der) = der.split_first_chunk()?;
    let (length, der) = match length {
        _ if length < 0x80 => (usize::from(length), der),
        0x81 => {
            let (&[length], der) = der.split_first_chunk()?;
            (usize::from(length), der)
        }
        0x82 => {
            let (&length, der) = der.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(length)), der)
        }
        _ => return None,
    };
    (tag == kind).then_some(())?;
    der.split_at_checked(length)
}
