//! Accounts, their addresses, and the size of a page.

use proto::v1;
use storage::model::{Account, Address};
use tonic::Status;

use super::invalid;

/// Hits per page if the caller says nothing, and at most.
const PAGE_SIZE: u32 = 100;
const PAGE_SIZE_MAX: u32 = 1_000;

/// Octets of an address at most.
const ADDRESS_OCTETS_MAX: usize = 1_024;

/// An account as operators see it.
pub(crate) fn account(account: Account) -> v1::Account {
    let aliases = account.aliases.iter();
    v1::Account {
        address: account.address.as_str().to_owned(),
        aliases: aliases.map(|alias| alias.as_str().to_owned()).collect(),
        provisioned: account.provisioned,
    }
}

/// An address that an account may have; the caller has made it canonical.
pub(crate) fn named(address: String) -> Result<Address, Status> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    match address.len() {
        0 => Err(invalid("an address is missing")),
        length if length > ADDRESS_OCTETS_MAX => {
            Err(invalid("an address has at most 1,024 octets"))
        }
        _ if address.contains(is_odd) => Err(invalid("an address has no blanks")),
        _ => Ok(Address::new(address)),
    }
}

/// How many hits a page may have.
pub(crate) fn page_size(asked: u32) -> Result<usize, Status> {
    let size = match asked {
        0 => PAGE_SIZE,
        size if size <= PAGE_SIZE_MAX => size,
        _ => return Err(invalid("a page has at most 1,000 hits")),
    };
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in ["", "sip:a b@h", "sip:a@h\u{7}", &"a".repeat(1_025)] {
            assert!(named(text.to_owned()).is_err(), "{text:?}");
        }
        let longest = "a".repeat(1_024);
        assert_eq!(named(longest.clone()).ok(), Some(Address::new(longest)));
    }
}
