//! What sealing promises: it opens with its key, in its row, as it was, and not otherwise.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::{ContentKey, KeyOwner, Keyring, Locked, MasterKeys, MasterKeysError, SealingKey};
use crate::column_family::Family;
use crate::key;
use crate::model::{Generation, JobNumber, MailboxId, MessageNumber, PartKind, UnixMillis};
use crate::store::StoreError;
use crate::value::{
    self, AddressValue, ClaimValue, PieceRow, WaitingValue, decode_piece, encode_piece,
};

const ONE: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "2:FF0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

fn masters(text: &str) -> MasterKeys {
    MasterKeys::parse(text).expect("they are in order")
}

fn keyring(text: &str) -> Keyring {
    Keyring::new(Some(masters(text)))
}

/// Key and value of a row.
type Row = (Vec<u8>, Vec<u8>);

/// A row of a mailbox with a name in it, and the rows of keys that were made for it.
fn sealed(keyring: &Keyring, mailbox: MailboxId, edge: &str) -> (Vec<u8>, Vec<Row>) {
    let made = RefCell::new(Vec::new());
    let value = value::encode(&claim(edge));
    let row = keyring.seal(
        Family::Claims,
        &key::mailbox(mailbox),
        &value,
        |place, row| made.borrow_mut().push((place.to_vec(), row.to_vec())),
    );
    (row.into_owned(), made.into_inner())
}

fn claim(edge: &str) -> ClaimValue {
    ClaimValue {
        generation: Generation(7),
        claimed_at: UnixMillis(1),
        lease_until: UnixMillis(2),
        released: false,
        edge: edge.to_owned(),
    }
}

fn opened(keyring: &Keyring, mailbox: MailboxId, row: &[u8]) -> Result<ClaimValue, StoreError> {
    let place = key::mailbox(mailbox);
    let row = keyring.open(Family::Claims, &place, Cow::Borrowed(row))?;
    value::decode(&row)
}

fn contains(octets: &[u8], text: &[u8]) -> bool {
    octets.windows(text.len()).any(|window| window == text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sealed_opens_as_it_was(
        context in proptest::collection::vec(any::<u8>(), 0..40),
        plain in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let key = SealingKey::random();
        let mut sealed = vec![1, 2, 3];
        key.seal(&context, &plain, &mut sealed);
        let mut again = Vec::new();
        key.seal(&context, &plain, &mut again);
        prop_assert_ne!(&sealed[3..], &again[..], "salts differ");
        prop_assert!(plain.len() < 8 || !contains(&sealed, &plain));
        let place = key.open(&context, &mut sealed[3..]).expect("it is the key");
        prop_assert_eq!(&sealed[3..][place], &plain[..]);
        prop_assert!(SealingKey::random().open(&context, &mut again).is_err());
    }

    #[test]
    fn any_octet_that_is_changed_is_noticed(
        edge in "[a-z]{0,30}",
        place in any::<proptest::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let keyring = keyring(ONE);
        let (row, _) = sealed(&keyring, MailboxId(7), &edge);
        prop_assert_eq!(opened(&keyring, MailboxId(7), &row), Ok(claim(&edge)));
        let mut changed = row.clone();
        let place = place.index(row.len());
        changed[place] ^= change;
        let answer = opened(&keyring, MailboxId(7), &changed);
        prop_assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{place}: {answer:?}");
        prop_assert!(opened(&keyring, MailboxId(7), &row[..place]).is_err());
    }

    #[test]
    fn pieces_open_in_their_own_place_of_their_own_content(
        octets in proptest::collection::vec(any::<u8>(), 0..600),
        number in any::<u64>(),
        chunk in 0..9u32,
    ) {
        let content_key = ContentKey::random();
        let place = key::content(MessageNumber::default(), PartKind::Message, chunk);
        fn row(key: &[u8]) -> PieceRow<'_> {
            PieceRow { family: Family::Contents, key }
        }
        let piece = encode_piece(&octets, Some(&content_key), row(&place)).to_vec();
        // Its number is known later than its octets: the key binds it to its content.
        let place = key::content(MessageNumber(number), PartKind::Message, chunk);
        let found = decode_piece(&piece[..], Some(&content_key), row(&place)).expect("it is its place");
        prop_assert_eq!(&found[..], &octets[..]);
        prop_assert_eq!(&found.into_bytes()[..], &octets[..]);
        let other_chunk = key::content(MessageNumber(number), PartKind::Message, chunk + 1);
        let other_part = key::content(MessageNumber(number), PartKind::Invite, chunk);
        for wrong in [other_chunk, other_part] {
            prop_assert!(decode_piece(&piece[..], Some(&content_key), row(&wrong)).is_err());
        }
        let other = ContentKey::random();
        prop_assert!(decode_piece(&piece[..], Some(&other), row(&place)).is_err());
        prop_assert!(decode_piece(&piece[..], None, row(&place)).is_err());
        let cut = &piece[..piece.len() - 1];
        prop_assert!(decode_piece(cut, Some(&content_key), row(&place)).is_err());
    }
}

