//! What the rules of a group come to (RFC 4745 §10, OMA XDM Group): for its members, and for all others.
//!
//! Of the actions `join-handling` (who may send) and `allow-anonymity` count. A rule about anybody else than members,
//! everybody, or those whom no other rule names is refused: ignoring it would let through whom it keeps out.

use roxmltree::Node;

use super::read::NotAGroup;
use super::{COMMON_POLICY, NAMESPACE, OMA_COMMON_POLICY};

/// What is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) allow_anonymity: bool,
    pub(super) non_members_may_send: bool,
}

/// Whom a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// It has no condition.
    All,
    /// Every identity.
    Many,
    /// Members.
    Members,
    /// Those whom no other rule names.
    Other,
}

/// A rule as far as it counts.
#[derive(Clone, Copy, Debug)]
struct Rule {
    who: Who,
    may_send: Option<bool>,
    allow_anonymity: Option<bool>,
}

/// Without rules members may send, and not anonymously.
pub(super) fn policy(ruleset: Option<Node<'_, '_>>) -> Result<Policy, NotAGroup> {
    let rules = ruleset.into_iter().flat_map(|ruleset| ruleset.children());
    let rules = rules.filter(|child| child.has_tag_name((COMMON_POLICY, "rule")));
    let rules = rules.map(rule).collect::<Result<Vec<_>, _>>()?;
    let names = |who: &[Who]| rules.iter().any(|rule| who.contains(&rule.who));
    let of_members = |rule: &&Rule| match rule.who {
        Who::Other => !names(&[Who::Members, Who::Many]),
        _ => true,
    };
    let of_others = |rule: &&Rule| match rule.who {
        Who::Members => false,
        Who::Other => !names(&[Who::Many]),
        _ => true,
    };
    let members: Vec<_> = rules.iter().filter(of_members).collect();
    let others: Vec<_> = rules.iter().filter(of_others).collect();
    if !combined(&members, |rule| rule.may_send).unwrap_or(true) {
        return Err(NotAGroup::Constraint(
            "members may always send to their group here",
        ));
    }
    let non_members_may_send = combined(&others, |rule| rule.may_send).unwrap_or(false);
    let anonymity = |rules: &[&Rule]| combined(rules, |rule| rule.allow_anonymity) == Some(true);
    let allow_anonymity = anonymity(&members);
    if non_members_may_send && anonymity(&others) != allow_anonymity {
        return Err(NotAGroup::Constraint(
            "all who may send may do so anonymously here, or none",
        ));
    }
    Ok(Policy {
        allow_anonymity,
        non_members_may_send,
    })
}

/// Of several rules the one that allows more counts (RFC 4745 §10.2).
fn combined(rules: &[&Rule], action: impl Fn(&Rule) -> Option<bool>) -> Option<bool> {
    rules.iter().filter_map(|rule| action(rule)).max()
}

fn rule(rule: Node<'_, '_>) -> Result<Rule, NotAGroup> {
    let parts = |name: &'static str| {
        let parts = rule.children();
        let parts = parts.filter(move |child| child.has_tag_name((COMMON_POLICY, name)));
        parts.flat_map(|part| part.children().filter(Node::is_element))
    };
    let mut conditions = parts("conditions");
    let who = match (conditions.next(), conditions.next()) {
        (None, _) => Who::All,
        (Some(condition), None) => who(condition)?,
        (Some(_), Some(_)) => return Err(unknown()),
    };
    let action = |name: &'static str| {
        let mut actions = parts("actions");
        let action = actions.find(|action| action.has_tag_name((NAMESPACE, name)));
        action.map(boolean).transpose()
    };
    Ok(Rule {
        who,
        may_send: action("join-handling")?,
        allow_anonymity: action("allow-anonymity")?,
    })
}

fn who(condition: Node<'_, '_>) -> Result<Who, NotAGroup> {
    if condition.has_tag_name((NAMESPACE, "is-list-member")) {
        return Ok(Who::Members);
    }
    if condition.has_tag_name((OMA_COMMON_POLICY, "other-identity")) {
        return Ok(Who::Other);
    }
    let mut identities = condition.children().filter(Node::is_element);
    let only = (identities.next(), identities.next());
    match only {
        (Some(many), None)
            if condition.has_tag_name((COMMON_POLICY, "identity"))
                && many.has_tag_name((COMMON_POLICY, "many"))
                && many.attributes().len() == 0
                && !many.children().any(|child| child.is_element()) =>
        {
            Ok(Who::Many)
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> NotAGroup {
    NotAGroup::Constraint(
        "rules are about members (is-list-member), everybody (identity/many) or all others (other-identity) here",
    )
}

/// `xs:boolean`.
fn boolean(action: Node<'_, '_>) -> Result<bool, NotAGroup> {
    match action.text().unwrap_or_default().trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(NotAGroup::Schema(
            "join-handling or allow-anonymity is no boolean",
        )),
    }
}
