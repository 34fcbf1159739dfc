//! What makes two deposits the same message (requirements §3.3).

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::model::{Address, Deposit, ImdnKey, JobClass, JobRequest, Part, PartKind};

type HmacSha256 = Hmac<Sha256>;

/// A keyed hash over everything but the mailbox: sender, method, From-tag, Call-ID, CSeq and body.
/// Keyed with the secret of the store, because a plain hash of a short body could be guessed after
/// the body was erased.
pub(crate) type Fingerprint = [u8; 24];

/// The fingerprint of a deposit: of a large message its length and SHA-256 stand for the body. Costs time in proportion to its body.
pub(crate) fn fingerprint(secret: &[u8; 32], deposit: &Deposit) -> Fingerprint {
    let key = &deposit.duplicate_key;
    let mut mac = keyed(secret, b"duplicate");
    let sender = deposit.sender.as_ref().map_or("", |sender| sender.as_str());
    for field in [sender, &key.method, &key.from_tag, &key.call_id] {
        mac.update(&octets_of(field.len()));
        mac.update(field.as_bytes());
    }
    mac.update(&key.cseq.to_be_bytes());
    match &deposit.sha256 {
        Some(sha256) => {
            mac.update(&deposit.body_octets.to_be_bytes());
            mac.update(sha256);
        }
        None => mac.update(body(deposit)),
    }
    truncated(mac)
}

/// How a message is recognised that comes in another request, as of a client that tries again under a new Call-ID
/// (requirements §3.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImdnFingerprints {
    /// Sender and `imdn.Message-ID`.
    pub(crate) id: Fingerprint,
    /// And what the message wraps, without its CPIM headers: a retry may write another `DateTime`.
    pub(crate) copy: Fingerprint,
}

/// The fingerprints of a deposit that has a name. Who is nobody has no names of his own.
pub(crate) fn imdn_fingerprints(secret: &[u8; 32], deposit: &Deposit) -> Option<ImdnFingerprints> {
    let (sender, key) = (deposit.sender.as_ref()?, deposit.imdn_key.as_ref()?);
    let ImdnKey {
        message_id,
        part_offset,
    } = key;
    let of = |purpose, part: &[u8]| {
        let mut mac = keyed(secret, purpose);
        for field in [sender.as_str(), message_id] {
            mac.update(&octets_of(field.len()));
            mac.update(field.as_bytes());
        }
        mac.update(part);
        truncated(mac)
    };
    let start = usize::try_from(*part_offset).unwrap_or(usize::MAX);
    let part = body(deposit).get(start..)?;
    Some(ImdnFingerprints {
        id: of(b"imdn id", &[]),
        copy: of(b"imdn copy", part),
    })
}

/// The SHA-256 of octets that are in memory.
pub(crate) fn sha256(octets: &[u8]) -> [u8; 32] {
    Sha256::digest(octets).into()
}

/// A keyed hash that stands for an address in keys, which no encryption covers (P10).
pub(crate) fn address_key(secret: &[u8; 32], address: &str) -> [u8; 16] {
    let mut mac = keyed(secret, b"address");
    mac.update(address.as_bytes());
    truncated(mac)
}

/// A keyed hash that stands for the target of legs of a class: legs of which one is in flight at a time. A slow
/// transfer keeps no MESSAGE waiting.
pub(crate) fn target_key(secret: &[u8; 32], class: JobClass, target: &Address) -> [u8; 16] {
    match class {
        JobClass::Pager => address_key(secret, target.as_str()),
        JobClass::Large => {
            let mut mac = keyed(secret, b"large target");
            mac.update(target.as_str().as_bytes());
            truncated(mac)
        }
    }
}

/// A keyed hash that stands for a sender and one of his targets: legs of a class in one order.
pub(crate) fn turn_key(
    secret: &[u8; 32],
    class: JobClass,
    sender: &Address,
    target: &Address,
) -> [u8; 16] {
    let purpose: &[u8] = match class {
        JobClass::Pager => b"turn",
        JobClass::Large => b"large turn",
    };
    let mut mac = keyed(secret, purpose);
    mac.update(&octets_of(sender.as_str().len()));
    mac.update(sender.as_str().as_bytes());
    mac.update(target.as_str().as_bytes());
    truncated(mac)
}

/// The fingerprint of a message that became a job.
pub(crate) fn job_fingerprint(secret: &[u8; 32], request: &JobRequest) -> Fingerprint {
    let key = &request.duplicate_key;
    let mut mac = keyed(secret, b"job");
    let sender = request.sender.as_str();
    for field in [sender, &key.method, &key.from_tag, &key.call_id] {
        mac.update(&octets_of(field.len()));
        mac.update(field.as_bytes());
    }
    mac.update(&key.cseq.to_be_bytes());
    mac.update(&request.content_hash);
    truncated(mac)
}

fn keyed(secret: &[u8; 32], purpose: &[u8]) -> HmacSha256 {
    let mut mac = HmacSha256::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(purpose);
    mac.update(&[0]);
    mac
}

fn octets_of(length: usize) -> [u8; 8] {
    (length as u64).to_be_bytes()
}

fn truncated<const N: usize>(mac: HmacSha256) -> [u8; N] {
    let digest = mac.finalize().into_bytes();
    let mut short = [0; N];
    short.copy_from_slice(&digest[..N]);
    short
}

/// The body: of the MESSAGE request, or of the canonical SEND.
fn body(deposit: &Deposit) -> &[u8] {
    let of_kind = |kind| deposit.parts.iter().find(|part: &&Part| part.kind == kind);
    if let Some(send) = of_kind(PartKind::SendBody) {
        return &send.octets;
    }
    let Some(message) = of_kind(PartKind::Message) else {
        return &[];
    };
    let start = usize::try_from(deposit.body_offset).unwrap_or(usize::MAX);
    message.octets.get(start..).unwrap_or_default()
}
