//! Places for accepted connections: so many in all, and so many for one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of an endpoint.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place that is taken as long as this lives.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// As many as that in all and for one address.
    pub(crate) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from this address; none if all are taken, or all of this address.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut taken = self.lock();
        let of_address = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.all >= self.most || of_address >= self.most_per_address {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, of_address + 1);
        Some(Place {
            places: Arc::clone(self),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let places = Places::new(3, 2);
        let held = [places.take(address(1)), places.take(address(1))];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(address(1)).is_none());
        let other = places.take(address(2));
        assert!(other.is_some());
        assert!(places.take(address(3)).is_none(), "all are taken");
        drop(held);
        assert!(places.take(address(1)).is_some());
        drop(other);
        let taken = places.lock();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0));
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_both_spellings() {
        let places = Places::new(2, 1);
        let _held = places.take(address(1)).expect("free");
        let mapped = "::ffff:192.0.2.1".parse().expect("an address");
        assert!(places.take(mapped).is_none());
    }
}