#[test]
fn a_row_opens_in_its_own_mailbox_and_family_only() {
    let keyring = keyring(ONE);
    let (row, made) = sealed(&keyring, MailboxId(7), "edge-1");
    assert_eq!(made.len(), 1, "its key is made with it");
    let (other, made) = sealed(&keyring, MailboxId(8), "edge-2");
    assert_eq!(made.len(), 1, "each has its own");
    assert!(sealed(&keyring, MailboxId(7), "edge-3").1.is_empty());
    assert!(!contains(&row, b"edge-1"));
    for (mailbox, row) in [(8, &row), (7, &other)] {
        let answer = opened(&keyring, MailboxId(mailbox), row);
        assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "swapped");
    }
    let place = key::mailbox(MailboxId(7));
    for family in [Family::Accounts, Family::Messages, Family::Groups] {
        let answer = keyring.open(family, &place, Cow::Borrowed(&row[..]));
        assert!(answer.is_err(), "{family:?}");
    }
    let again = opened(&keyring, MailboxId(7), &row);
    assert_eq!(again, Ok(claim("edge-1")));
}

#[test]
fn what_names_nobody_is_not_sealed() {
    let keyring = keyring(ONE);
    let row = WaitingValue {
        octets: 1,
        expires_at: UnixMillis(2),
        earliest_generation: Generation(3),
        done: Vec::new(),
    };
    let row = value::encode(&row);
    let place = key::waiting(MailboxId(7), MessageNumber(1));
    let made = |_: &[u8], _: &[u8]| panic!("it needs no key");
    let written = keyring.seal(Family::Waiting, &place, &row, made);
    assert_eq!(written[..], row[..]);
}

/// The key of an address is a hash: its mailbox is in the row.
#[test]
fn an_address_is_covered_by_the_key_of_its_mailbox() {
    let keyring = keyring(ONE);
    let address = AddressValue {
        mailbox: MailboxId(7),
        address: crate::model::Address::new("sip:bob@example.org"),
    };
    let place = RefCell::new(Vec::new());
    let address = value::encode(&address);
    let made = |made: &[u8], _: &[u8]| place.replace(made.to_vec()).clear();
    let row = keyring.seal(Family::Addresses, &[1; 16], &address, made);
    let row = row.into_owned();
    let of_bob = key::data_key(KeyOwner::Mailbox(MailboxId(7)));
    assert_eq!(place.into_inner(), of_bob);
    keyring.let_go(&of_bob);
    let open = || keyring.open(Family::Addresses, &[1; 16], Cow::Borrowed(&row));
    assert_eq!(open().ok().as_deref(), Some(&address[..]), "it is not gone");
    keyring.seal(Family::Addresses, &[2; 16], &address, |_, _| {});
    assert!(open().is_ok(), "a new key of his does not hide it");
    keyring.forget_gone();
    assert!(open().is_err());
}

