//! A list page after page, each shown as it comes.

use serde::Serialize;

use super::Session;
use super::limit::{Limit, ListEnd, tell_rest};
use crate::args::Format;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::table::{Column, Grid};

/// What a list looks like.
pub(super) struct Listing<R> {
    /// Its field in the JSON document.
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) row: fn(&R) -> Vec<String>,
}

/// Shows up to `limit` records from `token` on. `page` asks for so many records from a token on, and says
/// which token follows.
pub(super) async fn show<R: Serialize>(
    listing: Listing<R>,
    limit: Limit,
    mut token: String,
    session: &mut Session,
    mut page: impl AsyncFnMut(&mut Client, u32, String) -> Result<(Vec<R>, String), Failure>,
) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let is_json = session.output.format() == Format::Json;
    let mut items = Items::begin(&mut session.output, listing.name)?;
    let ended = async {
        let mut grid = Grid::new(listing.columns);
        loop {
            let size = limit.next_page(items.count());
            let (found, next) = page(&mut client, size, token.clone()).await?;
            if !found.is_empty() {
                let rows: Vec<_> = found.iter().map(listing.row).collect();
                items.write_all(&found, |_| grid.page(&rows))?;
            }
            if !next.is_empty() && next == token {
                return Err(client.defect("a page that leads to itself"));
            }
            token = next;
            if token.is_empty() || limit.next_page(items.count()) == 0 {
                return Ok(());
            }
        }
    };
    let ended = ended.await;
    let rest = Some(token).filter(|token| !token.is_empty());
    let hint = rest.clone().filter(|_| !is_json);
    let closed = items.finish(&ListEnd::at(rest));
    ended.and(closed)?;
    hint.iter().for_each(|token| tell_rest(token));
    Ok(())
}
