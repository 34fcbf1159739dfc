//! Octets that arrive as pieces in any order, kept in blocks of one size: where pieces overlap, the
//! later one wins. Octets in order write each block once; others read it and write it again.

/// Octets of one block: rows of this size, each read and written as a whole.
pub(crate) const BLOCK_OCTETS: usize = 64 << 10;

/// Most octets of one body: the last number of a block names something else.
pub(crate) const MOST_OCTETS: u64 = u32::MAX as u64 * BLOCK_OCTETS as u64;

/// Where blocks are kept. A block may be shorter than [`BLOCK_OCTETS`] until octets behind its end
/// come.
pub(crate) trait Blocks {
    type Error;

    /// A block as it was written last.
    fn read(&mut self, block: u32) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Writes a block, over what it was.
    fn write(&mut self, block: u32, octets: &[u8]) -> Result<(), Self::Error>;
}

/// The block that pieces are being added to.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    open: Option<(u32, Vec<u8>)>,
}

impl Assembly {
    /// Adds a piece, which ends before [`MOST_OCTETS`].
    pub(crate) fn add<B: Blocks>(
        &mut self,
        mut offset: u64,
        mut piece: &[u8],
        blocks: &mut B,
    ) -> Result<(), B::Error> {
        while !piece.is_empty() {
            let (block, within) = place(offset);
            let (octets, rest) = piece.split_at(piece.len().min(BLOCK_OCTETS - within));
            self.add_to(block, within, octets, blocks)?;
            offset += octets.len() as u64;
            piece = rest;
        }
        Ok(())
    }

    fn add_to<B: Blocks>(
        &mut self,
        block: u32,
        within: usize,
        octets: &[u8],
        blocks: &mut B,
    ) -> Result<(), B::Error> {
        let is_open = self.open.as_ref().is_some_and(|(open, _)| *open == block);
        if octets.len() == BLOCK_OCTETS {
            if is_open {
                self.open = None;
            }
            return blocks.write(block, octets);
        }
        if !is_open {
            self.settle(blocks)?;
            self.open = Some((block, blocks.read(block)?.unwrap_or_default()));
        }
        if let Some((_, held)) = &mut self.open {
            let end = within + octets.len();
            if held.len() < end {
                held.resize(end, 0);
            }
            held[within..end].copy_from_slice(octets);
        }
        Ok(())
    }

    /// Writes what is still open.
    pub(crate) fn settle<B: Blocks>(&mut self, blocks: &mut B) -> Result<(), B::Error> {
        match self.open.take() {
            Some((block, octets)) => blocks.write(block, &octets),
            None => Ok(()),
        }
    }
}

/// Which block an octet is in, and where in it.
pub(crate) fn place(offset: u64) -> (u32, usize) {
    let octets = BLOCK_OCTETS as u64;
    let block = u32::try_from(offset / octets).unwrap_or(u32::MAX);
    let within = usize::try_from(offset % octets).unwrap_or(0);
    (block, within)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct InMemory {
        blocks: BTreeMap<u32, Vec<u8>>,
        writes: usize,
    }

    impl Blocks for InMemory {
        type Error = Infallible;

        fn read(&mut self, block: u32) -> Result<Option<Vec<u8>>, Infallible> {
            Ok(self.blocks.get(&block).cloned())
        }

        fn write(&mut self, block: u32, octets: &[u8]) -> Result<(), Infallible> {
            self.writes += 1;
            self.blocks.insert(block, octets.to_vec());
            Ok(())
        }
    }

    impl InMemory {
        /// All octets; a block that is not the last is filled up with zeros.
        fn octets(&self) -> Vec<u8> {
            let Some((last, end)) = self.blocks.last_key_value() else {
                return Vec::new();
            };
            let mut octets = vec![0; *last as usize * BLOCK_OCTETS + end.len()];
            for (block, held) in &self.blocks {
                let start = *block as usize * BLOCK_OCTETS;
                octets[start..start + held.len()].copy_from_slice(held);
            }
            octets
        }
    }

    fn assemble(pieces: &[(usize, Vec<u8>)]) -> InMemory {
        let mut blocks = InMemory::default();
        let mut assembly = Assembly::default();
        for (offset, piece) in pieces {
            let Ok(()) = assembly.add(*offset as u64, piece, &mut blocks);
        }
        let Ok(()) = assembly.settle(&mut blocks);
        blocks
    }

    fn piece() -> impl Strategy<Value = (usize, Vec<u8>)> {
        let near_a_border = (0usize..4, 0usize..200)
            .prop_map(|(block, by)| (block * BLOCK_OCTETS + by).saturating_sub(100));
        let offset = prop_oneof![near_a_border, 0usize..4 * BLOCK_OCTETS];
        let length = prop_oneof![0usize..300, 0usize..2 * BLOCK_OCTETS + 50];
        (offset, length, any::<u8>())
            .prop_map(|(offset, length, fill)| (offset, vec![fill; length]))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn the_later_piece_wins_as_in_plain_memory(pieces in proptest::collection::vec(piece(), 1..20)) {
            let mut model = Vec::new();
            for (offset, piece) in pieces.iter().filter(|(_, piece)| !piece.is_empty()) {
                let end = offset + piece.len();
                model.resize(model.len().max(end), 0);
                model[*offset..end].copy_from_slice(piece);
            }
            let octets = assemble(&pieces).octets();
            prop_assert!(octets == model, "{} octets against {}", octets.len(), model.len());
        }
    }

    #[test]
    fn octets_in_order_write_each_block_once() {
        let pieces: Vec<_> = (0..100).map(|i| (i * 2_048, vec![7; 2_048])).collect();
        let blocks = assemble(&pieces);
        assert_eq!(blocks.writes, 204_800_usize.div_ceil(BLOCK_OCTETS));
    }
}