#[test]
fn keys_are_learned_from_their_rows_and_by_their_master_key_only() {
    let first = keyring(ONE);
    let (row, made) = sealed(&first, MailboxId(7), "edge-1");
    let [(place, wrapped)] = &made[..] else {
        panic!("one key is made");
    };
    for (text, expected) in [
        (ONE, Ok(())),
        (TWO, Err(Locked::Unknown(1))),
        (&format!("{ONE},{TWO}"), Ok(())),
        (&format!("1:{}", "ab".repeat(32)), Err(Locked::Wrong(1))),
    ] {
        let keyring = keyring(text);
        assert_eq!(keyring.learn(place, wrapped), expected, "{text}");
        let answer = opened(&keyring, MailboxId(7), &row);
        assert_eq!(answer.is_ok(), expected.is_ok());
    }
    assert_eq!(
        Keyring::new(None).learn(place, wrapped),
        Err(Locked::NoMaster)
    );
    // The key of one mailbox is not taken for that of another.
    let of_carol = key::data_key(KeyOwner::Mailbox(MailboxId(8)));
    assert_eq!(
        keyring(ONE).learn(&of_carol, wrapped),
        Err(Locked::Wrong(1))
    );
}

#[test]
fn another_master_key_wraps_the_same_key() {
    let first = keyring(ONE);
    let (row, _) = sealed(&first, MailboxId(7), "edge-1");
    let owner = KeyOwner::Mailbox(MailboxId(7));
    let both = first.replace_masters(masters(&format!("{ONE}\n{TWO}")));
    assert_eq!(both, Ok(()));
    let other_one = masters(&format!("1:{}\n{TWO}", "ab".repeat(32)));
    assert_eq!(first.replace_masters(other_one), Err(1));
    let wrapped = first.wrapped(owner).expect("it has one");
    assert_eq!(value::wrapped_by(&wrapped), Some(2));
    let second = keyring(TWO);
    assert_eq!(second.learn(&key::data_key(owner), &wrapped), Ok(()));
    assert_eq!(opened(&second, MailboxId(7), &row), Ok(claim("edge-1")));
    assert_eq!(
        second
            .wrapped(KeyOwner::Job(JobNumber(7)))
            .map(|row| row.to_vec()),
        None
    );
}

#[test]
fn master_keys_are_read_and_what_is_none_is_named_but_not_shown() {
    let both = masters(&format!("# ours\n{ONE}\n\n  {TWO} \n"));
    assert_eq!((both.current(), both.ids().collect()), (2, vec![1, 2]));
    assert_eq!(masters(&format!("{TWO},{ONE}")).current(), 2);
    assert_eq!(format!("{both:?}"), "{1, 2}");
    assert_eq!(format!("{:?}", SealingKey::random()), "SealingKey");
    assert!(matches!(
        MasterKeys::parse("# none\n"),
        Err(MasterKeysError::Empty)
    ));
    assert!(matches!(
        MasterKeys::parse(&format!("{ONE}\n{ONE}")),
        Err(MasterKeysError::Twice { id: 1 })
    ));
    let digits = &ONE[2..];
    for wrong in [
        digits.to_owned(),
        format!("0:{digits}"),
        format!("x:{digits}"),
        format!("4294967296:{digits}"),
        format!("3:{}", &digits[1..]),
        format!("3:{digits}00"),
        format!("3:{}zz", &digits[2..]),
    ] {
        let error = MasterKeys::parse(&format!("{TWO}\n{wrong}")).expect_err("it is no key");
        assert!(
            matches!(error, MasterKeysError::Malformed { place: 2 }),
            "{wrong}: {error}"
        );
        assert!(!error.to_string().contains(&digits[4..20]));
    }
}

#[test]
fn a_file_of_keys_is_for_its_owner_only() {
    let folder = tempfile::TempDir::new().expect("there is place for tests");
    let path = folder.path().join("master.keys");
    let missing = MasterKeys::read(&path);
    assert!(matches!(missing, Err(MasterKeysError::Unreadable { .. })));
    fs::write(&path, ONE).expect("there is place");
    for (mode, is_taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(&path, permissions).expect("it is ours");
        let read = MasterKeys::read(&path);
        assert_eq!(read.is_ok(), is_taken, "{mode:o}");
        let is_exposed = matches!(read, Err(MasterKeysError::Exposed { .. }));
        assert_eq!(is_exposed, !is_taken);
    }
}
