//! The data keys of an open store: all of them are in memory, some 80 octets each, so that neither the committer nor a
//! reader waits for the disk because of a key.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustc_hash::FxHashMap;

use super::key::{ContentKey, NotOpened, SealingKey};
use super::master::{KeyStatus, MasterKeys};
use crate::column_family::Family;
use crate::key;
use crate::model::{JobNumber, MailboxId};
use crate::store::StoreError;
use crate::value::{Encoded, HEADER_OCTETS, KeyKind, SealedValue, encode_sealed, wrapped_by};

/// Whose values a data key covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyOwner {
    /// What belongs to nobody else: groups, timelines, delivery reports, the event log, the secret of the store.
    Store,
    Mailbox(MailboxId),
    /// A message to many: its template, its roster, its legs.
    Job(JobNumber),
}

impl KeyOwner {
    /// Whose a row is, by its key and the fields that are not sealed.
    fn of(family: Family, key: &[u8], clear: &[u8]) -> Self {
        let first = |octets: &[u8]| octets.first_chunk().copied().map(u64::from_be_bytes);
        let owner = match family {
            Family::Messages
            | Family::Waiting
            | Family::Accounts
            | Family::Bindings
            | Family::Settings
            | Family::Claims
            | Family::Subscriptions
            | Family::Attempts => first(key).map(|id| Self::Mailbox(MailboxId(id))),
            Family::Addresses => first(clear).map(|id| Self::Mailbox(MailboxId(id))),
            Family::Jobs | Family::Legs => first(key).map(|id| Self::Job(JobNumber(id))),
            _ => None,
        };
        owner.unwrap_or(Self::Store)
    }

    fn kind(self) -> KeyKind {
        match self {
            Self::Store => KeyKind::Store,
            Self::Mailbox(_) => KeyKind::Mailbox,
            Self::Job(_) => KeyKind::Job,
        }
    }
}

/// Why the keys of a store cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// There are data keys, and no master key.
    NoMaster,
    /// No master key has this id.
    Unknown(u32),
    /// The master key with this id is another one than that which has wrapped, or the row is damaged.
    Wrong(u32),
    /// It is no row of a key.
    Malformed,
}

/// What seals and opens values. Without master keys it does nothing.
pub(crate) struct Keyring(Option<RwLock<Keys>>);

struct Keys {
    masters: MasterKeys,
    owners: FxHashMap<KeyOwner, SealingKey>,
    /// Keys whose rows are going: readers still meet what they have sealed until that is on disk.
    going: FxHashMap<KeyOwner, SealingKey>,
}

impl Keyring {
    pub(crate) fn new(masters: Option<MasterKeys>) -> Self {
        Self(masters.map(|masters| {
            RwLock::new(Keys {
                masters,
                owners: FxHashMap::default(),
                going: FxHashMap::default(),
            })
        }))
    }

    /// Whether values are sealed.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The key of a content that is yet to come; `None` if it will not be sealed.
    pub(crate) fn content_key(&self) -> Option<ContentKey> {
        self.is_on().then(ContentKey::random)
    }

