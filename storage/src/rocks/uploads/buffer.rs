//! Memory for small bodies: bounded over all uploads. Who gets none stages his octets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(octets: usize) -> Self {
        Self {
            left: AtomicUsize::new(octets),
        }
    }

    fn take(&self, octets: usize) -> bool {
        let order = Ordering::Relaxed;
        let taken = self
            .left
            .fetch_update(order, order, |left| left.checked_sub(octets));
        taken.is_ok()
    }

    fn give_back(&self, octets: usize) {
        self.left.fetch_add(octets, Ordering::Relaxed);
    }
}

/// Octets of one body, counted against the budget.
pub(super) struct Buffer {
    octets: Vec<u8>,
    budget: Arc<Budget>,
}

impl Buffer {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            octets: Vec::new(),
            budget,
        }
    }

    /// Writes octets at their place; false if there is no memory for them.
    pub(super) fn write(&mut self, offset: usize, octets: &[u8]) -> bool {
        let end = offset + octets.len();
        let more = end.saturating_sub(self.octets.len());
        if !self.budget.take(more) {
            return false;
        }
        if more > 0 {
            self.octets.resize(end, 0);
        }
        self.octets[offset..end].copy_from_slice(octets);
        true
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// All octets; they do not count any more.
    pub(super) fn take(&mut self) -> Bytes {
        self.budget.give_back(self.octets.len());
        std::mem::take(&mut self.octets).into()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.budget.give_back(self.octets.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_and_given_back() {
        let budget = Arc::new(Budget::new(10));
        let mut first = Buffer::new(Arc::clone(&budget));
        assert!(first.write(2, b"abc"));
        assert!(first.write(0, b"xyz"), "five octets are there already");
        assert_eq!(first.octets(), b"xyzbc");
        let mut second = Buffer::new(Arc::clone(&budget));
        assert!(!second.write(0, b"123456"));
        assert_eq!(first.take(), &b"xyzbc"[..]);
        assert!(second.write(0, b"123456"));
        drop((first, second));
        assert!(Buffer::new(budget).write(0, b"1234567890"));
    }
}
