//! By what a mailbox is delivered (DLM-01): a push session to IM clients, or MESSAGEs.

use storage_client::registration::Binding;

use crate::config::DeliveryMode;

/// How a mailbox is delivered, and which of its user's bindings that is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    /// A push session (requirements §2.4.2).
    Session(Vec<&'a Binding>),
    /// One MESSAGE per message (requirements §2.4.4).
    Message(Vec<&'a Binding>),
    /// There is nobody to deliver to.
    Nobody,
}

/// Chooses for a user with these live bindings. `is_unsuited` says whose client has answered that
/// it can do no session. Without any binding an operator has forced the delivery: the core may know
/// where the user is (DLV-15).
pub(crate) fn choose<'a>(
    mode: DeliveryMode,
    bindings: &'a [Binding],
    is_unsuited: impl Fn(&Binding) -> bool,
) -> Choice<'a> {
    let is_forced = bindings.is_empty();
    let select = |wanted: &dyn Fn(&Binding) -> bool| -> Option<Vec<&'a Binding>> {
        let found: Vec<_> = bindings.iter().filter(|binding| wanted(binding)).collect();
        (is_forced || !found.is_empty()).then_some(found)
    };
    let session = || select(&|binding| binding.has_im_tag).map(Choice::Session);
    let suited =
        || select(&|binding| binding.has_im_tag && !is_unsuited(binding)).map(Choice::Session);
    let message = || select(&|binding| binding.allows_message).map(Choice::Message);
    let choice = match mode {
        DeliveryMode::Session => session(),
        DeliveryMode::Message => message(),
        DeliveryMode::Auto => suited().or_else(message),
    };
    choice.unwrap_or(Choice::Nobody)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::example::binding;

    /// What is chosen, as the word and the contacts.
    fn chosen(mode: DeliveryMode, bindings: &[Binding]) -> String {
        let is_unsuited = |binding: &Binding| binding.contact.contains("unsuited");
        let (word, bindings) = match choose(mode, bindings, is_unsuited) {
            Choice::Session(bindings) => ("session", bindings),
            Choice::Message(bindings) => ("message", bindings),
            Choice::Nobody => ("nobody", Vec::new()),
        };
        bindings.iter().fold(word.to_owned(), |text, binding| {
            format!("{text} {}", binding.contact)
        })
    }

    #[test]
    fn the_mode_and_the_clients_decide() {
        use DeliveryMode::{Auto, Message, Session};
        let im = binding("im", true, true);
        let im_only = binding("im_only", true, false);
        let phone = binding("phone", false, true);
        let neither = binding("neither", false, false);
        let unsuited = binding("unsuited", true, true);
        let unsuited_only = binding("unsuited_only", true, false);
        let table = [
            (Auto, vec![], "session"),
            (Session, vec![], "session"),
            (Message, vec![], "message"),
            (Auto, vec![im.clone(), phone.clone()], "session im"),
            (Session, vec![im.clone(), phone.clone()], "session im"),
            (Message, vec![im.clone(), phone.clone()], "message im phone"),
            (Auto, vec![phone.clone(), neither.clone()], "message phone"),
            (Session, vec![phone.clone()], "nobody"),
            (Message, vec![im_only, neither.clone()], "nobody"),
            (Auto, vec![neither], "nobody"),
            (Auto, vec![unsuited.clone()], "message unsuited"),
            (Auto, vec![unsuited.clone(), im], "session im"),
            (
                Auto,
                vec![unsuited.clone(), phone],
                "message unsuited phone",
            ),
            (Session, vec![unsuited], "session unsuited"),
            (Auto, vec![unsuited_only], "nobody"),
        ];
        for (mode, bindings, expected) in table {
            assert_eq!(chosen(mode, &bindings), expected, "{mode} {bindings:?}");
        }
    }
}