    fn read(&self) -> Option<RwLockReadGuard<'_, Keys>> {
        let keys = self.0.as_ref()?;
        Some(keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> Option<RwLockWriteGuard<'_, Keys>> {
        let keys = self.0.as_ref()?;
        Some(keys.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over a row that a master key has wrapped.
    pub(crate) fn learn(&self, place: &[u8], row: &[u8]) -> Result<(), Locked> {
        let owner = key::decode_data_key(place).map_err(|_| Locked::Malformed)?;
        let mut keys = self.write().ok_or(Locked::NoMaster)?;
        let id = wrapped_by(row).ok_or(Locked::Malformed)?;
        let master = keys.masters.get(id).ok_or(Locked::Unknown(id))?;
        let opened =
            SealedValue::parse(row)
                .ok_or(Locked::Malformed)?
                .open(master, Family::DataKeys, place);
        let opened = opened.map_err(|NotOpened| Locked::Wrong(id))?;
        let octets = opened.get(HEADER_OCTETS..).unwrap_or_default();
        let data_key = SealingKey::from_octets(octets).ok_or(Locked::Malformed)?;
        keys.owners.insert(owner, data_key);
        Ok(())
    }

    /// The row is going: its key seals nothing more, and opens what is there until [`Keyring::forget_gone`].
    pub(crate) fn let_go(&self, place: &[u8]) {
        if let (Some(mut keys), Ok(owner)) = (self.write(), key::decode_data_key(place))
            && let Some(data_key) = keys.owners.remove(&owner)
        {
            keys.going.insert(owner, data_key);
        }
    }

    /// The rows that were going are gone: what their keys have sealed cannot be opened any more.
    pub(crate) fn forget_gone(&self) {
        let is_idle = self.read().is_none_or(|keys| keys.going.is_empty());
        if is_idle {
            return;
        }
        if let Some(mut keys) = self.write() {
            keys.going.clear();
        }
    }

    /// The master keys of the present.
    pub(crate) fn masters(&self) -> Option<MasterKeys> {
        Some(self.read()?.masters.clone())
    }

    /// From now on these keys wrap and unwrap. Those that anything is wrapped by must be among them.
    ///
    /// # Errors
    /// The id of a key that is another one than before: what each of the two has wrapped could not be told apart.
    pub(crate) fn replace_masters(&self, masters: MasterKeys) -> Result<(), u32> {
        let Some(mut keys) = self.write() else {
            return Ok(());
        };
        let is_another = |id: &u32| {
            let before = keys.masters.get(*id);
            before.is_some() && before != masters.get(*id)
        };
        let another = masters.ids().find(is_another);
        another.map_or(Ok(()), Err)?;
        keys.masters = masters;
        Ok(())
    }

    /// Which master keys there are, none of them wrapping anything.
    pub(crate) fn status(&self) -> KeyStatus {
        self.read()
            .map_or_else(KeyStatus::default, |keys| KeyStatus {
                current: keys.masters.current(),
                wrapped: keys.masters.ids().map(|id| (id, 0)).collect(),
            })
    }

    /// The row of a key, wrapped by the current master key; `None` if it is gone.
    pub(crate) fn wrapped(&self, owner: KeyOwner) -> Option<Encoded> {
        let keys = self.read()?;
        let data_key = keys.owners.get(&owner)?;
        keys.masters.wrap(owner, data_key)
    }

    /// A value as it is written. A key that its owner has not had yet is handed to `made`: its row goes with the first that
    /// it covers.
    pub(crate) fn seal<'v>(
        &self,
        family: Family,
        place: &[u8],
        value: &'v Encoded,
        made: impl FnOnce(&[u8], &[u8]),
    ) -> Cow<'v, [u8]> {
        let (clear, sealed) = value.parts();
        if !self.is_on() || sealed.is_empty() {
            return Cow::Borrowed(value);
        }
        let owner = KeyOwner::of(family, place, clear);
        let Some(data_key) = self.data_key(owner, made) else {
            return Cow::Borrowed(value);
        };
        Cow::Owned(encode_sealed(value, owner.kind(), &data_key, family, place))
    }

    fn data_key(&self, owner: KeyOwner, made: impl FnOnce(&[u8], &[u8])) -> Option<SealingKey> {
        let known = self.read()?.owners.get(&owner).cloned();
        if known.is_some() {
            return known;
        }
        let mut keys = self.write()?;
        let new = SealingKey::random();
        made(&key::data_key(owner), &keys.masters.wrap(owner, &new)?);
        keys.owners.insert(owner, new.clone());
        Some(new)
    }

    /// A value as it was before it was sealed. Pieces of contents stay as they are: their key is where their envelope is.
    pub(crate) fn open<'v>(
        &self,
        family: Family,
        place: &[u8],
        row: Cow<'v, [u8]>,
    ) -> Result<Cow<'v, [u8]>, StoreError> {
        let corrupt = StoreError::Corrupt {
            what: family.name(),
        };
        let Some(sealed) = SealedValue::parse(&row) else {
            return Ok(row);
        };
        if family == Family::DataKeys || sealed.kind() == Some(KeyKind::Content) {
            return Ok(row);
        }
        let owner = KeyOwner::of(family, place, sealed.clear());
        if sealed.kind() != Some(owner.kind()) {
            return Err(corrupt);
        }
        let keys = self.read();
        let of_owner = |keys: &Keys| {
            let keys = [keys.owners.get(&owner), keys.going.get(&owner)];
            keys.map(Option::<&SealingKey>::cloned)
        };
        let known = keys.as_deref().map(of_owner).unwrap_or_default();
        drop(keys);
        let mut known = known.into_iter().flatten().peekable();
        // Its owner was erased while somebody was still reading.
        known.peek().ok_or(StoreError::NotFound)?;
        let mut opened = known.map(|known| sealed.open(&known, family, place));
        opened.find_map(Result::ok).map(Cow::Owned).ok_or(corrupt)
    }
}

impl MasterKeys {
    fn wrap(&self, owner: KeyOwner, data_key: &SealingKey) -> Option<Encoded> {
        let master = self.get(self.current())?;
        let place = key::data_key(owner);
        Some(crate::value::wrap(data_key, self.current(), master, &place))
    }
}
