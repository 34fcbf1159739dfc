//! Fields: fixed big-endian integers, variable ones (7 bits per octet, least first), and texts with
//! their length in front.

use std::fmt;
use std::ops::Deref;

use super::HEADER_OCTETS;

/// The octets are not what this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Appends fields.
pub(crate) struct Encoder {
    octets: Vec<u8>,
    sealed_from: usize,
}

impl Encoder {
    pub(super) fn with_header(format: u8, key_id: u32) -> Self {
        let mut out = Self {
            octets: Vec::with_capacity(128),
            sealed_from: usize::MAX,
        };
        out.u8(format);
        out.octets.extend_from_slice(&key_id.to_be_bytes());
        out
    }

    /// Fields without a header, to be appended behind one.
    pub(super) fn bare() -> Self {
        Self {
            octets: Vec::with_capacity(256),
            sealed_from: usize::MAX,
        }
    }

    pub(super) fn reserve(&mut self, octets: usize) {
        self.octets.reserve(octets);
    }

    /// Appends fields that were written before.
    pub(super) fn append(&mut self, fields: &[u8]) {
        self.octets.extend_from_slice(fields);
    }

    /// Marks where the part begins that a key covers. Without a key it looks like the rest.
    pub(crate) fn seal(&mut self) {
        self.sealed_from = self.octets.len();
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.octets.push(value);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Eight octets: times and ids.
    pub(crate) fn u64(&mut self, value: u64) {
        self.octets.extend_from_slice(&value.to_be_bytes());
    }

    /// One to ten octets: counters and lengths.
    pub(crate) fn count(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(low_bits(value) | 0x80);
            value >>= 7;
        }
        self.u8(low_bits(value));
    }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.count(octets.len() as u64);
        self.octets.extend_from_slice(octets);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.octets(text.as_bytes());
    }

    /// A flag, then the value if there is one.
    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// How many, then each.
    pub(crate) fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.count(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    pub(super) fn finish(self) -> Encoded {
        Encoded {
            sealed_from: self.sealed_from.min(self.octets.len()),
            octets: self.octets,
        }
    }

    /// For fields that are no value by themselves.
    pub(super) fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

/// A value as it stands in memory, and is written if nothing is encrypted. What of it a key covers is known.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    octets: Vec<u8>,
    sealed_from: usize,
}

impl Encoded {
    /// A value that is written as it is.
    pub(super) fn whole(octets: Vec<u8>) -> Self {
        Self {
            sealed_from: octets.len(),
            octets,
        }
    }

    /// The fields in the clear, without the header, and those that a key covers.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let (clear, sealed) = self.octets.split_at(self.sealed_from);
        (clear.get(HEADER_OCTETS..).unwrap_or_default(), sealed)
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

/// What it holds may be a name.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} octets)", self.octets.len())
    }
}

fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Takes fields from the front.
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Of fields without a header.
    pub(super) fn bare(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn after_header(octets: &'a [u8], format: u8, key: u32) -> Result<Self, Malformed> {
        let mut fields = Self(octets);
        let found_format = fields.u8()?;
        let found_key = fields.array::<4>().map(u32::from_be_bytes)?;
        match (found_format, found_key) == (format, key) {
            true => Ok(fields),
            false => Err(Malformed),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn count(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.u8()?;
            let bits = u64::from(octet & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Malformed);
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    pub(crate) fn count32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.count()?).map_err(|_| Malformed)
    }

    pub(crate) fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.count()?).map_err(|_| Malformed)?;
        let (octets, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(octets)
    }

    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let octets = self.octets()?;
        String::from_utf8(octets.to_vec()).map_err(|_| Malformed)
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Ok(None),
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let length = self.count()?;
        (0..length).map(|_| read(self)).collect()
    }

    /// A list at the end of a value, which is written only if there is something in it.
    pub(crate) fn list_at_end<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        if self.is_at_end() {
            return Ok(Vec::new());
        }
        let items = self.list(read)?;
        match items.is_empty() {
            true => Err(Malformed),
            false => Ok(items),
        }
    }

    /// Whether no field is left: an earlier version has written fewer.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        match self.is_at_end() {
            true => Ok(()),
            false => Err(Malformed),
        }
    }
}
