//! Slots with generations: entries found by a small number that never means a later entry.
//!
//! Entries stand in pages, so that growing moves none of them: there may be a million.

/// Entries of one page.
const PAGE: usize = 1024;

/// Place of an entry; stays unknown for ever once the entry has been removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    entry: Option<T>,
}

#[derive(Debug)]
pub(super) struct Arena<T> {
    pages: Vec<Vec<Place<T>>>,
    /// Places made, full or free.
    made: usize,
    free: Vec<u32>,
    capacity: usize,
}

impl<T> Arena<T> {
    /// An empty arena that takes `capacity` entries at most.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            pages: Vec::new(),
            made: 0,
            free: Vec::new(),
            capacity,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.made - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Takes an entry in, or gives it back when the arena is full.
    pub(super) fn insert(&mut self, entry: T) -> Result<Slot, T> {
        if self.is_full() {
            return Err(entry);
        }
        if let Some(index) = self.free.pop()
            && let Some(place) = self.place_mut(index)
        {
            place.entry = Some(entry);
            let generation = place.generation;
            return Ok(Slot { index, generation });
        }
        let Ok(index) = u32::try_from(self.made) else {
            return Err(entry);
        };
        let place = Place {
            generation: 0,
            entry: Some(entry),
        };
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(place),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(place);
                self.pages.push(page);
            }
        }
        self.made += 1;
        Ok(Slot {
            index,
            generation: 0,
        })
    }

    fn place(&self, index: u32) -> Option<&Place<T>> {
        let index = index as usize;
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Place<T>> {
        let index = index as usize;
        self.pages.get_mut(index / PAGE)?.get_mut(index % PAGE)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let place = self.place(slot.index)?;
        place
            .entry
            .as_ref()
            .filter(|_| place.generation == slot.generation)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let place = self.place_mut(slot.index)?;
        place
            .entry
            .as_mut()
            .filter(|_| place.generation == slot.generation)
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let place = self.place_mut(slot.index)?;
        if place.generation != slot.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot.index);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_slot_never_finds_its_successor() {
        let mut arena = Arena::new(2);
        let first = arena.insert("first").unwrap();
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second").unwrap();
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn a_full_arena_gives_the_entry_back() {
        let mut arena = Arena::new(1);
        let slot = arena.insert(1).unwrap();
        assert_eq!(arena.insert(2), Err(2));
        arena.remove(slot);
        assert!(arena.insert(3).is_ok());
    }
}
