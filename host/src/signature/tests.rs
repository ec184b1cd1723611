use proptest::prelude::*;

use super::*;

const DIGEST: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// Made by `openssl genpkey -algorithm ed25519`, the public part by `openssl pkey -pubout`, and the signature of
/// `scruple plugin v1 sha256:2c26…` by `openssl pkeyutl -sign -rawin`.
const OPENSSL: [&str; 3] = [
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKYgvCz94JQGrK5b6xLMajo1lZEC9CUGeit/A+DF+JfK\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAzeMok03/THpirR15wIcfEEsX6trhW1Q8xZGaiE4IAlA=\n-----END PUBLIC KEY-----\n",
    "6zXpUMEkXhAVaD+sXXm5ovhqIjVaunVXLvNxhU7PLI9x4yv4FT+tkO2CdnkeyoYNLyc3fJorJb3o2Vb3zG+SDA==",
];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_random(&[seed; 32])
}

#[test]
fn what_openssl_makes_is_understood_and_made_alike() {
    let [private, public, signature] = OPENSSL;
    let key = PrivateKey::from_pem(private).unwrap();
    assert_eq!(key.public(), PublicKey::from_pem(public).unwrap());
    assert_eq!(key.to_pem(), private);
    assert_eq!(key.public().to_pem(), public);
    // Ed25519 is deterministic: the same key and text give the same signature.
    assert_eq!(key.sign(DIGEST).base64(), signature);
    assert_eq!(key.public().verify(DIGEST, &key.sign(DIGEST)), Ok(()));
}

#[test]
fn a_key_comes_back_from_its_text_and_its_bytes() {
    let private = key(7);
    let public = private.public();
    assert_eq!(PrivateKey::from_pem(&private.to_pem()).unwrap().public(), public);
    assert_eq!(PublicKey::from_pem(&public.to_pem()).unwrap(), public);
    assert_eq!(PublicKey::from_bytes(&public.to_bytes()).unwrap(), public);
    assert_eq!(public.id().to_string().parse(), Ok(public.id()));
}

#[test]
fn every_bit_of_a_signature_and_of_a_digest_counts() {
    let (private, digest) = (key(1), Sha256::digest(b"component"));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let signature = private.sign(&hex(&digest));
    for bit in 0..512 {
        let mut changed = signature;
        changed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(private.public().verify(&hex(&digest), &changed).is_err(), "bit {bit} of the signature");
    }
    for bit in 0..256 {
        let mut changed = digest;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(private.public().verify(&hex(&changed), &signature).is_err(), "bit {bit} of the digest");
    }
}

/// RFC 8032 §5.1.7: S must be below the order L. S + L passes where that is not looked at, so that anybody could make
/// a second signature of a first.
#[test]
fn a_signature_cannot_be_made_another_one() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (private, mut carry) = (key(2), 0);
    let mut changed = private.sign(DIGEST);
    for (byte, order) in changed.bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0, "it still fits");
    assert!(private.public().verify(DIGEST, &changed).is_err());
}

#[test]
fn keys_that_everybody_can_sign_with_are_refused() {
    // The neutral element, and a point of order 2 (y = -1).
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xec, 0x7f);
    let mut first = [0; 32];
    first[0] = 1;
    for weak in [first, second] {
        let pem = VerifyingKey::from_bytes(&weak).unwrap().to_public_key_pem(LineEnding::LF).unwrap();
        assert_eq!(PublicKey::from_pem(&pem), Err(KeyError::Weak));
    }
}

#[test]
fn what_is_no_key_is_said_to_be_none() {
    let [private, public, _] = OPENSSL;
    assert_eq!(PublicKey::from_pem(private), Err(KeyError::Private));
    let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n";
    for text in ["", "ssh-ed25519 AAAA", rsa, &public.replace("MCow", "MCox"), &public.repeat(40)] {
        assert_eq!(PublicKey::from_pem(text), Err(KeyError::NotPublic), "{text}");
        assert!(matches!(PrivateKey::from_pem(text), Err(KeyError::NotPrivate)), "{text}");
    }
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(matches!(PrivateKey::from_pem(encrypted), Err(KeyError::Encrypted)));
}

#[test]
fn a_signature_by_another_key_under_this_ones_id_is_refused() {
    let (one, other) = (key(1), key(2));
    let disguised = Signature { key: one.public().id(), ..other.sign(DIGEST) };
    assert!(matches!(one.public().verify(DIGEST, &disguised), Err(SignatureError::Wrong { .. })));
    assert!(one.public().verify(DIGEST, &other.sign(DIGEST)).is_err());
}

#[test]
fn a_document_is_read_as_it_was_written_and_nothing_else_is() {
    let mut document = Document { digest: DIGEST.to_owned(), signatures: Vec::new() };
    for seed in 0..8 {
        document.add(key(seed).sign(DIGEST)).unwrap();
    }
    document.add(key(3).sign(DIGEST)).unwrap();
    assert_eq!(document.signatures.len(), 8, "the same key again replaces its signature");
    assert_eq!(document.add(key(9).sign(DIGEST)), Err(SignatureError::TooMany { found: 9 }));
    document.signatures.pop();
    assert_eq!(Document::read(&document.to_json()), Ok(document.clone()));
    assert_eq!(Document::read(&document.to_file()), Ok(document.clone()));

    let text = document.to_json();
    let twice = Document { signatures: vec![document.signatures[0]; 2], ..document.clone() };
    for (changed, expected) in [
        (text.replace("\"version\":1", "\"version\":2"), "version 2 is not known"),
        (text.replace("\"version\":1", "\"version\":1,\"until\":2"), "unknown field `until`"),
        (text.replace("sha256:2c", "sha256:"), "`digest` is not `sha256:`"),
        (text.replace("sha256:", "sha512:"), "`digest` is not `sha256:`"),
        (text.replace("==\"", "\""), "is not 64 bytes in base64"),
        (text.replace("\"key\":\"", "\"key\":\"0"), "is not the id of a key"),
        (twice.to_json(), "two signatures by the key"),
        (" ".repeat(20_000), "larger than"),
    ] {
        let refused = Document::read(&changed).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused} in place of {expected}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_as_a_signature_is_read_or_refused(key in ".{0,80}", base64 in ".{0,120}", text in ".{0,200}") {
        let _ = Signature::read(&key, &base64);
        let _ = Document::read(&text);
        let _ = PublicKey::from_pem(&text);
    }

    #[test]
    fn a_signature_is_of_its_key_and_its_component_alone(
        one in any::<[u8; 32]>(), other in any::<[u8; 32]>(), digest in "[0-9a-f]{64}", elsewhere in "[0-9a-f]{64}",
    ) {
        prop_assume!(one != other && digest != elsewhere);
        let (one, other) = (PrivateKey::from_random(&one), PrivateKey::from_random(&other));
        let signature = one.sign(&digest);
        prop_assert!(one.public().verify(&digest, &signature).is_ok());
        prop_assert!(one.public().verify(&elsewhere, &signature).is_err());
        prop_assert!(other.public().verify(&digest, &signature).is_err());
    }
}
