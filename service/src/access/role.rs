//! Roles, and what they include.

use std::fmt;

/// What somebody is to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Deposits and delivers.
    Edge,
    /// Changes what is stored, how it is delivered and who has a mailbox.
    Operator,
    /// Looks, without contents.
    Reader,
    /// Reads contents of messages.
    BodyReader,
}

impl Role {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::Edge, Self::Operator, Self::Reader, Self::BodyReader];

    /// Those that are not for programs alone.
    pub(crate) const OF_PEOPLE: [Self; 3] = [Self::Reader, Self::Operator, Self::BodyReader];

    /// As it is written in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Operator => "operator",
            Self::Reader => "reader",
            Self::BodyReader => "body_reader",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The roles of one caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Granted(Vec<Role>);

impl Granted {
    /// Whether they allow what needs `role`. Who changes or reads contents may look, too; an operator may not read
    /// contents.
    pub(crate) fn include(&self, role: Role) -> bool {
        let has = |role| self.0.contains(&role);
        has(role) || role == Role::Reader && (has(Role::Operator) || has(Role::BodyReader))
    }

    /// Those that were given, without what they include.
    pub(crate) fn all(&self) -> &[Role] {
        &self.0
    }
}

impl FromIterator<Role> for Granted {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_changes_or_reads_contents_may_look_and_nothing_else_is_included() {
        let table = [
            (Role::Edge, vec![Role::Edge]),
            (Role::Operator, vec![Role::Operator, Role::Reader]),
            (Role::Reader, vec![Role::Reader]),
            (Role::BodyReader, vec![Role::Reader, Role::BodyReader]),
        ];
        for (held, expected) in table {
            let granted: Granted = [held].into_iter().collect();
            let included = Role::ALL.into_iter().filter(|role| granted.include(*role));
            assert_eq!(included.collect::<Vec<_>>(), expected, "{held}");
        }
        assert!(
            !Role::ALL
                .iter()
                .any(|role| Granted::default().include(*role))
        );
    }
}
